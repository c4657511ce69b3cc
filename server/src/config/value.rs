//! Small values that flags and files share: durations, sizes, ports, booleans, host and port.
//! Not here: where they stand.

use std::time::Duration;

/// A duration as Go writes it: decimal numbers with units, such as `1h30m` or `1.5s`. `0` needs no unit.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut sum) = (text, 0f64);
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(number_end)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    if text.is_empty() {
        return None;
    }
    Duration::try_from_secs_f64(sum).ok()
}

/// A whole number, perhaps with a size suffix: `k`, `m`, `g`, `t` count in thousands, `kb`, `ki`, `kib` and so on in 1024s.
pub(super) fn integer(text: &str) -> Option<i64> {
    let digits_end =
        text.char_indices().find(|(at, c)| !(c.is_ascii_digit() || *at == 0 && *c == '-'));
    let (number, suffix) = text.split_at_checked(digits_end.map_or(text.len(), |(at, _)| at))?;
    let number: i64 = number.parse().ok()?;
    let suffix = suffix.to_ascii_lowercase();
    let mut letters = suffix.chars();
    let power = match letters.next() {
        None => return Some(number),
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some('p') => 5,
        Some('e') => 6,
        Some(_) => return None,
    };
    let base: i64 = match letters.as_str() {
        "" => 1000,
        "b" | "i" | "ib" => 1024,
        _ => return None,
    };
    number.checked_mul(base.checked_pow(power)?)
}

/// A port; -1 stands for any free one, which is 0 to the system.
pub(super) fn port(text: &str) -> Option<u16> {
    if text == "-1" { Some(0) } else { text.parse().ok() }
}

/// A boolean in any of its spellings.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// `host:port`, `[host]:port`, `:port`, or a port alone; the host is none where it is not given.
pub(crate) fn host_port(text: &str) -> Option<(Option<String>, u16)> {
    let Some((host, number)) = text.rsplit_once(':') else {
        return Some((None, port(text)?));
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let host = (!host.is_empty()).then(|| host.to_owned());
    Some((host, port(number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("2m", Some(120_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1_500)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("5", None),
            ("", None),
            ("s", None),
            ("5x", None),
            ("-5s", None),
            ("1..5s", None),
        ] {
            assert_eq!(duration(text).map(|d| d.as_millis()), millis, "{text}");
        }
    }

    #[test]
    fn integers() {
        for (text, expected) in [
            ("12", Some(12)),
            ("-1", Some(-1)),
            ("1k", Some(1000)),
            ("1KB", Some(1024)),
            ("2MiB", Some(2 << 20)),
            ("3G", Some(3_000_000_000)),
            ("1gb", Some(1 << 30)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("99e", None),
            ("1kx", None),
            ("x", None),
            ("", None),
            ("1-2", None),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
    }

    #[test]
    fn addresses() {
        let host = |name: &str| Some(name.to_owned());
        for (text, expected) in [
            ("4222", Some((None, 4222))),
            ("-1", Some((None, 0))),
            (":80", Some((None, 80))),
            ("a.b:1", Some((host("a.b"), 1))),
            ("[::1]:7", Some((host("::1"), 7))),
            ("a:b", None),
            ("a:70000", None),
        ] {
            assert_eq!(host_port(text), expected, "{text}");
        }
    }
}
