//! What becomes visible when the log says that it is committed, and who is told.
//! Invariants: whoever is told is told without the lock.
//! Not here: the changes themselves (`core`).

use super::{Core, Done, Stream};
use crate::{
    Error,
    log::{CommitListener, Position},
};
use std::sync::{MutexGuard, atomic::Ordering};

impl Stream {
    /// Lets the lock go; answers what is known at once, and what a log in memory has committed at once.
    pub(super) fn finish(&self, mut core: MutexGuard<'_, Core>, told: Option<Done>) {
        if core.is_in_memory() && !core.pending.is_empty() {
            let through = core.log.committed();
            let dones = core.settle(through);
            self.after_commit(core, dones);
        } else {
            drop(core);
        }
        if let Some(done) = told {
            done(None);
        }
    }

    /// Something became visible: removes segments that are not needed, and tells those who wait.
    fn after_commit(&self, mut core: MutexGuard<'_, Core>, dones: Vec<Done>) {
        let now = self.environment.now();
        let trim = core.trim(now).map(|number| (core.log.clone(), number));
        let expiry = core.next_expiry().map_or(i64::MAX, |time| time.0);
        self.next_expiry.store(expiry, Ordering::Relaxed);
        drop(core);
        self.signal.notify();
        for done in dones {
            done(None);
        }
        if let Some((log, number)) = trim
            && let Err(error) = log.remove_segments_before(number)
        {
            tracing::warn!(%error, "segments stay until the volume is opened again");
        }
    }
}

impl CommitListener for Stream {
    fn committed(&self, through: Position) {
        let mut core = self.core();
        let dones = core.settle(through);
        self.after_commit(core, dones);
    }

    fn failed(&self, error: &Error) {
        let dones = self.core().fail(error);
        self.signal.notify();
        for done in dones {
            done(Some(error.clone()));
        }
    }
}
