//! Where the committed frames of a log are: about 32 bytes for each, kept in memory.
//!
//! Invariants: segments by number, frames by position and sequence, both rising; a range that damage took has an entry
//! too, so that nobody mistakes it for the frame before it.
//! Not here: the bytes of the frames (`file`).

use super::SegmentFile;
use crate::{
    Timestamp,
    format::{segment_header::SEGMENT_HEADER_BYTES, segment_index::SegmentIndex},
    log::{Position, SegmentInfo, SegmentNumber},
};
use bytes::Bytes;
use std::sync::Arc;

/// Where a frame is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FramePlace {
    /// Position of its first record.
    pub(crate) base_position: Position,
    /// The sequence that the next message had before it.
    pub(crate) base_sequence: u64,
    /// Offset in the segment, in bytes.
    pub(crate) offset: u64,
    /// Header and body, in bytes.
    pub(crate) bytes: u32,
    lost: bool,
}

const _: () = assert!(size_of::<FramePlace>() == 32);

impl FramePlace {
    /// A frame as written.
    pub(crate) fn new(position: Position, sequence: u64, offset: u64, bytes: u32) -> Self {
        let (base_position, base_sequence) = (position, sequence);
        Self { base_position, base_sequence, offset, bytes, lost: false }
    }

    /// A range that damage took.
    pub(crate) fn lost(position: Position, sequence: u64, offset: u64, bytes: u64) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { lost: true, ..Self::new(position, sequence, offset, bytes) }
    }

    /// Where it ends in the segment.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.bytes))
    }

    /// Whether damage took it.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }
}

/// The frames of one segment.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFrames {
    /// The segment.
    pub(crate) file: Arc<SegmentFile>,
    /// Position of its first record.
    pub(crate) base_position: Position,
    /// The sequence that the next message had before it.
    pub(crate) base_sequence: u64,
    /// Position after its last record.
    pub(crate) end_position: Position,
    /// Highest time of its groups.
    pub(crate) last_time: Timestamp,
    /// Bytes up to the end of its last frame.
    pub(crate) bytes: u64,
    /// Its frames.
    pub(crate) frames: Vec<FramePlace>,
    /// There is an index of it, or none can be made.
    pub(crate) is_indexed: bool,
}

impl SegmentFrames {
    /// A segment without frames.
    pub(crate) fn new(file: Arc<SegmentFile>, position: Position, sequence: u64) -> Self {
        Self {
            file,
            base_position: position,
            base_sequence: sequence,
            end_position: position,
            last_time: Timestamp(i64::MIN),
            bytes: SEGMENT_HEADER_BYTES as u64,
            frames: Vec::new(),
            is_indexed: false,
        }
    }

    /// Adds a frame after the last one.
    pub(crate) fn push(&mut self, place: FramePlace, end: Position, last_time: Timestamp) {
        self.end_position = end;
        if self.frames.is_empty() {
            self.base_sequence = place.base_sequence;
        }
        self.bytes = place.offset + u64::from(place.bytes);
        self.last_time = self.last_time.max(last_time);
        // One that it has is of fewer frames, where a segment is the active one again.
        self.is_indexed = false;
        self.frames.push(place);
    }

    /// The index of the segment, sealed and whole; `None` where damage took a part of it.
    pub(crate) fn index(&self, owner: Bytes) -> Option<SegmentIndex> {
        if self.frames.iter().any(FramePlace::is_lost) {
            return None;
        }
        Some(SegmentIndex {
            id: self.file.id(),
            segment_bytes: self.bytes,
            end_position: self.end_position,
            last_time: self.last_time,
            last_frame_crc: 0,
            frames: self.frames.clone(),
            owner,
        })
    }

    /// Takes over what an index says.
    fn fill(&mut self, index: &SegmentIndex) {
        self.base_sequence = index.frames.first().map_or(self.base_sequence, |f| f.base_sequence);
        self.frames.clone_from(&index.frames);
        self.bytes = index.segment_bytes;
        self.end_position = index.end_position;
        self.last_time = index.last_time;
        self.is_indexed = true;
    }

    /// The lost ranges at the end begin at `base_sequence` at the latest.
    fn bound_lost(&mut self, base_sequence: u64) {
        for frame in self.frames.iter_mut().rev().take_while(|frame| frame.is_lost()) {
            frame.base_sequence = frame.base_sequence.min(base_sequence);
        }
    }
}

/// A frame that was looked up.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    /// The segment it is in.
    pub(crate) file: Arc<SegmentFile>,
    /// Where it is there.
    pub(crate) place: FramePlace,
}

/// The frames of a log.
#[derive(Debug, Default)]
pub(crate) struct FrameTable {
    segments: Vec<SegmentFrames>,
}

impl FrameTable {
    /// Adds a frame after the last one.
    pub(crate) fn push(&mut self, place: FramePlace, end: Position, last_time: Timestamp) {
        self.bound_lost(place.base_sequence);
        if let Some(active) = self.segments.last_mut() {
            active.push(place, end, last_time);
        }
    }

    /// Adds a range that damage took after the last frame, with where it ends.
    pub(crate) fn push_lost(&mut self, place: FramePlace, end: u64) {
        if let Some(active) = self.segments.last_mut() {
            active.bytes = end;
            active.frames.push(place);
        }
    }

    /// Adds the frames that an index names to the segment that has none yet.
    pub(crate) fn fill(&mut self, index: &SegmentIndex) {
        if let Some(first) = index.frames.first() {
            self.bound_lost(first.base_sequence);
        }
        if let Some(active) = self.segments.last_mut() {
            active.fill(index);
        }
    }

    /// A good frame with this sequence comes next. What damage left before it has guessed sequences, which may be too
    /// high: it begins there at the latest.
    fn bound_lost(&mut self, base_sequence: u64) {
        for segment in self.segments.iter_mut().rev() {
            segment.bound_lost(base_sequence);
            segment.base_sequence = segment.base_sequence.min(base_sequence);
            if segment.frames.iter().any(|frame| !frame.is_lost()) {
                break;
            }
        }
    }

    /// Adds a segment after the last one.
    pub(crate) fn push_segment(&mut self, segment: SegmentFrames) {
        self.segments.push(segment);
    }

    /// Forgets the last segment.
    pub(crate) fn pop_segment(&mut self) {
        self.segments.pop();
    }

    /// The segment that is written.
    pub(crate) fn active(&self) -> Option<&SegmentFrames> {
        self.segments.last()
    }

    /// The last frame whose `base_sequence` is at or below `sequence`.
    pub(crate) fn find_sequence(&self, sequence: u64) -> Option<Lookup> {
        let above = self.segments.partition_point(|segment| segment.base_sequence <= sequence);
        let candidates = self.segments.get(..above)?;
        candidates.iter().rev().find_map(|segment| {
            let above = segment.frames.partition_point(|frame| frame.base_sequence <= sequence);
            let place = segment.frames.get(above.checked_sub(1)?)?;
            Some(Lookup { file: Arc::clone(&segment.file), place: *place })
        })
    }

    #[cfg(test)]
    /// The frame that starts at `position`, or the lost range that holds it.
    pub(crate) fn find_position(&self, position: Position) -> Option<Lookup> {
        let above = self.segments.partition_point(|segment| segment.base_position <= position);
        let candidates = self.segments.get(..above)?;
        candidates
            .iter()
            .rev()
            .find_map(|segment| {
                let above = segment.frames.partition_point(|frame| frame.base_position <= position);
                let place = segment.frames.get(above.checked_sub(1)?)?;
                Some(Lookup { file: Arc::clone(&segment.file), place: *place })
            })
            .filter(|found| found.place.base_position == position || found.place.is_lost())
    }

    /// The first sealed segment that has no index yet.
    pub(crate) fn unindexed(&self) -> Option<&SegmentFrames> {
        let (_, sealed) = self.segments.split_last()?;
        sealed.iter().find(|segment| !segment.is_indexed)
    }

    /// A segment by its number.
    pub(crate) fn segment(&self, number: SegmentNumber) -> Option<&SegmentFrames> {
        self.segments.iter().find(|segment| segment.file.id().number == number)
    }

    /// Puts a segment in the place of the one with the same number, where that is still there.
    pub(crate) fn replace(&mut self, new: SegmentFrames) {
        let number = new.file.id().number;
        let mut segments = self.segments.iter_mut();
        if let Some(segment) = segments.find(|segment| segment.file.id().number == number) {
            *segment = new;
        }
    }

    /// Notes that a segment need not be indexed any more.
    pub(crate) fn set_indexed(&mut self, number: SegmentNumber) {
        let mut segments = self.segments.iter_mut();
        if let Some(segment) = segments.find(|segment| segment.file.id().number == number) {
            segment.is_indexed = true;
        }
    }

    /// The segments, as others see them.
    pub(crate) fn segments(&self) -> Vec<SegmentInfo> {
        self.segments
            .iter()
            .map(|segment| SegmentInfo {
                number: segment.file.id().number,
                base_position: segment.base_position,
                base_sequence: segment.base_sequence,
                last_time: segment.last_time,
                bytes: segment.bytes,
            })
            .collect()
    }

    /// Forgets all segments below `number` but never the last one.
    pub(crate) fn remove_before(&mut self, number: SegmentNumber) -> Vec<Arc<SegmentFile>> {
        let below = self.segments.partition_point(|segment| segment.file.id().number < number);
        let count = below.min(self.segments.len().saturating_sub(1));
        self.segments.drain(..count).map(|segment| segment.file).collect()
    }
}
