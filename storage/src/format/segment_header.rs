//! The first bytes of a segment file: which log and segment it is, and where it begins.
//!
//! Invariants: log and number seed the checksum of every frame, so a frame is valid in its own segment only, and a
//! damaged header costs no frame.
//! Not here: the frames (`frame`).

use super::{FORMAT_VERSION, checksum, fields::Field};
use crate::log::{LogId, Position, SegmentNumber};

/// The segment was written again without its dead messages: nothing in the journal belongs into it any more.
pub(crate) const FLAG_REWRITTEN: u32 = 1;

const MAGIC_VALUE: [u8; 8] = *b"HWSEGMNT";

pub(crate) const MAGIC: Field = Field::first(8);
pub(crate) const VERSION: Field = MAGIC.then(4);
pub(crate) const FLAGS: Field = VERSION.then(4);
pub(crate) const LOG: Field = FLAGS.then(16);
pub(crate) const NUMBER: Field = LOG.then(8);
pub(crate) const BASE_POSITION: Field = NUMBER.then(8);
pub(crate) const BASE_SEQUENCE: Field = BASE_POSITION.then(8);
pub(crate) const HEADER_CRC: Field = BASE_SEQUENCE.then(4);
pub(crate) const PADDING: Field = HEADER_CRC.then(4);
/// Size of the header; the first frame follows.
pub(crate) const SEGMENT_HEADER_BYTES: usize = PADDING.end();

const _: () = assert!(SEGMENT_HEADER_BYTES == 64);

/// Which segment of which log: what no two files of a volume share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SegmentId {
    /// The log.
    pub(crate) log: LogId,
    /// The segment's number in it.
    pub(crate) number: SegmentNumber,
}

impl SegmentId {
    /// Where the checksums of the segment's frames start.
    pub(crate) fn seed(self) -> u32 {
        checksum(checksum(0, &self.log.0.to_le_bytes()), &self.number.0.to_le_bytes())
    }
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: SegmentId,
    /// Position of the first record.
    pub(crate) base_position: Position,
    /// The sequence that the next message had before the first record.
    pub(crate) base_sequence: u64,
    /// It was written again without its dead messages.
    pub(crate) is_rewritten: bool,
}

impl SegmentHeader {
    /// The header's bytes.
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        MAGIC.put(&mut bytes, &MAGIC_VALUE);
        VERSION.put(&mut bytes, &FORMAT_VERSION.to_le_bytes());
        let flags = if self.is_rewritten { FLAG_REWRITTEN } else { 0 };
        FLAGS.put(&mut bytes, &flags.to_le_bytes());
        LOG.put(&mut bytes, &self.id.log.0.to_le_bytes());
        NUMBER.put(&mut bytes, &self.id.number.0.to_le_bytes());
        BASE_POSITION.put(&mut bytes, &self.base_position.0.to_le_bytes());
        BASE_SEQUENCE.put(&mut bytes, &self.base_sequence.to_le_bytes());
        let crc = checksum(0, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        HEADER_CRC.put(&mut bytes, &crc.to_le_bytes());
        bytes
    }

    /// Reads a header; what is wrong with it otherwise.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let Some(bytes) = bytes.get(..SEGMENT_HEADER_BYTES) else {
            return Err("segment header is cut short");
        };
        if MAGIC.bytes(bytes) != MAGIC_VALUE {
            return Err("segment header has another magic number");
        }
        let crc = checksum(0, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        if HEADER_CRC.u32(bytes) != crc {
            return Err("checksum of the segment header does not match");
        }
        if VERSION.u32(bytes) != FORMAT_VERSION {
            return Err("segment is of another format version");
        }
        Ok(Self {
            id: SegmentId { log: LogId(LOG.u128(bytes)), number: SegmentNumber(NUMBER.u64(bytes)) },
            base_position: Position(BASE_POSITION.u64(bytes)),
            base_sequence: BASE_SEQUENCE.u64(bytes),
            is_rewritten: FLAGS.u32(bytes) & FLAG_REWRITTEN != 0,
        })
    }
}
