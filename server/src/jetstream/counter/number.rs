//! Whole numbers of any size, as decimal digits: read, added, written. Cost in proportion to the digits.
//! Not here: how large a number may be (whoever stores it).

use std::cmp::Ordering;
use std::fmt;

/// A whole number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Number {
    is_negative: bool,
    /// Values of the digits, the lowest first, without zeros at the end; none for zero.
    digits: Vec<u8>,
}

impl Number {
    /// Reads digits behind an optional sign; none where anything else is there.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (is_negative, digits) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digits = digits.iter().rev().map(|digit| digit - b'0').collect();
        Some(Self::of(is_negative, digits))
    }

    fn of(is_negative: bool, mut digits: Vec<u8>) -> Self {
        let len = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
        digits.truncate(len);
        Self { is_negative: is_negative && len > 0, digits }
    }

    /// The sum.
    pub(super) fn plus(&self, other: &Self) -> Self {
        if self.is_negative == other.is_negative {
            return Self::of(self.is_negative, sum(&self.digits, &other.digits));
        }
        match compare(&self.digits, &other.digits) {
            Ordering::Less => Self::of(other.is_negative, difference(&other.digits, &self.digits)),
            _ => Self::of(self.is_negative, difference(&self.digits, &other.digits)),
        }
    }

    /// The difference.
    pub(super) fn minus(&self, other: &Self) -> Self {
        self.plus(&Self::of(!other.is_negative, other.digits.clone()))
    }
}

fn compare(one: &[u8], other: &[u8]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.iter().rev().cmp(other.iter().rev()))
}

fn sum(one: &[u8], other: &[u8]) -> Vec<u8> {
    let len = one.len().max(other.len());
    let digit = |digits: &[u8], at: usize| digits.get(at).copied().unwrap_or(0);
    let mut carry = 0;
    let digits = (0..=len).map(|at| {
        let total = digit(one, at) + digit(other, at) + carry;
        carry = total / 10;
        total % 10
    });
    digits.collect()
}

/// The difference, where the first is not the smaller one.
fn difference(large: &[u8], small: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let digits = large.iter().enumerate().map(|(at, digit)| {
        let taken = small.get(at).copied().unwrap_or(0) + borrow;
        borrow = u8::from(*digit < taken);
        digit + 10 * borrow - taken
    });
    digits.collect()
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let digits = self.digits.iter().rev().map(|digit| char::from(b'0' + digit));
        let sign = if self.is_negative { "-" } else { "" };
        f.write_str(sign)?;
        f.write_str(&digits.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        Number::read(text.as_bytes()).map(|number| number.to_string())
    }

    #[test]
    fn numbers_are_read() {
        for (text, expected) in [
            ("0", Some("0")),
            ("-0", Some("0")),
            ("+7", Some("7")),
            ("-007", Some("-7")),
            ("123456789012345678901234567890", Some("123456789012345678901234567890")),
            ("", None),
            ("-", None),
            ("1.5", None),
            ("1e5", None),
            ("1_000", None),
            (" 1", None),
            ("0x1", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_machine_numbers(one: i64, other: i64) {
            let number = |value: i64| Number::read(value.to_string().as_bytes()).unwrap();
            let (one, other) = (i128::from(one), i128::from(other));
            let (left, right) = (number(one as i64), number(other as i64));
            prop_assert_eq!(left.plus(&right).to_string(), (one + other).to_string());
            prop_assert_eq!(left.minus(&right).to_string(), (one - other).to_string());
        }
    }
}
