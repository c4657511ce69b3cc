//! Starts mirrors and sources and gives out handles to them.
//! Not here: the loop (`driver`), decisions (`mirror`, `source`).

use crate::{
    Error, Result,
    directory::Directory,
    settings::{MirrorConfig, SourceConfig},
    status::{Board, Status},
};
use headwater_storage::Stream;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Starts replications on the current tokio runtime.
#[derive(Clone, Copy, Debug)]
pub struct Replicator;

impl Replicator {
    /// Makes `target` a mirror. The origin need not exist.
    pub fn mirror(
        _target: Arc<Stream>,
        _config: MirrorConfig,
        _directory: Arc<dyn Directory>,
    ) -> Result<Replication> {
        Err(Error::InvalidConfig("replication is being built".into()))
    }

    /// Copies one source into `target`. Several may run side by side on one stream; their index names must differ.
    pub fn source(
        _target: Arc<Stream>,
        _config: SourceConfig,
        _directory: Arc<dyn Directory>,
    ) -> Result<Replication> {
        Err(Error::InvalidConfig("replication is being built".into()))
    }

    /// Forgets the position of a source that was taken out of a stream's configuration (after its replication was
    /// stopped): should it come back, it goes on behind the newest of its messages that the stream still holds.
    pub async fn forget_source(_target: &Stream, _config: &SourceConfig) -> Result<()> {
        Err(Error::InvalidConfig("replication is being built".into()))
    }
}

/// A running replication. Dropping it asks it to stop.
#[must_use = "dropping it stops the replication"]
pub struct Replication {
    board: Arc<Board>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Replication {
    /// How it goes.
    pub fn status(&self) -> Status {
        self.board.status()
    }

    /// Stops it; returns when nothing is on its way into the stream any more.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Replication {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
