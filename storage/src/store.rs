//! The lower half of a volume: one journal, many logs, a checkpoint, and the lock that keeps other processes out.
//!
//! Invariants: nothing is appended before the journal is replayed and a checkpoint of this opening is durable.
//! Not here: names of streams and what their records mean (`volume`, `stream`).

use crate::{
    DamagedBytes, Error, Result,
    disk::Disk,
    format::{
        checkpoint::{JournalPlace, LogEnd},
        segment_header::{SegmentHeader, SegmentId},
    },
    journal::{
        CheckpointCommand, Checkpointer, Driver, Ends, Helper, JOURNAL_DIRECTORY, Progress, Redone,
        Ring, RingOptions, Shared, Slots, SlotsRead, replay,
    },
    log::{Log, LogId, LogRef, Observer, Opening, Position, SegmentNumber},
    segment::{
        LOGS_DIRECTORY, REMOVED_SUFFIX, SegmentFile, log_directory, parse_log_directory,
        parse_segment_name, segment_path,
    },
    stream::config::{Compression, SyncPolicy},
};
use crossbeam_channel::{bounded, unbounded};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Locked while a process has the volume open.
pub(crate) const LOCK_FILE: &str = "LOCK";
/// Size of a journal file unless told otherwise, in bytes.
pub(crate) const JOURNAL_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// Smallest size of a journal file, in bytes: some rounds must fit.
const JOURNAL_FILE_BYTES_MIN: u64 = 64 * 1024;

/// Who drives the commits of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CommitMode {
    /// A commit thread and a checkpoint thread.
    #[default]
    Thread,
    /// The test, by calling `LogStore::run_once`: same calls, same trace.
    #[cfg(any(test, feature = "testing"))]
    Manual,
}

/// How to open a store.
#[derive(Clone, Debug)]
pub(crate) struct LogStoreOptions {
    /// Size to which the journal may grow, in bytes.
    pub(crate) journal_bytes_max: u64,
    /// Size of one journal file, in bytes.
    pub(crate) journal_file_bytes: u64,
    /// Who drives the commits.
    pub(crate) mode: CommitMode,
}

/// How one log is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    /// Compression of its frames.
    pub(crate) compression: Compression,
    /// When its appends are committed.
    pub(crate) sync: SyncPolicy,
    /// Size at which `Log::wants_segment` turns true.
    pub(crate) segment_bytes: u64,
}

/// What opening a store found.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogStoreReport {
    /// It was not closed before, or not with all of its logs opened.
    pub(crate) unclean: bool,
    /// Journal rounds replayed.
    pub(crate) rounds_replayed: u64,
    /// Damage of journal and checkpoint. Damage of a log is told by `open_log`.
    pub(crate) damage: Vec<DamagedBytes>,
    /// Where the journal ended; `None` where its start was not known.
    pub(crate) journal_end: Option<JournalPlace>,
}

/// An open store.
pub(crate) struct LogStore {
    shared: Arc<Shared>,
    checkpointer: Arc<Checkpointer>,
    driver: Arc<Driver>,
    method: String,
    lock: Arc<Mutex<Option<Box<dyn Send + Sync>>>>,
}

impl LogStore {
    /// Takes the lock, replays the journal into the segments, syncs and checkpoints. `Locked` for a second process.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        options: LogStoreOptions,
    ) -> Result<(Arc<Self>, LogStoreReport)> {
        let lock = take_lock(disk.as_ref())?;
        prepare_directories(disk.as_ref())?;
        let read = Slots::read(disk.as_ref())?;
        let mut redone = replay(&disk, &read)?;
        let logs = names(&disk)?;
        // A crash before the first checkpoint was whole: there was no log yet, so nothing can be missing.
        let fresh = read.checkpoint.is_none() && redone.rounds == 0 && logs.is_empty();
        let logs: BTreeSet<_> = logs.iter().filter_map(|name| parse_log_directory(name)).collect();
        redone.ends.retain(|id, _| logs.contains(id));
        redone.firsts.retain(|id, _| logs.contains(id));
        if read.checkpoint.is_some() {
            // A log that is younger than the checkpoint has given up no segment.
            for id in redone.ends.keys() {
                redone.firsts.entry(*id).or_insert(SegmentNumber(0));
            }
        }
        let report = LogStoreReport {
            unclean: !fresh && !read.checkpoint.as_ref().is_some_and(|found| found.closed),
            rounds_replayed: redone.rounds,
            damage: if fresh { Vec::new() } else { redone.damage.clone() },
            journal_end: redone.end,
        };
        let store = Self::start(disk, &options, &read, redone, lock, report.unclean)?;
        store.shared.progress().unopened = logs;
        store.checkpointer.run(false)?;
        Ok((Arc::new(store), report))
    }

    fn start(
        disk: Arc<dyn Disk>,
        options: &LogStoreOptions,
        read: &SlotsRead,
        redone: Redone,
        lock: Box<dyn Send + Sync>,
        unclean: bool,
    ) -> Result<Self> {
        let volume = redone.volume.unwrap_or_else(|| disk.random());
        let generation = read.checkpoint.as_ref().map_or(0, |found| found.generation);
        let mut slots = Slots::open(disk.as_ref(), generation)?;
        if let Some(found) = &read.checkpoint {
            slots.write_again(found)?;
        }
        let (checkpoint_commands, checkpoint_end) = unbounded();
        let (room, room_end) = bounded(1);
        let manual = options.mode != CommitMode::Thread;
        let progress = Progress { ends: redone.ends, firsts: redone.firsts, ..Progress::default() };
        let shared = Arc::new(Shared::new(disk, checkpoint_commands, manual, unclean, progress));
        let file_bytes = options.journal_file_bytes.max(JOURNAL_FILE_BYTES_MIN);
        let ring_options = RingOptions {
            volume,
            file_bytes,
            bytes_max: options.journal_bytes_max,
            first_use: redone.next_use,
            first_round: redone.next_round,
        };
        let ring = Ring::open(&shared.disk, &shared.space, ring_options)?;
        shared.progress().acknowledged = ring.place();
        let checkpointer = Arc::new(Checkpointer::new(&shared, volume, slots, room));
        let ends = Ends { checkpoint_commands: checkpoint_end, room: room_end };
        let driver = Arc::new(Driver::start(&shared, &checkpointer, ends, ring, ring_options)?);
        let method = shared.disk.method();
        Ok(Self { shared, checkpointer, driver, method, lock: Arc::new(Mutex::new(Some(lock))) })
    }

    /// Makes an empty log, durable on return.
    pub(crate) fn create_log(&self, id: LogId, options: LogOptions) -> Result<LogRef> {
        self.shared.check_open()?;
        let disk = &self.shared.disk;
        let directory = log_directory(id);
        disk.create_directory(&directory)
            .map_err(|error| Error::io(format!("create {}", directory.display()), error))?;
        let header = SegmentHeader {
            id: SegmentId { log: id, number: SegmentNumber(0) },
            base_position: Position(0),
            base_sequence: 0,
            is_rewritten: false,
        };
        if let Err(error) = SegmentFile::create(disk, &header) {
            let _ = disk.remove_directory(&directory);
            return Err(error);
        }
        self.sync_directory(Path::new(LOGS_DIRECTORY))?;
        self.open_with(id, options, &mut |_| Ok(None))
    }

    /// Opens a log and feeds every frame of it, in order, to `replay`; what is missing as `Replay::Damage`.
    pub(crate) fn open_log(
        &self,
        id: LogId,
        options: LogOptions,
        replay: &mut Observer<'_>,
    ) -> Result<LogRef> {
        self.shared.check_open()?;
        self.open_with(id, options, replay)
    }

    fn open_with(
        &self,
        id: LogId,
        options: LogOptions,
        replay: &mut Observer<'_>,
    ) -> Result<LogRef> {
        if self.shared.logs().get(&id).is_some_and(|log| log.strong_count() > 0) {
            return Err(Error::Locked(log_directory(id).display().to_string()));
        }
        let (durable, kept_from) = {
            let progress = self.shared.progress();
            (progress.ends.get(&id).copied(), progress.firsts.get(&id).copied())
        };
        let log = Opening::new(&self.shared, id, durable, kept_from, replay).run(options)?;
        let first = log.segments().first().map(|segment| segment.number);
        {
            let mut progress = self.shared.progress();
            progress.ends.insert(id, log.writing().end());
            progress.firsts.entry(id).or_insert(first.unwrap_or(SegmentNumber(0)));
            progress.unopened.remove(&id);
        }
        self.shared.register(&log);
        if let SyncPolicy::Interval(interval) = options.sync {
            self.shared.want_interval(interval);
            let _ = self.shared.checkpoint_commands.send(CheckpointCommand::Interval);
        }
        Ok(log)
    }

    /// Opens a log again that failed with `NoSpace`, from what is committed. `Busy` while rounds of it are under way.
    pub(crate) fn reopen_log(
        &self,
        id: LogId,
        options: LogOptions,
        replay: &mut Observer<'_>,
    ) -> Result<LogRef> {
        self.shared.check_open()?;
        let before = self.shared.logs().get(&id).and_then(std::sync::Weak::upgrade);
        if before.is_some_and(|log| !log.is_settled()) {
            return Err(Error::Busy);
        }
        let end = self.shared.progress().ends.get(&id).copied();
        if let Some(end) = end {
            self.cut_to(id, end)?;
        }
        self.shared.logs().remove(&id);
        self.open_with(id, options, replay)
    }

    /// Takes back what was written after the end: it was never acknowledged.
    fn cut_to(&self, id: LogId, end: LogEnd) -> Result<()> {
        let directory = log_directory(id);
        for number in self.list(&directory)?.iter().filter_map(|name| parse_segment_name(name)) {
            let path = segment_path(SegmentId { log: id, number });
            if number > end.segment {
                self.remove_file(&path)?;
            } else if number == end.segment {
                let failed = |error| Error::io(format!("cut {}", path.display()), error);
                let file =
                    self.shared.disk.open(&path, crate::disk::OpenMode::Write).map_err(failed)?;
                file.truncate(end.offset).map_err(failed)?;
                file.sync().map_err(|error| self.failed_sync(&path, &error))?;
            }
        }
        self.sync_directory(&directory)
    }

    /// Removes a log with its files; durable on return.
    pub(crate) fn remove_log(&self, id: LogId) -> Result<()> {
        let log = self.shared.logs().remove(&id).and_then(|log| log.upgrade());
        if let Some(log) = log {
            log.fail(&Error::Closed);
            self.driver.barrier(&self.shared);
        }
        self.shared.progress().forget(id);
        let directory = log_directory(id);
        let removed = PathBuf::from(format!("{}{REMOVED_SUFFIX}", directory.display()));
        match self.shared.disk.rename(&directory, &removed) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(Error::io(format!("remove {}", directory.display()), error));
            }
        }
        self.sync_directory(Path::new(LOGS_DIRECTORY))?;
        if let Err(error) = remove_files(self.shared.disk.as_ref(), &removed) {
            tracing::warn!(%error, "files of a removed log stay until the volume is opened again");
        }
        Ok(())
    }

    /// The logs there are, in order of their ids.
    pub(crate) fn list_logs(&self) -> Result<Vec<LogId>> {
        let names = self.list(Path::new(LOGS_DIRECTORY))?;
        Ok(names.iter().filter_map(|name| parse_log_directory(name)).collect())
    }

    /// Syncs what is dirty and lets the journal's space be used again.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.checkpointer.run(false)
    }

    /// Commits what is open, checkpoints, stops the threads and lets the lock go. Appends fail with `Closed` after it.
    pub(crate) fn close(&self) -> Result<()> {
        if !self.shared.close() {
            return self.shared.check();
        }
        let finish = {
            let (shared, checkpointer) = (Arc::clone(&self.shared), Arc::clone(&self.checkpointer));
            let (driver, lock) = (Arc::clone(&self.driver), Arc::clone(&self.lock));
            move || {
                driver.stop(&shared);
                let closed = checkpointer.run(true);
                lock.lock().unwrap_or_else(PoisonError::into_inner).take();
                closed
            }
        };
        if !self.driver.is_this_thread() {
            return finish();
        }
        // A listener dropped the last handle on the commit thread, which cannot wait for itself.
        let finish = move || {
            if let Err(error) = finish() {
                tracing::warn!(%error, "the store could not be closed");
            }
        };
        std::thread::Builder::new()
            .name("hw-close".into())
            .spawn(finish)
            .map(drop)
            .map_err(|error| Error::io("start thread hw-close", error))
    }

    /// Why the store takes no appends, if it does not.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.shared.failure()
    }

    /// The name of a log to be made.
    pub(crate) fn new_id(&self) -> LogId {
        // 0 is the catalogue's log.
        LogId(self.shared.disk.random().max(1))
    }

    /// The method of writing in use, in words.
    pub(crate) fn disk_method(&self) -> String {
        self.method.clone()
    }

    /// See `Driver::help`.
    pub(crate) fn help(&self) -> Helper<'_> {
        self.driver.help(&self.shared)
    }

    /// Commits what is open now and acknowledges it. True where there was something to do.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn run_once(&self) -> bool {
        self.driver.run_once()
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let listed = self.shared.disk.list(path);
        listed.map_err(|error| Error::io(format!("list {}", path.display()), error))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        let removed = self.shared.disk.remove_file(path);
        removed.map_err(|error| Error::io(format!("remove {}", path.display()), error))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.shared.disk.sync_directory(path).map_err(|error| self.failed_sync(path, &error))
    }

    fn failed_sync(&self, path: &Path, error: &std::io::Error) -> Error {
        let failed = Error::ReadOnly(format!("sync of {}: {error}", path.display()));
        self.shared.fail(&failed);
        failed
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the store was dropped and could not be closed");
        }
    }
}

impl std::fmt::Debug for LogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogStore")
            .field("method", &self.method)
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

fn names(disk: &Arc<dyn Disk>) -> Result<Vec<String>> {
    let listed = disk.list(Path::new(LOGS_DIRECTORY));
    listed.map_err(|error| Error::io(format!("list {LOGS_DIRECTORY}"), error))
}

fn take_lock(disk: &dyn Disk) -> Result<Box<dyn Send + Sync>> {
    disk.lock(Path::new(LOCK_FILE)).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked(LOCK_FILE.into()),
        _ => Error::io(format!("lock {LOCK_FILE}"), error),
    })
}

/// Makes the directories and removes what is left of removed logs.
fn prepare_directories(disk: &dyn Disk) -> Result<()> {
    let failed = |path: &Path, error| Error::io(format!("prepare {}", path.display()), error);
    for path in [JOURNAL_DIRECTORY, LOGS_DIRECTORY].map(Path::new) {
        disk.create_directory(path).map_err(|error| failed(path, error))?;
        // A killed process may have left names that are not durable.
        disk.sync_directory(path).map_err(|error| failed(path, error))?;
    }
    disk.sync_directory(Path::new("")).map_err(|error| failed(Path::new("."), error))?;
    let logs = Path::new(LOGS_DIRECTORY);
    for name in disk.list(logs).map_err(|error| failed(logs, error))? {
        let known = name.strip_suffix(REMOVED_SUFFIX).and_then(parse_log_directory);
        if known.is_some() {
            let path = logs.join(&name);
            remove_files(disk, &path).map_err(|error| failed(&path, error))?;
        }
    }
    Ok(())
}

fn remove_files(disk: &dyn Disk, directory: &Path) -> std::io::Result<()> {
    for name in disk.list(directory)? {
        disk.remove_file(&directory.join(name))?;
    }
    disk.remove_directory(directory)
}

#[cfg(test)]
#[path = "store_test.rs"]
mod tests;

#[cfg(test)]
#[path = "store_crash_test.rs"]
mod crash_tests;
