//! A round while it is built: the bytes that go to the journal, and the frames that its write acknowledges.
//! Not here: which frames go into a round, and when (`commit`).

use crate::{
    disk::AlignedBuffer,
    format::{
        checkpoint::{JournalPlace, LogEnd},
        checksum,
        frame::FRAME_HEADER_BYTES,
        journal_round::{ENTRY_HEADER_BYTES, EntryHeader, ROUND_HEADER_BYTES, RoundHeader},
    },
    log::{FileLog, LogId, Written, WrittenFrame},
};
use hashbrown::HashMap;
use std::sync::Arc;

/// Bytes that a round has beside the records of its only frame.
pub(super) const ROUND_OVERHEAD_BYTES: usize =
    ROUND_HEADER_BYTES + ENTRY_HEADER_BYTES + FRAME_HEADER_BYTES;

/// A round that is being built.
pub(super) struct RoundBuilder {
    buffer: AlignedBuffer,
    body_bytes: usize,
    entries: u32,
    /// Appends that it acknowledges.
    groups: u32,
    logs: Vec<(Arc<FileLog>, Written)>,
    /// Where each log is in `logs`.
    index: HashMap<LogId, usize>,
}

impl RoundBuilder {
    /// An empty round.
    pub(super) fn new(mut buffer: AlignedBuffer) -> Self {
        buffer.clear();
        buffer.extend(&[0; ROUND_HEADER_BYTES]);
        Self {
            buffer,
            body_bytes: 0,
            entries: 0,
            groups: 0,
            logs: Vec::new(),
            index: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Whether it acknowledges one append only.
    pub(super) fn is_of_one(&self) -> bool {
        self.groups == 1
    }

    /// The memory of an empty round.
    pub(super) fn into_buffer(self) -> AlignedBuffer {
        self.buffer
    }

    /// Bytes of records that fit into one more frame of a round of so many bytes.
    pub(super) fn room(&self, round_bytes: usize) -> usize {
        let held = self.buffer.len() + ENTRY_HEADER_BYTES + FRAME_HEADER_BYTES;
        round_bytes.saturating_sub(held)
    }

    /// Adds an entry with its frame, which so many appends made.
    pub(super) fn add_entry(&mut self, entry: &EntryHeader, frame: &[u8], groups: u32) {
        let needed = self.buffer.len() + ENTRY_HEADER_BYTES + frame.len();
        if needed > self.buffer.capacity() {
            let mut larger = AlignedBuffer::new(needed);
            larger.extend(self.buffer.as_slice());
            self.buffer = larger;
        }
        self.buffer.extend(&entry.encode());
        self.buffer.extend(frame);
        self.entries += 1;
        self.groups += groups;
    }

    /// Notes a frame that the round's write acknowledges.
    pub(super) fn add_written(&mut self, log: &Arc<FileLog>, written: WrittenFrame, end: LogEnd) {
        let next = self.logs.len();
        let at = *self.index.entry(log.id).or_insert(next);
        if at == next {
            self.logs.push((Arc::clone(log), Written { frames: Vec::new(), end }));
        }
        if let Some((_, all)) = self.logs.get_mut(at) {
            all.frames.push(written);
            all.end = end;
        }
    }

    /// Fills up to whole blocks; nothing can be added any more. The bytes that the round takes.
    pub(super) fn pad(&mut self) -> u64 {
        self.body_bytes = self.buffer.len() - ROUND_HEADER_BYTES;
        self.buffer.pad();
        self.buffer.len() as u64
    }

    /// Writes the header of the padded round for its place.
    pub(super) fn close(
        mut self,
        seed: u32,
        place: JournalPlace,
        durable_through: u64,
    ) -> (AlignedBuffer, Vec<(Arc<FileLog>, Written)>) {
        let body = self.buffer.as_slice().get(ROUND_HEADER_BYTES..).unwrap_or_default();
        let body = body.get(..self.body_bytes).unwrap_or_default();
        let header = RoundHeader {
            entries: self.entries,
            use_number: place.use_number,
            round: place.round,
            durable_through,
            body_bytes: u32::try_from(self.body_bytes).unwrap_or(u32::MAX),
            body_crc: checksum(0, body),
        };
        if let Some(start) = self.buffer.as_mut_slice().get_mut(..ROUND_HEADER_BYTES) {
            start.copy_from_slice(&header.encode(seed));
        }
        (self.buffer, self.logs)
    }
}
