//! What the header `Nats-Schedule` says: a time, an interval or a pattern, and when it comes next.
//! Not here: patterns of fields (`cron`), what is published then (`message`).

use super::cron::Cron;
use headwater_replication::time_to_live::seconds;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

const SECOND: i64 = 1_000_000_000;

/// When a schedule comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// In nanoseconds since 1970.
    pub(super) at: i64,
    /// The time as it is written into what the schedule publishes; none where it comes once.
    pub(super) text: Option<String>,
}

/// When a schedule comes next behind a time. One that came several times by `now` is to come once. None where the pattern is
/// not one.
pub(super) fn next(pattern: &str, zone: Option<&TimeZone>, from: i64, now: i64) -> Option<Next> {
    if let Some(time) = pattern.strip_prefix("@at ") {
        let at = instant(time).filter(|_| zone.is_none())?;
        return Some(Next { at, text: None });
    }
    if let Some(interval) = pattern.strip_prefix("@every ") {
        let interval = seconds(interval).filter(|seconds| *seconds >= 1.0 && zone.is_none())?;
        let interval = (interval * SECOND as f64) as i64;
        let mut at = rounded(from).saturating_add(interval);
        if at < now {
            at = rounded(now).saturating_add(interval);
        }
        let text = Timestamp::from_nanosecond(i128::from(at)).ok()?.to_string();
        return Some(Next { at, text: Some(text) });
    }
    let cron = Cron::read(match pattern {
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        "@monthly" => "0 0 0 1 * *",
        "@weekly" => "0 0 0 * * 0",
        "@daily" | "@midnight" => "0 0 0 * * *",
        "@hourly" => "0 0 * * * *",
        fields => fields,
    })?;
    let zone = zone.cloned().unwrap_or(TimeZone::UTC);
    let behind = |time: i64| cron.next(Timestamp::from_nanosecond(i128::from(time)).ok()?, &zone);
    let mut time = behind(from)?;
    if time.timestamp().as_nanosecond() < i128::from(now) {
        time = behind(rounded(now))?;
    }
    let at = i64::try_from(time.timestamp().as_nanosecond()).ok()?;
    Some(Next { at, text: Some(text(&time)) })
}

/// To the next whole second, up from the half.
fn rounded(time: i64) -> i64 {
    time.saturating_add(SECOND / 2).div_euclid(SECOND).saturating_mul(SECOND)
}

fn text(time: &Zoned) -> String {
    let is_utc = time.offset().seconds() == 0;
    let form = if is_utc { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
    time.strftime(form).to_string()
}

/// A time in the form of RFC 3339, as strict as Go reads it, in nanoseconds since 1970.
fn instant(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(19)?;
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let zone = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    let is_offset = |zone: &str| {
        let form = [b'+', b'0', b'0', b':', b'0', b'0'];
        zone.len() == form.len()
            && zone.bytes().zip(form).all(|(byte, form)| match form {
                b'+' => matches!(byte, b'+' | b'-'),
                b':' => byte == b':',
                _ => byte.is_ascii_digit(),
            })
    };
    if !is_date || !(zone == "Z" || is_offset(zone)) {
        return None;
    }
    let time: Timestamp = text.parse().ok()?;
    let nanoseconds = time.as_nanosecond();
    // Beyond what the engine can say, it never comes.
    i64::try_from(nanoseconds).ok().or((nanoseconds > 0).then_some(i64::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = 1_795_694_400 * SECOND;
        for (pattern, zone, expected) in [
            ("@at 2026-11-26T12:00:01Z", None, Some((1, None))),
            ("@at 2026-11-26T13:00:01.5+01:00", None, Some((1, None))),
            ("@at 2026-11-26 12:00:01Z", None, None),
            ("@at 2026-11-26T12:00:01", None, None),
            ("@at 2026-11-26T12:00:01Z", Some(&zone), None),
            ("@every 90s", None, Some((90, Some("2026-11-26T12:01:30Z")))),
            ("@every 999ms", None, None),
            ("@every 5", None, None),
            ("@every 5s", Some(&zone), None),
            ("@hourly", None, Some((3600, Some("2026-11-26T13:00:00Z")))),
            ("@daily", Some(&zone), Some((39_600, Some("2026-11-27T00:00:00+01:00")))),
            ("30 0 * * * *", None, Some((30, Some("2026-11-26T12:00:30Z")))),
            ("@never", None, None),
            ("", None, None),
        ] {
            let found = next(pattern, zone, now, now);
            let found = found.as_ref().map(|next| ((next.at - now) / SECOND, next.text.as_deref()));
            assert_eq!(found, expected, "{pattern}");
        }
        // What was missed comes once.
        let late = next("@every 10s", None, now - 95 * SECOND, now).unwrap();
        assert_eq!(late.at, now + 10 * SECOND);
        let late = next("0 * * * * *", None, now - 950 * SECOND, now).unwrap();
        assert_eq!(late.at, now + 60 * SECOND);
    }
}
