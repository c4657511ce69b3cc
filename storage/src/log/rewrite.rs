//! Writes a sealed segment again, with other frames at the same positions.
//!
//! Invariants: the new file is whole and durable before it takes the old one's name; readers that found a frame in the old
//! one keep it. The new header says that nothing of the journal belongs into the file any more.
//! Not here: which records stay (`stream::compact`).

use super::NewFrame;
use crate::{
    Error, Result,
    disk::{Disk, OpenMode},
    format::{
        checksum,
        frame::{FLAG_LZ4, FRAME_HEADER_BYTES, FrameHeader, compress},
        segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader},
    },
    segment::{
        FramePlace, SegmentFile, SegmentFrames, index_path, log_directory, segment_path, spare_path,
    },
    stream::Compression,
};
use std::{io, path::Path, sync::Arc};

/// Writes the segment again and gives what takes its place in the table.
pub(super) fn rewrite(
    disk: &Arc<dyn Disk>,
    old: &SegmentFrames,
    frames: Vec<NewFrame>,
    compression: Compression,
) -> Result<SegmentFrames> {
    let id = old.file.id();
    let header = SegmentHeader {
        id,
        base_position: old.base_position,
        base_sequence: old.base_sequence,
        is_rewritten: true,
    };
    let mut bytes = header.encode().to_vec();
    let file = Arc::new(SegmentFile::existing(disk, id));
    let mut segment = SegmentFrames::new(file, old.base_position, old.base_sequence);
    for frame in frames {
        let offset = bytes.len() as u64;
        let encoded = encode(&frame, old, compression);
        let len = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&encoded);
        let place = FramePlace::new(frame.base_position, frame.base_sequence, offset, len);
        let end = frame.base_position.0 + u64::from(frame.count);
        segment.push(place, crate::log::Position(end), old.last_time);
    }
    assert!(bytes.len() > SEGMENT_HEADER_BYTES, "a segment has a frame");
    assert_eq!(segment.end_position, old.end_position, "positions stay");
    old.file.keep_readable();
    put_in_place(disk, old, &bytes)?;
    segment.file.seal();
    Ok(segment)
}

fn encode(frame: &NewFrame, old: &SegmentFrames, compression: Compression) -> Vec<u8> {
    let compressed = match compression {
        Compression::Lz4 => compress(&frame.records),
        Compression::None => None,
    };
    let body = compressed.as_ref().unwrap_or(&frame.records);
    let length = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let header = FrameHeader {
        body_bytes: length(body.len()),
        records_bytes: length(frame.records.len()),
        count: frame.count,
        base_position: frame.base_position,
        base_sequence: frame.base_sequence,
        last_time: old.last_time,
        term: 0,
        flags: if compressed.is_some() { FLAG_LZ4 } else { 0 },
        groups: 1,
        body_crc: checksum(0, body),
    };
    let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES + body.len());
    bytes.extend_from_slice(&header.encode(old.file.id().seed()));
    bytes.extend_from_slice(body);
    bytes
}

fn put_in_place(disk: &Arc<dyn Disk>, old: &SegmentFrames, bytes: &[u8]) -> Result<()> {
    let id = old.file.id();
    let (path, spare) = (segment_path(id), spare_path(id));
    let failed = |error| Error::io(format!("write {} again", path.display()), error);
    let remove = |path: &Path| match disk.remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(error)),
    };
    remove(&index_path(id))?;
    if remove(&spare)? {
        // Or a power cut may leave it, and it would take the segment's name.
        disk.sync_directory(&log_directory(id.log)).map_err(failed)?;
    }
    let file = disk.open(&spare, OpenMode::Create).map_err(failed)?;
    file.write_at(bytes, 0).map_err(failed)?;
    file.sync().map_err(failed)?;
    drop(file);
    disk.rename(&spare, &path).map_err(failed)?;
    disk.sync_directory(&log_directory(id.log)).map_err(failed)
}
