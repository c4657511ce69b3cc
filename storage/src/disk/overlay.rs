//! A disk whose changes stay in memory, over one that is only read: what the engine would do to a directory, without
//! doing it.
//!
//! Invariants: of the disk below nothing but `list`, `open` for reading and what reads of such files is called. A file
//! keeps its name below for as long as it was not renamed here, and its bytes for as long as they were not written here.
//! Not here: the lock, which whoever makes the overlay takes on the disk below.

use super::{Disk, DiskFile, FileMap, OpenMode, SyncedWriter, posix::PosixWriter};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes are kept in pieces of this size.
const PAGE_BYTES: u64 = 4096;

/// What a name stands for where it was changed.
#[derive(Clone, Debug)]
enum Node {
    Directory,
    File(Arc<OverlayFile>),
    Gone,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct OverlayDisk {
    below: Arc<dyn Disk>,
    /// Names that were looked at or changed.
    names: Mutex<BTreeMap<PathBuf, Node>>,
}

impl OverlayDisk {
    /// Over a disk.
    pub(crate) fn new(below: Arc<dyn Disk>) -> Self {
        Self { below, names: Mutex::default() }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Node>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a name, where there is one.
    fn file(
        &self,
        names: &mut BTreeMap<PathBuf, Node>,
        path: &Path,
    ) -> io::Result<Arc<OverlayFile>> {
        match names.get(path) {
            Some(Node::File(file)) => return Ok(Arc::clone(file)),
            Some(Node::Gone) => return Err(io::ErrorKind::NotFound.into()),
            Some(Node::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
            None => {}
        }
        // What lies in a directory that is gone is gone.
        let is_gone = |parent: &Path| matches!(names.get(parent), Some(Node::Gone));
        if path.ancestors().skip(1).any(is_gone) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let len = self.below.open(path, OpenMode::Read)?.len()?;
        let content = Content { below_bytes: len, len, pages: BTreeMap::new() };
        let origin = Some(path.to_owned());
        let file = Arc::new(OverlayFile { origin, content: Mutex::new(content) });
        names.insert(path.to_owned(), Node::File(Arc::clone(&file)));
        Ok(file)
    }

    fn listed(&self, names: &BTreeMap<PathBuf, Node>, path: &Path) -> io::Result<Vec<String>> {
        let is_made = matches!(names.get(path), Some(Node::Directory));
        let mut found = match names.get(path) {
            Some(Node::Gone) => return Err(io::ErrorKind::NotFound.into()),
            _ => match self.below.list(path) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound && is_made => Vec::new(),
                Err(error) => return Err(error),
            },
        };
        for (name, node) in names.iter().filter(|(name, _)| name.parent() == Some(path)) {
            let Some(name) = name.file_name().and_then(|name| name.to_str()) else { continue };
            found.retain(|other| other != name);
            if !matches!(node, Node::Gone) {
                found.push(name.to_owned());
            }
        }
        found.sort();
        Ok(found)
    }

    /// Opens a file, so that the one below is open for as long as this one is.
    fn handle(&self, file: Arc<OverlayFile>) -> io::Result<Arc<dyn DiskFile>> {
        let below = match &file.origin {
            Some(path) => Some(self.below.open(path, OpenMode::Read)?),
            None => None,
        };
        Ok(Arc::new(OverlayHandle { file, below }))
    }

    fn is_there(&self, names: &BTreeMap<PathBuf, Node>, path: &Path) -> bool {
        match names.get(path) {
            Some(Node::Gone) => false,
            Some(_) => true,
            None => self.below.list(path).is_ok(),
        }
    }
}

impl Disk for OverlayDisk {
    fn method(&self) -> String {
        "memory".into()
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut names = self.names();
        if !self.is_there(&names, path) {
            names.insert(path.to_owned(), Node::Directory);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.listed(&self.names(), path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names();
        let found = self.file(&mut names, path);
        if mode != OpenMode::Create {
            return self.handle(found?);
        }
        match found {
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        if path.parent().is_some_and(|parent| !self.is_there(&names, parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = Arc::new(OverlayFile { origin: None, content: Mutex::default() });
        names.insert(path.to_owned(), Node::File(Arc::clone(&file)));
        self.handle(file)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut names = self.names();
        self.file(&mut names, path)?;
        names.insert(path.to_owned(), Node::Gone);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names();
        let node = match self.file(&mut names, from) {
            Ok(file) => Node::File(file),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                for name in self.listed(&names, from)? {
                    let file = self.file(&mut names, &from.join(&name))?;
                    names.insert(from.join(&name), Node::Gone);
                    names.insert(to.join(&name), Node::File(file));
                }
                Node::Directory
            }
            Err(error) => return Err(error),
        };
        names.insert(from.to_owned(), Node::Gone);
        names.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut names = self.names();
        if !self.listed(&names, path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        names.insert(path.to_owned(), Node::Gone);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        match self.is_there(&self.names(), path) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }

    fn lock_shared(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }

    fn synced_writer(&self, depth: usize) -> io::Result<Box<dyn SyncedWriter>> {
        Ok(Box::new(PosixWriter::new(depth)))
    }
}

/// A file: bytes of the one below, and pages that were written here.
#[derive(Debug)]
struct OverlayFile {
    /// Its name below.
    origin: Option<PathBuf>,
    content: Mutex<Content>,
}

/// An open file.
#[derive(Debug)]
struct OverlayHandle {
    file: Arc<OverlayFile>,
    below: Option<Arc<dyn DiskFile>>,
}

#[derive(Debug, Default)]
struct Content {
    /// The bytes below count up to here; behind it, without a page, are zeros.
    below_bytes: u64,
    len: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE_BYTES as usize]>>,
}

impl OverlayHandle {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.file.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is below, with zeros behind its end.
    fn read_below(&self, buffer: &mut [u8], offset: u64, below_bytes: u64) -> io::Result<()> {
        let known = usize::try_from(below_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (head, tail) = buffer.split_at_mut(known.min(buffer.len()));
        tail.fill(0);
        match &self.below {
            Some(below) if !head.is_empty() => {
                let count = below.read_at(head, offset)?;
                head.get_mut(count..).unwrap_or_default().fill(0);
            }
            _ => {}
        }
        Ok(())
    }
}

impl DiskFile for OverlayHandle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content();
        let left = usize::try_from(content.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = left.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..count).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        self.read_below(buffer, offset, content.below_bytes)?;
        let end = offset + count as u64;
        for (page, bytes) in content.pages.range(offset / PAGE_BYTES..=(end - 1) / PAGE_BYTES) {
            let start = page * PAGE_BYTES;
            let from = offset.saturating_sub(start) as usize;
            let to = start.saturating_sub(offset) as usize;
            let targets = buffer.get_mut(to..).unwrap_or_default();
            let sources = bytes.get(from..).unwrap_or_default();
            targets.iter_mut().zip(sources).for_each(|(target, source)| *target = *source);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = self.content();
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (page, within) = (at / PAGE_BYTES, (at % PAGE_BYTES) as usize);
            let (piece, behind) = rest.split_at(rest.len().min(PAGE_BYTES as usize - within));
            let below_bytes = content.below_bytes;
            let is_known = content.pages.contains_key(&page);
            // New files are filled with zeros, which need no memory.
            let is_zero = !is_known
                && page * PAGE_BYTES >= below_bytes
                && piece.iter().all(|byte| *byte == 0);
            if !is_zero {
                if !is_known {
                    let mut fresh = Box::new([0; PAGE_BYTES as usize]);
                    self.read_below(fresh.as_mut_slice(), page * PAGE_BYTES, below_bytes)?;
                    content.pages.insert(page, fresh);
                }
                let target = content
                    .pages
                    .get_mut(&page)
                    .and_then(|bytes| bytes.get_mut(within..within + piece.len()));
                if let Some(target) = target {
                    target.copy_from_slice(piece);
                }
            }
            at += piece.len() as u64;
            rest = behind;
        }
        content.len = content.len.max(at);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content().len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut content = self.content();
        content.len = len;
        content.below_bytes = content.below_bytes.min(len);
        content.pages.split_off(&len.div_ceil(PAGE_BYTES));
        // Cut bytes never come back.
        if let Some(last) = content.pages.get_mut(&(len / PAGE_BYTES)) {
            last.get_mut((len % PAGE_BYTES) as usize..).unwrap_or_default().fill(0);
        }
        Ok(())
    }

    fn preallocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Box<dyn FileMap>> {
        {
            let content = self.content();
            let is_untouched = content.pages.is_empty() && content.below_bytes == content.len;
            if let Some(below) = self.below.as_ref().filter(|_| is_untouched)
                && below.len()? == content.len
            {
                drop(content);
                return below.map();
            }
        }
        let mut bytes = vec![0; usize::try_from(self.len()?).unwrap_or(usize::MAX)];
        let count = self.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        Ok(Box::new(Bytes::from(bytes)))
    }
}
