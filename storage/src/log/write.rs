//! A frame on its way: open, taken, written to its segment.
//!
//! Invariants: `Writing` belongs to the commit thread; its end is what is written, committed or not.
//! Not here: the round that makes it durable (`journal::commit`).

use super::{FrameBody, Group, LogId, Position, SegmentNumber};
use crate::{
    Result, Timestamp,
    disk::Disk,
    format::{
        checkpoint::LogEnd,
        checksum,
        frame::{FLAG_LZ4, FRAME_HEADER_BYTES, FrameHeader, compress},
        segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId},
    },
    segment::{FramePlace, SegmentFile, SegmentFrames},
    stream::config::Compression,
};
use std::{ops::Range, sync::Arc};

/// Records shorter than this are not worth compressing, in bytes.
const COMPRESS_BYTES_MIN: usize = 256;

/// Bytes of a segment that the disk is handed at a time. With less, its writes get in the way of lone appends; with more,
/// of everybody.
const HAND_OVER_BYTES: u64 = 512 * 1024;

/// Groups that are collected for one frame.
#[derive(Debug)]
pub(crate) struct OpenFrame {
    pub(crate) records: Vec<u8>,
    count: u32,
    groups: u32,
    base_position: Position,
    base_sequence: u64,
    last_time: Timestamp,
    starts_segment: bool,
}

impl OpenFrame {
    /// A frame of one group.
    pub(super) fn new(group: &Group<'_>, position: Position, starts_segment: bool) -> Self {
        Self {
            records: group.records.to_vec(),
            count: group.count,
            groups: 1,
            base_position: position,
            base_sequence: group.base_sequence,
            last_time: group.time,
            starts_segment,
        }
    }

    /// Adds a group.
    pub(super) fn add(&mut self, group: &Group<'_>) {
        self.records.extend_from_slice(group.records);
        self.count += group.count;
        self.groups += 1;
        self.last_time = self.last_time.max(group.time);
    }
}

/// What the commit thread got from a log.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A frame.
    Frame(OpenFrame),
    /// The first frame has this many bytes of records, more than there was room for.
    TooLarge(usize),
    /// Nothing is open; the log will tell when that changes.
    Nothing,
}

/// A closed frame: header and body as they are stored.
#[derive(Debug)]
pub(crate) struct ClosedFrame {
    pub(crate) header: FrameHeader,
    /// The body, where it is not the records.
    compressed: Option<Vec<u8>>,
    open: OpenFrame,
}

impl ClosedFrame {
    /// Closes a frame.
    pub(crate) fn new(open: OpenFrame, compression: Compression) -> Self {
        let compressed = match compression {
            Compression::Lz4 if open.records.len() >= COMPRESS_BYTES_MIN => compress(&open.records),
            _ => None,
        };
        let body = compressed.as_ref().unwrap_or(&open.records);
        let length = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let header = FrameHeader {
            body_bytes: length(body.len()),
            records_bytes: length(open.records.len()),
            count: open.count,
            base_position: open.base_position,
            base_sequence: open.base_sequence,
            last_time: open.last_time,
            term: 0,
            flags: if compressed.is_some() { FLAG_LZ4 } else { 0 },
            groups: open.groups,
            body_crc: checksum(0, body),
        };
        Self { header, compressed, open }
    }

    /// The body as stored.
    pub(crate) fn body(&self) -> &[u8] {
        self.compressed.as_ref().unwrap_or(&self.open.records)
    }

    /// Whether it is the first of a new segment.
    pub(crate) fn starts_segment(&self) -> bool {
        self.open.starts_segment
    }

    /// Header and body.
    pub(crate) fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.body().len()
    }
}

/// Where the commit thread writes the log's next frame.
#[derive(Debug)]
pub(crate) struct Writing {
    segment: Arc<SegmentFile>,
    offset: u64,
    position: Position,
    /// The disk has been handed what is before this offset.
    handed_over: u64,
}

impl Writing {
    /// Goes on at the end of a log.
    pub(crate) fn new(segment: Arc<SegmentFile>, offset: u64, position: Position) -> Self {
        Self { segment, offset, position, handed_over: offset }
    }

    /// What is written.
    pub(crate) fn end(&self) -> LogEnd {
        LogEnd { segment: self.segment.id().number, offset: self.offset, position: self.position }
    }

    pub(crate) fn has_frames(&self) -> bool {
        self.offset > SEGMENT_HEADER_BYTES as u64
    }

    pub(crate) fn segment(&self) -> &Arc<SegmentFile> {
        &self.segment
    }

    /// Makes the next segment, durable on return, for a frame that starts one. The entry for the table.
    pub(crate) fn roll(
        &mut self,
        disk: &Arc<dyn Disk>,
        log: LogId,
        frame: &ClosedFrame,
    ) -> Result<SegmentFrames> {
        let number = SegmentNumber(self.segment.id().number.0 + 1);
        let header = SegmentHeader {
            id: SegmentId { log, number },
            base_position: frame.header.base_position,
            base_sequence: frame.header.base_sequence,
            is_rewritten: false,
        };
        let file = Arc::new(SegmentFile::create(disk, &header)?);
        self.segment = Arc::clone(&file);
        self.offset = SEGMENT_HEADER_BYTES as u64;
        self.handed_over = 0;
        Ok(SegmentFrames::new(file, header.base_position, header.base_sequence))
    }

    /// The bytes that the disk should be handed now, where there are enough.
    pub(crate) fn hand_over(&mut self) -> Option<Range<u64>> {
        let range = self.handed_over..self.offset;
        let is_due = range.end - range.start >= HAND_OVER_BYTES;
        is_due.then(|| {
            self.handed_over = self.offset;
            range
        })
    }

    /// The frame was written at the end.
    pub(crate) fn advance(
        &mut self,
        frame: ClosedFrame,
        opens: Option<SegmentFrames>,
    ) -> WrittenFrame {
        let header = frame.header;
        let bytes = u32::try_from(frame.frame_bytes()).unwrap_or(u32::MAX);
        let place = FramePlace::new(header.base_position, header.base_sequence, self.offset, bytes);
        self.offset += u64::from(bytes);
        self.position = header.end_position();
        let body = FrameBody {
            base_position: header.base_position,
            base_sequence: header.base_sequence,
            count: header.count,
            records: frame.open.records.into(),
        };
        WrittenFrame { place, body, last_time: header.last_time, opens }
    }
}

/// A frame that is in its segment, synced or not.
#[derive(Debug)]
pub(crate) struct WrittenFrame {
    pub(crate) place: FramePlace,
    pub(crate) body: FrameBody,
    pub(crate) last_time: Timestamp,
    /// The segment that it is the first frame of.
    pub(crate) opens: Option<SegmentFrames>,
}

/// Frames of one log in one round.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) frames: Vec<WrittenFrame>,
    /// The end of the last one.
    pub(crate) end: LogEnd,
}
