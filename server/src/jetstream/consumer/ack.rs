//! Acknowledgements: what a client answers to a delivery, and the subjects that it answers to.
//!
//! `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<delivery>.<time>.<pending>`; a newer form has a domain and a hash
//! of the account before the stream, and is understood as well.
//! Not here: what an acknowledgement does (`machine`).

use crate::config::value;
use headwater_storage::Timestamp;
use serde_json::Value;

/// Tokens of the form that is given out.
const TOKENS: usize = 9;
/// Tokens of the newer form, at least.
const LONG_TOKENS: usize = 11;
/// Longest delay that is taken: a year.
const DELAY_NS_MAX: i64 = 366 * 86_400 * 1_000_000_000;

/// What a reply subject says of its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// How often the message was delivered.
    pub(crate) deliveries: u64,
    /// Sequence of the message.
    pub(crate) sequence: u64,
    /// Number of the delivery.
    pub(crate) delivery: u64,
}

impl Delivered {
    /// The subject to answer to.
    pub(crate) fn subject(self, prefix: &str, time: Timestamp, pending: u64) -> String {
        let Self { deliveries, sequence, delivery } = self;
        format!("{prefix}.{deliveries}.{sequence}.{delivery}.{}.{pending}", time.0)
    }
    /// What a subject says; `None` where it is not one to answer to.
    pub(crate) fn read(subject: &str) -> Option<Self> {
        let tokens: Vec<&str> = subject.split('.').take(LONG_TOKENS + 2).collect();
        let first = match tokens.len() {
            TOKENS => 4,
            count if count >= LONG_TOKENS => 6,
            _ => return None,
        };
        let number = |at: usize| tokens.get(at)?.parse::<u64>().ok();
        let read = Self {
            deliveries: number(first)?,
            sequence: number(first + 1)?,
            delivery: number(first + 2)?,
        };
        subject.starts_with("$JS.ACK.").then_some(read)
    }
}

/// What a client answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// It is done.
    Done,
    /// It is done, and here is a pull request.
    Next(&'a [u8]),
    /// Again, after so many nanoseconds where a delay is given.
    Again(Option<i64>),
    /// It takes longer.
    Working,
    /// Never again, and why.
    Never(String),
    /// Something that changes nothing.
    Unknown,
}

impl<'a> Answer<'a> {
    /// Reads a payload.
    pub(crate) fn read(payload: &'a [u8]) -> Self {
        if payload.is_empty() || payload == b"+ACK" || payload == b"+OK" {
            return Self::Done;
        }
        if let Some(request) = payload.strip_prefix(b"+NXT") {
            return Self::Next(request);
        }
        if let Some(delay) = payload.strip_prefix(b"-NAK") {
            return Self::Again(read_delay(delay.trim_ascii()));
        }
        if payload == b"+WPI" {
            return Self::Working;
        }
        match payload.strip_prefix(b"+TERM") {
            Some(reason) => Self::Never(String::from_utf8_lossy(reason.trim_ascii()).into_owned()),
            None => Self::Unknown,
        }
    }
}

/// `{"delay": nanoseconds}` or a duration such as `1m30s`; anything else is no delay.
fn read_delay(text: &[u8]) -> Option<i64> {
    let delay = match text.first()? {
        b'{' => {
            let value: Value = serde_json::from_slice(text).ok()?;
            value.as_object()?.get("delay").map_or(Some(0), Value::as_i64)?
        }
        _ => {
            let span = value::duration(std::str::from_utf8(text).ok()?)?;
            i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
        }
    };
    Some(delay.clamp(0, DELAY_NS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        let delivered = Delivered { deliveries: 2, sequence: 30, delivery: 7 };
        let subject = delivered.subject("$JS.ACK.S.C", Timestamp(5), 11);
        assert_eq!(subject, "$JS.ACK.S.C.2.30.7.5.11");
        for (subject, expected) in [
            (subject.as_str(), Some(delivered)),
            ("$JS.ACK._.hash.S.C.2.30.7.5.11", Some(delivered)),
            ("$JS.ACK._.hash.S.C.2.30.7.5.11.more", Some(delivered)),
            ("$JS.ACK.S.C.2.30.7.5", None),
            ("$JS.ACK.S.C.2.x.7.5.11", None),
            ("$JS.ACK.S.C.2.-1.7.5.11", None),
            ("$JS.ACK", None),
            ("", None),
        ] {
            assert_eq!(Delivered::read(subject), expected, "{subject}");
        }
    }

    #[test]
    fn answers() {
        let never = |text: &str| Answer::Never(text.to_owned());
        for (payload, expected) in [
            ("", Answer::Done),
            ("+ACK", Answer::Done),
            ("+OK", Answer::Done),
            ("+NXT", Answer::Next(b"")),
            ("+NXT {\"batch\":2}", Answer::Next(b" {\"batch\":2}")),
            ("-NAK", Answer::Again(None)),
            ("-NAK 2s", Answer::Again(Some(2_000_000_000))),
            ("-NAK {\"delay\": 5}", Answer::Again(Some(5))),
            ("-NAK {\"delay\": -5}", Answer::Again(Some(0))),
            ("-NAK {\"delay\"", Answer::Again(None)),
            ("-NAK soon", Answer::Again(None)),
            ("+WPI", Answer::Working),
            ("+TERM", never("")),
            ("+TERM no use ", never("no use")),
            ("ACK", Answer::Unknown),
        ] {
            assert_eq!(Answer::read(payload.as_bytes()), expected, "{payload}");
        }
    }
}
