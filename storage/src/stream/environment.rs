//! What the streams of a volume share: store, catalogue, clock, memory budget, and ways to wait.
//! Not here: the streams (`volume`).

use super::SyncPolicy;
use crate::{
    Error, Result, Timestamp,
    catalogue::Catalogue,
    journal::Helper,
    log::MemoryBudget,
    store::{CommitMode, LogStore},
};
use std::{fmt, sync::Arc};
use tokio::sync::oneshot;

/// Where the time comes from.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// See the top of the file.
pub(crate) struct Environment {
    pub(crate) store: Arc<LogStore>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) clock: Clock,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) sync: SyncPolicy,
    pub(crate) segment_bytes: u64,
    pub(crate) mode: CommitMode,
}

impl Environment {
    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Waits for an answer of the commit thread. `Closed` where it can no longer come.
    pub(crate) async fn wait<T>(&self, mut answer: oneshot::Receiver<T>) -> Result<T> {
        self.drive(&mut answer);
        answer.await.map_err(|_| Error::Closed)
    }

    /// Same, blocking the thread. `helper` has been there since before what is waited for was told.
    pub(crate) fn wait_blocking<T>(
        &self,
        mut answer: oneshot::Receiver<T>,
        helper: Helper<'_>,
    ) -> Result<T> {
        self.drive(&mut answer);
        while answer.is_empty() && !answer.is_terminated() && helper.run() {}
        drop(helper);
        answer.blocking_recv().map_err(|_| Error::Closed)
    }

    /// Without a commit thread, whoever waits does its work.
    fn drive<T>(&self, answer: &mut oneshot::Receiver<T>) {
        #[cfg(any(test, feature = "testing"))]
        if self.mode == CommitMode::Manual {
            while answer.is_empty() && !answer.is_terminated() && self.store.run_once() {}
        }
        #[cfg(not(any(test, feature = "testing")))]
        let _ = (answer, self.mode);
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("store", &self.store).finish_non_exhaustive()
    }
}
