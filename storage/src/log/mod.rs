//! Logs: ordered groups of records, in frames, in segments. One primitive under streams and the catalogue.
//!
//! Positions of a log: `first <= committed <= durable <= written <= assigned`.
//! Not here: what a record means (`stream`), where the bytes of a round go (`journal`).

mod damage;
mod file_log;
mod memory_budget;
mod memory_log;
mod open;
mod rewrite;
mod waiter;
mod write;

#[cfg(test)]
mod open_test;

pub(crate) use file_log::FileLog;
pub(crate) use memory_budget::MemoryBudget;
pub(crate) use memory_log::MemoryLog;
pub(crate) use open::{Opening, RECORDS_BEFORE_MISSING};
pub(crate) use waiter::Waiter;
pub(crate) use write::{ClosedFrame, Taken, Written, WrittenFrame};

use crate::{
    DamagedBytes, Error, Result, Timestamp,
    format::{frame::FrameHeader, segment_header::SegmentId},
    segment::segment_path,
    stream::Compression,
};
use bytes::Bytes;
use std::sync::Arc;

/// Identity of a log: random 128 bits, chosen when it is created, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LogId(pub(crate) u128);

/// Dense position of a record in its log; the first is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position(pub(crate) u64);

/// Number of a segment in its log, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentNumber(pub(crate) u64);

/// One atomic group of encoded records, to be kept within one frame.
pub(crate) struct Group<'a> {
    /// Encoded records, one after the other.
    pub(crate) records: &'a [u8],
    /// How many.
    pub(crate) count: u32,
    /// The sequence that the next message had before this group (the stream's last sequence plus one).
    pub(crate) base_sequence: u64,
    /// Time of the group.
    pub(crate) time: Timestamp,
    /// Close the segment first: this group opens a new one (it holds the stream's state record).
    pub(crate) starts_segment: bool,
    /// It belongs to the group before it and is taken even where too much waits already. Small.
    pub(crate) follows: bool,
}

/// The body of a frame as read: decompressed, checked.
#[derive(Clone, Debug)]
pub(crate) struct FrameBody {
    /// Position of its first record.
    pub(crate) base_position: Position,
    /// The sequence that the next message had before the frame.
    pub(crate) base_sequence: u64,
    /// Records in it.
    pub(crate) count: u32,
    /// Encoded records; slices of it may be kept for as long as they are wanted.
    pub(crate) records: Bytes,
}

/// Where a frame was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundFrame {
    /// The segment.
    pub(crate) segment: SegmentId,
    /// Offset in its file, in bytes.
    pub(crate) offset: u64,
    /// Its header.
    pub(crate) header: FrameHeader,
}

impl FoundFrame {
    /// Its records are not what they should be, though its checksums are right.
    pub(crate) fn damaged(&self, what: &str) -> DamagedBytes {
        let bytes = self.header.frame_bytes();
        DamagedBytes::new(&segment_path(self.segment), self.offset, bytes, what)
    }
}

/// A frame that takes the place of others when a segment is written again.
#[derive(Clone, Debug)]
pub(crate) struct NewFrame {
    /// Position of its first record.
    pub(crate) base_position: Position,
    /// The sequence that the next message had before it.
    pub(crate) base_sequence: u64,
    /// Positions in it.
    pub(crate) count: u32,
    /// Its records.
    pub(crate) records: Vec<u8>,
}

/// What a log knows of one of its segments.
#[derive(Clone, Debug)]
pub(crate) struct SegmentInfo {
    pub(crate) number: SegmentNumber,
    /// Position of its first record.
    pub(crate) base_position: Position,
    /// `Group::base_sequence` of its first group.
    pub(crate) base_sequence: u64,
    /// Highest time of its groups.
    pub(crate) last_time: Timestamp,
    /// Size on disk, in bytes.
    pub(crate) bytes: u64,
}

/// Who is told of a log while it is opened. Gives the sequence that no message so far has reached, where it counts them: a record may
/// skip any number of them, so the log itself has but a guess.
pub(crate) type Observer<'a> = dyn FnMut(Replay) -> Result<Option<u64>> + 'a;

/// What is told to the owner of a log while it is opened, in log order.
pub(crate) enum Replay {
    /// A good frame, with where it was found. With `Damaged` it cannot come here, and the owner took nothing of it: it counts
    /// as damage.
    Frame(FoundFrame, FrameBody),
    /// What the owner noted about the frames of a segment (`Log::write_index`), in their place. With an error the owner
    /// is as it was, and the frames come.
    Summary(Bytes),
    /// Frames that damage took, or a segment's header (then no sequence is lost). Sequences from `from_sequence` up to
    /// (not including) `to_sequence` may have been in them; the owner knows better what it has seen before.
    Damage {
        /// At or below the first lost sequence.
        from_sequence: u64,
        /// `base_sequence` of the next good frame. At the end of the log a bound from the number of lost records, or
        /// `None` where nothing bounds it.
        to_sequence: Option<u64>,
        /// What cannot be read.
        places: Vec<DamagedBytes>,
    },
    /// Bytes at the end of a segment, or a whole segment, that were never acknowledged: they are cut.
    Torn(DamagedBytes),
}

/// Told on the commit thread how far a log is committed. Must not block; may take the owner's lock, which the log never
/// holds its own lock under.
pub(crate) trait CommitListener: Send + Sync {
    /// Every record below `through` is committed (readable). Rises from call to call.
    fn committed(&self, through: Position);
    /// No record that was not committed before will be; appends fail with this error from now on. After `NoSpace` the
    /// owner may reopen the log (`LogStore::reopen_log`).
    fn failed(&self, error: &Error);
}

/// A log that can be appended to and read. Appends come from one owner, in order (under the owner's lock).
pub(crate) trait Log: Send + Sync + std::fmt::Debug {
    /// Sets who is told of commits; called once, before the first append.
    fn listen(&self, listener: std::sync::Weak<dyn CommitListener>);
    /// Adds a group to the open frame. Gives the position after its last record: the group is committed when
    /// `CommitListener::committed` has that position. Never waits for the disk; `Busy` when too much waits already.
    /// `starts_segment` may be set only when `wants_segment` said so or at the first group of the log.
    fn append(&self, group: &Group<'_>) -> Result<Position>;
    /// The active segment has reached its size, or holds nothing: the next group should be a state record with
    /// `starts_segment`.
    fn wants_segment(&self) -> bool;
    /// The committed frame that would hold the message with this sequence: the last one whose `base_sequence` is at or
    /// below it. `None` when the log starts above it. `Damaged` when the frame is lost.
    fn frame_for_sequence(&self, sequence: u64) -> Result<Option<FrameBody>>;
    #[cfg(test)]
    /// The committed frame that starts at `position` (as `FrameBody::base_position` plus `count` of the one before).
    fn frame_at(&self, position: Position) -> Result<Option<FrameBody>>;
    /// Segments in order; the last one is active.
    fn segments(&self) -> Vec<SegmentInfo>;
    /// Removes all segments below `number` from the disk. The owner has made durable what makes them superfluous.
    fn remove_segments_before(&self, number: SegmentNumber) -> Result<()>;
    /// The messages with these sequences (inclusive) are removed for good: a log in memory lets their bytes go.
    fn forget(&self, _first: u64, _last: u64) {}
    /// Puts other frames in the place of a sealed segment's, durable on return. They have the same positions.
    fn replace_segment(&self, _number: SegmentNumber, _frames: Vec<NewFrame>) -> Result<()> {
        Ok(())
    }
    /// The first sealed segment that has no index.
    fn unindexed(&self) -> Option<SegmentNumber> {
        None
    }
    /// Shows the frames of a sealed segment, in order.
    fn visit_segment(
        &self,
        _number: SegmentNumber,
        _visit: &mut dyn FnMut(FrameBody) -> Result<()>,
    ) -> Result<()> {
        Ok(())
    }
    /// Writes the index of a sealed segment with what the owner noted of its frames; `None` where it notes nothing.
    fn write_index(&self, _number: SegmentNumber, _owner: Option<Vec<u8>>) -> Result<()> {
        Ok(())
    }
    /// How frames that are closed from now on are compressed, where the log compresses.
    fn set_compression(&self, _compression: Compression) {}
    /// The position above the last committed record.
    fn committed(&self) -> Position;
}

/// A log shared by its owner and the commit thread.
pub(crate) type LogRef = Arc<dyn Log>;
