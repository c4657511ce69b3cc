//! What the header `Nats-TTL` says, read as nats-server reads it: whole seconds, a duration such as `1m30s`, or `never`.
//! Not here: expiry. No stream of this server takes such messages.

/// What a value of the header means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeToLive {
    /// Nothing: it is zero.
    None,
    /// The message would expire, or never.
    Some,
    /// It cannot be read, or is too short.
    Invalid,
}

impl TimeToLive {
    /// Reads a value.
    pub(super) fn read(value: &[u8]) -> Self {
        let text = std::str::from_utf8(value).unwrap_or_default();
        if text.eq_ignore_ascii_case("never") {
            return Self::Some;
        }
        if let Some(seconds) = seconds(text) {
            return if seconds < 1.0 { Self::Invalid } else { Self::Some };
        }
        match text.parse::<i64>() {
            Ok(0) if !text.starts_with(['+', '-']) => Self::None,
            Ok(1..) if !text.starts_with('+') => Self::Some,
            _ => Self::Invalid,
        }
    }
}

/// A duration: numbers, each with its unit.
fn seconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.split_at_checked(1) {
        Some(("-", rest)) => (-1.0, rest),
        Some(("+", rest)) => (1.0, rest),
        _ => (1.0, text),
    };
    let mut sum = 0.0;
    let mut has_unit = false;
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(char::is_alphabetic)?)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * factor;
        has_unit = true;
        rest = after;
    }
    has_unit.then_some(sign * sum)
}

#[cfg(test)]
mod tests {
    use super::TimeToLive::{Invalid, None, Some};
    use super::*;

    #[test]
    fn values() {
        for (text, expected) in [
            ("0", None),
            ("00", None),
            ("1", Some),
            ("60", Some),
            ("never", Some),
            ("NEVER", Some),
            ("5s", Some),
            ("1m30s", Some),
            ("1.5h", Some),
            ("1000ms", Some),
            ("999ms", Invalid),
            ("0s", Invalid),
            ("-5s", Invalid),
            ("-1", Invalid),
            ("+1", Invalid),
            ("junk", Invalid),
            ("5x", Invalid),
            ("s", Invalid),
            ("", Invalid),
        ] {
            assert_eq!(TimeToLive::read(text.as_bytes()), expected, "{text:?}");
        }
    }
}
