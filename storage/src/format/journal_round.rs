//! Rounds of the journal: what all logs brought at one moment, as redo entries.
//!
//! Invariants: a round begins and ends on a 4 KiB boundary; its checksums start from the volume's identity; `use_number`
//! rises with every reuse of a file and with every opening of the volume, so a round of an earlier use never passes.
//! Not here: where rounds lie and which of them count (`journal`).

use super::{NUMBER_MAX, OFFSET_MAX, checksum, fields::Field, segment_header::SegmentId};
use crate::log::{LogId, Position, SegmentNumber};

const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"HWrd");

pub(crate) const MAGIC: Field = Field::first(4);
pub(crate) const ENTRIES: Field = MAGIC.then(4);
pub(crate) const USE_NUMBER: Field = ENTRIES.then(8);
pub(crate) const ROUND: Field = USE_NUMBER.then(8);
pub(crate) const DURABLE_THROUGH: Field = ROUND.then(8);
pub(crate) const BODY_BYTES: Field = DURABLE_THROUGH.then(4);
pub(crate) const BODY_CRC: Field = BODY_BYTES.then(4);
pub(crate) const RESERVED: Field = BODY_CRC.then(4);
pub(crate) const HEADER_CRC: Field = RESERVED.then(4);
/// Size of a round's header; the entries follow.
pub(crate) const ROUND_HEADER_BYTES: usize = HEADER_CRC.end();

const _: () = assert!(ROUND_HEADER_BYTES == 48);

/// The header of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoundHeader {
    /// How many entries follow.
    pub(crate) entries: u32,
    /// Which use of the file it belongs to.
    pub(crate) use_number: u64,
    /// Number of the round; dense.
    pub(crate) round: u64,
    /// The highest round that was acknowledged when this one was built.
    pub(crate) durable_through: u64,
    /// Bytes of the entries.
    pub(crate) body_bytes: u32,
    /// Checksum of the entries.
    pub(crate) body_crc: u32,
}

/// Where the checksums of a volume's journal start.
pub(crate) fn seed(volume: u128) -> u32 {
    checksum(0, &volume.to_le_bytes())
}

impl RoundHeader {
    /// The header's bytes.
    pub(crate) fn encode(&self, seed: u32) -> [u8; ROUND_HEADER_BYTES] {
        let mut bytes = [0; ROUND_HEADER_BYTES];
        MAGIC.put(&mut bytes, &MAGIC_VALUE.to_le_bytes());
        ENTRIES.put(&mut bytes, &self.entries.to_le_bytes());
        USE_NUMBER.put(&mut bytes, &self.use_number.to_le_bytes());
        ROUND.put(&mut bytes, &self.round.to_le_bytes());
        DURABLE_THROUGH.put(&mut bytes, &self.durable_through.to_le_bytes());
        BODY_BYTES.put(&mut bytes, &self.body_bytes.to_le_bytes());
        BODY_CRC.put(&mut bytes, &self.body_crc.to_le_bytes());
        let crc = checksum(seed, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        HEADER_CRC.put(&mut bytes, &crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` where there is none of this volume.
    pub(crate) fn decode(seed: u32, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..ROUND_HEADER_BYTES)?;
        let crc = checksum(seed, bytes.get(..HEADER_CRC.offset)?);
        if MAGIC.u32(bytes) != MAGIC_VALUE || HEADER_CRC.u32(bytes) != crc {
            return None;
        }
        let header = Self {
            entries: ENTRIES.u32(bytes),
            use_number: USE_NUMBER.u64(bytes),
            round: ROUND.u64(bytes),
            durable_through: DURABLE_THROUGH.u64(bytes),
            body_bytes: BODY_BYTES.u32(bytes),
            body_crc: BODY_CRC.u32(bytes),
        };
        (header.use_number.max(header.round) <= NUMBER_MAX).then_some(header)
    }

    /// Whether this is how a round's header begins, before any checksum is looked at.
    pub(crate) fn may_begin(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC_VALUE.to_le_bytes())
    }

    /// Bytes that the round takes in the file.
    pub(crate) fn round_bytes(&self) -> u64 {
        (ROUND_HEADER_BYTES as u64 + u64::from(self.body_bytes)).next_multiple_of(4096)
    }
}

/// The frame itself is not in the round: it was synced in its segment before the round was written.
pub(crate) const ENTRY_FLAG_IN_SEGMENT: u32 = 1;

pub(crate) const ENTRY_LOG: Field = Field::first(16);
pub(crate) const ENTRY_SEGMENT: Field = ENTRY_LOG.then(8);
pub(crate) const ENTRY_OFFSET: Field = ENTRY_SEGMENT.then(8);
pub(crate) const ENTRY_END_POSITION: Field = ENTRY_OFFSET.then(8);
pub(crate) const ENTRY_FRAME_BYTES: Field = ENTRY_END_POSITION.then(4);
pub(crate) const ENTRY_FLAGS: Field = ENTRY_FRAME_BYTES.then(4);
/// Size of an entry's header; the frame follows.
pub(crate) const ENTRY_HEADER_BYTES: usize = ENTRY_FLAGS.end();

const _: () = assert!(ENTRY_HEADER_BYTES == 48);

/// The header of a redo entry: where a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryHeader {
    /// The segment.
    pub(crate) segment: SegmentId,
    /// Offset of the frame in the segment file.
    pub(crate) offset: u64,
    /// Position after the last record of the frame.
    pub(crate) end_position: Position,
    /// Bytes of the frame.
    pub(crate) frame_bytes: u32,
    /// `ENTRY_FLAG_IN_SEGMENT` or nothing.
    pub(crate) flags: u32,
}

impl EntryHeader {
    /// The entry header's bytes.
    pub(crate) fn encode(&self) -> [u8; ENTRY_HEADER_BYTES] {
        let mut bytes = [0; ENTRY_HEADER_BYTES];
        ENTRY_LOG.put(&mut bytes, &self.segment.log.0.to_le_bytes());
        ENTRY_SEGMENT.put(&mut bytes, &self.segment.number.0.to_le_bytes());
        ENTRY_OFFSET.put(&mut bytes, &self.offset.to_le_bytes());
        ENTRY_END_POSITION.put(&mut bytes, &self.end_position.0.to_le_bytes());
        ENTRY_FRAME_BYTES.put(&mut bytes, &self.frame_bytes.to_le_bytes());
        ENTRY_FLAGS.put(&mut bytes, &self.flags.to_le_bytes());
        bytes
    }

    /// Takes an entry off the front of a round's body: header, frame (empty where it is in the segment), rest.
    pub(crate) fn take(body: &[u8]) -> Option<(Self, &[u8], &[u8])> {
        let (bytes, rest) = body.split_at_checked(ENTRY_HEADER_BYTES)?;
        let header = Self {
            segment: SegmentId {
                log: LogId(ENTRY_LOG.u128(bytes)),
                number: SegmentNumber(ENTRY_SEGMENT.u64(bytes)),
            },
            offset: ENTRY_OFFSET.u64(bytes),
            end_position: Position(ENTRY_END_POSITION.u64(bytes)),
            frame_bytes: ENTRY_FRAME_BYTES.u32(bytes),
            flags: ENTRY_FLAGS.u32(bytes),
        };
        if header.offset > OFFSET_MAX || header.end_position.0 > NUMBER_MAX {
            return None;
        }
        let inline =
            if header.flags & ENTRY_FLAG_IN_SEGMENT == 0 { header.frame_bytes as usize } else { 0 };
        let (frame, rest) = rest.split_at_checked(inline)?;
        Some((header, frame, rest))
    }
}
