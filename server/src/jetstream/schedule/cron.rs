//! Patterns of six fields (second, minute, hour, day of month, month, day of week), and when one comes next.
//! Invariant: looking for the next time takes a bounded number of steps: it ends after five years.
//! Not here: names for whole patterns such as `@daily` (`pattern`).

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};

/// Years after which a pattern that never fits is given up.
const YEARS_MAX: i16 = 5;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The values that fit, as bits, and whether a star says that any does.
#[derive(Clone, Copy, Debug)]
struct Field {
    bits: u64,
    has_star: bool,
}

/// Which values a field has, and their names from the first one on.
struct Bounds {
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

/// A pattern that was read.
#[derive(Debug)]
pub(super) struct Cron {
    second: Field,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Cron {
    /// Reads a pattern; none where it is not one, or no time can fit.
    pub(super) fn read(pattern: &str) -> Option<Self> {
        let fields: Vec<&str> = pattern.split_whitespace().collect();
        let [second, minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        let field = |text, min, max, names| Field::read(text, &Bounds { min, max, names });
        Some(Self {
            second: field(second, 0, 59, &[])?,
            minute: field(minute, 0, 59, &[])?,
            hour: field(hour, 0, 23, &[])?,
            day: field(day, 1, 31, &[])?,
            month: field(month, 1, 12, &MONTHS)?,
            weekday: field(weekday, 0, 6, &DAYS)?,
        })
    }

    fn fits_day(&self, time: &Zoned) -> bool {
        let weekday = time.weekday().to_sunday_zero_offset();
        let fits = (self.day.has(time.day()), self.weekday.has(weekday));
        match self.day.has_star || self.weekday.has_star {
            true => fits.0 && fits.1,
            false => fits.0 || fits.1,
        }
    }

    /// The first second that fits behind a time, in a zone.
    pub(super) fn next(&self, from: Timestamp, zone: &TimeZone) -> Option<Zoned> {
        let second = from.as_second().checked_add(1)?;
        // A time before 1970 counts down to the second.
        let second = second - i64::from(from.subsec_nanosecond() < 0);
        let mut time = Timestamp::from_second(second).ok()?.to_zoned(zone.clone());
        let year_max = time.year().checked_add(YEARS_MAX)?;
        while time.year() <= year_max {
            if !self.month.has(time.month()) {
                time = time.first_of_month().ok()?.checked_add(Span::new().months(1)).ok()?;
                time = time.start_of_day().ok()?;
            } else if !self.fits_day(&time) {
                time = time.checked_add(Span::new().days(1)).ok()?.start_of_day().ok()?;
            } else if !self.hour.has(time.hour()) {
                time =
                    ahead(&time, 3600 - 60 * i64::from(time.minute()) - i64::from(time.second()))?;
            } else if !self.minute.has(time.minute()) {
                time = ahead(&time, 60 - i64::from(time.second()))?;
            } else if !self.second.has(time.second()) {
                time = ahead(&time, 1)?;
            } else {
                return Some(time);
            }
        }
        None
    }
}

fn ahead(time: &Zoned, seconds: i64) -> Option<Zoned> {
    time.checked_add(SignedDuration::from_secs(seconds)).ok()
}

impl Field {
    fn has(&self, value: i8) -> bool {
        self.bits >> value & 1 == 1
    }

    fn read(text: &str, bounds: &Bounds) -> Option<Self> {
        let mut field = Self { bits: 0, has_star: false };
        for range in text.split(',').filter(|range| !range.is_empty()) {
            field.add(range, bounds)?;
        }
        (field.bits != 0).then_some(field)
    }

    /// A number, a range, or all; each with a step perhaps.
    fn add(&mut self, text: &str, bounds: &Bounds) -> Option<()> {
        let mut parts = text.split('/');
        let (range, step) = (parts.next()?, parts.next());
        let mut ends = range.split('-');
        let (low, high) = (ends.next()?, ends.next());
        let is_any = matches!(low, "*" | "?");
        let (first, mut last) = if is_any {
            (bounds.min, bounds.max)
        } else {
            let first = bounds.number(low)?;
            (first, high.map_or(Some(first), |high| bounds.number(high))?)
        };
        if parts.next().is_some() || (!is_any && ends.next().is_some()) {
            return None;
        }
        let every = step.map_or(Some(1), number)?;
        if step.is_some() && high.is_none() {
            last = bounds.max;
        }
        if first < bounds.min || last > bounds.max || first > last || every == 0 {
            return None;
        }
        self.has_star |= is_any && every <= 1;
        let every = usize::try_from(every).unwrap_or(usize::MAX);
        (first..=last).step_by(every).for_each(|value| self.bits |= 1 << value);
        Some(())
    }
}

impl Bounds {
    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        match named.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Some(at + self.min),
            None => number(text),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(pattern: &str, from: &str, zone: &str) -> Option<String> {
        let zone = TimeZone::get(zone).unwrap();
        let next = Cron::read(pattern)?.next(from.parse().unwrap(), &zone)?;
        Some(next.timestamp().to_string())
    }

    #[test]
    fn the_next_time_fits() {
        for (pattern, from, zone, expected) in [
            ("* * * * * *", "2026-01-01T00:00:00.5Z", "UTC", "2026-01-01T00:00:01Z"),
            ("0 * * * * *", "2026-01-01T00:00:00Z", "UTC", "2026-01-01T00:01:00Z"),
            ("0 0 0 29 2 *", "2026-01-01T00:00:00Z", "UTC", "2028-02-29T00:00:00Z"),
            ("*/20 5,7 3-4 * JAN mon", "2026-01-01T00:00:00Z", "UTC", "2026-01-05T03:05:00Z"),
            ("59 59 23 31 12 ?", "2026-12-31T23:59:59Z", "UTC", "2027-12-31T23:59:59Z"),
            ("0 0 12 13 * 5", "2026-11-26T00:00:00Z", "UTC", "2026-11-27T12:00:00Z"),
            ("0 30 2 * * *", "2026-03-28T12:00:00Z", "Europe/Berlin", "2026-03-30T00:30:00Z"),
            ("0 0 9 * * 1-5", "2026-11-26T12:00:00Z", "America/New_York", "2026-11-26T14:00:00Z"),
        ] {
            assert_eq!(next(pattern, from, zone).as_deref(), Some(expected), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_are_none() {
        for pattern in [
            "",
            "* * * * *",
            "* * * * * * *",
            "60 * * * * *",
            "* * 24 * * *",
            "* * * 0 * *",
            "* * * * 13 *",
            "* * * * * 7",
            "-1 * * * * *",
            "5-1 * * * * *",
            "1-2-3 * * * * *",
            "*/0 * * * * *",
            "1/2/3 * * * * *",
            "x * * * * *",
            ", * * * * *",
            "* * * * mon *",
        ] {
            assert!(Cron::read(pattern).is_none(), "{pattern}");
        }
        // One that can be read and never comes.
        assert_eq!(next("0 0 0 30 2 *", "2026-01-01T00:00:00Z", "UTC"), None);
    }
}
