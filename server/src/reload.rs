//! Reading the configuration again, as a signal or an operator asks for it: one at a time, and where nothing waits for it
//! but who asked, as files may be slow.
//! Not here: what is read (`config`), who may ask (`monitoring::operations`).

use crate::config::{Options, file};
use crate::log::Log;
use crate::server::RunningServer;
use std::sync::Arc;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Reloads that wait for the one under way.
const WAITING_MAX: usize = 16;

/// Reads it again whenever the signal comes or an operator asks, until the task is aborted; who waits then gets an error.
pub(crate) fn start(
    server: &RunningServer,
    options: &Options,
    log: &Log,
    mut hangup: Signal,
) -> JoinHandle<()> {
    let (sender, mut asked) = mpsc::channel(WAITING_MAX);
    server.shared().set_reload(sender);
    let (running, log) = (Arc::new(options.clone()), log.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = hangup.recv() => if let Err(error) = read_apart(&running, &log).await {
                    tracing::error!("{error}");
                },
                Some(asked) = asked.recv() => {
                    // Who asked may have gone.
                    let _ = asked.send(read_apart(&running, &log).await);
                }
                else => return,
            }
        }
    })
}

/// Reads it on a thread of its own: those of the runtime are waited for when it ends, and a file may never be read.
async fn read_apart(running: &Arc<Options>, log: &Log) -> Result<(), String> {
    let (running, log) = (running.clone(), log.clone());
    let (done, read) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
        // The server may have stopped meanwhile.
        let _ = done.send(reload(&running, &log));
    });
    spawned.map_err(|error| format!("cannot read the configuration: {error}"))?;
    read.await.unwrap_or_else(|_| Err("reading the configuration failed".to_owned()))
}

/// Reads the configuration file again: log levels change, everything else needs a restart and is named.
fn reload(running: &Options, log: &Log) -> Result<(), String> {
    let path = running.config_file.as_deref();
    let path = path.ok_or_else(|| "there is no configuration file to reload".to_owned())?;
    let fresh = file::load(path)
        .map_err(|error| format!("Failed to reload server configuration: {error}"))?;
    log.set_levels(&fresh.log);
    for name in fresh.differing(running) {
        tracing::warn!("a change of {name} needs a restart");
    }
    tracing::info!("Reloaded server configuration");
    Ok(())
}
