//! Sizes and counts as people write and read them: `1K`, `1MiB`, `3.3 KiB`, `1,234`.
//! Every unit is a power of 1024, however it is spelled, as in the `nats` command line.
//! Not here: durations.

/// What stands for no limit.
const UNLIMITED: i64 = -1;

/// Reads a size in bytes; `-1` and `unlimited` stand for no limit.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    if matches!(text, "-1" | "unlimited") {
        return Ok(UNLIMITED);
    }
    let refuse = || format!("{text:?} is not a size, such as 512, 1K or 1MiB");
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default().trim();
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(refuse()),
    };
    let number: i64 = digits.parse().map_err(|_| refuse())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes >= 0).ok_or_else(refuse)
}

/// Reads a limit that is held in 32 bits.
pub(super) fn parse_i32(text: &str) -> Result<i32, String> {
    parse(text)?.try_into().map_err(|_| format!("{text:?} is more than {} bytes", i32::MAX))
}

/// A size in the largest unit that leaves something before the point, with two digits.
pub(super) fn text(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1024.0 {
        value /= 1024.0;
        unit = units.next();
    }
    let unit = unit.copied().unwrap_or("EiB");
    let rounded = (value * 10.0 + 0.5).floor() / 10.0;
    match rounded < 10.0 && bytes >= 10 {
        true => format!("{rounded:.1} {unit}"),
        false => format!("{rounded:.0} {unit}"),
    }
}

/// A limit in bytes.
pub(super) fn limit_text(bytes: i64) -> String {
    u64::try_from(bytes).map_or_else(|_| "unlimited".to_owned(), text)
}

/// A number with its thousands apart.
pub(super) fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A limit in messages or the like.
pub(super) fn count_limit_text(count: i64) -> String {
    u64::try_from(count).map_or_else(|_| "unlimited".to_owned(), count_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("unlimited", Some(-1)),
            ("512", Some(512)),
            ("512B", Some(512)),
            ("1K", Some(1024)),
            ("1kb", Some(1024)),
            ("2 KiB", Some(2048)),
            ("1MiB", Some(1 << 20)),
            ("3g", Some(3 << 30)),
            ("1T", Some(1 << 40)),
            ("9999999T", None),
            ("-2", None),
            ("1.5K", None),
            ("K", None),
            ("1KX", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
        assert_eq!(parse_i32("1M"), Ok(1 << 20));
        assert!(parse_i32("2G").is_err());
    }

    #[test]
    fn sizes_are_written_as_the_walkthrough_has_them() {
        for (bytes, expected) in [
            (0, "0 B"),
            (9, "9 B"),
            (99, "99 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (3392, "3.3 KiB"),
            (3592, "3.5 KiB"),
            (27_648, "27 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(text(bytes), expected);
        }
        assert_eq!(limit_text(-1), "unlimited");
        assert_eq!(limit_text(1024), "1.0 KiB");
    }

    #[test]
    fn counts_are_grouped() {
        for (count, expected) in [
            (0, "0"),
            (100, "100"),
            (1234, "1,234"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count_text(count), expected);
        }
        assert_eq!(count_limit_text(-1), "unlimited");
    }
}
