//! Points in time as replies have them, for people.
//! Not here: durations.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The second of a time, where the user is.
pub(super) fn local_text(time: &str) -> String {
    time.parse::<Timestamp>().map_or_else(
        |_| time.to_owned(),
        |time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    )
}

/// The second of a time in UTC; none for the zero time, which stands for no time at all.
pub(super) fn utc_text(time: &str) -> Option<String> {
    let time: Timestamp = time.parse().ok()?;
    (time > Timestamp::UNIX_EPOCH).then(|| time.strftime("%Y-%m-%dT%H:%M:%S UTC").to_string())
}

/// Nanoseconds since a time; none for the zero time. A clock that is ahead of ours makes it zero.
pub(super) fn since(time: &str) -> Option<i64> {
    let time: Timestamp = time.parse().ok()?;
    if time <= Timestamp::UNIX_EPOCH {
        return None;
    }
    let nanoseconds = Timestamp::now().as_nanosecond() - time.as_nanosecond();
    Some(i64::try_from(nanoseconds.max(0)).unwrap_or(i64::MAX))
}

/// Reads a time as the prompts ask for it, `YYYY:MM:DD HH:MM:SS` in UTC, or as replies have it.
pub(super) fn parse(text: &str) -> Result<String, String> {
    let given = jiff::civil::DateTime::strptime("%Y:%m:%d %H:%M:%S", text)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map(|time| time.timestamp());
    given
        .or_else(|_| text.parse::<Timestamp>())
        .map(|time| time.to_string())
        .map_err(|_| format!("{text:?} is not a time, such as 2026:01:31 23:59:59"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(parse("2022:01:21 11:49:52"), Ok("2022-01-21T11:49:52Z".to_owned()));
        assert_eq!(parse("2022-01-21T11:49:52Z"), Ok("2022-01-21T11:49:52Z".to_owned()));
        assert!(parse("yesterday").is_err());
        assert_eq!(
            utc_text("2022-01-21T11:49:52.123Z"),
            Some("2022-01-21T11:49:52 UTC".to_owned())
        );
        assert_eq!(utc_text("0001-01-01T00:00:00Z"), None);
        assert_eq!(since("0001-01-01T00:00:00Z"), None);
        assert_eq!(since("2200-01-01T00:00:00Z"), Some(0));
        assert_eq!(local_text("soon"), "soon");
    }
}
