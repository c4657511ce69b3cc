//! Times and durations as nats-server writes them in its answers.
//! Not here: reading them.

use std::time::{Duration, SystemTime};

/// A point in time, RFC 3339 with as many digits as it needs.
pub fn time(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map(|time| time.to_string()).unwrap_or_default()
}

/// How long something has been up: `1d2h3m4s`.
pub fn uptime(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (years, s, m, h) = (days / 365, seconds % 60, minutes % 60, hours % 24);
    match (years, days, hours, minutes) {
        (0, 0, 0, 0) => format!("{s}s"),
        (0, 0, 0, _) => format!("{m}m{s}s"),
        (0, 0, ..) => format!("{h}h{m}m{s}s"),
        (0, ..) => format!("{days}d{h}h{m}m{s}s"),
        _ => format!("{years}y{}d{h}h{m}m{s}s", days % 365),
    }
}

/// A duration as Go prints it: `1.5ms`, `297µs`, `1m0.5s`.
pub fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    let decimal = |unit: u128, name: &str| {
        let fraction = format!("{:0width$}", ns % unit, width = unit.ilog10() as usize);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{}{dot}{fraction}{name}", ns / unit)
    };
    match ns {
        0 => "0s".to_owned(),
        1..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => decimal(1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(1_000_000, "ms"),
        1_000_000_000..60_000_000_000 => decimal(1_000_000_000, "s"),
        _ => {
            let minutes = ns / 60_000_000_000;
            let rest = u64::try_from(ns % 60_000_000_000).unwrap_or(0);
            let seconds = match self::duration(Duration::from_nanos(rest)) {
                text if rest >= 1_000_000_000 || rest == 0 => text,
                _ => format!("{}s", rest as f64 / 1e9),
            };
            match minutes / 60 {
                0 => format!("{minutes}m{seconds}"),
                hours => format!("{hours}h{}m{seconds}", minutes % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_text() {
        for (ns, expected) in [
            (0, "0s"),
            (15, "15ns"),
            (297_000, "297µs"),
            (1_500, "1.5µs"),
            (252_157_888, "252.157888ms"),
            (2_000_000_000, "2s"),
            (60_000_000_000, "1m0s"),
            (90_500_000_000, "1m30.5s"),
            (60_500_000_000, "1m0.5s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(ns)), expected);
        }
        for (seconds, expected) in [
            (5, "5s"),
            (1848, "30m48s"),
            (3600, "1h0m0s"),
            (90_061, "1d1h1m1s"),
            (31_622_400, "1y1d0h0m0s"),
        ] {
            assert_eq!(uptime(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(
            time(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)),
            "1970-01-01T00:00:01.5Z"
        );
    }
}
