//! One segment file, open while it is written, mapped once it is sealed and read.
//!
//! Invariants: `map` is used only after `seal`.
//! Not here: where its frames are (`table`).

use super::{segment_path, unreadable::Unreadable};
use crate::{
    Error, Result,
    disk::{Disk, DiskFile, FileMap, OpenMode},
    format::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId},
    segment::log_directory,
};
use bytes::Bytes;
use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Space reserved ahead of a small segment, in bytes; a large one reserves as much as it has.
const PREALLOCATE_BYTES_MIN: u64 = 64 * 1024;
/// Space reserved ahead at most, in bytes.
const PREALLOCATE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What is wrong with a file that is whole, but is another segment.
pub(crate) const ANOTHER_SEGMENT: &str = "header of another segment";

/// A segment file.
pub(crate) struct SegmentFile {
    id: SegmentId,
    disk: Arc<dyn Disk>,
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    sealed: AtomicBool,
    map: OnceLock<Box<dyn FileMap>>,
    unreadable: Unreadable,
    /// Space is reserved up to here.
    allocated: AtomicU64,
}

impl SegmentFile {
    /// Makes the file with its header, durable on return.
    pub(crate) fn create(disk: &Arc<dyn Disk>, header: &SegmentHeader) -> Result<Self> {
        let path = segment_path(header.id);
        let what = |verb: &str| format!("{verb} {}", path.display());
        let file = disk
            .open(&path, OpenMode::Create)
            .map_err(|error| Error::io(what("create segment"), error))?;
        let written = file
            .write_at(&header.encode(), 0)
            .map_err(|error| Error::io(what("write header of segment"), error));
        if let Err(error) = written {
            // Without its header the file would stand in the way of the next try.
            let _ = disk.remove_file(&path);
            return Err(error);
        }
        file.sync().map_err(|error| sync_failed(what("sync segment"), &error))?;
        disk.sync_directory(&log_directory(header.id.log))
            .map_err(|error| sync_failed(what("sync directory of segment"), &error))?;
        Ok(Self::with(disk, header.id, Some(file)))
    }

    /// A segment that is there already.
    pub(crate) fn existing(disk: &Arc<dyn Disk>, id: SegmentId) -> Self {
        Self::with(disk, id, None)
    }

    fn with(disk: &Arc<dyn Disk>, id: SegmentId, file: Option<Arc<dyn DiskFile>>) -> Self {
        Self {
            id,
            disk: Arc::clone(disk),
            file: Mutex::new(file),
            sealed: AtomicBool::new(false),
            map: OnceLock::new(),
            unreadable: Unreadable::default(),
            allocated: AtomicU64::new(0),
        }
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.id
    }

    /// The path below the volume's directory.
    pub(crate) fn path(&self) -> PathBuf {
        segment_path(self.id)
    }

    /// The open file; opened where it is not.
    pub(crate) fn file(&self) -> Result<Arc<dyn DiskFile>> {
        let mut place = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = place.as_ref() {
            return Ok(Arc::clone(file));
        }
        let file = self
            .disk
            .open(&self.path(), OpenMode::Write)
            .map_err(|error| Error::io(format!("open segment {}", self.path().display()), error))?;
        *place = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Nothing is written to the file or cut off it from now on. The descriptor is let go.
    pub(crate) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
        self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether `seal` was called.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// Maps the file while its name is still there, for readers that found a frame in it before it is unlinked.
    pub(crate) fn keep_readable(&self) {
        if self.is_sealed()
            && let Err(error) = self.read(0, 0)
        {
            tracing::debug!(%error, "segment cannot be read any more");
        }
    }

    /// Writes at `offset`, into space reserved before, so that a full disk shows before anything is promised.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<Arc<dyn DiskFile>> {
        debug_assert!(!self.sealed.load(Ordering::Relaxed), "write to a sealed segment");
        let file = self.file()?;
        let end = offset + bytes.len() as u64;
        if end > self.allocated.load(Ordering::Relaxed) {
            let ahead = end.clamp(PREALLOCATE_BYTES_MIN, PREALLOCATE_BYTES_MAX);
            let len = bytes.len() as u64 + ahead;
            // With less room than that left, what is needed now may still fit.
            if file.preallocate(offset, len).is_ok() {
                self.allocated.store(offset + len, Ordering::Relaxed);
            }
        }
        file.write_at(bytes, offset).map_err(|error| {
            Error::io(format!("write segment {}", self.path().display()), error)
        })?;
        Ok(file)
    }

    /// Reads `len` bytes: out of the map of a sealed segment, by a copy otherwise. Shorter at the end of the file.
    pub(crate) fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let failed = |error| Error::io(format!("read segment {}", self.path().display()), error);
        if self.sealed.load(Ordering::Acquire) {
            let map = if let Some(map) = self.map.get() {
                map
            } else {
                let path = self.path();
                let file = self.disk.open(&path, OpenMode::Read).map_err(failed)?;
                let map = file.map().map_err(failed)?;
                self.map.get_or_init(|| map)
            };
            return map.read(offset, len).or_else(|unread| {
                // A map does not tell what is wrong with the file, and here and there a second try helps.
                let file = self.disk.open(&self.path(), OpenMode::Read).map_err(failed)?;
                // A segment that is written again has the name of the old one.
                let is_same = file.identity() == map.identity();
                if is_same { copy_of(&*file, offset, len) } else { Err(unread) }.map_err(failed)
            });
        }
        copy_of(&*self.file()?, offset, len).map_err(failed)
    }

    /// Reads a frame, or says what is wrong with the place. An error where it may be there again later.
    pub(crate) fn read_frame(&self, offset: u64, len: usize) -> Result<Result<Bytes, String>> {
        self.unreadable.read(offset, || self.read(offset, len))
    }

    /// Reads the header; what is wrong with it otherwise.
    pub(crate) fn header(&self) -> Result<Result<SegmentHeader, &'static str>> {
        let bytes = self.read(0, SEGMENT_HEADER_BYTES)?;
        Ok(SegmentHeader::decode(&bytes).and_then(|header| {
            if header.id == self.id { Ok(header) } else { Err(ANOTHER_SEGMENT) }
        }))
    }
}

/// Reads `len` bytes; fewer at the end of the file.
fn copy_of(file: &dyn DiskFile, offset: u64, len: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; len];
    let count = file.read_at(&mut bytes, offset)?;
    bytes.truncate(count);
    Ok(bytes.into())
}

/// A failed sync is never "no space": what the kernel dropped is unknown.
fn sync_failed(what: String, error: &io::Error) -> Error {
    Error::ReadOnly(format!("{what}: {error}"))
}

impl fmt::Debug for SegmentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentFile({})", self.path().display())
    }
}
