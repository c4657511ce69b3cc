//! What a consumer knows of its messages: how far it is, which of them wait for acknowledgement, and how often each was
//! delivered. All of it survives a restart.
//!
//! Two numbers go with a delivery: the sequence of the message in the stream, and the number of the delivery, which
//! rises by one each time anything is delivered.
//! Invariants: `floor.delivery <= delivered.delivery`; what is pending is above the floor; a pending message keeps the
//! number of its first delivery.
//! Not here: when something is delivered again (`machine`), how it is stored (`store`).

use bincode::{Decode, Encode};
use std::collections::BTreeMap;

/// A delivery, and the message that it was of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Pair {
    /// Number of the delivery.
    pub(crate) delivery: u64,
    /// Sequence of the message.
    pub(crate) sequence: u64,
}

/// A message that waits for acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Pending {
    /// Number of its first delivery.
    pub(crate) delivery: u64,
    /// When it was delivered last, in nanoseconds since 1970.
    pub(crate) time: i64,
    /// When it is to be delivered again, in nanoseconds since 1970.
    pub(crate) deadline: i64,
}

/// See the top of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct State {
    /// The last delivery.
    pub(crate) delivered: Pair,
    /// Everything up to here needs nothing any more.
    pub(crate) floor: Pair,
    /// The stream is looked at from here on.
    pub(crate) next: u64,
    /// By sequence.
    pub(crate) pending: BTreeMap<u64, Pending>,
    /// Deliveries after the first, by sequence.
    pub(crate) redelivered: BTreeMap<u64, u64>,
}

/// What has changed since a state was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Delta {
    pub(crate) delivered: Pair,
    pub(crate) floor: Pair,
    pub(crate) next: u64,
    /// Messages that wait now, or no longer, for acknowledgement.
    pub(crate) pending: Vec<(u64, Option<Pending>)>,
    /// Deliveries after the first; 0 for none.
    pub(crate) redelivered: Vec<(u64, u64)>,
}

impl State {
    /// A consumer that looks at this sequence first.
    pub(crate) fn starting(next: u64) -> Self {
        let before = Pair { delivery: 0, sequence: next.saturating_sub(1) };
        Self { delivered: before, floor: before, next, ..Self::default() }
    }
    /// Takes over what has changed.
    pub(crate) fn apply(&mut self, delta: &Delta) {
        (self.delivered, self.floor, self.next) = (delta.delivered, delta.floor, delta.next);
        for (sequence, pending) in &delta.pending {
            match pending {
                Some(pending) => self.pending.insert(*sequence, *pending),
                None => self.pending.remove(sequence),
            };
        }
        for (sequence, count) in &delta.redelivered {
            match count {
                0 => self.redelivered.remove(sequence),
                count => self.redelivered.insert(*sequence, *count),
            };
        }
    }
    /// How often a message was delivered, if it was.
    pub(crate) fn deliveries(&self, sequence: u64) -> u64 {
        1 + self.redelivered.get(&sequence).copied().unwrap_or(0)
    }
    /// A message that was delivered as `delivery` first needs nothing any more and is pending no longer: the floor moves
    /// up to the next one that is.
    pub(crate) fn raise_floor(&mut self, done: Pair) {
        if self.pending.is_empty() {
            self.floor = self.delivered;
            return;
        }
        if done.delivery != self.floor.delivery + 1 {
            return;
        }
        self.floor = done;
        let next = self.pending.range(done.sequence + 1..).next();
        if let Some((sequence, pending)) = next
            && pending.delivery > 0
        {
            self.floor = Pair { delivery: pending.delivery - 1, sequence: sequence - 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(state: &mut State, deliveries: u64) {
        for number in 1..=deliveries {
            let pending = Pending { delivery: number, time: 0, deadline: 0 };
            // Every other message of the stream matches.
            state.pending.insert(2 * number, pending);
            state.delivered = Pair { delivery: number, sequence: 2 * number };
        }
    }

    #[test]
    fn the_floor_follows_acknowledgements() {
        for (done, floor) in [
            (&[2_u64][..], (1, 3)),
            (&[4], (0, 0)),
            (&[4, 2], (2, 5)),
            (&[8, 6, 4, 2], (4, 8)),
            (&[2, 6, 4], (3, 7)),
        ] {
            let mut state = State::default();
            waiting(&mut state, 4);
            for sequence in done {
                let pending = state.pending.remove(sequence).unwrap();
                state.raise_floor(Pair { delivery: pending.delivery, sequence: *sequence });
            }
            assert_eq!((state.floor.delivery, state.floor.sequence), floor, "{done:?}");
        }
    }

    #[test]
    fn deltas_add_up() {
        let mut state = State::starting(5);
        let pending = Pending { delivery: 1, time: 3, deadline: 4 };
        let mut delta = Delta {
            delivered: Pair { delivery: 1, sequence: 5 },
            next: 6,
            pending: vec![(5, Some(pending))],
            redelivered: vec![(5, 2)],
            ..Delta::default()
        };
        state.apply(&delta);
        assert_eq!((state.pending.len(), state.deliveries(5), state.deliveries(6)), (1, 3, 1));
        (delta.pending, delta.redelivered) = (vec![(5, None)], vec![(5, 0)]);
        state.apply(&delta);
        assert!(state.pending.is_empty() && state.redelivered.is_empty());
    }
}
