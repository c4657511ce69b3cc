//! What the header `Nats-TTL` says, read as nats-server reads it: whole seconds, a duration such as `1m30s`, or `never`.
//! Not here: expiry, which is the engine's.

use crate::headers;
use bytes::Bytes;
use headwater_storage::message::Lifetime;
use std::time::Duration;

/// Name of the header.
pub const TIME_TO_LIVE: &str = "Nats-TTL";
/// Name of the header that says why a delete marker is there.
pub const MARKER_REASON: &str = "Nats-Marker-Reason";

/// What a value of the header means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeToLive {
    /// Nothing: it is zero.
    None,
    /// The message never expires.
    Never,
    /// It expires after so many seconds.
    Seconds(u64),
    /// It cannot be read, or is too short.
    Invalid,
}

impl TimeToLive {
    /// Reads a value.
    pub fn read(value: &[u8]) -> Self {
        let text = std::str::from_utf8(value).unwrap_or_default();
        if text.eq_ignore_ascii_case("never") {
            return Self::Never;
        }
        if let Some(seconds) = seconds(text) {
            // As whole seconds: the rest is cut off.
            return if seconds < 1.0 { Self::Invalid } else { Self::Seconds(seconds as u64) };
        }
        match text.parse::<i64>() {
            Ok(0) if !text.starts_with(['+', '-']) => Self::None,
            Ok(seconds @ 1..) if !text.starts_with('+') => Self::Seconds(seconds.unsigned_abs()),
            _ => Self::Invalid,
        }
    }

    /// What the header block of a copy says; what cannot be read says nothing there.
    pub fn of(block: &[u8]) -> Self {
        match headers::value(block, TIME_TO_LIVE).filter(|value| !value.is_empty()) {
            Some(value) => Self::read(value),
            None => Self::None,
        }
    }

    /// The lifetime that the engine is told.
    pub fn lifetime(self) -> Lifetime {
        match self {
            Self::None | Self::Invalid => Lifetime::Unset,
            Self::Never => Lifetime::Forever,
            Self::Seconds(seconds) => Lifetime::For(Duration::from_secs(seconds)),
        }
    }
}

/// Whether a header block is that of a delete marker: one of a server, or the purge of a key.
pub fn is_delete_marker(block: &[u8]) -> bool {
    headers::value(block, MARKER_REASON).is_some_and(|reason| !reason.is_empty())
        || headers::value(block, "KV-Operation") == Some(b"PURGE")
}

/// The block with the header saying so many seconds.
pub fn replaced(block: &Bytes, seconds: u64) -> Bytes {
    let is_it = |line: &[u8]| {
        line.strip_prefix(TIME_TO_LIVE.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
    };
    headers::rewrite(block, is_it, Some((TIME_TO_LIVE, &seconds.to_string())))
}

/// The longest duration that can be said, in seconds.
const SECONDS_MAX: f64 = 9_223_372_036.0;

/// A duration in seconds: numbers, each with its unit. The form is that of Go.
pub fn seconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.split_at_checked(1) {
        Some(("-", rest)) => (-1.0, rest),
        Some(("+", rest)) => (1.0, rest),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Some(0.0);
    }
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
    (has_unit && sum <= SECONDS_MAX).then_some(sign * sum)
}

#[cfg(test)]
mod tests {
    use super::TimeToLive::{Invalid, Never, None, Seconds};
    use super::*;

    #[test]
    fn values() {
        for (text, expected) in [
            ("0", Invalid),
            ("00", None),
            ("1", Seconds(1)),
            ("60", Seconds(60)),
            ("never", Never),
            ("NEVER", Never),
            ("5s", Seconds(5)),
            ("1m30s", Seconds(90)),
            ("1.5h", Seconds(5400)),
            ("1000ms", Seconds(1)),
            ("1999ms", Seconds(1)),
            ("999ms", Invalid),
            ("0s", Invalid),
            ("+0", Invalid),
            ("9999999999h", Invalid),
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
