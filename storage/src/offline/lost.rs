//! Lost sequences, less those that are known to have been removed.

/// Takes a range out of ranges that rise. All ranges are inclusive.
pub(super) fn take_out(ranges: &mut Vec<(u64, u64)>, (first, last): (u64, u64)) {
    let mut left = Vec::with_capacity(ranges.len());
    for (from, to) in ranges.drain(..) {
        if to < first || from > last {
            left.push((from, to));
            continue;
        }
        if from < first {
            left.push((from, first - 1));
        }
        if to > last {
            left.push((last + 1, to));
        }
    }
    *ranges = left;
}

/// Of the sequences within `span` keeps only those that are in `among`, which rises.
pub(super) fn keep_only(ranges: &mut Vec<(u64, u64)>, span: (u64, u64), among: &[u64]) {
    let mut at = span.0;
    for sequence in among.iter().filter(|sequence| (span.0..=span.1).contains(sequence)) {
        if at < *sequence {
            take_out(ranges, (at, sequence - 1));
        }
        at = sequence + 1;
    }
    if at <= span.1 {
        take_out(ranges, (at, span.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_taken_out() {
        for (removed, expected) in [
            ((1, 4), vec![(5, 9), (20, 30)]),
            ((5, 9), vec![(20, 30)]),
            ((7, 7), vec![(5, 6), (8, 9), (20, 30)]),
            ((9, 20), vec![(5, 8), (21, 30)]),
            ((0, 99), vec![]),
        ] {
            let mut ranges = vec![(5, 9), (20, 30)];
            take_out(&mut ranges, removed);
            assert_eq!(ranges, expected, "{removed:?}");
        }
        let mut ranges = vec![(5, 9), (20, 30)];
        keep_only(&mut ranges, (6, 25), &[2, 8, 9, 22, 27]);
        assert_eq!(ranges, [(5, 5), (8, 9), (22, 22), (26, 30)]);
    }
}
