//! How fast a consumer delivers: a bound of bits a second, and the rhythm in which messages were stored.
//! Times are in nanoseconds since 1970.
//! Not here: flow control, which the receiver decides (`flow`).

use super::config::{ConsumerConfig, ReplayPolicy};

const SECOND: u128 = 1_000_000_000;
/// Pauses this short are left out.
const PAUSE_MIN: i64 = 1_000_000;

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Pace {
    bits_per_second: u64,
    /// The next message may go at this time.
    free_at: i64,
    replay: Option<Replay>,
}

#[derive(Debug)]
struct Replay {
    /// Messages above are delivered at once.
    through: u64,
    /// Of the last message: when it was stored, and when it went.
    last: Option<(i64, i64)>,
}

impl Pace {
    /// The pace of a configuration; `last_sequence` of the stream bounds what is replayed.
    pub(crate) fn new(config: &ConsumerConfig, last_sequence: u64) -> Self {
        let is_replayed = config.replay_policy == ReplayPolicy::Original;
        Self {
            bits_per_second: config.rate_limit_bps,
            free_at: i64::MIN,
            replay: is_replayed.then_some(Replay { through: last_sequence, last: None }),
        }
    }
    /// Goes by another bound from now on.
    pub(crate) fn set_rate(&mut self, bits_per_second: u64) {
        self.bits_per_second = bits_per_second;
    }
    /// Whether every message goes as soon as it can.
    pub(crate) fn is_free(&self) -> bool {
        self.bits_per_second == 0 && self.replay.is_none()
    }
    /// When a message may go.
    pub(crate) fn ready_at(&self, sequence: u64, stored: i64) -> i64 {
        let replayed = self.replay.as_ref().filter(|replay| sequence <= replay.through);
        let rhythm = replayed.and_then(|replay| replay.last).map(|(before, sent)| {
            let pause = stored.saturating_sub(before);
            if pause > PAUSE_MIN { sent.saturating_add(pause) } else { i64::MIN }
        });
        self.free_at.max(rhythm.unwrap_or(i64::MIN))
    }
    /// A message of so many bytes went.
    pub(crate) fn sent(&mut self, sequence: u64, stored: i64, bytes: usize, now: i64) {
        if self.bits_per_second > 0 {
            let span = bytes as u128 * 8 * SECOND / u128::from(self.bits_per_second);
            let span = i64::try_from(span).unwrap_or(i64::MAX);
            self.free_at = self.free_at.max(now).saturating_add(span);
        }
        if let Some(replay) = &mut self.replay {
            replay.last = Some((stored, now));
            if sequence >= replay.through {
                self.replay = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_of_bits() {
        let config = ConsumerConfig { rate_limit_bps: 8_000, ..ConsumerConfig::default() };
        let mut pace = Pace::new(&config, 0);
        assert!(!pace.is_free() && pace.ready_at(1, 0) <= 0);
        pace.sent(1, 0, 500, 1_000);
        assert_eq!(pace.ready_at(2, 0), 1_000 + 500_000_000);
    }

    #[test]
    fn the_rhythm_of_what_was_stored() {
        let replay_policy = ReplayPolicy::Original;
        let config = ConsumerConfig { replay_policy, ..ConsumerConfig::default() };
        let mut pace = Pace::new(&config, 3);
        pace.sent(1, 0, 1, 1_000_000_000);
        assert_eq!(pace.ready_at(2, 5_000_000), 1_005_000_000);
        assert!(pace.ready_at(2, 500_000) < 0, "too short a pause");
        assert!(pace.ready_at(4, 5_000_000) < 0, "stored later");
        pace.sent(3, 5_000_000, 1, 1_005_000_000);
        assert!(pace.is_free(), "caught up");
    }
}
