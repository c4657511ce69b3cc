//! Files as memory.
//!
//! # Soundness
//! A map stays valid for as long as the file is not truncated, and its bytes do not change for as long as nobody writes
//! it. The engine maps only sealed segments, which it never writes or truncates again, and the lock on the directory
//! keeps other engines out. Unlinking a mapped file is fine.
//! Not here: checks of what is read (`segment`).

use bytes::Bytes;
use std::{fs::File, io};

/// The whole file as shared memory; unmapped when the last slice of it is dropped.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: nobody writes or truncates a sealed segment; see the head of this file.
    let map = unsafe { memmap2::Mmap::map(file) }?;
    Ok(Bytes::from_owner(map))
}
