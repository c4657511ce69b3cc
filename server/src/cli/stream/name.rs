//! Names of streams: they are a token of API subjects and of file names, so some letters are not for them.
//! Not here: what the server thinks of a name.

/// Reads a name.
pub(super) fn parse(text: &str) -> Result<String, String> {
    let is_refused = |letter: char| {
        matches!(letter, '>' | '*' | '.' | '/' | '\\' | '\0') || letter.is_whitespace()
    };
    match text {
        "" => Err("a stream has a name".to_owned()),
        _ if text.contains(is_refused) => {
            Err("a stream has none of > * . / \\ and no spaces in its name".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names() {
        for (name, is_good) in
            [("ORDERS", true), ("a-b_1", true), ("", false), ("a.b", false), ("a b", false)]
        {
            assert_eq!(super::parse(name).is_ok(), is_good, "{name:?}");
        }
    }
}
