//! Asks the kernel to write pages of a file that it would write later.
//!
//! # Soundness
//! `sync_file_range` touches no memory of the process; the descriptor belongs to a file that is borrowed for the call.
//! Not here: what makes anything durable; this does not.

use std::{fs::File, io, ops::Range, os::fd::AsRawFd};

/// Begins to write what is dirty in this range of bytes. Fails silently: whoever syncs later is told.
pub(super) fn start(file: &File, range: Range<u64>) {
    let _ = ask(file, range, libc::SYNC_FILE_RANGE_WRITE);
}

/// Writes what is dirty in this range of bytes, and waits for it. The file has to be given up after an error, which a later
/// sync may not be told of again.
pub(super) fn finish(file: &File, range: Range<u64>) -> io::Result<()> {
    let wait = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    match ask(file, range, libc::SYNC_FILE_RANGE_WRITE | wait) {
        // It only spreads what a sync would do at once.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => Ok(()),
        result => result,
    }
}

fn ask(file: &File, range: Range<u64>, flags: u32) -> io::Result<()> {
    let len = range.end.saturating_sub(range.start);
    let (Ok(offset), Ok(len)) = (i64::try_from(range.start), i64::try_from(len)) else {
        return Ok(());
    };
    // SAFETY: a call with an open descriptor and numbers; see the head of this file.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
