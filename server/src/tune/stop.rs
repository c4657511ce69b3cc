//! SIGINT and SIGTERM end the run where it is, so that the scratch folder is removed on the way out.
//! Not here: the signals of the server (`signals`).

use super::error::{Result, TuneError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Whether a signal came.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that the signals set.
    pub(super) fn on_signals(runtime: &Runtime) -> Result<Self> {
        let stop = Self::default();
        let _inside = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let mut signal = signal(kind).map_err(|error| TuneError::Start(error.to_string()))?;
            let flag = Arc::clone(&stop.0);
            runtime.spawn(async move {
                signal.recv().await;
                flag.store(true, Ordering::Relaxed);
            });
        }
        Ok(stop)
    }

    /// An error once one came.
    pub(super) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(TuneError::Interrupted) } else { Ok(()) }
    }
}
