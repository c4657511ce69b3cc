//! A disk that is only read, and that may be broken: what the system cannot read of it is written down, and does not stop
//! whoever reads. A file that was hidden is missing; bytes that cannot be read are zeros, which no checksum takes.
//!
//! Invariants: nothing is changed below. A byte that could be read is given as it is, also beside one that could not.
//! Not here: which files are looked at, and what it means that one is lost (`offline::unread`).

use super::{Disk, DiskFile, FileMap, OpenMode, SyncedWriter};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where a read fails, what is around it is read in pieces of this size.
const PIECE_BYTES: u64 = 4096;
/// A file is read in pieces of this size before it is mapped.
const CHUNK_BYTES: usize = 1024 * 1024;

/// What the system could not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) path: PathBuf,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// How much; 0: all of it.
    pub(crate) bytes: u64,
    /// What the system said.
    pub(crate) error: String,
}

/// Pieces of files that cannot be read: offset to length and reason.
type Pieces = BTreeMap<u64, (u64, String)>;

#[derive(Debug, Default)]
struct Notes {
    hidden: BTreeMap<PathBuf, String>,
    pieces: BTreeMap<PathBuf, Pieces>,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct ReadableDisk {
    below: Arc<dyn Disk>,
    notes: Arc<Mutex<Notes>>,
}

impl ReadableDisk {
    /// Over a disk.
    pub(crate) fn new(below: Arc<dyn Disk>) -> Self {
        Self { below, notes: Arc::default() }
    }

    /// From now on the file or directory is missing.
    pub(crate) fn hide(&self, path: &Path, error: &io::Error) {
        self.notes().hidden.insert(path.to_owned(), error.to_string());
    }

    /// Everything so far that could not be read, in order of paths.
    pub(crate) fn unread(&self) -> Vec<Unread> {
        let notes = self.notes();
        let hidden = notes.hidden.iter().map(|(path, error)| Unread {
            path: path.clone(),
            offset: 0,
            bytes: 0,
            error: error.clone(),
        });
        let of_file = |(path, pieces): (&PathBuf, &Pieces)| {
            let path = path.clone();
            let unread = |(offset, (bytes, error)): (&u64, &(u64, String))| Unread {
                path: path.clone(),
                offset: *offset,
                bytes: *bytes,
                error: error.clone(),
            };
            pieces.iter().map(unread).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = hidden.chain(notes.pieces.iter().flat_map(of_file)).collect();
        all.sort_by(|one, other| (&one.path, one.offset).cmp(&(&other.path, other.offset)));
        all
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }

    fn is_hidden(&self, path: &Path) -> bool {
        let notes = self.notes();
        path.ancestors().any(|part| notes.hidden.contains_key(part))
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for ReadableDisk {
    fn method(&self) -> String {
        self.below.method()
    }

    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if self.is_hidden(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut names = self.below.list(path)?;
        let notes = self.notes();
        names.retain(|name| !notes.hidden.contains_key(&path.join(name)));
        Ok(names)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        if self.is_hidden(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if mode != OpenMode::Read {
            return refused();
        }
        let below = self.below.open(path, mode)?;
        Ok(Arc::new(ReadableFile { below, path: path.to_owned(), notes: Arc::clone(&self.notes) }))
    }

    fn remove_file(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_directory(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn sync_directory(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        refused()
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.below.lock_shared(path)
    }

    fn synced_writer(&self, _depth: usize) -> io::Result<Box<dyn SyncedWriter>> {
        refused()
    }
}

/// A file of it.
#[derive(Debug)]
struct ReadableFile {
    below: Arc<dyn DiskFile>,
    path: PathBuf,
    notes: Arc<Mutex<Notes>>,
}

impl ReadableFile {
    fn is_known(&self, at: u64, end: u64) -> bool {
        let notes = lock(&self.notes);
        let before =
            notes.pieces.get(&self.path).and_then(|pieces| pieces.range(..=at).next_back());
        before.is_some_and(|(offset, (bytes, _))| end <= offset + bytes)
    }

    /// Writes down a piece, as one with what it touches.
    fn note(&self, mut offset: u64, mut bytes: u64, error: String) {
        let mut notes = lock(&self.notes);
        let pieces = notes.pieces.entry(self.path.clone()).or_default();
        let touched = pieces.range(..=offset + bytes).rev();
        let touched: Vec<u64> = touched
            .take_while(|(start, (len, _))| *start + len >= offset)
            .map(|(start, _)| *start)
            .collect();
        for start in touched {
            let Some((len, _)) = pieces.remove(&start) else { continue };
            let end = (offset + bytes).max(start + len);
            offset = offset.min(start);
            bytes = end - offset;
        }
        pieces.insert(offset, (bytes, error));
    }

    /// Reads what can be read, piece by piece; zeros stand for the rest.
    fn read_in_pieces(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.below.len()?.saturating_sub(offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let mut at = offset;
        let mut rest = buffer.get_mut(..count).unwrap_or_default();
        while !rest.is_empty() {
            let bytes = usize::try_from(PIECE_BYTES - at % PIECE_BYTES).unwrap_or(usize::MAX);
            let (piece, behind) = rest.split_at_mut(bytes.min(rest.len()));
            // A disk takes its time to say once more that it cannot.
            let end = at + piece.len() as u64;
            let found = if self.is_known(at, end) { Ok(0) } else { self.below.read_at(piece, at) };
            let read = match found {
                Ok(read) => read,
                Err(error) => {
                    self.note(at, piece.len() as u64, error.to_string());
                    0
                }
            };
            piece.get_mut(read..).unwrap_or_default().fill(0);
            at += piece.len() as u64;
            rest = behind;
        }
        Ok(count)
    }
}

impl DiskFile for ReadableFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.below.read_at(buffer, offset).or_else(|_| self.read_in_pieces(buffer, offset))
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        refused()
    }

    fn sync(&self) -> io::Result<()> {
        refused()
    }

    fn len(&self) -> io::Result<u64> {
        self.below.len()
    }

    fn truncate(&self, _len: u64) -> io::Result<()> {
        refused()
    }

    fn preallocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        refused()
    }

    /// What cannot be read is found now, so all of it is read first.
    fn map(&self) -> io::Result<Box<dyn FileMap>> {
        let len = self.len()?;
        let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(len).unwrap_or(usize::MAX))];
        let mut at = 0;
        let is_whole = loop {
            match self.below.read_at(&mut chunk, at) {
                Ok(0) => break true,
                Ok(count) => at += count as u64,
                Err(_) => break false,
            }
        };
        if is_whole {
            return self.below.map();
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let count = self.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        Ok(Box::new(Bytes::from(bytes)))
    }
}

#[cfg(test)]
#[path = "readable_test.rs"]
mod tests;
