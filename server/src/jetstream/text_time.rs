//! Times as the API writes them: RFC 3339 in UTC, with as many digits of the fraction as it takes.
//! Not here: reading them (`json`).

use headwater_storage::Timestamp;

/// What stands for no time.
pub(crate) const ZERO: &str = "0001-01-01T00:00:00Z";

/// A time of the engine as text.
pub(crate) fn text(time: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time.0))
        .map_or_else(|_| ZERO.to_owned(), |time| time.to_string())
}

/// A time, or the zero time.
pub(crate) fn text_or_zero(time: Option<Timestamp>) -> String {
    time.map_or_else(|| ZERO.to_owned(), text)
}

/// The time as text now.
pub(crate) fn now() -> String {
    text(Timestamp::now())
}

/// A time of a request as the engine has it, held to the range of the engine.
pub(crate) fn stored(time: jiff::Timestamp) -> Timestamp {
    let nanoseconds = time.as_nanosecond();
    let bound = if nanoseconds < 0 { i64::MIN } else { i64::MAX };
    Timestamp(i64::try_from(nanoseconds).unwrap_or(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (time, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_500_000_000, "1970-01-01T00:00:01.5Z"),
            (1_000_000_001, "1970-01-01T00:00:01.000000001Z"),
        ] {
            assert_eq!(text(Timestamp(time)), expected);
            assert_eq!(stored(expected.parse().unwrap()), Timestamp(time));
        }
        assert_eq!(stored("9999-01-01T00:00:00Z".parse().unwrap()), Timestamp(i64::MAX));
    }
}
