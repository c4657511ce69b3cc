//! Starts mirrors and sources and gives out handles to them.
//! Not here: the loop (`driver`), decisions (`mirror`, `source`).

use crate::{
    Error, Result,
    directory::Directory,
    driver::Driver,
    local::LocalOrigin,
    mirror::Mirror,
    origin::Origin,
    plugin::Plugin,
    progress::source_key,
    settings::{MirrorConfig, SourceConfig},
    source::Source,
    status::{Board, State, Status},
    target::{StreamTarget, Target},
};
use headwater_storage::{
    Stream,
    stream::{Batch, Step},
};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Starts replications on the current tokio runtime.
#[derive(Clone, Copy, Debug)]
pub struct Replicator;

impl Replicator {
    /// Makes `target` a mirror. The origin need not exist.
    pub fn mirror(
        target: Arc<Stream>,
        config: MirrorConfig,
        directory: Arc<dyn Directory>,
    ) -> Result<Replication> {
        let origin = LocalOrigin::new(config.name.clone(), directory);
        let plugin = Mirror::new(config)?;
        let target = Arc::new(StreamTarget(target));
        Ok(Self::start(target, Box::new(plugin), Arc::new(origin)))
    }

    /// Copies one source into `target`. Several may run side by side on one stream; their index names must differ.
    pub fn source(
        target: Arc<Stream>,
        config: SourceConfig,
        directory: Arc<dyn Directory>,
    ) -> Result<Replication> {
        let origin = LocalOrigin::new(config.name.clone(), directory);
        let plugin = Source::new(config)?;
        let target = Arc::new(StreamTarget(target));
        Ok(Self::start(target, Box::new(plugin), Arc::new(origin)))
    }

    /// Lets any plugin copy from any origin into any target.
    pub fn start(
        target: Arc<dyn Target>,
        plugin: Box<dyn Plugin>,
        origin: Arc<dyn Origin>,
    ) -> Replication {
        let board = Arc::new(Board::new(origin.name()));
        let (stop, stopped) = watch::channel(false);
        let driver = Driver { target, origin, plugin, board: board.clone(), stop: stopped };
        let task = Some(tokio::spawn(driver.run()));
        Replication { board, stop, task }
    }

    /// Forgets the position of a source that was taken out of a stream's configuration (after its replication was
    /// stopped): should it come back, it goes on behind the newest of its messages that the stream still holds.
    pub async fn forget_source(target: &Stream, config: &SourceConfig) -> Result<()> {
        let progress = Some((source_key(&config.index_name()), Vec::new()));
        let steps = vec![Step { items: Vec::new(), progress }];
        let outcome = target.apply(Batch { expect_progress: None, steps }).await;
        match outcome.map(|outcome| outcome.refused) {
            Ok(None) => Ok(()),
            Ok(Some(reason)) | Err(reason) => Err(Error::Refused { sequence: 0, reason }),
        }
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
        let mut status = self.board.status();
        let is_over = self.task.as_ref().is_none_or(JoinHandle::is_finished);
        if is_over && status.state != State::Stopped {
            (status.state, status.error, status.lag) = (State::Stopped, Some(Error::Ended), None);
        }
        status
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
