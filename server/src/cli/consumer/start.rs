//! Where a consumer begins: `all`, `last`, `new`, `subject`, a sequence, a time, or how long ago that was.
//! Not here: the other fields of a configuration (`flags`).

use crate::cli::time;
use serde_json::Value;

/// Where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    All,
    Last,
    New,
    LastPerSubject,
    Sequence(u64),
    Time(String),
}

impl Start {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("{text:?} is none of all, last, new, subject, a sequence, a time, or 1h");
        match text {
            "all" => Ok(Self::All),
            "last" => Ok(Self::Last),
            "new" | "next" => Ok(Self::New),
            "subject" | "last_per_subject" => Ok(Self::LastPerSubject),
            _ if text.bytes().all(|letter| letter.is_ascii_digit()) => match text.parse() {
                Ok(sequence @ 1..) => Ok(Self::Sequence(sequence)),
                _ => Err(refuse()),
            },
            _ => time::parse_past(text).map(Self::Time).map_err(|_| refuse()),
        }
    }

    /// The fields of a configuration.
    pub(super) fn fields(&self) -> Vec<(&'static str, Value)> {
        let policy = |name: &str| ("deliver_policy", Value::from(name));
        match self {
            Self::All => vec![policy("all")],
            Self::Last => vec![policy("last")],
            Self::New => vec![policy("new")],
            Self::LastPerSubject => vec![policy("last_per_subject")],
            Self::Sequence(sequence) => {
                vec![policy("by_start_sequence"), ("opt_start_seq", (*sequence).into())]
            }
            Self::Time(time) => {
                vec![policy("by_start_time"), ("opt_start_time", time.as_str().into())]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_read() {
        for (text, expected) in [
            ("all", Some(Start::All)),
            ("last", Some(Start::Last)),
            ("new", Some(Start::New)),
            ("next", Some(Start::New)),
            ("subject", Some(Start::LastPerSubject)),
            ("3", Some(Start::Sequence(3))),
            ("2022-01-21T11:49:52Z", Some(Start::Time("2022-01-21T11:49:52Z".to_owned()))),
            ("2022-01-21 11:49:52", Some(Start::Time("2022-01-21T11:49:52Z".to_owned()))),
            ("0", None),
            ("99999999999999999999", None),
            ("first", None),
            ("", None),
        ] {
            assert_eq!(Start::parse(text).ok(), expected, "{text}");
        }
        let Ok(Start::Time(time)) = Start::parse("1h") else { panic!("a duration is a time") };
        let hour = 3_600_000_000_000_i64;
        let since = time::since(&time).unwrap();
        assert!((hour..hour + hour / 10).contains(&since), "{since}");
    }
}
