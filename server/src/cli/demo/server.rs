//! The server of a demo: a process of its own, so that it can be killed.
//! It is given flags that Headwater and nats-server both have, and picks its port itself.
//! Not here: what is done with it.

use crate::cli::connection::{Connection, ConnectionFlags};
use crate::cli::error::{ClientError, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long it may take to start, which includes reading its data.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to wait before looking again whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of its log is shown when it does not start.
const LOG_LINES_MAX: usize = 10;

/// A running server.
#[derive(Debug)]
pub(super) struct ServerProcess {
    child: Child,
    ports: PathBuf,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts it with its data in a folder. Each run of it has a folder for its ports, so that those of an earlier one,
    /// which was killed, are not taken for its own.
    pub(super) fn spawn(program: &Path, folder: &Path, run: u32) -> Result<Self> {
        let (ports, log) = (folder.join(format!("ports-{run}")), folder.join(format!("log-{run}")));
        std::fs::create_dir(&ports).map_err(ClientError::file(&ports))?;
        let child = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"])
            .arg(folder.join("data"))
            .arg("--ports_file_dir")
            .arg(&ports)
            .arg("-l")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(ClientError::file(program))?;
        Ok(Self { child, ports, log })
    }

    /// Its process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Connects as soon as it answers; gives its address as well.
    pub(super) async fn connect(&mut self) -> Result<(String, Connection)> {
        let started = Instant::now();
        loop {
            let connected = self.try_connect().await;
            if let Ok(Some(connected)) = connected {
                return Ok(connected);
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || started.elapsed() > START_TIMEOUT {
                connected?;
                return Err(ClientError::Ended(format!(
                    "the server did not start:\n{}",
                    self.end_of_log()
                )));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn try_connect(&self) -> Result<Option<(String, Connection)>> {
        let Some(server) = self.address() else { return Ok(None) };
        let (user, password, timeout) = (None, None, ANSWER_TIMEOUT);
        let flags = ConnectionFlags { server: server.clone(), user, password, timeout };
        let connection = flags.connect().await?;
        connection.call("look at the account", "INFO", &Value::Null).await?;
        Ok(Some((server, connection)))
    }

    /// The address it wrote down, once it has written all of it.
    fn address(&self) -> Option<String> {
        let file = std::fs::read_dir(&self.ports).ok()?.flatten().next()?;
        let ports: Value = serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok()?;
        ports.pointer("/nats/0")?.as_str().map(str::to_owned)
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let skipped = lines.len().saturating_sub(LOG_LINES_MAX);
        lines.get(skipped..).unwrap_or_default().join("\n")
    }

    /// Kills it, without a chance to write anything down, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> Result<()> {
        let killed = self.child.kill().await;
        killed.map_err(|error| ClientError::Ended(format!("the server cannot be killed: {error}")))
    }
}
