pub(crate) fn page(_run: &crate::Run) -> String { String::new() }
