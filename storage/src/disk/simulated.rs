//! A disk in memory with a seed, for tests: at a crash any subset of what was not synced survives, in sectors of 512
//! bytes, and so do entries of directories; writes and syncs fail on demand, bits flip, space ends.
//!
//! Invariants: the same seed and the same calls give the same disk; what was synced survives.
//! Not here: the bookkeeping of one file (`simulated_file`).

use super::{
    Disk, DiskFile, OpenMode, SyncedWriter,
    simulated_file::{Random, SimulatedContent},
    simulated_io::{SimulatedFile, SimulatedLock, SimulatedWriter, UnderWay},
    simulated_names::{Change, FileNumber, Names, Node, apply},
};
use std::{
    collections::BTreeSet,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Everything that the disk is.
#[derive(Debug)]
pub(super) struct State {
    pub(super) random: Random,
    pub(super) live: Names,
    pub(super) durable: Names,
    changes: Vec<Change>,
    pub(super) files: Vec<SimulatedContent>,
    pub(super) under_way: Vec<UnderWay>,
    pub(super) locked: bool,
    operations: u64,
    pub(super) bytes_read: u64,
    crash_at: Option<u64>,
    crashed: bool,
    pub(super) fail_sync: bool,
    fail_write: bool,
    fail_at: Option<u64>,
    failing: bool,
    fail_read_in: Option<u64>,
    capacity: Option<u64>,
    trace: u64,
    /// Where names of logs come from; goes on over restarts, so that none comes twice.
    ids: Random,
}

impl State {
    /// Counts a change of the disk. False where the power goes off during it.
    pub(super) fn operation(&mut self, kind: u8, detail: u64) -> io::Result<bool> {
        self.power()?;
        self.operations += 1;
        self.trace = self
            .trace
            .wrapping_mul(0x100_0000_01b3)
            .wrapping_add(u64::from(kind))
            .rotate_left(17)
            .wrapping_add(detail);
        self.crashed = self.crash_at == Some(self.operations);
        self.failing = self.fail_at == Some(self.operations);
        Ok(!self.crashed)
    }

    /// Whether the operation that was just counted is to fail; asked once.
    pub(super) fn fails(&mut self) -> bool {
        std::mem::take(&mut self.failing)
    }

    /// Counts a read; it may be the one that is to fail.
    pub(super) fn reading(&mut self) -> io::Result<()> {
        self.power()?;
        match self.fail_read_in {
            Some(0) => {
                self.fail_read_in = None;
                Err(failed())
            }
            left => {
                self.fail_read_in = left.map(|left| left - 1);
                Ok(())
            }
        }
    }

    pub(super) fn power(&self) -> io::Result<()> {
        if self.crashed { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn change(&mut self, kind: u8, change: Change) -> io::Result<()> {
        let on = self.operation(kind, 0)?;
        if self.fails() {
            return Err(failed());
        }
        apply(&mut self.live, &change);
        self.changes.push(change);
        if on { Ok(()) } else { self.power() }
    }

    pub(super) fn content(&mut self, file: FileNumber) -> io::Result<&mut SimulatedContent> {
        self.files.get_mut(file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used(&self) -> u64 {
        let named: BTreeSet<_> = self
            .live
            .values()
            .filter_map(|node| if let Node::File(file) = node { Some(*file) } else { None })
            .collect();
        named.iter().filter_map(|file| self.files.get(*file)).map(SimulatedContent::len).sum()
    }

    pub(super) fn write(&mut self, file: FileNumber, bytes: &[u8], offset: u64) -> io::Result<()> {
        let on = self.operation(b'w', offset)?;
        if std::mem::take(&mut self.fail_write) {
            return Err(failed());
        }
        let fails = self.fails();
        let grown = (offset + bytes.len() as u64).saturating_sub(self.content(file)?.len());
        if grown > 0 && self.capacity.is_some_and(|capacity| self.used() + grown > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let is_whole = on && !fails;
        let count =
            if is_whole { bytes.len() } else { self.random.below(bytes.len() as u64 + 1) as usize };
        self.content(file)?.write(bytes.get(..count).unwrap_or_default(), offset);
        if fails { Err(failed()) } else { self.power() }
    }

    pub(super) fn sync(&mut self, file: FileNumber) -> io::Result<()> {
        if !self.operation(b's', file as u64)? {
            return self.power();
        }
        let fails = std::mem::take(&mut self.fail_sync) | self.fails();
        let content = self.content(file)?;
        if fails {
            content.forget_dirty();
            return Err(failed());
        }
        content.sync();
        Ok(())
    }
}

/// What the system says of a disk that failed.
pub(super) fn failed() -> io::Error {
    io::Error::other("input/output error")
}

/// A disk in memory.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Names::new(), Vec::new(), Random::new(!seed))
    }

    fn with(seed: u64, names: Names, files: Vec<SimulatedContent>, ids: Random) -> Self {
        let state = State {
            random: Random::new(seed),
            live: names.clone(),
            durable: names,
            changes: Vec::new(),
            files,
            under_way: Vec::new(),
            locked: false,
            operations: 0,
            bytes_read: 0,
            crash_at: None,
            crashed: false,
            fail_sync: false,
            fail_write: false,
            fail_at: None,
            failing: false,
            fail_read_in: None,
            capacity: None,
            trace: 0,
            ids,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes off during the n-th change from the start (writes, syncs, changes of directories).
    pub fn crash_at(&self, operation: u64) {
        self.state().crash_at = Some(operation);
    }

    /// Whether it did.
    pub fn is_crashed(&self) -> bool {
        self.state().crashed
    }

    /// Changes so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Bytes read of files so far.
    pub fn bytes_read(&self) -> u64 {
        self.state().bytes_read
    }

    /// A number that two runs share when their changes are the same.
    pub fn trace(&self) -> u64 {
        self.state().trace
    }

    /// The n-th change from the start fails with an input/output error: a write after a part of it, a sync with all that
    /// was to be synced.
    pub fn fail_at(&self, operation: u64) {
        self.state().fail_at = Some(operation);
    }

    /// The read after so many others fails.
    pub fn fail_read_in(&self, reads: u64) {
        self.state().fail_read_in = Some(reads);
    }

    /// The next sync fails, and what was to be synced is lost at the next crash.
    pub fn fail_next_sync(&self) {
        self.state().fail_sync = true;
    }

    /// The next write that is not a synced one fails.
    pub fn fail_next_write(&self) {
        self.state().fail_write = true;
    }

    /// Sets how many bytes all files together may have.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// The files there are.
    pub fn paths(&self) -> Vec<PathBuf> {
        let state = self.state();
        let file =
            |(path, node): (&PathBuf, &Node)| matches!(node, Node::File(_)).then(|| path.clone());
        state.live.iter().filter_map(file).collect()
    }

    /// Ends the process but not the machine: the next start finds everything written, synced or not.
    pub fn kill(&self, seed: u64) -> Self {
        let mut guard = self.state();
        let state = &mut *guard;
        state.crashed = true;
        let mut random = Random::new(seed);
        for write in std::mem::take(&mut state.under_way) {
            if let Some(content) = state.files.get_mut(write.file).filter(|_| random.coin()) {
                content.write_durable(write.buffer.as_slice(), write.offset);
            }
        }
        let (names, files) = (state.live.clone(), state.files.clone());
        let next = Self::with(seed.wrapping_add(1), names, files, state.ids.clone());
        {
            let mut next = next.state();
            next.durable = state.durable.clone();
            next.changes = state.changes.clone();
        }
        next
    }

    /// Takes the power off (if it is not) and gives the disk as the next start finds it.
    pub fn restart(&self, seed: u64) -> Self {
        let mut guard = self.state();
        let state = &mut *guard;
        state.crashed = true;
        let mut random = Random::new(seed);
        let mut names = state.durable.clone();
        for change in &state.changes {
            if random.coin() {
                apply(&mut names, change);
            }
        }
        // What lies in a directory that is gone is gone.
        let known = names.clone();
        names.retain(|path, _| {
            path.ancestors()
                .skip(1)
                .filter(|parent| !parent.as_os_str().is_empty())
                .all(|parent| known.contains_key(parent))
        });
        for write in &state.under_way {
            if let Some(content) = state.files.get_mut(write.file) {
                content.write(write.buffer.as_slice(), write.offset);
            }
        }
        let files = state.files.iter().map(|content| content.survive(&mut random)).collect();
        Self::with(seed.wrapping_add(1), names, files, state.ids.clone())
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedDisk(after {} operations)", self.operations())
    }
}

impl Disk for SimulatedDisk {
    fn method(&self) -> String {
        "simulated".into()
    }

    fn random(&self) -> u128 {
        let mut state = self.state();
        (u128::from(state.ids.number()) << 64) | u128::from(state.ids.number())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.live.contains_key(path) {
            return state.power();
        }
        state.change(b'd', Change::Set(path.to_owned(), Node::Directory))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.power()?;
        if path != Path::new("") && state.live.get(path) != Some(&Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = state.live.keys().filter(|name| name.parent() == Some(path));
        Ok(names.filter_map(|name| Some(name.file_name()?.to_str()?.to_owned())).collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.power()?;
        let number = match state.live.get(path) {
            Some(Node::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) if mode == OpenMode::Create => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Some(Node::File(number)) => *number,
            None if mode != OpenMode::Create => return Err(io::ErrorKind::NotFound.into()),
            None => {
                let parent = path.parent().unwrap_or(Path::new(""));
                if parent != Path::new("") && !state.live.contains_key(parent) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let number = state.files.len();
                state.files.push(SimulatedContent::default());
                state.change(b'c', Change::Set(path.to_owned(), Node::File(number)))?;
                number
            }
        };
        Ok(Arc::new(SimulatedFile { disk: self.clone(), number }))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.live.get(path) {
            Some(Node::File(_)) => state.change(b'u', Change::Remove(path.to_owned())),
            _ => state.power().and(Err(io::ErrorKind::NotFound.into())),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.live.contains_key(from) {
            return state.power().and(Err(io::ErrorKind::NotFound.into()));
        }
        state.change(b'r', Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.live.keys().any(|name| name.parent() == Some(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.change(b'u', Change::Remove(path.to_owned()))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        if !state.operation(b'S', 0)? {
            return state.power();
        }
        if state.fails() {
            return Err(failed());
        }
        if path != Path::new("") && !state.live.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (synced, left): (Vec<_>, Vec<_>) = std::mem::take(&mut state.changes)
            .into_iter()
            .partition(|change| change.directory() == path);
        for change in &synced {
            apply(&mut state.durable, change);
        }
        state.changes = left;
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state();
        if std::mem::replace(&mut state.locked, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimulatedLock { disk: self.clone() }))
    }

    fn lock_shared(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        match self.state().locked {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(Box::new(())),
        }
    }

    fn synced_writer(&self, depth: usize) -> io::Result<Box<dyn SyncedWriter>> {
        Ok(Box::new(SimulatedWriter { disk: self.clone(), depth }))
    }
}
