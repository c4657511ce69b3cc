//! A large sorted set of sequences as a row of blocks.
//!
//! Blocks are found by bisection, so that a look-up reads one of them. To count a range, the lengths of the blocks in
//! it are added up, or of those outside where they are fewer: one addition for 1024 sequences or more.
//! Invariants: blocks are in order, do not overlap, and hold something.
//! Not here: what a block does (`block`).

use super::block::Block;
use std::collections::VecDeque;

/// The blocks of one set.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<Block>,
    len: u64,
}

impl Blocks {
    /// Adds a sequence, which is above all held.
    pub(super) fn push(&mut self, sequence: u64) {
        self.len += 1;
        if !self.blocks.back_mut().is_some_and(|block| block.push(sequence)) {
            self.blocks.push_back(Block::new(sequence));
        }
    }

    pub(super) fn remove(&mut self, sequence: u64) -> bool {
        let at = self.find(sequence);
        let Some(block) = self.blocks.get_mut(at) else { return false };
        if !block.remove(sequence) {
            return false;
        }
        self.len -= 1;
        if block.len() == 0 {
            self.blocks.remove(at);
        } else if block.is_small() {
            self.merge(at);
            if let Some(before) = at.checked_sub(1) {
                self.merge(before);
            }
        }
        true
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.blocks.front().map(Block::first)
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.blocks.back().map(Block::last)
    }

    pub(super) fn at_or_after(&self, sequence: u64) -> Option<u64> {
        self.blocks.get(self.find(sequence))?.at_or_after(sequence)
    }

    pub(super) fn at_or_before(&self, sequence: u64) -> Option<u64> {
        let at = self.find(sequence);
        let within = self.blocks.get(at).and_then(|block| block.at_or_before(sequence));
        within.or_else(|| self.blocks.get(at.checked_sub(1)?).map(Block::last))
    }

    /// How many there are from `from` through `through`, which is not below it.
    pub(super) fn count_range(&self, from: u64, through: u64) -> u64 {
        let (start, end) = (self.find(from), self.find(through));
        let below =
            |at: usize, sequence| self.blocks.get(at).map_or(0, |it| it.count_below(sequence));
        let outside_ends = below(start, from);
        let inside_end = match through.checked_add(1) {
            Some(above) => below(end, above),
            None => self.blocks.get(end).map_or(0, Block::len),
        };
        self.sum(start, end) + inside_end - outside_ends
    }

    /// All that are not below `sequence`, in order.
    pub(super) fn iter_from(&self, sequence: u64) -> impl Iterator<Item = u64> + '_ {
        self.blocks.range(self.find(sequence)..).flat_map(move |block| block.iter_from(sequence))
    }

    #[cfg(test)]
    pub(super) fn count_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The first block that does not end below `sequence`.
    fn find(&self, sequence: u64) -> usize {
        self.blocks.partition_point(|block| block.last() < sequence)
    }

    /// The sequences in blocks from `start` up to (not including) `end`.
    fn sum(&self, start: usize, end: usize) -> u64 {
        let inside = end - start;
        if inside * 2 <= self.blocks.len() {
            return self.blocks.range(start..end).map(Block::len).sum();
        }
        let outside = self.blocks.range(..start).chain(self.blocks.range(end..));
        self.len - outside.map(Block::len).sum::<u64>()
    }

    /// Puts the block at `at` and the one behind it together, where they are small: a set that has become sparse has
    /// not many blocks of few sequences.
    fn merge(&mut self, at: usize) {
        let Some(next) = self.blocks.get(at + 1) else { return };
        if !self.blocks.get(at).is_some_and(|block| block.has_room_for(next)) {
            return;
        }
        if let Some(next) = self.blocks.remove(at + 1)
            && let Some(block) = self.blocks.get_mut(at)
        {
            block.append(&next);
        }
    }
}
