//! The lower half of a volume: one journal, many logs, a checkpoint, and the lock that keeps other processes out.
//!
//! Not here: names of streams and what their records mean (`volume`, `stream`).

use crate::{
    Error, Result,
    disk::Disk,
    log::{LogId, LogRef, Replay},
    stream::config::{Compression, SyncPolicy},
};
use std::sync::Arc;

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
    /// It was not closed before.
    pub(crate) unclean: bool,
    /// Journal rounds replayed.
    pub(crate) rounds_replayed: u64,
    /// Damage of journal and checkpoint, a sentence each, with file and offset. Damage of a log is told by `open_log`.
    pub(crate) damage: Vec<String>,
}

/// An open store.
#[derive(Debug)]
pub(crate) struct LogStore {}

#[expect(clippy::todo, reason = "signatures first")]
impl LogStore {
    /// Takes the lock, replays the journal into the segments, syncs and checkpoints. `Locked` for a second process.
    pub(crate) fn open(
        _disk: Arc<dyn Disk>,
        _options: LogStoreOptions,
    ) -> Result<(Arc<Self>, LogStoreReport)> {
        todo!()
    }
    /// Makes an empty log, durable on return.
    pub(crate) fn create_log(&self, _id: LogId, _options: LogOptions) -> Result<LogRef> {
        todo!()
    }
    /// Opens a log and feeds every frame of it, in order, to `replay`; what is missing as `Replay::Damage`.
    pub(crate) fn open_log(
        &self,
        _id: LogId,
        _options: LogOptions,
        _replay: &mut dyn FnMut(Replay) -> Result<()>,
    ) -> Result<LogRef> {
        todo!()
    }
    /// Opens a log again that failed with `NoSpace`, from what is committed.
    pub(crate) fn reopen_log(
        &self,
        _id: LogId,
        _options: LogOptions,
        _replay: &mut dyn FnMut(Replay) -> Result<()>,
    ) -> Result<LogRef> {
        todo!()
    }
    /// Removes a log with its files; durable on return.
    pub(crate) fn remove_log(&self, _id: LogId) -> Result<()> {
        todo!()
    }
    /// The logs there are, in order of their ids.
    pub(crate) fn list_logs(&self) -> Result<Vec<LogId>> {
        todo!()
    }
    /// Syncs what is dirty and lets the journal's space be used again.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        todo!()
    }
    /// Commits what is open, checkpoints, stops the threads and lets the lock go. Appends fail with `Closed` after it.
    pub(crate) fn close(&self) -> Result<()> {
        todo!()
    }
    /// Why the store takes no appends, if it does not.
    pub(crate) fn failure(&self) -> Option<Error> {
        todo!()
    }
    /// The method of writing in use, in words.
    pub(crate) fn disk_method(&self) -> String {
        todo!()
    }
    /// Commits what is open now and acknowledges it. True where there was something to do.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn run_once(&self) -> bool {
        todo!()
    }
}
