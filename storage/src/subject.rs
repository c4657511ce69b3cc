//! Subjects: dot-separated tokens, `*` for one token, `>` for one or more at the end.
//!
//! A token that merely contains a wildcard character is literal. Source of the rules: the NATS protocol reference and
//! the observed behaviour of nats-server 2.15.
//! Not here: sets of subjects with lookups (`stream::index`) and who listens to what (the server).

/// Whether `subject` is well formed: tokens not empty, no white space or control characters, `>` only at the end.
pub fn is_valid(subject: &str) -> bool {
    if subject.is_empty()
        || subject.bytes().any(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c' | 0))
    {
        return false;
    }
    let mut full = false;
    for token in subject.split('.') {
        if token.is_empty() || full {
            return false;
        }
        full = token == ">";
    }
    true
}

/// Whether `subject` is well formed and has no wildcard token.
pub fn is_literal(subject: &str) -> bool {
    is_valid(subject) && !has_wildcard(subject)
}

/// Whether a token of `subject` is `*` or `>`.
pub fn has_wildcard(subject: &str) -> bool {
    subject.split('.').any(|token| token == "*" || token == ">")
}

/// Whether the literal `subject` is one of those `pattern` stands for.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for want in pattern.split('.') {
        match (want, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (want, Some(token)) if want == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// Whether some literal subject matches both patterns.
pub fn collides(one: &str, other: &str) -> bool {
    let (mut left, mut right) = (one.split('.'), other.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// Whether every subject that matches `inner` matches `outer` too.
pub fn is_subset(inner: &str, outer: &str) -> bool {
    let (mut inside, mut outside) = (inner.split('.'), outer.split('.'));
    loop {
        match (inside.next(), outside.next()) {
            (None, None) => return true,
            (Some(_), Some(">")) => return true,
            (Some(">"), _) => return false,
            (Some(_), Some("*")) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity() {
        for (subject, valid, literal) in [
            ("a", true, true),
            ("a.b", true, true),
            ("a.*", true, false),
            (">", true, false),
            ("a.>", true, false),
            ("a*.b>", true, true),
            ("", false, false),
            (".", false, false),
            ("a..b", false, false),
            ("a.>.b", false, false),
            ("a b", false, false),
            ("a.", false, false),
        ] {
            assert_eq!((is_valid(subject), is_literal(subject)), (valid, literal), "{subject:?}");
        }
    }

    #[test]
    fn matching() {
        for (pattern, subject, expected) in [
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("*.b", "a.b", true),
            ("a", "a.b", false),
        ] {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn relations() {
        for (one, other, collide, subset) in [
            ("a.*", "a.b", true, false),
            ("a.b", "a.*", true, true),
            ("a.*.b", "a.c.*", true, false),
            ("a.>", "a", false, false),
            ("a.b.c", "a.>", true, true),
            ("a.>", "a.*", true, false),
            ("a.*", "a.>", true, true),
            ("a.>", "a.>", true, true),
            ("a", "b", false, false),
        ] {
            assert_eq!(collides(one, other), collide, "{one} {other}");
            assert_eq!(is_subset(one, other), subset, "{one} {other}");
        }
    }
}
