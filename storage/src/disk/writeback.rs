//! Asks the kernel to begin with writing pages of a file that it would write later.
//!
//! # Soundness
//! `sync_file_range` touches no memory of the process; the descriptor belongs to a file that is borrowed for the call.
//! Not here: what makes anything durable; this does not.

use std::{fs::File, ops::Range, os::fd::AsRawFd};

/// Begins to write what is dirty in this range of bytes. Fails silently: whoever syncs later is told.
pub(super) fn start(file: &File, range: Range<u64>) {
    let len = range.end.saturating_sub(range.start);
    let (Ok(offset), Ok(len)) = (i64::try_from(range.start), i64::try_from(len)) else { return };
    let flags = libc::SYNC_FILE_RANGE_WRITE;
    // SAFETY: a call with an open descriptor and numbers; see the head of this file.
    unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, flags) };
}
