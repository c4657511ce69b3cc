//! The real file system, by plain calls; the journal by `pwritev2(RWF_DSYNC)`, or by io_uring where that is allowed.
//!
//! Invariants: a method is chosen once, by a probe, when the directory is opened.
//! Not here: the ring (`uring`).

use super::{
    ALIGNMENT, AlignedBuffer, Completion, Disk, DiskFile, FileMap, OpenMode, SyncedWriter, mmap,
};
use crate::{Error, Result, volume::DiskMethod};
use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A directory of the real file system.
#[derive(Debug)]
pub(super) struct PosixDisk {
    root: PathBuf,
    /// Whether the ring was allowed when the directory was opened.
    ring: bool,
    direct: AtomicBool,
}

impl PosixDisk {
    /// Opens a directory that exists and probes for a ring.
    pub(super) fn open(root: &Path, method: DiskMethod) -> Result<Self> {
        let probe = if method == DiskMethod::Posix { None } else { Some(probe_ring()) };
        let ring = match probe {
            None => false,
            Some(Ok(())) => true,
            Some(Err(error)) if method == DiskMethod::Uring => {
                return Err(Error::io("set up io_uring", error));
            }
            Some(Err(error)) => {
                tracing::info!(%error, "no io_uring here: the journal is written with pwritev2");
                false
            }
        };
        Ok(Self { root: root.to_owned(), ring, direct: AtomicBool::new(true) })
    }

    fn options(mode: OpenMode) -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write | OpenMode::Direct => {
                options.write(true);
            }
            OpenMode::Create => {
                options.write(true).create_new(true).mode(0o600);
            }
        }
        options
    }
}

#[cfg(target_os = "linux")]
fn probe_ring() -> io::Result<()> {
    super::uring::UringWriter::new(1).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn probe_ring() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens a file past the page cache. File systems without direct writes refuse with `InvalidInput`.
#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> io::Result<File> {
    PosixDisk::options(OpenMode::Direct).custom_flags(libc::O_DIRECT).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_path: &Path) -> io::Result<File> {
    Err(io::ErrorKind::InvalidInput.into())
}

impl Disk for PosixDisk {
    fn method(&self) -> String {
        let call = if self.ring { "io_uring" } else { "pwritev2" };
        let cache = if self.direct.load(Ordering::Relaxed) { "O_DIRECT" } else { "buffered" };
        format!("{call} ({cache})")
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(path))? {
            // A name that is not text is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.root.join(path);
        if mode != OpenMode::Create {
            // A directory can be opened and not read, and a pipe would wait for whoever writes to it.
            let kind = fs::metadata(&path)?.file_type();
            if kind.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if !kind.is_file() {
                return Err(io::Error::other("not a regular file"));
            }
        }
        if mode == OpenMode::Direct {
            match open_direct(&path) {
                Ok(file) => return Ok(Arc::new(PosixFile { file })),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    if self.direct.swap(false, Ordering::Relaxed) {
                        tracing::info!(
                            "no direct writes on this file system: synced writes are buffered"
                        );
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Arc::new(PosixFile { file: Self::options(mode).open(path)? }))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(self.root.join(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(self.root.join(path))?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.root.join(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(Lock(file))),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = File::open(self.root.join(path))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Box::new(Lock(file))),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn synced_writer(&self, depth: usize) -> io::Result<Box<dyn SyncedWriter>> {
        #[cfg(target_os = "linux")]
        if self.ring {
            match super::uring::UringWriter::new(depth) {
                Ok(writer) => return Ok(Box::new(writer)),
                Err(error) => {
                    tracing::warn!(%error, "io_uring is refused after all: the journal is written with pwritev2");
                }
            }
        }
        Ok(Box::new(PosixWriter::new(depth)))
    }
}

/// The lock of a file, until it is dropped.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    /// Closing is not enough: a process that is being started has a copy of the open file until it runs its own program.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "a lock stays until the process ends");
        }
    }
}

/// A file of the real file system.
#[derive(Debug)]
struct PosixFile {
    file: File,
}

impl DiskFile for PosixFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    #[cfg(target_os = "linux")]
    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()> {
        use rustix::{fs::FallocateFlags, io::Errno};
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, offset, len) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn start_writeback(&self, range: std::ops::Range<u64>) {
        super::writeback::start(&self.file, range);
    }

    #[cfg(target_os = "linux")]
    fn finish_writeback(&self, range: std::ops::Range<u64>) -> io::Result<()> {
        super::writeback::finish(&self.file, range)
    }

    #[cfg(not(target_os = "linux"))]
    fn preallocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Box<dyn FileMap>> {
        mmap::map(&self.file)
    }

    /// By the flag of the write; by a write and a sync on a file system that does not know it.
    #[cfg(target_os = "linux")]
    fn write_synced(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        use rustix::io::{Errno, ReadWriteFlags, pwritev2};
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let parts = [io::IoSlice::new(rest)];
            match pwritev2(&self.file, &parts, offset + done as u64, ReadWriteFlags::DSYNC) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                // A short direct write may end off the alignment: the rest goes again from the last whole block.
                Ok(count) if done + count < bytes.len() => done += count / ALIGNMENT * ALIGNMENT,
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.write_at(bytes, offset)?;
                    return self.sync();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn identity(&self) -> Option<(u64, u64)> {
        mmap::identity(&self.file)
    }

    fn descriptor(&self) -> Option<i32> {
        Some(self.file.as_raw_fd())
    }
}

/// Synced writes one after the other, done when they are submitted.
#[derive(Debug)]
pub(super) struct PosixWriter {
    done: VecDeque<Completion>,
}

impl PosixWriter {
    /// For `depth` writes.
    pub(super) fn new(depth: usize) -> Self {
        Self { done: VecDeque::with_capacity(depth) }
    }
}

impl SyncedWriter for PosixWriter {
    fn method(&self) -> &'static str {
        "pwritev2"
    }

    fn submit(
        &mut self,
        token: u64,
        file: &Arc<dyn DiskFile>,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> io::Result<()> {
        debug_assert_eq!(buffer.len() % ALIGNMENT, 0);
        let result = file.write_synced(buffer.as_slice(), offset);
        self.done.push_back(Completion { token, buffer, result });
        Ok(())
    }

    fn wait(&mut self) -> io::Result<Option<Completion>> {
        Ok(self.done.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_let_go_of_though_a_copy_of_it_is_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LOCK");
        let open =
            || OpenOptions::new().write(true).create(true).truncate(false).open(&path).unwrap();
        let lock = Lock(open());
        lock.0.try_lock().unwrap();
        let _of_a_child = lock.0.try_clone().unwrap();
        assert!(open().try_lock().is_err());
        drop(lock);
        open().try_lock().unwrap();
    }
}
