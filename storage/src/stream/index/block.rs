//! A part of a sorted set of sequences: offsets where they are sparse, bits where they are dense.
//!
//! Either form takes 4 KiB at most, so that a removal anywhere moves or scans no more than that. A block begins as
//! offsets, becomes bits when the offsets are full and close together, and becomes offsets again when few are left.
//! Invariants: offsets rise; `first` and `last` are held; a block whose last sequence goes is dropped by its owner.
//! Not here: what lies between blocks (`blocks`).

use std::collections::VecDeque;

/// Offsets in one block.
const OFFSETS_MAX: usize = 1024;
/// Sequences that the bits of one block cover: where bits are fewer bytes than offsets, they are used.
const BITS: u64 = 32_768;
const WORD_BITS: u64 = 64;
/// A block this small is put together with a small neighbour.
const SMALL: u64 = 256;
/// Two blocks put together have at most this many: half a block, so that the next removals do not find it small again.
const MERGED_MAX: u64 = 512;

const _: () = assert!(BITS / 8 == OFFSETS_MAX as u64 * 4);
const _: () = assert!(SMALL < MERGED_MAX && MERGED_MAX < OFFSETS_MAX as u64);

#[derive(Clone, Debug)]
enum Held {
    /// Distances from `base`. A queue, because the oldest messages of a stream go first.
    Offsets(VecDeque<u32>),
    /// Bit n is `base + n`.
    Bits(Box<[u64]>),
}

/// Some sequences that follow each other in a set.
#[derive(Clone, Debug)]
pub(super) struct Block {
    base: u64,
    first: u64,
    last: u64,
    len: u64,
    held: Held,
}

impl Block {
    /// A block of one sequence.
    pub(super) fn new(sequence: u64) -> Self {
        let held = Held::Offsets(VecDeque::from([0]));
        Self { base: sequence, first: sequence, last: sequence, len: 1, held }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds a sequence, which is above all held; tells whether there was room for it.
    pub(super) fn push(&mut self, sequence: u64) -> bool {
        let offset = sequence - self.base;
        if let Held::Offsets(offsets) = &mut self.held {
            if offsets.len() < OFFSETS_MAX {
                let Ok(offset) = u32::try_from(offset) else { return false };
                offsets.push_back(offset);
                self.last = sequence;
                self.len += 1;
                return true;
            }
            if offset >= BITS {
                return false;
            }
            self.held = Held::Bits(bits_of(offsets));
        }
        if let Held::Bits(words) = &mut self.held
            && let Some(word) = words.get_mut((offset / WORD_BITS) as usize)
        {
            *word |= 1 << (offset % WORD_BITS);
            self.last = sequence;
            self.len += 1;
            return true;
        }
        false
    }

    /// Removes a sequence; tells whether it was there.
    pub(super) fn remove(&mut self, sequence: u64) -> bool {
        if sequence < self.first || sequence > self.last {
            return false;
        }
        let offset = sequence - self.base;
        match &mut self.held {
            Held::Offsets(offsets) => {
                let found = u32::try_from(offset).ok().map(|offset| offsets.binary_search(&offset));
                let Some(Ok(at)) = found else { return false };
                offsets.remove(at);
                if offsets.len() * 4 <= offsets.capacity() {
                    offsets.shrink_to(offsets.len() * 2);
                }
            }
            Held::Bits(words) => {
                let bit = 1 << (offset % WORD_BITS);
                match words.get_mut((offset / WORD_BITS) as usize) {
                    Some(word) if *word & bit != 0 => *word &= !bit,
                    _ => return false,
                }
            }
        }
        self.len -= 1;
        if sequence == self.first {
            self.first = self.search_up(offset).unwrap_or(self.last);
        }
        if sequence == self.last {
            self.last = self.search_down(offset).unwrap_or(self.first);
        }
        if self.is_small() && matches!(self.held, Held::Bits(_)) {
            let base = self.base;
            let offsets = self.iter_from(0).map(|sequence| (sequence - base) as u32);
            self.held = Held::Offsets(offsets.collect());
        }
        true
    }

    pub(super) fn at_or_after(&self, sequence: u64) -> Option<u64> {
        if sequence <= self.first {
            return Some(self.first);
        }
        if sequence > self.last { None } else { self.search_up(sequence - self.base) }
    }

    pub(super) fn at_or_before(&self, sequence: u64) -> Option<u64> {
        if sequence >= self.last {
            return Some(self.last);
        }
        if sequence < self.first { None } else { self.search_down(sequence - self.base) }
    }

    /// How many there are below `sequence`.
    pub(super) fn count_below(&self, sequence: u64) -> u64 {
        if sequence <= self.first {
            return 0;
        }
        if sequence > self.last {
            return self.len;
        }
        let offset = sequence - self.base;
        match &self.held {
            Held::Offsets(offsets) => position(offsets, offset) as u64,
            Held::Bits(words) => {
                let at = (offset / WORD_BITS) as usize;
                let before = words.iter().take(at).map(|word| u64::from(word.count_ones()));
                let below = (1_u64 << (offset % WORD_BITS)) - 1;
                let partly = words.get(at).map_or(0, |word| (word & below).count_ones());
                before.sum::<u64>() + u64::from(partly)
            }
        }
    }

    /// All that are not below `sequence`, in order.
    pub(super) fn iter_from(&self, sequence: u64) -> impl Iterator<Item = u64> + '_ {
        let start = sequence.max(self.first) - self.base;
        let (offsets, words): (_, &[u64]) = match &self.held {
            Held::Offsets(offsets) => (Some(offsets.range(position(offsets, start)..)), &[]),
            Held::Bits(words) => (None, words),
        };
        let base = self.base;
        let sparse = offsets.into_iter().flatten().map(move |offset| base + u64::from(*offset));
        let skipped = start / WORD_BITS;
        let dense =
            (skipped..).zip(words.iter().skip(skipped as usize)).flat_map(move |(at, word)| {
                let below = if at == skipped { (1_u64 << (start % WORD_BITS)) - 1 } else { 0 };
                let word_base = base + at * WORD_BITS;
                bits_in(word & !below).map(move |bit| word_base + bit)
            });
        sparse.chain(dense)
    }

    /// Few enough to be put together with a neighbour.
    pub(super) fn is_small(&self) -> bool {
        self.len <= SMALL
    }

    /// Whether `append` may be called.
    pub(super) fn has_room_for(&self, next: &Block) -> bool {
        matches!((&self.held, &next.held), (Held::Offsets(_), Held::Offsets(_)))
            && self.len + next.len <= MERGED_MAX
            && next.last - self.base <= u64::from(u32::MAX)
    }

    /// Takes over the sequences of the block that follows in the set.
    pub(super) fn append(&mut self, next: &Block) {
        if let Held::Offsets(offsets) = &mut self.held {
            let base = self.base;
            offsets.extend(next.iter_from(0).map(|sequence| (sequence - base) as u32));
            self.last = next.last;
            self.len += next.len;
        }
    }

    /// The first one at or above an offset.
    fn search_up(&self, offset: u64) -> Option<u64> {
        match &self.held {
            Held::Offsets(offsets) => {
                offsets.get(position(offsets, offset)).map(|offset| self.base + u64::from(*offset))
            }
            Held::Bits(words) => {
                let at = (offset / WORD_BITS) as usize;
                let above = words.get(at)? & (u64::MAX << (offset % WORD_BITS));
                if above != 0 {
                    return Some(self.sequence(at, above.trailing_zeros()));
                }
                let mut words = words.iter().enumerate().skip(at + 1);
                let (at, word) = words.find(|(_, word)| **word != 0)?;
                Some(self.sequence(at, word.trailing_zeros()))
            }
        }
    }

    /// The last one at or below an offset.
    fn search_down(&self, offset: u64) -> Option<u64> {
        match &self.held {
            Held::Offsets(offsets) => {
                let at = position(offsets, offset.checked_add(1)?).checked_sub(1)?;
                offsets.get(at).map(|offset| self.base + u64::from(*offset))
            }
            Held::Bits(words) => {
                let at = (offset / WORD_BITS) as usize;
                let below = words.get(at)? & (u64::MAX >> (WORD_BITS - 1 - offset % WORD_BITS));
                if below != 0 {
                    return Some(self.sequence(at, below.ilog2()));
                }
                let mut words = words.iter().enumerate().take(at).rev();
                let (at, word) = words.find(|(_, word)| **word != 0)?;
                Some(self.sequence(at, word.ilog2()))
            }
        }
    }

    /// The sequence of a bit.
    fn sequence(&self, word: usize, bit: u32) -> u64 {
        self.base + word as u64 * WORD_BITS + u64::from(bit)
    }
}

/// How many offsets are below one.
fn position(offsets: &VecDeque<u32>, offset: u64) -> usize {
    offsets.partition_point(|one| u64::from(*one) < offset)
}

/// The same set as bits; the offsets are below `BITS`.
fn bits_of(offsets: &VecDeque<u32>) -> Box<[u64]> {
    let mut words = vec![0_u64; (BITS / WORD_BITS) as usize];
    for offset in offsets.iter().map(|offset| u64::from(*offset)) {
        if let Some(word) = words.get_mut((offset / WORD_BITS) as usize) {
            *word |= 1 << (offset % WORD_BITS);
        }
    }
    words.into()
}

/// The bits that are set, in order.
fn bits_in(mut word: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| u64::from(word.trailing_zeros()))?;
        word &= word - 1;
        Some(bit)
    })
}
