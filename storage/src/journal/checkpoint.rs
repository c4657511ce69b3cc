//! Makes checkpoints: syncs the segments that were written, then moves the start of the journal.
//!
//! Invariants: place and ends are taken in one step, and before them are only frames in files that are synced after it;
//! a failed sync is never tried again.
//! Not here: the bytes (`format::checkpoint`), the files (`slots`).

use super::{CheckpointCommand, Shared, Slots};
use crate::{
    Error, Result,
    format::checkpoint::{Checkpoint, JournalPlace, LogEnd},
    log::{LogId, SegmentNumber},
    segment::{SegmentFile, index_path, log_directory},
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A checkpoint is made this often at least while something is written.
const CHECKPOINT_INTERVAL_MS: u64 = 30_000;

/// Who makes checkpoints, one at a time.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    volume: u128,
    state: Mutex<State>,
    /// Tells the commit thread, which may wait, that there may be room.
    room: Sender<()>,
}

struct State {
    slots: Slots,
    last: JournalPlace,
}

impl Checkpointer {
    pub(crate) fn new(shared: &Arc<Shared>, volume: u128, slots: Slots, room: Sender<()>) -> Self {
        Self {
            shared: Arc::clone(shared),
            volume,
            state: Mutex::new(State { slots, last: JournalPlace::default() }),
            room,
        }
    }

    /// Makes a checkpoint. A failed sync makes the store read-only.
    pub(crate) fn run(&self, closed: bool) -> Result<()> {
        self.make(closed, closed)
    }

    /// Unlinks the segments that were given up, once a checkpoint says that they were: one that is missing without that
    /// is damage.
    pub(crate) fn remove_given_up(&self) -> Result<()> {
        let files = std::mem::take(&mut self.shared.progress().given_up);
        if files.is_empty() {
            return Ok(());
        }
        match self.make(false, true) {
            // Unlinking makes room. At worst what was given up is reported as missing after a crash.
            Ok(()) | Err(Error::NoSpace) => remove_segments(&self.shared, &files),
            Err(error) => Err(error),
        }
    }

    /// Makes a checkpoint; without `always` only where something has changed.
    fn make(&self, closed: bool, always: bool) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.check()?;
        let (start, ends, dirty, closed) = {
            let mut progress = self.shared.progress();
            // The next process has to look at what this one did not.
            let closed = closed && progress.unopened.is_empty();
            let mut dirty: Vec<_> = std::mem::take(&mut progress.dirty).into_iter().collect();
            dirty.sort_unstable_by_key(|(id, _)| *id);
            let ends = (progress.ends.clone(), progress.firsts.clone());
            (progress.acknowledged, ends, dirty, closed)
        };
        if !always && start == state.last && dirty.is_empty() {
            return Ok(());
        }
        for (id, file) in dirty {
            if let Err(error) = file.sync() {
                let path = crate::segment::segment_path(id);
                let failed = Error::ReadOnly(format!("sync of {}: {error}", path.display()));
                self.shared.fail(&failed);
                return Err(failed);
            }
        }
        self.write(&mut state.slots, closed, start, ends)?;
        state.last = start;
        self.shared.space.release(start);
        let _ = self.room.try_send(());
        Ok(())
    }

    fn write(
        &self,
        slots: &mut Slots,
        closed: bool,
        start: JournalPlace,
        (ends, firsts): (BTreeMap<LogId, LogEnd>, BTreeMap<LogId, SegmentNumber>),
    ) -> Result<()> {
        let volume = self.volume;
        let mut checkpoint = Checkpoint { closed, volume, generation: 0, start, ends, firsts };
        let written = slots.write(&mut checkpoint);
        match &written {
            // The slot before it still holds, and so does the journal after it: nothing is lost.
            Ok(()) | Err(Error::NoSpace) => {}
            Err(error) => self.shared.fail(error),
        }
        written
    }

    /// The checkpoint thread.
    pub(crate) fn serve(&self, commands: &Receiver<CheckpointCommand>) {
        loop {
            let wait_ms = self.shared.sync_interval_ms().min(CHECKPOINT_INTERVAL_MS);
            match commands.recv_timeout(Duration::from_millis(wait_ms)) {
                Ok(CheckpointCommand::Wanted) => {
                    // Many small checkpoints cost more than a longer journal.
                    let grown = self.grow();
                    let _ = self.room.try_send(());
                    if !grown || self.shared.space.is_half_full() {
                        self.run_logged();
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.run_logged(),
                Ok(CheckpointCommand::Interval) => {}
                Ok(CheckpointCommand::WriteBack(file, range)) => file.start_writeback(range),
                Ok(CheckpointCommand::Remove) => {
                    if let Err(error) = self.remove_given_up() {
                        tracing::warn!(%error, "segments stay until the volume is opened again");
                    }
                }
                Ok(CheckpointCommand::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Gives the journal another file if it may have one.
    fn grow(&self) -> bool {
        self.shared.space.grow(&self.shared.disk).unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal cannot grow");
            false
        })
    }

    fn run_logged(&self) {
        if self.shared.failure().is_none()
            && let Err(error) = self.run(false)
        {
            tracing::warn!(%error, "no checkpoint");
        }
    }
}

impl std::fmt::Debug for Checkpointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpointer").field("volume", &self.volume).finish_non_exhaustive()
    }
}

/// Unlinks segments from the oldest on, each durably before the next, so that a crash leaves no gap. One that cannot be
/// unlinked stops the store: those behind it must not go before it.
fn remove_segments(shared: &Shared, files: &[Arc<SegmentFile>]) -> Result<()> {
    let failed = |what, path: &Path, error: &std::io::Error| {
        let failed = Error::ReadOnly(format!("{what} {}: {error}", path.display()));
        shared.fail(&failed);
        failed
    };
    for file in files {
        let path = file.path();
        let _ = shared.disk.remove_file(&index_path(file.id()));
        match shared.disk.remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("remove", &path, &error)),
        }
        let directory = log_directory(file.id().log);
        match shared.disk.sync_directory(&directory) {
            Ok(()) => {}
            // The whole log was removed meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("sync", &directory, &error)),
        }
    }
    Ok(())
}
