//! A sorted set of sequences that grows at its end and shrinks anywhere.
//!
//! One or two live in the set itself, a few in a sorted vector, many in blocks: most subjects have one, for a moment
//! two where a message takes the place of another, and some have all messages of a large stream.
//! Not here: the blocks (`blocks`).

use super::blocks::Blocks;

/// More than these are kept in blocks.
const FEW_MAX: usize = 128;
/// As few as this go back into a vector. Far below `FEW_MAX`, so that a set does not go to and fro.
const FEW_AGAIN: u64 = 32;

const _: () = assert!((FEW_AGAIN as usize) < FEW_MAX);

#[derive(Clone, Debug)]
enum Held {
    One(u64),
    Two([u64; 2]),
    /// None is kept here too: an empty vector has no allocation.
    Few(Vec<u64>),
    Many(Box<Blocks>),
}

/// Sorted set of sequences.
#[derive(Clone, Debug)]
pub(crate) struct SequenceSet {
    held: Held,
}

// A stream may have millions of subjects with a set each.
const _: () = assert!(size_of::<SequenceSet>() == 24);

impl Default for SequenceSet {
    fn default() -> Self {
        Self { held: Held::Few(Vec::new()) }
    }
}

impl SequenceSet {
    /// Adds a sequence, which is above all held.
    pub(crate) fn push(&mut self, sequence: u64) {
        assert!(self.last().is_none_or(|last| last < sequence), "sequences rise");
        match &mut self.held {
            Held::Few(few) if few.is_empty() => self.held = Held::One(sequence),
            Held::One(one) => self.held = Held::Two([*one, sequence]),
            Held::Two([one, two]) => self.held = Held::Few(vec![*one, *two, sequence]),
            Held::Few(few) if few.len() < FEW_MAX => few.push(sequence),
            Held::Few(few) => {
                let mut blocks = Box::<Blocks>::default();
                few.iter().for_each(|one| blocks.push(*one));
                blocks.push(sequence);
                self.held = Held::Many(blocks);
            }
            Held::Many(blocks) => blocks.push(sequence),
        }
    }

    /// Removes a sequence; tells whether it was there.
    pub(crate) fn remove(&mut self, sequence: u64) -> bool {
        match &mut self.held {
            Held::One(one) => {
                let there = *one == sequence;
                if there {
                    *self = Self::default();
                }
                there
            }
            Held::Two([one, two]) => {
                let stays = match sequence {
                    gone if gone == *one => *two,
                    gone if gone == *two => *one,
                    _ => return false,
                };
                self.held = Held::One(stays);
                true
            }
            Held::Few(few) => {
                let Ok(at) = few.binary_search(&sequence) else { return false };
                few.remove(at);
                if let [one, two] = few.as_slice() {
                    self.held = Held::Two([*one, *two]);
                } else if few.len() * 4 <= few.capacity() {
                    few.shrink_to(few.len() * 2);
                }
                true
            }
            Held::Many(blocks) => {
                let there = blocks.remove(sequence);
                if blocks.len() <= FEW_AGAIN {
                    self.held = Held::Few(blocks.iter_from(0).collect());
                }
                there
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, sequence: u64) -> bool {
        self.at_or_after(sequence) == Some(sequence)
    }

    pub(crate) fn len(&self) -> u64 {
        match self.parts() {
            (few, None) => few.len() as u64,
            (_, Some(blocks)) => blocks.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn first(&self) -> Option<u64> {
        match self.parts() {
            (few, None) => few.first().copied(),
            (_, Some(blocks)) => blocks.first(),
        }
    }

    pub(crate) fn last(&self) -> Option<u64> {
        match self.parts() {
            (few, None) => few.last().copied(),
            (_, Some(blocks)) => blocks.last(),
        }
    }

    /// The smallest that is not below `sequence`.
    pub(crate) fn at_or_after(&self, sequence: u64) -> Option<u64> {
        match self.parts() {
            (few, None) => few.get(few.partition_point(|one| *one < sequence)).copied(),
            (_, Some(blocks)) => blocks.at_or_after(sequence),
        }
    }

    /// The largest that is not above `sequence`.
    pub(crate) fn at_or_before(&self, sequence: u64) -> Option<u64> {
        match self.parts() {
            (few, None) => few.iter().rev().find(|one| **one <= sequence).copied(),
            (_, Some(blocks)) => blocks.at_or_before(sequence),
        }
    }

    /// How many there are from `from` through `through`; none where they are the wrong way round.
    pub(crate) fn count_range(&self, from: u64, through: u64) -> u64 {
        if from > through {
            return 0;
        }
        match self.parts() {
            (few, None) => {
                let above = few.partition_point(|one| *one <= through);
                (above - few.partition_point(|one| *one < from)) as u64
            }
            (_, Some(blocks)) => blocks.count_range(from, through),
        }
    }

    /// All that are not below `sequence`, in order.
    pub(crate) fn iter_from(&self, sequence: u64) -> impl Iterator<Item = u64> + '_ {
        let (few, blocks) = self.parts();
        let few = few.get(few.partition_point(|one| *one < sequence)..).unwrap_or_default();
        few.iter().copied().chain(blocks.into_iter().flat_map(move |it| it.iter_from(sequence)))
    }

    /// The set as a slice, or as blocks beside an empty one.
    fn parts(&self) -> (&[u64], Option<&Blocks>) {
        match &self.held {
            Held::One(one) => (std::slice::from_ref(one), None),
            Held::Two(two) => (two, None),
            Held::Few(few) => (few, None),
            Held::Many(blocks) => (&[], Some(blocks)),
        }
    }
}

#[cfg(test)]
#[path = "sequences_test.rs"]
mod tests;
