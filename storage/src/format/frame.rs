//! Frames: one commit group of one or more records of a log, with checksums of header and body.
//!
//! Invariants: the header's checksum starts from the segment's seed, so old bytes and bytes of another segment never
//! pass; the body's does not, so a body can go elsewhere under a new header.
//! Not here: what is in a record (`stream`), where frames lie (`segment`).

use super::{NUMBER_MAX, checksum, fields::Field};
use crate::{Timestamp, limits::FRAME_BYTES_MAX, log::Position};
use bytes::Bytes;

const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"HWfr");
/// The body is LZ4.
pub(crate) const FLAG_LZ4: u32 = 1;

/// An LZ4 block grows to so many times its size at most, so a header that says more is not believed.
const LZ4_GROWTH_MAX: usize = 255;

pub(crate) const MAGIC: Field = Field::first(4);
pub(crate) const BODY_BYTES: Field = MAGIC.then(4);
pub(crate) const RECORDS_BYTES: Field = BODY_BYTES.then(4);
pub(crate) const COUNT: Field = RECORDS_BYTES.then(4);
pub(crate) const BASE_POSITION: Field = COUNT.then(8);
pub(crate) const BASE_SEQUENCE: Field = BASE_POSITION.then(8);
pub(crate) const LAST_TIME: Field = BASE_SEQUENCE.then(8);
pub(crate) const TERM: Field = LAST_TIME.then(8);
pub(crate) const FLAGS: Field = TERM.then(4);
pub(crate) const GROUPS: Field = FLAGS.then(4);
pub(crate) const BODY_CRC: Field = GROUPS.then(4);
pub(crate) const HEADER_CRC: Field = BODY_CRC.then(4);
/// Size of a frame's header; the body follows.
pub(crate) const FRAME_HEADER_BYTES: usize = HEADER_CRC.end();

const _: () = assert!(FRAME_HEADER_BYTES == 64);
const _: () = assert!(FRAME_BYTES_MAX <= u32::MAX as usize);

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Bytes of the body as stored.
    pub(crate) body_bytes: u32,
    /// Bytes of the records, decompressed.
    pub(crate) records_bytes: u32,
    /// Records.
    pub(crate) count: u32,
    /// Position of the first record.
    pub(crate) base_position: Position,
    /// The sequence that the next message had before the frame.
    pub(crate) base_sequence: u64,
    /// Highest time of the groups in it.
    pub(crate) last_time: Timestamp,
    /// Term of the leader that wrote it; 0 for a log without one.
    pub(crate) term: u64,
    /// `FLAG_LZ4` or nothing.
    pub(crate) flags: u32,
    /// Groups of records.
    pub(crate) groups: u32,
    /// Checksum of the body as stored.
    pub(crate) body_crc: u32,
}

impl FrameHeader {
    /// The header's bytes, for the segment with this seed.
    pub(crate) fn encode(&self, seed: u32) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        MAGIC.put(&mut bytes, &MAGIC_VALUE.to_le_bytes());
        BODY_BYTES.put(&mut bytes, &self.body_bytes.to_le_bytes());
        RECORDS_BYTES.put(&mut bytes, &self.records_bytes.to_le_bytes());
        COUNT.put(&mut bytes, &self.count.to_le_bytes());
        BASE_POSITION.put(&mut bytes, &self.base_position.0.to_le_bytes());
        BASE_SEQUENCE.put(&mut bytes, &self.base_sequence.to_le_bytes());
        LAST_TIME.put(&mut bytes, &self.last_time.0.to_le_bytes());
        TERM.put(&mut bytes, &self.term.to_le_bytes());
        FLAGS.put(&mut bytes, &self.flags.to_le_bytes());
        GROUPS.put(&mut bytes, &self.groups.to_le_bytes());
        BODY_CRC.put(&mut bytes, &self.body_crc.to_le_bytes());
        let crc = checksum(seed, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        HEADER_CRC.put(&mut bytes, &crc.to_le_bytes());
        bytes
    }

    /// Reads a header of the segment with this seed; what is wrong with it otherwise.
    pub(crate) fn decode(seed: u32, bytes: &[u8]) -> Result<Self, &'static str> {
        let Some(bytes) = bytes.get(..FRAME_HEADER_BYTES) else {
            return Err("frame header is cut short");
        };
        if MAGIC.u32(bytes) != MAGIC_VALUE {
            return Err("no frame begins here");
        }
        let crc = checksum(seed, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        if HEADER_CRC.u32(bytes) != crc {
            return Err("checksum of the frame header does not match");
        }
        let header = Self {
            body_bytes: BODY_BYTES.u32(bytes),
            records_bytes: RECORDS_BYTES.u32(bytes),
            count: COUNT.u32(bytes),
            base_position: Position(BASE_POSITION.u64(bytes)),
            base_sequence: BASE_SEQUENCE.u64(bytes),
            last_time: Timestamp(LAST_TIME.i64(bytes)),
            term: TERM.u64(bytes),
            flags: FLAGS.u32(bytes),
            groups: GROUPS.u32(bytes),
            body_crc: BODY_CRC.u32(bytes),
        };
        let plain = header.flags == 0 && header.body_bytes == header.records_bytes;
        let longest = header.body_bytes.max(header.records_bytes) as usize;
        if !(plain || header.flags == FLAG_LZ4)
            || longest > FRAME_BYTES_MAX
            || header.count == 0
            || header.base_position.0 > NUMBER_MAX
            || header.base_sequence > NUMBER_MAX
        {
            return Err("frame header has impossible values");
        }
        Ok(header)
    }

    /// Whether this is how a frame's header begins, before any checksum is looked at.
    pub(crate) fn may_begin(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC_VALUE.to_le_bytes())
    }

    /// Header and body, in bytes.
    pub(crate) fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.body_bytes)
    }

    /// The position after the last record.
    pub(crate) fn end_position(&self) -> Position {
        Position(self.base_position.0.saturating_add(u64::from(self.count)))
    }

    /// The records from a stored body, checked; what is wrong with it otherwise.
    pub(crate) fn records(&self, body: Bytes) -> Result<Bytes, &'static str> {
        if body.len() != self.body_bytes as usize {
            return Err("frame body is cut short");
        }
        if checksum(0, &body) != self.body_crc {
            return Err("checksum of the frame body does not match");
        }
        if self.flags & FLAG_LZ4 == 0 {
            return Ok(body);
        }
        if self.records_bytes as usize > body.len().saturating_mul(LZ4_GROWTH_MAX) {
            return Err("frame body does not decompress");
        }
        let mut records = vec![0; self.records_bytes as usize];
        match lz4_flex::block::decompress_into(&body, &mut records) {
            Ok(len) if len == records.len() => Ok(records.into()),
            _ => Err("frame body does not decompress"),
        }
    }
}

/// Compresses records; `None` where that does not make them shorter.
pub(crate) fn compress(records: &[u8]) -> Option<Vec<u8>> {
    let compressed = lz4_flex::block::compress(records);
    (compressed.len() < records.len()).then_some(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lz4(body: &[u8], records_bytes: usize) -> FrameHeader {
        FrameHeader {
            body_bytes: body.len() as u32,
            records_bytes: records_bytes as u32,
            count: 1,
            base_position: Position(0),
            base_sequence: 1,
            last_time: Timestamp(0),
            term: 0,
            flags: FLAG_LZ4,
            groups: 1,
            body_crc: checksum(0, body),
        }
    }

    #[test]
    fn the_best_compression_comes_back_and_a_better_one_is_not_believed() {
        for len in [1000, 100_000, FRAME_BYTES_MAX] {
            let records = vec![7; len];
            let body = Bytes::from(compress(&records).unwrap());
            assert_eq!(lz4(&body, len).records(body.clone()).unwrap(), records, "{len}");
            let more = body.len() * 256;
            assert!(lz4(&body, more).records(body).is_err());
        }
    }
}
