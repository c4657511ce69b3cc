//! The servers that are compared, as processes with a data folder of their own.
//! Not here: what they are loaded with.

use super::super::address::Address;
use super::super::client::Connection;
use super::super::options::CompareOptions;
use super::{BenchError, Result};
use serde::Serialize;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to wait before looking again whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

fn failed(what: impl fmt::Display) -> impl FnOnce(io::Error) -> BenchError {
    move |source| BenchError::Process { what: what.to_string(), source }
}

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A fresh one in a folder, or in that for temporary files.
    pub(super) fn create(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = parent.join(format!("headwater-compare-{}", nuid::next()));
        std::fs::create_dir_all(&path).map_err(failed(path.display()))?;
        Ok(Self(path))
    }
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays for the user to see.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server with its durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Contestant {
    /// Headwater, which syncs before it acknowledges.
    Headwater,
    /// nats-server as it comes: it acknowledges what is not synced.
    NatsServer,
    /// nats-server that syncs before it acknowledges.
    NatsServerSynced,
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Headwater => "Headwater",
            Self::NatsServer => "nats-server",
            Self::NatsServerSynced => "nats-server, synced",
        })
    }
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    address: Address,
    /// Its data; removed after the process has ended.
    _folder: Folder,
}

impl Contestant {
    /// All of them. The first is what the others are compared with.
    pub(super) const ALL: [Self; 3] = [Self::Headwater, Self::NatsServer, Self::NatsServerSynced];

    /// Starts it and waits until it answers.
    pub(super) async fn start(self, options: &CompareOptions, parent: &Folder) -> Result<Process> {
        let folder = Folder::create(Some(parent.path()))?;
        let port = free_port()?;
        let (program, arguments) = self.command(options, &folder, port)?;
        let child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed(format_args!("start {}", program.display())))?;
        let address = Address::parse(&format!("127.0.0.1:{port}"))?;
        let mut process = Process { child, address, _folder: folder };
        process.wait_until_ready().await?;
        Ok(process)
    }

    fn command(
        self,
        options: &CompareOptions,
        folder: &Folder,
        port: u16,
    ) -> Result<(PathBuf, Vec<String>)> {
        let data = folder.path().join("data");
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let listen = ["-a", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
        let storage = ["-js".to_owned(), "-sd".to_owned(), text(&data)];
        Ok(match self {
            Self::Headwater => {
                let this = || std::env::current_exe().map_err(failed("this program"));
                let program = options.headwater.clone().map_or_else(this, Ok)?;
                let sync = ["--sync", "always"].map(str::to_owned);
                let arguments =
                    ["serve".to_owned()].into_iter().chain(listen).chain(storage).chain(sync);
                (program, arguments.collect())
            }
            Self::NatsServer => {
                (options.nats_server.clone(), listen.into_iter().chain(storage).collect())
            }
            Self::NatsServerSynced => {
                let path = folder.path().join("server.conf");
                let quoted = serde_json::Value::from(text(&data)).to_string();
                let config =
                    format!("jetstream {{\n  store_dir: {quoted}\n  sync_interval: always\n}}\n");
                std::fs::write(&path, config).map_err(failed(path.display()))?;
                let config = ["-c".to_owned(), text(&path)];
                (options.nats_server.clone(), listen.into_iter().chain(config).collect())
            }
        })
    }
}

impl Process {
    /// Where it listens.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Ends it. Its data goes, so there is nothing to close in an orderly way.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.map_err(failed("end the server"))
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let error = match Connection::open(&self.address).await {
                Ok(connection) if connection.greeting().jetstream => return Ok(()),
                Ok(_) => BenchError::Invalid("the server has no JetStream".into()),
                Err(error) => error,
            };
            if let Some(status) = self.child.try_wait().map_err(failed("look at the server"))? {
                return Err(BenchError::Invalid(format!("the server ended at once: {status}")));
            }
            if Instant::now() >= deadline {
                return Err(error);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("find a port"))?;
    Ok(listener.local_addr().map_err(failed("find a port"))?.port())
}
