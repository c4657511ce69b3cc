//! Files as memory.
//!
//! A page of a map that the system cannot read, or that is past the end of a file somebody cut, ends the process that
//! touches it (SIGBUS). So a range is brought into memory by a call that fails instead, each time it is asked for: what
//! was there before may have been dropped from memory meanwhile. Before Linux 5.14 there is no such call.
//!
//! # Soundness
//! A map stays valid for as long as the file is not truncated, and its bytes do not change for as long as nobody writes
//! it. The engine maps only sealed segments, which it never writes or truncates again, and the lock on the directory
//! keeps other engines out. Unlinking a mapped file is fine.
//! Not here: checks of what is read (`segment`).

use super::FileMap;
use bytes::Bytes;
use memmap2::Mmap;
use std::{fs::File, io, sync::Arc};

/// The whole file as shared memory; unmapped when it and the last slice of it are dropped.
pub(super) fn map(file: &File) -> io::Result<Box<dyn FileMap>> {
    if file.metadata()?.len() == 0 {
        return Ok(Box::new(Bytes::new()));
    }
    // SAFETY: nobody writes or truncates a sealed segment; see the head of this file.
    let pages = Arc::new(unsafe { Mmap::map(file) }?);
    let bytes = Bytes::from_owner(Pages(Arc::clone(&pages)));
    Ok(Box::new(MappedFile { pages, bytes }))
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
}

impl FileMap for MappedFile {
    fn read(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let bytes = self.bytes.read(offset, len)?;
        #[cfg(target_os = "linux")]
        if !bytes.is_empty() {
            let start = bytes.as_ptr().addr() - self.bytes.as_ptr().addr();
            let loaded = self.pages.advise_range(memmap2::Advice::PopulateRead, start, bytes.len());
            // An older system does not know how.
            if let Err(error) = loaded
                && error.kind() != io::ErrorKind::InvalidInput
            {
                return Err(error);
            }
        }
        Ok(bytes)
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
        assert_eq!(map.read(page - 9, 9).unwrap(), &[0; 9][..]);
        for (offset, len) in [(page, 1), (page - 1, 2), (3 * page - 1, 1)] {
            assert!(map.read(offset, len).is_err(), "{offset}+{len}");
        }
        // Past the end of the map there is nothing to read.
        assert!(map.read(3 * page, 9).unwrap().is_empty());
    }
}
