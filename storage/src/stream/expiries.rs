//! The messages of a stream that have a lifetime, are delete markers or are due at some time, and in what order their
//! lifetimes are over and they are due.
//!
//! Cost: some 70 to 100 bytes for each such message and nothing for others; finding what is due looks at nothing that is not.
//! Invariants: `ends` has an entry for each lifetime in `fates` that ends, `dues` for each that is due, and no others.
//! Not here: whether a message is still there (`contents`).

use super::fate::Fate;
use std::collections::{BTreeMap, BTreeSet};

/// See the top of the file.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    fates: BTreeMap<u64, Fate>,
    /// End of a lifetime, sequence.
    ends: BTreeSet<(i64, u64)>,
    /// When a message is due, sequence.
    dues: BTreeSet<(i64, u64)>,
    /// Messages that the limit on age does not take.
    forever: u64,
}

impl Expiries {
    /// Notes a message, where there is something to note.
    pub(crate) fn insert(&mut self, sequence: u64, fate: Fate) {
        if fate.is_usual() {
            return;
        }
        self.forever += u64::from(fate.is_forever());
        self.ends.extend(fate.end().map(|end| (end, sequence)));
        if fate.due != i64::MIN {
            self.dues.insert((fate.due, sequence));
        }
        self.fates.insert(sequence, fate);
    }

    /// Forgets a message.
    pub(crate) fn remove(&mut self, sequence: u64) {
        if self.fates.is_empty() {
            return;
        }
        if let Some(fate) = self.fates.remove(&sequence) {
            self.forget(sequence, fate);
        }
    }

    fn forget(&mut self, sequence: u64, fate: Fate) {
        self.forever -= u64::from(fate.is_forever());
        if let Some(end) = fate.end() {
            self.ends.remove(&(end, sequence));
        }
        self.dues.remove(&(fate.due, sequence));
    }

    /// Changes when a message is due; the minimum: no more.
    pub(crate) fn set_due(&mut self, sequence: u64, due: i64) {
        if let Some(fate) = self.fates.get_mut(&sequence) {
            self.dues.remove(&(fate.due, sequence));
            fate.due = due;
            if due != i64::MIN {
                self.dues.insert((due, sequence));
            }
        }
    }

    /// When the next message is due.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// The messages that are due at a time, with when they were due, the earliest first.
    pub(crate) fn due(&self, now: i64) -> impl Iterator<Item = (i64, u64)> + '_ {
        self.dues.range(..=(now, u64::MAX)).copied()
    }

    /// Forgets all messages up to a sequence.
    pub(crate) fn remove_through(&mut self, through: u64) {
        let stay = self.fates.split_off(&through.saturating_add(1));
        let gone = std::mem::replace(&mut self.fates, stay);
        for (sequence, fate) in gone {
            self.forget(sequence, fate);
        }
    }

    /// What is stored with a message.
    pub(crate) fn get(&self, sequence: u64) -> Fate {
        if self.fates.is_empty() {
            return Fate::default();
        }
        self.fates.get(&sequence).copied().unwrap_or_default()
    }

    /// Whether there are messages that the limit on age does not take.
    pub(crate) fn has_forever(&self) -> bool {
        self.forever > 0
    }

    /// When the next lifetime is over.
    pub(crate) fn next_end(&self) -> Option<i64> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// The messages whose lifetimes are over at a time, the earliest first.
    pub(crate) fn over(&self, now: i64) -> impl Iterator<Item = u64> + '_ {
        self.ends.range(..=(now, u64::MAX)).map(|(_, sequence)| *sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn expiries_are_a_sorted_list(
            ends in proptest::collection::vec(prop_oneof![
                1 => Just(i64::MIN), 1 => Just(i64::MAX), 4 => 0_i64..100,
            ], 1..60),
            removed in proptest::collection::vec(1_u64..60, 0..40),
            through in 0_u64..30, now in 0_i64..100,
        ) {
            let (mut expiries, mut model) = (Expiries::default(), BTreeMap::new());
            for (sequence, expires) in (1..).zip(ends) {
                let due = if sequence % 3 == 0 { expires } else { i64::MIN };
                let fate = Fate { expires, is_marker: sequence % 5 == 0, due };
                expiries.insert(sequence, fate);
                model.insert(sequence, fate);
            }
            for sequence in removed {
                expiries.remove(sequence);
                model.remove(&sequence);
            }
            expiries.remove_through(through);
            model.retain(|sequence, _| *sequence > through);
            for sequence in 0..70 {
                prop_assert_eq!(expiries.get(sequence), model.get(&sequence).copied().unwrap_or_default());
            }
            expiries.set_due(now as u64 % 60, now);
            if let Some(fate) = model.get_mut(&(now as u64 % 60)).filter(|fate| !fate.is_usual()) {
                fate.due = now;
            }
            let mut dues: Vec<_> = model
                .iter()
                .filter(|(_, fate)| (i64::MIN + 1..=now).contains(&fate.due))
                .map(|(at, fate)| (fate.due, *at))
                .collect();
            dues.sort_unstable();
            prop_assert_eq!(expiries.due(now).collect::<Vec<_>>(), dues);
            let mut ends: Vec<_> =
                model.iter().filter_map(|(at, fate)| Some((fate.end()?, *at))).collect();
            ends.sort_unstable();
            prop_assert_eq!(expiries.next_end(), ends.first().map(|(end, _)| *end));
            let over: Vec<u64> =
                ends.iter().filter(|(end, _)| *end <= now).map(|(_, at)| *at).collect();
            prop_assert_eq!(expiries.over(now).collect::<Vec<_>>(), over);
            prop_assert_eq!(expiries.has_forever(), model.values().any(|fate| fate.is_forever()));
        }
    }
}
