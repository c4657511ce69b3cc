//! Names of streams and consumers: they are a token of API subjects and of file names, so some letters are not for them.
//! Not here: what the server thinks of a name.

/// Reads the name of a stream.
pub(in crate::cli) fn parse(text: &str) -> Result<String, String> {
    parse_of("stream", text)
}

/// Reads the name of a consumer.
pub(in crate::cli) fn parse_consumer(text: &str) -> Result<String, String> {
    parse_of("consumer", text)
}

fn parse_of(kind: &str, text: &str) -> Result<String, String> {
    let is_refused = |letter: char| {
        matches!(letter, '>' | '*' | '.' | '/' | '\\' | '\0') || letter.is_whitespace()
    };
    match text {
        "" => Err(format!("a {kind} has a name")),
        _ if text.contains(is_refused) => {
            Err(format!("a {kind} has none of > * . / \\ and no spaces in its name"))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, is_good) in
            [("ORDERS", true), ("a-b_1", true), ("", false), ("a.b", false), ("a b", false)]
        {
            assert_eq!(parse(name).is_ok(), is_good, "{name:?}");
        }
        assert_eq!(parse_consumer(""), Err("a consumer has a name".to_owned()));
    }
}
