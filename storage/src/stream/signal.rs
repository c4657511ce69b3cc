//! Tells readers that wait, tasks and threads alike, that what is committed has changed.
//! Not here: what has changed.

use std::sync::{Condvar, Mutex, PoisonError};
use tokio::sync::watch;

/// A count of changes that can be waited for.
#[derive(Debug)]
pub(crate) struct Signal {
    tasks: watch::Sender<()>,
    version: Mutex<u64>,
    threads: Condvar,
}

impl Default for Signal {
    fn default() -> Self {
        Self { tasks: watch::Sender::new(()), version: Mutex::new(0), threads: Condvar::new() }
    }
}

impl Signal {
    /// Something has changed.
    pub(crate) fn notify(&self) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.threads.notify_all();
        self.tasks.send_replace(());
    }

    /// For a task that waits.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.tasks.subscribe()
    }

    /// How many changes there were.
    pub(crate) fn version(&self) -> u64 {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks the thread until there were more changes than `seen`.
    pub(crate) fn wait_past(&self, seen: u64) {
        let version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        let _changed = self
            .threads
            .wait_while(version, |version| *version <= seen)
            .unwrap_or_else(PoisonError::into_inner);
    }
}
