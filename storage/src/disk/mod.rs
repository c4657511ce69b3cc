//! What the engine asks of a disk, and the disks there are: the real one, its journal written by io_uring (`uring`) or
//! by plain calls (`posix`); one that keeps all changes in memory (`overlay`); one that reads what can be read of a broken
//! one (`readable`); one with a seed for tests (`simulated`).
//!
//! Invariants: what a `sync` returned for, and what a `SyncedWriter` completed, survives a crash; anything else may be
//! lost or torn at any 512-byte sector, entries of directories included (until `sync_directory`).
//! Not here: what the bytes mean (`format`).

mod aligned;
mod mmap;
mod overlay;
mod posix;
mod readable;
#[cfg(any(test, feature = "testing"))]
mod simulated;
#[cfg(any(test, feature = "testing"))]
mod simulated_damage;
#[cfg(any(test, feature = "testing"))]
mod simulated_file;
#[cfg(any(test, feature = "testing"))]
mod simulated_io;
#[cfg(any(test, feature = "testing"))]
mod simulated_names;
#[cfg(target_os = "linux")]
mod uring;
#[cfg(target_os = "linux")]
mod writeback;

pub(crate) use aligned::{ALIGNMENT, AlignedBuffer};
pub(crate) use overlay::OverlayDisk;
pub(crate) use readable::ReadableDisk;

#[cfg(any(test, feature = "testing"))]
pub use simulated::SimulatedDisk;
#[cfg(test)]
pub(crate) use simulated_file::Random;

use crate::{Error, Result, volume::DiskMethod};
use bytes::Bytes;
use std::{fmt::Debug, io, ops::Range, path::Path, sync::Arc};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// For reading.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; it must not exist.
    Create,
    /// As `Write`, past the page cache where the file system can: offsets, lengths and memory are multiples of
    /// `ALIGNMENT`.
    Direct,
}

/// A directory on some disk. Paths are relative to it.
pub(crate) trait Disk: Send + Sync + Debug {
    /// The method of synced writes, in words.
    fn method(&self) -> String;
    /// A number that never comes again, for the name of something new.
    fn random(&self) -> u128 {
        rand::random()
    }
    /// Makes a directory; it may exist. Its parent exists.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Names in a directory, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Unlinks a file. Who has it open or mapped keeps it.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Gives a directory another name in the same directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Takes a lock that ends with the process at the latest. `WouldBlock` where another has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
    /// Takes a lock that others may share, without a change of the file, which must exist. `WouldBlock` where another has
    /// it alone.
    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
    /// Makes a writer, to be used on the thread that asks for it, for `depth` writes under way at a time.
    fn synced_writer(&self, depth: usize) -> io::Result<Box<dyn SyncedWriter>>;
}

/// An open file.
pub(crate) trait DiskFile: Send + Sync + Debug {
    /// Reads at most `buffer`'s length; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`, not synced.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes content and length durable. Never to be called again after it failed.
    fn sync(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Sets the length. Never called on a file that is mapped.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Reserves space without a change of length. Succeeds where the file system does not know how.
    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Hands what was written there to the disk without waiting for it: no more than a hint. Promises nothing.
    fn start_writeback(&self, _range: Range<u64>) {}
    /// Writes what is dirty there, and waits for it, so that the sync that makes it durable finds little left. The file has to
    /// be given up after an error.
    fn finish_writeback(&self, _range: Range<u64>) -> io::Result<()> {
        Ok(())
    }
    /// The content as memory. The file is never written or truncated again by the engine.
    fn map(&self) -> io::Result<Box<dyn FileMap>>;
    /// Writes all of `bytes` and makes them durable. Never to be called again after it failed.
    fn write_synced(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)?;
        self.sync()
    }
    /// Which file it is, whatever its name; `None` where names are not given to others.
    fn identity(&self) -> Option<(u64, u64)> {
        None
    }
    /// The descriptor, where it is a file of this process.
    fn descriptor(&self) -> Option<i32> {
        None
    }
}

/// The content of a file as memory.
pub(crate) trait FileMap: Send + Sync + Debug {
    /// What is there, shared; shorter at the end of the file. It was brought into memory, so that it can be touched.
    fn read(&self, offset: u64, len: usize) -> io::Result<Bytes>;
    /// As that of the file.
    fn identity(&self) -> Option<(u64, u64)> {
        None
    }
}

impl FileMap for Bytes {
    fn read(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        Ok(self.slice(start..start.saturating_add(len).min(self.len())))
    }
}

/// The end of one synced write.
#[derive(Debug)]
pub(crate) struct Completion {
    /// What the write was submitted with.
    pub(crate) token: u64,
    /// The memory, back for reuse.
    pub(crate) buffer: AlignedBuffer,
    /// Whether all of it is durable.
    pub(crate) result: io::Result<()>,
}

/// Writes that are durable when they complete, some of them at a time. Owns the memory of a write until it completes.
pub(crate) trait SyncedWriter: Debug + Send {
    /// The method, in words.
    fn method(&self) -> &'static str;
    /// Starts a write of the whole buffer. No more than the depth may be under way.
    fn submit(
        &mut self,
        token: u64,
        file: &Arc<dyn DiskFile>,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> io::Result<()>;
    /// Same, for a write that has nothing to share its time with: may return only when it is complete, which then saves
    /// the way through another thread.
    fn submit_alone(
        &mut self,
        token: u64,
        file: &Arc<dyn DiskFile>,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> io::Result<()> {
        self.submit(token, file, offset, buffer)
    }
    /// Waits until at least one write is complete. `None` where none is under way.
    fn wait(&mut self) -> io::Result<Option<Completion>>;
}

/// Opens (creating where missing) a directory of the real file system.
pub(crate) fn open_directory(path: &Path, method: DiskMethod) -> Result<Arc<dyn Disk>> {
    std::fs::create_dir_all(path)
        .map_err(|error| Error::io(format!("create directory {}", path.display()), error))?;
    Ok(Arc::new(posix::PosixDisk::open(path, method)?))
}

/// A directory of the real file system that is there already, to be read.
pub(crate) fn existing_directory(path: &Path) -> Result<Arc<dyn Disk>> {
    std::fs::read_dir(path)
        .map_err(|error| Error::io(format!("read directory {}", path.display()), error))?;
    Ok(Arc::new(posix::PosixDisk::open(path, DiskMethod::Posix)?))
}

#[cfg(test)]
mod conformance_test;
#[cfg(test)]
mod overlay_test;
