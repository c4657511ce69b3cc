//! The index of a sealed segment, in a file beside it: where its frames are, and what its owner needs to know of them
//! without reading them.
//!
//! Invariants: derived and disposable. It says which bytes it was made of (length of the segment, checksum of its last
//! frame's header); one that does not match its segment, or itself, is not used, and the segment is read instead.
//! Not here: what the owner's bytes mean (`stream::summary`), when it is made (`log`).

use super::{
    FORMAT_VERSION, NUMBER_MAX, OFFSET_MAX, checksum, fields::Field, segment_header::SegmentId,
};
use crate::{
    Timestamp,
    log::{LogId, Position, SegmentNumber},
    segment::FramePlace,
};
use bytes::Bytes;

const MAGIC_VALUE: [u8; 8] = *b"HWSEGIDX";
/// Bound of the frames of a segment, so that a forged count cannot ask for much memory.
const FRAMES_MAX: usize = 16 * 1024 * 1024;
/// Bound of the owner's bytes.
const OWNER_BYTES_MAX: u64 = 1 << 30;

pub(crate) const MAGIC: Field = Field::first(8);
pub(crate) const VERSION: Field = MAGIC.then(4);
pub(crate) const FRAMES: Field = VERSION.then(4);
pub(crate) const LOG: Field = FRAMES.then(16);
pub(crate) const NUMBER: Field = LOG.then(8);
pub(crate) const SEGMENT_BYTES: Field = NUMBER.then(8);
pub(crate) const END_POSITION: Field = SEGMENT_BYTES.then(8);
pub(crate) const LAST_TIME: Field = END_POSITION.then(8);
pub(crate) const OWNER_BYTES: Field = LAST_TIME.then(8);
pub(crate) const LAST_FRAME_CRC: Field = OWNER_BYTES.then(4);
pub(crate) const BODY_CRC: Field = LAST_FRAME_CRC.then(4);
pub(crate) const RESERVED: Field = BODY_CRC.then(4);
pub(crate) const HEADER_CRC: Field = RESERVED.then(4);
/// Size of the header; the frames follow, then the owner's bytes.
pub(crate) const INDEX_HEADER_BYTES: usize = HEADER_CRC.end();

pub(crate) const FRAME_POSITION: Field = Field::first(8);
pub(crate) const FRAME_SEQUENCE: Field = FRAME_POSITION.then(8);
pub(crate) const FRAME_OFFSET: Field = FRAME_SEQUENCE.then(8);
pub(crate) const FRAME_BYTES: Field = FRAME_OFFSET.then(4);
/// Size of the entry of a frame.
pub(crate) const INDEX_FRAME_BYTES: usize = FRAME_BYTES.end();

const _: () = assert!(INDEX_HEADER_BYTES == 88 && INDEX_FRAME_BYTES == 28);

/// The index of a segment.
#[derive(Clone, Debug)]
pub(crate) struct SegmentIndex {
    pub(crate) id: SegmentId,
    /// Up to the end of the last frame.
    pub(crate) segment_bytes: u64,
    /// Position after the last record.
    pub(crate) end_position: Position,
    /// Highest time of the groups.
    pub(crate) last_time: Timestamp,
    /// The checksum in the header of the last frame.
    pub(crate) last_frame_crc: u32,
    pub(crate) frames: Vec<FramePlace>,
    /// What the owner wants to know.
    pub(crate) owner: Bytes,
}

impl SegmentIndex {
    /// The index's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; INDEX_HEADER_BYTES];
        for frame in &self.frames {
            let mut entry = [0; INDEX_FRAME_BYTES];
            FRAME_POSITION.put(&mut entry, &frame.base_position.0.to_le_bytes());
            FRAME_SEQUENCE.put(&mut entry, &frame.base_sequence.to_le_bytes());
            FRAME_OFFSET.put(&mut entry, &frame.offset.to_le_bytes());
            FRAME_BYTES.put(&mut entry, &frame.bytes.to_le_bytes());
            bytes.extend_from_slice(&entry);
        }
        bytes.extend_from_slice(&self.owner);
        let body_crc = checksum(0, bytes.get(INDEX_HEADER_BYTES..).unwrap_or_default());
        let frames = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        MAGIC.put(&mut bytes, &MAGIC_VALUE);
        VERSION.put(&mut bytes, &FORMAT_VERSION.to_le_bytes());
        FRAMES.put(&mut bytes, &frames.to_le_bytes());
        LOG.put(&mut bytes, &self.id.log.0.to_le_bytes());
        NUMBER.put(&mut bytes, &self.id.number.0.to_le_bytes());
        SEGMENT_BYTES.put(&mut bytes, &self.segment_bytes.to_le_bytes());
        END_POSITION.put(&mut bytes, &self.end_position.0.to_le_bytes());
        LAST_TIME.put(&mut bytes, &self.last_time.0.to_le_bytes());
        OWNER_BYTES.put(&mut bytes, &(self.owner.len() as u64).to_le_bytes());
        LAST_FRAME_CRC.put(&mut bytes, &self.last_frame_crc.to_le_bytes());
        BODY_CRC.put(&mut bytes, &body_crc.to_le_bytes());
        let crc = checksum(0, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        HEADER_CRC.put(&mut bytes, &crc.to_le_bytes());
        bytes
    }

    /// How long the whole index is, from its header; what is wrong with it otherwise.
    pub(crate) fn encoded_bytes(header: &[u8]) -> Result<usize, &'static str> {
        let Some(header) = header.get(..INDEX_HEADER_BYTES) else {
            return Err("segment index is cut short");
        };
        let crc = checksum(0, header.get(..HEADER_CRC.offset).unwrap_or_default());
        if MAGIC.bytes(header) != MAGIC_VALUE || HEADER_CRC.u32(header) != crc {
            return Err("checksum of the segment index's header does not match");
        }
        if VERSION.u32(header) != FORMAT_VERSION {
            return Err("segment index is of another format version");
        }
        let frames = FRAMES.u32(header) as usize;
        if frames == 0 || frames > FRAMES_MAX || OWNER_BYTES.u64(header) > OWNER_BYTES_MAX {
            return Err("segment index has impossible values");
        }
        Ok(INDEX_HEADER_BYTES + frames * INDEX_FRAME_BYTES + OWNER_BYTES.u64(header) as usize)
    }

    /// Reads an index; what is wrong with it otherwise.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, &'static str> {
        let len = Self::encoded_bytes(&bytes)?;
        let frames_end = INDEX_HEADER_BYTES + FRAMES.u32(&bytes) as usize * INDEX_FRAME_BYTES;
        let Some(body) = bytes.get(INDEX_HEADER_BYTES..len).filter(|_| bytes.len() == len) else {
            return Err("segment index is of another length");
        };
        if BODY_CRC.u32(&bytes) != checksum(0, body) {
            return Err("checksum of the segment index does not match");
        }
        let entries = bytes.get(INDEX_HEADER_BYTES..frames_end).unwrap_or_default();
        let mut frames = Vec::with_capacity(entries.len() / INDEX_FRAME_BYTES);
        for entry in entries.chunks_exact(INDEX_FRAME_BYTES) {
            let position = Position(FRAME_POSITION.u64(entry));
            let (sequence, offset) = (FRAME_SEQUENCE.u64(entry), FRAME_OFFSET.u64(entry));
            let rises = frames.last().is_none_or(|before: &FramePlace| {
                before.base_position < position && before.end() <= offset
            });
            if !rises || position.0.max(sequence) > NUMBER_MAX || offset > OFFSET_MAX {
                return Err("segment index has impossible values");
            }
            frames.push(FramePlace::new(position, sequence, offset, FRAME_BYTES.u32(entry)));
        }
        let end_position = Position(END_POSITION.u64(&bytes));
        if frames.last().is_none_or(|last| last.base_position >= end_position) {
            return Err("segment index has impossible values");
        }
        let log = LogId(LOG.u128(&bytes));
        Ok(Self {
            id: SegmentId { log, number: SegmentNumber(NUMBER.u64(&bytes)) },
            segment_bytes: SEGMENT_BYTES.u64(&bytes),
            end_position,
            last_time: Timestamp(LAST_TIME.i64(&bytes)),
            last_frame_crc: LAST_FRAME_CRC.u32(&bytes),
            frames,
            owner: bytes.slice(frames_end..),
        })
    }
}
