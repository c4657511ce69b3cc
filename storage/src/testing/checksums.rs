//! Makes the checksums of changed files right again, so that a fuzz target gets behind them.
//!
//! Invariant: bytes that no checksum covers stay as they are.
//! Not here: what the structures mean (`format`).

use crate::{
    format::{
        checkpoint::{self, CHECKPOINT_HEADER_BYTES, CHECKPOINT_LOG_BYTES},
        checksum,
        fields::Field,
        frame::{self, FRAME_HEADER_BYTES, FrameHeader},
        journal_file::{self, JOURNAL_FILE_BLOCK_BYTES},
        journal_round::{self, ENTRY_FLAG_IN_SEGMENT, ENTRY_HEADER_BYTES, ROUND_HEADER_BYTES},
        segment_header::{self, SEGMENT_HEADER_BYTES, SegmentId},
        segment_index::{self, INDEX_FRAME_BYTES, INDEX_HEADER_BYTES},
    },
    log::{LogId, SegmentNumber},
    segment::{parse_log_directory, parse_segment_name},
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// Makes every checksum in the files of a volume right: those of headers, bodies, frames within rounds, and the one by which an
/// index knows its segment.
pub fn repair_checksums(files: &mut [(PathBuf, Vec<u8>)]) {
    let mut segments = BTreeMap::new();
    for (path, bytes) in files.iter_mut() {
        match path.extension().and_then(OsStr::to_str) {
            Some("seg") => {
                let Some(id) = segment_of(path) else { continue };
                seal_segment(id, bytes);
                segments.insert(path.with_extension("idx"), bytes.clone());
            }
            Some("jnl" | "new") => seal_journal(bytes),
            Some("0" | "1") => seal_checkpoint(bytes),
            _ => {}
        }
    }
    for (path, bytes) in files.iter_mut() {
        if let Some(segment) = segments.get(path) {
            note_last_frame(bytes, segment);
            seal_index(bytes);
        }
    }
}

/// The segment that a path stands for.
fn segment_of(path: &Path) -> Option<SegmentId> {
    let log = parse_log_directory(path.parent()?.file_name()?.to_str()?)?;
    let number = parse_segment_name(path.file_name()?.to_str()?)?;
    Some(SegmentId { log, number })
}

/// Puts the checksum of all before a field, begun from a seed, into the field. Nothing where the structure is cut short.
pub(super) fn seal(field: Field, seed: u32, bytes: &mut [u8]) {
    let Some(before) = bytes.get(..field.offset).filter(|_| bytes.len() >= field.end()) else {
        return;
    };
    let crc = checksum(seed, before);
    field.put(bytes, &crc.to_le_bytes());
}

/// Seals a body of so many bytes behind a header, then the header.
fn seal_both(
    bytes: &mut [u8],
    header_bytes: usize,
    body_bytes: usize,
    [body_crc, header_crc]: [Field; 2],
    seed: u32,
) {
    let Some((header, rest)) = bytes.split_at_mut_checked(header_bytes) else { return };
    if let Some(body) = rest.get(..body_bytes) {
        body_crc.put(header, &checksum(0, body).to_le_bytes());
    }
    seal(header_crc, seed, header);
}

/// One frame at the head of the bytes. Gives its length, where it is one.
pub(super) fn seal_frame(seed: u32, bytes: &mut [u8]) -> Option<usize> {
    let body = frame::BODY_BYTES.u32(bytes) as usize;
    let whole = FRAME_HEADER_BYTES.checked_add(body)?;
    let is_frame = FrameHeader::may_begin(bytes) && bytes.len() >= whole;
    seal_both(bytes, FRAME_HEADER_BYTES, body, [frame::BODY_CRC, frame::HEADER_CRC], seed);
    is_frame.then_some(whole)
}

/// A segment and its frames.
fn seal_segment(id: SegmentId, bytes: &mut [u8]) {
    seal(segment_header::HEADER_CRC, 0, bytes);
    let (seed, mut offset) = (id.seed(), SEGMENT_HEADER_BYTES);
    while let Some(rest) = bytes.get_mut(offset..).filter(|rest| !rest.is_empty()) {
        // Behind what is no frame the next one may begin at any byte.
        offset +=
            if FrameHeader::may_begin(rest) { seal_frame(seed, rest).unwrap_or(1) } else { 1 };
    }
}

/// Tells an index the last frame of its segment.
fn note_last_frame(bytes: &mut [u8], segment: &[u8]) {
    let frames = segment_index::FRAMES.u32(bytes) as usize;
    let last = frames.checked_sub(1).and_then(|last| last.checked_mul(INDEX_FRAME_BYTES));
    let entry = last.and_then(|last| bytes.get(INDEX_HEADER_BYTES.checked_add(last)?..));
    let offset = entry.map_or(0, |entry| segment_index::FRAME_OFFSET.u64(entry));
    let header = usize::try_from(offset).ok().and_then(|offset| segment.get(offset..));
    let crc = frame::HEADER_CRC.u32(header.unwrap_or_default());
    if bytes.len() >= INDEX_HEADER_BYTES {
        segment_index::LAST_FRAME_CRC.put(bytes, &crc.to_le_bytes());
    }
}

/// An index.
pub(super) fn seal_index(bytes: &mut [u8]) {
    let body = bytes.len().saturating_sub(INDEX_HEADER_BYTES);
    let fields = [segment_index::BODY_CRC, segment_index::HEADER_CRC];
    seal_both(bytes, INDEX_HEADER_BYTES, body, fields, 0);
}

/// A checkpoint.
pub(super) fn seal_checkpoint(bytes: &mut [u8]) {
    let logs = checkpoint::LOGS.u32(bytes) as usize;
    let fields = [checkpoint::BODY_CRC, checkpoint::HEADER_CRC];
    let body = logs.saturating_mul(CHECKPOINT_LOG_BYTES);
    seal_both(bytes, CHECKPOINT_HEADER_BYTES, body, fields, 0);
}

/// A journal file, its rounds, and the frames in them.
fn seal_journal(bytes: &mut [u8]) {
    seal(journal_file::HEADER_CRC, 0, bytes);
    let seed = journal_round::seed(journal_file::VOLUME.u128(bytes));
    let mut offset = JOURNAL_FILE_BLOCK_BYTES as usize;
    while let Some(rest) = bytes.get_mut(offset..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"HWrd") {
            seal_round(seed, rest);
        }
        offset += JOURNAL_FILE_BLOCK_BYTES as usize;
    }
}

/// A round at the head of the bytes.
pub(super) fn seal_round(seed: u32, bytes: &mut [u8]) {
    let body_bytes = journal_round::BODY_BYTES.u32(bytes) as usize;
    let end = ROUND_HEADER_BYTES.saturating_add(body_bytes).min(bytes.len());
    let mut entries = bytes.get_mut(ROUND_HEADER_BYTES..end).unwrap_or_default();
    while entries.len() > ENTRY_HEADER_BYTES {
        let id = SegmentId {
            log: LogId(journal_round::ENTRY_LOG.u128(entries)),
            number: SegmentNumber(journal_round::ENTRY_SEGMENT.u64(entries)),
        };
        let is_here = journal_round::ENTRY_FLAGS.u32(entries) & ENTRY_FLAG_IN_SEGMENT == 0;
        let frame =
            if is_here { journal_round::ENTRY_FRAME_BYTES.u32(entries) as usize } else { 0 };
        let rest = entries.get_mut(ENTRY_HEADER_BYTES..).unwrap_or_default();
        let Some((frame, rest)) = rest.split_at_mut_checked(frame) else { break };
        seal_frame(id.seed(), frame);
        entries = rest;
    }
    let fields = [journal_round::BODY_CRC, journal_round::HEADER_CRC];
    seal_both(bytes, ROUND_HEADER_BYTES, body_bytes, fields, seed);
}
