//! What logs, commit thread and checkpoint share: how far everything is acknowledged, and whether the store has failed.
//!
//! Invariants: `Progress` changes in one step, so that a checkpoint sees an end of every log that belongs to the
//! journal place it starts from; a failure is set once and never taken back.
//! Not here: rounds (`commit`), their files (`ring`).

use super::{CommandQueue, ring::RingSpace};
use crate::{
    Error, Result,
    disk::{Disk, DiskFile},
    format::{
        checkpoint::{JournalPlace, LogEnd},
        segment_header::SegmentId,
    },
    log::{FileLog, LogId, SegmentNumber},
    segment::SegmentFile,
};
use crossbeam_channel::Sender;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

/// Bytes of all logs together that may wait for the commit thread.
const WAITING_BYTES_MAX: usize = 256 * 1024 * 1024;

/// So many logs are known before those that were dropped are looked for.
const SWEEP_LOGS_MIN: usize = 64;

/// What the commit thread is told.
pub(crate) enum Command {
    /// The log has open frames; it is told once until they are taken.
    Dirty(Arc<FileLog>),
    /// Answer when everything told before is acknowledged.
    Flush(Sender<()>),
    /// Answer between two rounds.
    Barrier(Sender<()>),
    /// The store has failed elsewhere: tell the logs.
    Failed,
    /// End.
    Stop,
}

/// What the checkpoint thread is told.
pub(crate) enum CheckpointCommand {
    /// Make one soon.
    Wanted,
    /// A log wants its file synced at an interval: look at the clock again.
    Interval,
    /// Hand these bytes of a segment to the disk: a checkpoint that finds much to write holds up the journal's writes.
    WriteBack(Arc<dyn DiskFile>, Range<u64>),
    /// Unlink the segments that were given up.
    Remove,
    /// End.
    Stop,
}

/// How far everything is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The place after the last acknowledged round.
    pub(crate) acknowledged: JournalPlace,
    /// How far each log is acknowledged.
    pub(crate) ends: BTreeMap<LogId, LogEnd>,
    /// The first segment of each log that was not given up.
    pub(crate) firsts: BTreeMap<LogId, SegmentNumber>,
    /// Segments that were, to be unlinked once a checkpoint says so.
    pub(crate) given_up: Vec<Arc<SegmentFile>>,
    /// Logs that were there and were not opened yet: what an earlier process left of them unsynced may still be so, and until
    /// there is none the store does not end cleanly.
    pub(crate) unopened: BTreeSet<LogId>,
    /// Files written since they were synced.
    pub(crate) dirty: hashbrown::HashMap<SegmentId, Arc<dyn DiskFile>>,
}

impl Progress {
    /// A log is removed.
    pub(crate) fn forget(&mut self, id: LogId) {
        self.ends.remove(&id);
        self.firsts.remove(&id);
        self.unopened.remove(&id);
        self.dirty.retain(|segment, _| segment.log != id);
    }
}

/// What the parts of a store share.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) commands: CommandQueue,
    pub(crate) checkpoint_commands: Sender<CheckpointCommand>,
    /// No threads: whoever needs a checkpoint or a removal does it itself.
    pub(crate) manual: bool,
    /// The store was not closed before, or not with all of its logs opened: names in directories may not be durable.
    pub(crate) unclean: bool,
    pub(crate) space: RingSpace,
    progress: Mutex<Progress>,
    logs: Mutex<BTreeMap<LogId, Weak<FileLog>>>,
    log_count: AtomicUsize,
    sweep_logs_at: AtomicUsize,
    failure: OnceLock<Error>,
    closed: AtomicBool,
    waiting_bytes: AtomicUsize,
    /// Shortest sync interval that a log asked for, in milliseconds.
    sync_interval_ms: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        checkpoint_commands: Sender<CheckpointCommand>,
        manual: bool,
        unclean: bool,
        progress: Progress,
    ) -> Self {
        Self {
            disk,
            commands: CommandQueue::default(),
            checkpoint_commands,
            manual,
            unclean,
            space: RingSpace::default(),
            progress: Mutex::new(progress),
            logs: Mutex::default(),
            log_count: AtomicUsize::new(0),
            sweep_logs_at: AtomicUsize::new(SWEEP_LOGS_MIN),
            failure: OnceLock::new(),
            closed: AtomicBool::new(false),
            waiting_bytes: AtomicUsize::new(0),
            sync_interval_ms: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These segments, the first ones of a log, may go.
    pub(crate) fn give_up(&self, id: LogId, files: Vec<Arc<SegmentFile>>) {
        let Some(last) = files.last().map(|file| file.id().number.0) else { return };
        let mut progress = self.progress();
        // A log that was removed meanwhile is not known any more.
        if let Some(first) = progress.firsts.get_mut(&id) {
            *first = SegmentNumber(last + 1).max(*first);
        }
        progress.given_up.extend(files);
    }

    pub(crate) fn logs(&self) -> MutexGuard<'_, BTreeMap<LogId, Weak<FileLog>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs that are open, and some that were dropped; at most as many again, and a few.
    pub(crate) fn log_count(&self) -> usize {
        self.log_count.load(Ordering::Relaxed)
    }

    /// Puts a log among those that are told of failures.
    pub(crate) fn register(&self, log: &Arc<FileLog>) {
        let mut logs = self.logs();
        // Not with each: many logs are opened one after the other.
        if logs.len() >= self.sweep_logs_at.load(Ordering::Relaxed) {
            logs.retain(|_, log| log.strong_count() > 0);
            self.sweep_logs_at.store((2 * logs.len()).max(SWEEP_LOGS_MIN), Ordering::Relaxed);
        }
        logs.insert(log.id, Arc::downgrade(log));
        self.log_count.store(logs.len(), Ordering::Relaxed);
    }

    /// Why the store takes no appends, if it does not.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.get().cloned()
    }

    /// An error, where the store has failed.
    pub(crate) fn check(&self) -> Result<()> {
        self.failure.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Refuses appends from now on. True for the first call.
    pub(crate) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    /// Whether `close` was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// An error, where nothing can be appended any more.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::Closed) } else { self.check() }
    }

    /// Stops all appends for good. The commit thread tells the logs.
    pub(crate) fn fail(&self, error: &Error) {
        let reason = match error {
            Error::ReadOnly(reason) => reason.clone(),
            other => other.to_string(),
        };
        if self.failure.set(Error::ReadOnly(reason.clone())).is_ok() {
            tracing::error!(reason, "the volume is read-only until it is opened again");
            self.commands.send(Command::Failed);
        }
    }

    /// Tells the owners of all logs that nothing more will be committed.
    pub(crate) fn tell_failed(&self, error: &Error) {
        let logs: Vec<_> = self.logs().values().filter_map(Weak::upgrade).collect();
        for log in logs {
            log.fail(error);
            log.tell_failed(error);
        }
    }

    /// Takes room for bytes that will wait; `Busy` where there is none.
    pub(crate) fn take_room(&self, bytes: usize) -> Result<()> {
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before > 0 && before.saturating_add(bytes) > WAITING_BYTES_MAX {
            self.give_room(bytes);
            return Err(Error::Busy);
        }
        Ok(())
    }

    /// Takes room for what belongs to bytes that were taken before.
    pub(crate) fn add_room(&self, bytes: usize) {
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives room back.
    pub(crate) fn give_room(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A log wants its file synced this often.
    pub(crate) fn want_interval(&self, interval: std::time::Duration) {
        let ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
        self.sync_interval_ms.fetch_min(ms, Ordering::Relaxed);
    }

    /// How often files are to be synced at least, in milliseconds.
    pub(crate) fn sync_interval_ms(&self) -> u64 {
        self.sync_interval_ms.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("disk", &self.disk).finish_non_exhaustive()
    }
}
