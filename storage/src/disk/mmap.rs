//! Files as memory.
//!
//! A page of a map that the system cannot read, or that is past the end of a file somebody cut, ends the process that
//! touches it (SIGBUS). So pages are brought into memory, by a call that fails instead, before they are given out. A call
//! for each read would cost a scan a quarter of its speed: it is made for a window at a time, and again after a second,
//! because the system may have dropped the pages meanwhile. Before Linux 5.14 there is no such call.
//!
//! # Soundness
//! A map stays valid for as long as the file is not truncated, and its bytes do not change for as long as nobody writes
//! it. The engine maps only sealed segments, which it never writes or truncates again, and the lock on the directory
//! keeps other engines out. Unlinking a mapped file is fine.
//! Not here: checks of what is read (`segment`).

use super::FileMap;
use bytes::Bytes;
use memmap2::Mmap;
use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::MetadataExt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

/// What is brought into memory at a time: as much as one page fault maps. The system reads ahead twice as much.
const WINDOW_BYTES: usize = 64 * 1024;
/// For how long a window counts as in memory.
const FRESH_SECONDS: u32 = 1;

/// The whole file as shared memory; unmapped when it and the last slice of it are dropped.
pub(super) fn map(file: &File) -> io::Result<Box<dyn FileMap>> {
    if file.metadata()?.len() == 0 {
        return Ok(Box::new(Bytes::new()));
    }
    // SAFETY: nobody writes or truncates a sealed segment; see the head of this file.
    let pages = Arc::new(unsafe { Mmap::map(file) }?);
    let bytes = Bytes::from_owner(Pages(Arc::clone(&pages)));
    let windows = (0..pages.len().div_ceil(WINDOW_BYTES)).map(|_| AtomicU32::new(0)).collect();
    let identity = identity(file);
    Ok(Box::new(MappedFile { pages, bytes, begun: Instant::now(), windows, identity }))
}

/// Device and number of a file.
pub(super) fn identity(file: &File) -> Option<(u64, u64)> {
    file.metadata().ok().map(|file| (file.dev(), file.ino()))
}

/// The owner of the slices.
struct Pages(Arc<Mmap>);

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A file of which parts are in memory.
#[derive(Debug)]
struct MappedFile {
    pages: Arc<Mmap>,
    bytes: Bytes,
    begun: Instant,
    /// Until when each window counts as in memory, in seconds since `begun`.
    windows: Vec<AtomicU32>,
    identity: Option<(u64, u64)>,
}

impl MappedFile {
    /// Brings a range into memory, which is not empty.
    fn load(&self, range: Range<usize>) -> io::Result<()> {
        let now = u32::try_from(self.begun.elapsed().as_secs()).unwrap_or(u32::MAX);
        let touched = range.start / WINDOW_BYTES..range.end.div_ceil(WINDOW_BYTES);
        let windows = self.windows.get(touched.clone()).unwrap_or_default();
        if windows.iter().all(|until| until.load(Ordering::Relaxed) > now) {
            return Ok(());
        }
        let end = (touched.end * WINDOW_BYTES).min(self.pages.len());
        // What cannot be read may be beside what is wanted.
        if self.populate(touched.start * WINDOW_BYTES..end).is_err() {
            return self.populate(range);
        }
        for until in windows {
            until.store(now.saturating_add(FRESH_SECONDS), Ordering::Relaxed);
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn populate(&self, range: Range<usize>) -> io::Result<()> {
        let advice = memmap2::Advice::PopulateRead;
        match self.pages.advise_range(advice, range.start, range.len()) {
            // An older system does not know how.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            done => done,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn populate(&self, _range: Range<usize>) -> io::Result<()> {
        Ok(())
    }
}

impl FileMap for MappedFile {
    fn read(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let end = start.saturating_add(len).min(self.bytes.len());
        if start < end {
            self.load(start..end)?;
        }
        Ok(self.bytes.slice(start..end))
    }

    fn identity(&self) -> Option<(u64, u64)> {
        self.identity
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_any_more_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        let page = rustix::param::page_size() as u64;
        file.set_len(3 * page).unwrap();
        let map = map(&file).unwrap();
        file.set_len(page).unwrap();
        // Beside what cannot be read.
        assert_eq!(map.read(page - 9, 9).unwrap(), &[0; 9][..]);
        for (offset, len) in [(page, 1), (page - 1, 2), (3 * page - 1, 1)] {
            assert!(map.read(offset, len).is_err(), "{offset}+{len}");
        }
        // Past the end of the map there is nothing to read.
        assert!(map.read(3 * page, 9).unwrap().is_empty());
    }

    #[test]
    fn every_byte_of_some_windows_is_read() {
        use std::io::Write;
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..2 * WINDOW_BYTES + 100).map(|at| (at % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        let map = map(&file).unwrap();
        for at in [0, 1, WINDOW_BYTES - 1, WINDOW_BYTES, 2 * WINDOW_BYTES + 99, bytes.len()] {
            for len in [0, 1, 2, WINDOW_BYTES, usize::MAX] {
                let end = at.saturating_add(len).min(bytes.len());
                assert_eq!(map.read(at as u64, len).unwrap(), bytes[at..end], "{at}+{len}");
            }
        }
    }
}
