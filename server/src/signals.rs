//! Running a server as a process: signals, the process id file and the ports file.
//!
//! INT and TERM stop, USR2 starts lame duck mode, HUP reads the configuration again, USR1 reopens the log.
//! Not here: what stopping does (`server`).

use crate::config::Options;
use crate::log::Log;
use crate::reload;
use crate::server::{RunningServer, Server, StartError};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Name of the program in process lists.
const PROGRAM: &str = "headwater";

/// Why the process ends with an error.
#[derive(Debug, Error)]
pub enum RunError {
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file could not be written, or signals not be caught.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Files that exist as long as the process does.
struct Traces(Vec<PathBuf>);

impl Drop for Traces {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(%error, path = %path.display(), "cannot remove");
            }
        }
    }
}

/// Starts the server and runs it until a signal stops it.
pub async fn run_until_stopped(options: Options, log: Log) -> Result<(), RunError> {
    let caught = |kind: SignalKind| {
        signal(kind).map_err(|source| RunError::Io { what: "cannot catch signals".into(), source })
    };
    let (mut interrupt, mut terminate) =
        (caught(SignalKind::interrupt())?, caught(SignalKind::terminate())?);
    let hangup = caught(SignalKind::hangup())?;
    let (mut reopen, mut lame_duck) =
        (caught(SignalKind::user_defined1())?, caught(SignalKind::user_defined2())?);
    let server = Server::start(options.clone()).await?;
    let reloads = reload::start(&server, &options, &log, hangup);
    let traces = Traces(write_traces(&options, &server)?);
    tracing::info!("Server is ready");
    loop {
        tokio::select! {
            _ = interrupt.recv() => { tracing::info!("Trapped \"interrupt\" signal"); break }
            _ = terminate.recv() => { tracing::info!("Trapped \"terminated\" signal"); break }
            _ = reopen.recv() => match log.reopen() {
                Ok(()) => tracing::info!("File log re-opened"),
                Err(error) => tracing::error!("{error}"),
            },
            _ = lame_duck.recv() => server.start_lame_duck(),
            () = server.lame_duck_over() => break,
        }
    }
    tracing::info!("Initiating Shutdown...");
    // Who still waits for one would keep the server from stopping.
    reloads.abort();
    server.shutdown().await;
    drop(traces);
    tracing::info!("Server Exiting..");
    Ok(())
}

fn write_traces(options: &Options, server: &RunningServer) -> Result<Vec<PathBuf>, RunError> {
    let mut written = Vec::new();
    let mut write = |path: &Path, text: String| {
        std::fs::write(path, text).map_err(|source| RunError::Io {
            what: format!("cannot write {}", path.display()),
            source,
        })?;
        written.push(path.to_owned());
        Ok::<(), RunError>(())
    };
    let process = std::process::id();
    if let Some(path) = &options.pid_file {
        write(path, process.to_string())?;
    }
    if let Some(directory) = &options.ports_file_dir {
        let mut ports = json!({ "nats": urls("nats", server.client_address()) });
        if let (Some(address), Some(ports)) = (server.monitoring_address(), ports.as_object_mut()) {
            ports.insert("monitoring".into(), json!(urls("http", address)));
        }
        if let (Some(address), Some(ports)) = (server.websocket_address(), ports.as_object_mut()) {
            ports.insert("websocket".into(), json!(urls("ws", address)));
        }
        write(&directory.join(format!("{}_{process}.ports", own_name())), ports.to_string())?;
    }
    Ok(written)
}

/// The name the program was started by.
fn own_name() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    let name = path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    name.map_or_else(|| PROGRAM.to_owned(), |name| name.into_owned())
}

/// Addresses to connect to: the loopback one stands for all.
fn urls(scheme: &str, address: SocketAddr) -> Vec<String> {
    let port = address.port();
    match address.ip() {
        ip if ip.is_unspecified() => vec![format!("{scheme}://127.0.0.1:{port}")],
        _ => vec![format!("{scheme}://{address}")],
    }
}

/// Sends a signal to a running server, by process id, by process id file, or to the only one there is.
pub fn send(name: &str, process: Option<&str>) -> Result<(), String> {
    let signal = match name {
        "ldm" => Signal::USR2,
        "stop" => Signal::KILL,
        "quit" => Signal::INT,
        "term" => Signal::TERM,
        "reopen" => Signal::USR1,
        "reload" => Signal::HUP,
        _ => return Err(format!("unknown signal {name:?}")),
    };
    let id = match process {
        Some(text) => match text.parse() {
            Ok(id) => id,
            Err(_) => read_pid(Path::new(text))?,
        },
        None => only_process()?,
    };
    let pid = Pid::from_raw(id).ok_or_else(|| format!("{id} is no process id"))?;
    kill_process(pid, signal).map_err(|error| format!("cannot signal process {id}: {error}"))
}

fn read_pid(path: &Path) -> Result<i32, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    text.trim().parse().map_err(|_| format!("{} holds no process id", path.display()))
}

fn only_process() -> Result<i32, String> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let entries = std::fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    let named = |id: &i32| {
        std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == PROGRAM)
    };
    let ids: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id| *id != own && named(id))
        .collect();
    match ids.as_slice() {
        [] => Err(format!("no {PROGRAM} processes running")),
        [only] => Ok(*only),
        _ => Err(format!("multiple {PROGRAM} processes running: {ids:?}")),
    }
}
