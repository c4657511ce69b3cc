//! Tells readers that wait, tasks and threads alike, that what is committed has changed.
//!
//! Readers that are not there cost nothing: a commit of a thousand streams passes here a thousand times.
//! Invariants: who subscribed, or asked for the version, before it looked at the stream is told of what it did not see.
//! Not here: what has changed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A count of changes that can be waited for.
#[derive(Debug)]
pub(crate) struct Signal {
    tasks: watch::Sender<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    /// Threads that wait.
    waiting: usize,
}

impl Default for Signal {
    fn default() -> Self {
        Self { tasks: watch::Sender::new(()), state: Mutex::default(), changed: Condvar::new() }
    }
}

impl Signal {
    /// Something has changed.
    pub(crate) fn notify(&self) {
        let is_waited_for = {
            let mut state = self.state();
            state.version += 1;
            state.waiting > 0
        };
        if is_waited_for {
            self.changed.notify_all();
        }
        if self.tasks.receiver_count() > 0 {
            self.tasks.send_replace(());
        }
    }

    /// For a task that waits.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.tasks.subscribe()
    }

    /// How many changes there were.
    pub(crate) fn version(&self) -> u64 {
        self.state().version
    }

    /// Blocks the thread until there were more changes than `seen`.
    pub(crate) fn wait_past(&self, seen: u64) {
        let mut state = self.state();
        state.waiting += 1;
        while state.version <= seen {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
