//! One file of the simulated disk: what is written, what of it is durable, and what a crash makes of the difference.
//! Not here: names and faults (`simulated`).

use std::{collections::BTreeSet, ops::Range};

/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

/// A stream of numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.number() & 1 == 1
    }
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct SimulatedContent {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// What the disk cannot read.
    rotten: Range<u64>,
}

impl SimulatedContent {
    pub(super) fn rot(&mut self, range: Range<u64>) {
        self.rotten = range;
    }

    /// Whether a read of this range fails.
    pub(super) fn is_rotten(&self, offset: u64, bytes: u64) -> bool {
        let end = offset.saturating_add(bytes).min(self.len());
        offset.max(self.rotten.start) < end.min(self.rotten.end)
    }

    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.live.len());
        let bytes = self.live.get(start..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(bytes) {
            *to = *from;
        }
        count
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        put(&mut self.live, bytes, start);
        self.dirty.extend(start / SECTOR_BYTES..=(start + bytes.len() - 1) / SECTOR_BYTES);
    }

    pub(super) fn write_durable(&mut self, bytes: &[u8], offset: u64) {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        put(&mut self.live, bytes, start);
        put(&mut self.durable, bytes, start);
    }

    pub(super) fn truncate(&mut self, len: u64) {
        self.live.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&mut self.durable, &self.live, sector);
        }
    }

    /// The kernel believes that everything is clean, after a sync that failed.
    pub(super) fn forget_dirty(&mut self) {
        self.dirty.clear();
    }

    pub(super) fn flip(&mut self, bit: u64) {
        let at = usize::try_from(bit / 8).unwrap_or(usize::MAX);
        for bytes in [&mut self.live, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// The file after a crash: of what was not synced, any part.
    pub(super) fn survive(&self, random: &mut Random) -> Self {
        let mut bytes = self.durable.clone();
        if random.coin() {
            bytes.resize(self.live.len(), 0);
        }
        for sector in &self.dirty {
            if random.coin() {
                copy_sector(&mut bytes, &self.live, *sector);
            }
        }
        let rotten = self.rotten.clone();
        Self { live: bytes.clone(), durable: bytes, dirty: BTreeSet::new(), rotten }
    }
}

/// Writes bytes at an offset; zeros fill what is before them.
fn put(to: &mut Vec<u8>, bytes: &[u8], start: usize) {
    let end = start + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(place) = to.get_mut(start..end) {
        place.copy_from_slice(bytes);
    }
}

/// Copies what both have of a sector.
fn copy_sector(to: &mut [u8], from: &[u8], sector: usize) {
    let start = sector * SECTOR_BYTES;
    let end = (start + SECTOR_BYTES).min(to.len()).min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(start..end), from.get(start..end)) {
        to.copy_from_slice(from);
    }
}
