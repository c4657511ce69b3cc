//! One frame, encoded and decoded, for benchmarks.
//! Not here: damaged ones (`structure`).

use crate::{
    Timestamp,
    format::{checksum, frame, frame::FrameHeader},
    log::Position,
    stream::config::Compression,
};
use bytes::Bytes;

/// A frame as a log writes it.
#[derive(Debug)]
pub struct EncodedFrame {
    header: [u8; frame::FRAME_HEADER_BYTES],
    body: Bytes,
}

impl EncodedFrame {
    /// Encodes records, packed where that is asked for and makes them shorter.
    pub fn encode(records: &Bytes, count: u32, compression: Compression) -> Self {
        let packed = match compression {
            Compression::None => None,
            Compression::Lz4 => frame::compress(records),
        };
        let flags = if packed.is_some() { frame::FLAG_LZ4 } else { 0 };
        let body = packed.map_or_else(|| records.clone(), Bytes::from);
        let header = FrameHeader {
            body_bytes: body.len() as u32,
            records_bytes: records.len() as u32,
            count,
            base_position: Position(0),
            base_sequence: 1,
            last_time: Timestamp(0),
            term: 0,
            flags,
            groups: 1,
            body_crc: checksum(0, &body),
        };
        Self { header: header.encode(0), body }
    }

    /// Checks header and body and gives the records.
    pub fn decode(&self) -> Result<Bytes, &'static str> {
        FrameHeader::decode(0, &self.header)?.records(self.body.clone())
    }
}
