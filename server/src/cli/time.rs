//! Points in time as replies have them, for people.
//! Not here: durations.

use super::duration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

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

/// Reads a time as the prompts ask for it, `YYYY:MM:DD HH:MM:SS` in UTC, as it is usual with dashes, or as replies have it.
pub(super) fn parse(text: &str) -> Result<String, String> {
    moment(text).map(|time| time.to_string())
}

/// Reads a time, or how long ago it was.
pub(super) fn parse_past(text: &str) -> Result<String, String> {
    beside_now(text, |now, duration| now.checked_sub(duration))
}

/// Reads a time, or how long it is until then.
pub(super) fn parse_future(text: &str) -> Result<String, String> {
    beside_now(text, |now, duration| now.checked_add(duration))
}

fn beside_now(
    text: &str,
    shift: fn(Timestamp, Duration) -> Result<Timestamp, jiff::Error>,
) -> Result<String, String> {
    match duration::parse(text) {
        Ok(duration) => shift(Timestamp::now(), duration).map_err(|error| error.to_string()),
        Err(_) => moment(text).map_err(|error| format!("{error}, nor a duration, such as 1h")),
    }
    .map(|time| time.to_string())
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let given = |format| {
        let time = jiff::civil::DateTime::strptime(format, text);
        time.and_then(|time| time.to_zoned(TimeZone::UTC)).map(|time| time.timestamp())
    };
    given("%Y:%m:%d %H:%M:%S")
        .or_else(|_| given("%Y-%m-%d %H:%M:%S"))
        .or_else(|_| text.parse::<Timestamp>())
        .map_err(|_| format!("{text:?} is not a time, such as 2026:01:31 23:59:59"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(parse("2022:01:21 11:49:52"), Ok("2022-01-21T11:49:52Z".to_owned()));
        assert_eq!(parse("2022-01-21T11:49:52Z"), Ok("2022-01-21T11:49:52Z".to_owned()));
        assert_eq!(parse("2022-01-21 11:49:52"), Ok("2022-01-21T11:49:52Z".to_owned()));
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

    #[test]
    fn times_beside_now() {
        let at = |text: Result<String, String>| text.unwrap().parse::<Timestamp>().unwrap();
        let now = Timestamp::now();
        let hours = |time: Timestamp| time.duration_since(now).as_secs_f64() / 3_600.0;
        assert!((hours(at(parse_past("2h"))) + 2.0).abs() < 0.1);
        assert!((hours(at(parse_future("1h30m"))) - 1.5).abs() < 0.1);
        for parse in [parse_past, parse_future] {
            assert_eq!(parse("2022-01-21T11:49:52Z"), Ok("2022-01-21T11:49:52Z".to_owned()));
            assert!(parse("soon").is_err());
        }
    }
}
