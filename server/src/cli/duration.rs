//! Durations as people write and read them: `2m`, `1h30m`, `1d`; `2m23s`, `535ms`, `never`.
//! Not here: points in time (`time`).

use std::time::Duration;

const NANOSECONDS: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60.0 * 1e9),
    ("h", 3_600.0 * 1e9),
    ("d", 86_400.0 * 1e9),
    ("w", 7.0 * 86_400.0 * 1e9),
    ("M", 30.0 * 86_400.0 * 1e9),
    ("y", 365.0 * 86_400.0 * 1e9),
];

/// Reads a duration: numbers, each with its unit.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let refuse = || format!("{text:?} is not a duration, such as 500ms, 2m, 1h30m or 1d");
    let mut nanoseconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        let unit_start = rest.find(|letter| !is_number(letter)).ok_or_else(refuse)?;
        let (number, behind) = rest.split_at(unit_start);
        let unit_end = behind.find(is_number).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let (_, scale) = NANOSECONDS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        nanoseconds += number.parse::<f64>().map_err(|_| refuse())? * scale;
        rest = behind;
    }
    // Beyond 2^53 a float has no more single nanoseconds; what is there is rounded, as nobody asks for them.
    match !text.is_empty() && nanoseconds <= i64::MAX as f64 {
        true => Ok(Duration::from_nanos(nanoseconds.round() as u64)),
        false => Err(refuse()),
    }
}

/// Reads a limit in nanoseconds as configurations have it: 0, `-1` and `unlimited` stand for none.
pub(super) fn parse_limit(text: &str) -> Result<i64, String> {
    match text {
        "0" | "-1" | "unlimited" => Ok(0),
        _ => Ok(i64::try_from(parse(text)?.as_nanos()).unwrap_or(i64::MAX)),
    }
}

/// A duration in nanoseconds, as exact as it is short.
pub(super) fn text(nanoseconds: i64) -> String {
    // What is rounded up to the next unit is written in that one.
    let seconds = match nanoseconds {
        59_995_000_000..60_000_000_000 => 60,
        _ => nanoseconds / 1_000_000_000,
    };
    let (minutes, hours) = (seconds / 60 % 60, seconds / 3_600 % 24);
    let (days, years) = (seconds / 86_400 % 365, seconds / (365 * 86_400));
    let seconds = seconds % 60;
    let rounded = |unit: i64| (nanoseconds + unit / 2) / unit;
    match nanoseconds {
        ..500 => "0s".to_owned(),
        500..999_500 => format!("{}µs", rounded(1_000)),
        999_500..999_500_000 => format!("{}ms", rounded(1_000_000)),
        999_500_000..59_995_000_000 => format!("{:.2}s", nanoseconds as f64 / 1e9),
        _ if years > 0 => format!("{years}y{days}d{hours}h{minutes}m{seconds}s"),
        _ if days > 0 => format!("{days}d{hours}h{minutes}m{seconds}s"),
        _ if hours > 0 => format!("{hours}h{minutes}m{seconds}s"),
        _ => format!("{minutes}m{seconds}s"),
    }
}

/// A duration of this process.
pub(super) fn elapsed_text(duration: Duration) -> String {
    text(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// How long ago something was: nothing below zero ever was, and the largest number stands for the same.
pub(super) fn since_text(nanoseconds: i64) -> String {
    match nanoseconds {
        ..0 | i64::MAX => "never".to_owned(),
        _ => text(nanoseconds),
    }
}

/// A limit on an age.
pub(super) fn limit_text(nanoseconds: i64) -> String {
    match nanoseconds {
        ..=0 => "unlimited".to_owned(),
        _ => text(nanoseconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let seconds = |count| Some(Duration::from_secs(count));
        for (text, expected) in [
            ("0s", seconds(0)),
            ("2m", seconds(120)),
            ("1h30m", seconds(5_400)),
            ("1d", seconds(86_400)),
            ("1w", seconds(7 * 86_400)),
            ("1M", seconds(30 * 86_400)),
            ("1y", seconds(365 * 86_400)),
            ("500ms", Some(Duration::from_millis(500))),
            ("1.5s", Some(Duration::from_millis(1_500))),
            ("10us", Some(Duration::from_micros(10))),
            ("10µs", Some(Duration::from_micros(10))),
            ("", None),
            ("5", None),
            ("s", None),
            ("1x", None),
            ("1..5s", None),
            ("-5s", None),
            ("300y", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
        assert_eq!(parse_limit("-1"), Ok(0));
        assert_eq!(parse_limit("2m"), Ok(120_000_000_000));
    }

    #[test]
    fn durations_are_written_as_the_walkthrough_has_them() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (273_000, "273µs"),
            (999_499, "999µs"),
            (999_500, "1ms"),
            (535_400_000, "535ms"),
            (999_499_999, "999ms"),
            (999_500_000, "1.00s"),
            (59_994_999_999, "59.99s"),
            (59_995_000_000, "1m0s"),
            (60_000_000_000, "1m0s"),
            (14_480_000_000, "14.48s"),
            (9_826_000_000, "9.83s"),
            (120_000_000_000, "2m0s"),
            (143_000_000_000, "2m23s"),
            (3_723_000_000_000, "1h2m3s"),
            (86_400_000_000_000, "1d0h0m0s"),
            (400 * 86_400_000_000_000, "1y35d0h0m0s"),
        ] {
            assert_eq!(text(nanoseconds), expected);
        }
        for (nanoseconds, expected) in
            [(-1, "never"), (i64::MAX, "never"), (0, "0s"), (1_000_000, "1ms")]
        {
            assert_eq!(since_text(nanoseconds), expected);
        }
        assert_eq!(limit_text(0), "unlimited");
        assert_eq!(limit_text(120_000_000_000), "2m0s");
    }
}
