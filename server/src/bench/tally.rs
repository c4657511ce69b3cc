//! What became of the messages of one connection, and of all together.
//! Not here: rates and how they are shown (`report`).

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Digits that latencies are kept with.
const LATENCY_DIGITS: u8 = 2;
/// Latencies above this one count as this one.
const LATENCY_MAX: Duration = Duration::from_secs(600);

/// Refused publishes with the same code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusals {
    /// How many.
    pub(super) count: u64,
    /// What the server said the first time.
    pub(super) description: String,
}

/// Sequences that one stream gave out. Count, sum and extremes tell whether each was given out once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequences {
    /// How many.
    pub(super) count: u64,
    /// Their sum.
    pub(super) sum: u128,
    /// The highest.
    pub(super) highest: u64,
}

impl Sequences {
    /// Whether they are the numbers that follow `last_before`, each once.
    pub(super) fn are_gapless_after(self, last_before: u64) -> bool {
        let (count, before) = (u128::from(self.count), u128::from(last_before));
        let expected_sum = count * before + count * (count + 1) / 2;
        self.count == 0
            || (self.sum == expected_sum
                && self.highest.checked_sub(last_before) == Some(self.count))
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.highest = self.highest.max(other.highest);
    }
}

/// What became of messages.
#[derive(Debug)]
pub(super) struct Tally {
    /// Messages put on the wire.
    pub(super) sent: u64,
    /// Acknowledged publishes; with core subscribers, messages that arrived.
    pub(super) arrived: u64,
    /// Refused publishes by code.
    pub(super) refused: BTreeMap<u32, Refusals>,
    /// Answers that are no acknowledgements, and the first of them.
    pub(super) malformed: u64,
    /// The first malformed answer.
    pub(super) malformed_sample: Option<String>,
    /// Answers to publishes that were not under way: a second answer, or one that nobody asked for.
    pub(super) repeated: u64,
    /// Publishes that the server took for repetitions.
    pub(super) duplicates: u64,
    /// Messages without an answer, or that did not arrive.
    pub(super) missing: u64,
    /// Connections that broke, and checks that failed.
    pub(super) failures: Vec<String>,
    /// Sequences by stream.
    pub(super) sequences: Vec<Sequences>,
    /// When the last message was settled.
    pub(super) last: Option<Instant>,
    latency: Option<Histogram<u64>>,
}

impl Tally {
    /// An empty one, for so many streams.
    pub(super) fn new(streams: usize) -> Self {
        Self {
            sent: 0,
            arrived: 0,
            refused: BTreeMap::new(),
            malformed: 0,
            malformed_sample: None,
            repeated: 0,
            duplicates: 0,
            missing: 0,
            failures: Vec::new(),
            sequences: vec![Sequences::default(); streams],
            last: None,
            latency: Histogram::new_with_bounds(1, nanoseconds(LATENCY_MAX), LATENCY_DIGITS).ok(),
        }
    }

    /// Counts a stored message.
    pub(super) fn stored(&mut self, stream: usize, sequence: u64) {
        self.arrived += 1;
        if let Some(sequences) = self.sequences.get_mut(stream) {
            sequences.merge(Sequences { count: 1, sum: u128::from(sequence), highest: sequence });
        }
    }

    /// Counts a refusal.
    pub(super) fn refuse(&mut self, code: u32, description: String) {
        let refusals = self.refused.entry(code).or_default();
        if refusals.count == 0 {
            refusals.description = description;
        }
        refusals.count += 1;
    }

    /// Records how long a message took.
    pub(super) fn record(&mut self, took: Duration) {
        if let Some(latency) = &mut self.latency {
            latency.saturating_record(nanoseconds(took));
        }
    }

    /// The time within which this part of the messages was settled; none where nothing was recorded.
    pub(super) fn quantile(&self, part: f64) -> Option<Duration> {
        let latency = self.latency.as_ref().filter(|latency| !latency.is_empty())?;
        Some(Duration::from_nanos(latency.value_at_quantile(part)))
    }

    /// Whether everything that was sent was settled as it should be.
    pub(super) fn is_clean(&self) -> bool {
        self.refused.is_empty()
            && self.malformed == 0
            && self.repeated == 0
            && self.duplicates == 0
            && self.missing == 0
            && self.failures.is_empty()
    }

    /// Adds another one.
    pub(super) fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.arrived += other.arrived;
        for (code, refusals) in other.refused {
            let mine = self.refused.entry(code).or_default();
            if mine.count == 0 {
                mine.description = refusals.description;
            }
            mine.count += refusals.count;
        }
        self.malformed += other.malformed;
        self.malformed_sample = self.malformed_sample.take().or(other.malformed_sample);
        self.repeated += other.repeated;
        self.duplicates += other.duplicates;
        self.missing += other.missing;
        self.failures.extend(other.failures);
        for (mine, others) in self.sequences.iter_mut().zip(other.sequences) {
            mine.merge(others);
        }
        self.last = self.last.max(other.last);
        if let (Some(mine), Some(others)) = (&mut self.latency, &other.latency) {
            // Both have the same bounds, so nothing can be out of range.
            let _ = mine.add(others);
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_given_out_once() {
        for (numbers, last_before, expected) in [
            (&[1, 2, 3][..], 0, true),
            (&[3, 1, 2], 0, true),
            (&[5, 6], 4, true),
            (&[], 9, true),
            (&[1, 1, 4], 0, false),
            (&[2, 3], 0, false),
            (&[1, 3], 0, false),
            (&[1, 2], 4, false),
        ] {
            let mut tally = Tally::new(1);
            numbers.iter().for_each(|number| tally.stored(0, *number));
            let found = tally.sequences[0].are_gapless_after(last_before);
            assert_eq!(found, expected, "{numbers:?} after {last_before}");
        }
    }

    #[test]
    fn tallies_add_up() {
        let (mut one, mut other) = (Tally::new(1), Tally::new(1));
        one.record(Duration::from_millis(1));
        other.record(Duration::from_millis(3));
        other.refuse(10_077, "full".into());
        other.refuse(10_077, "full again".into());
        assert!(one.is_clean());
        one.merge(other);
        assert!(!one.is_clean());
        assert_eq!(one.refused[&10_077], Refusals { count: 2, description: "full".into() });
        let highest = one.quantile(1.0).unwrap_or_default();
        assert!((2_970..=3_030).contains(&highest.as_micros()), "{highest:?}");
    }
}
