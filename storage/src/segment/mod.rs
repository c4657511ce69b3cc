//! Segments: files of frames, one after the other, written at the end only.
//!
//! Invariants: a sealed segment is never written or truncated; a frame is found by its place in the table, and its
//! checksums are looked at before its bytes are believed.
//! Not here: which group goes into which frame (`log`), when a frame counts (`journal`).

mod file;
mod index_file;
mod scan;
mod table;
mod unreadable;

pub(crate) use file::{ANOTHER_SEGMENT, SegmentFile};
pub(crate) use index_file::{read_index, write_index};
pub(crate) use scan::{Scan, ScanEnd, ScanEvent};
pub(crate) use table::{FramePlace, FrameTable, Lookup, SegmentFrames};

use crate::{
    format::segment_header::SegmentId,
    log::{LogId, SegmentNumber},
};
use std::path::PathBuf;

/// Where the logs are, below the volume's directory.
pub(crate) const LOGS_DIRECTORY: &str = "logs";
/// Ending of the name of a log's directory that is being removed.
pub(crate) const REMOVED_SUFFIX: &str = ".removed";

/// The directory of a log.
pub(crate) fn log_directory(id: LogId) -> PathBuf {
    PathBuf::from(LOGS_DIRECTORY).join(format!("{:032x}", id.0))
}

/// The file of a segment.
pub(crate) fn segment_path(id: SegmentId) -> PathBuf {
    log_directory(id.log).join(format!("{:020}.seg", id.number.0))
}

/// The file of a sealed segment's index.
pub(crate) fn index_path(id: SegmentId) -> PathBuf {
    log_directory(id.log).join(format!("{:020}.idx", id.number.0))
}

/// Where a segment is written again before it takes its name.
pub(crate) fn spare_path(id: SegmentId) -> PathBuf {
    log_directory(id.log).join(format!("{:020}.new", id.number.0))
}

/// The log that a directory's name stands for.
pub(crate) fn parse_log_directory(name: &str) -> Option<LogId> {
    let id = LogId(u128::from_str_radix(name, 16).ok()?);
    (name == format!("{:032x}", id.0)).then_some(id)
}

/// The segment that a file's name stands for.
pub(crate) fn parse_segment_name(name: &str) -> Option<SegmentNumber> {
    let number = name.strip_suffix(".seg")?;
    (number.len() == 20).then(|| number.parse().ok().map(SegmentNumber))?
}
