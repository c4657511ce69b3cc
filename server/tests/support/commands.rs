//! A server of either kind with the commands that are run against it, as processes.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// This program.
pub(crate) const HEADWATER: &str = env!("CARGO_BIN_EXE_headwater");

/// Says which nats-server to run.
const NATS_SERVER_VARIABLE: &str = "HEADWATER_NATS_SERVER";

fn nats_server() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(NATS_SERVER_VARIABLE) {
        return Some(path.into());
    }
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders).map(|folder| folder.join("nats-server"));
    found.into_iter().find(|path| path.is_file())
}

/// Runs a test against both servers.
pub(crate) fn against_both(test: fn(&Path)) {
    test(Path::new(HEADWATER));
    match nats_server() {
        Some(program) => test(&program),
        None => {
            println!("skipped for nats-server: it is not in PATH, nor in {NATS_SERVER_VARIABLE}")
        }
    }
}

/// Looks until there is something.
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "{what} in time");
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// A server with the folder the commands are run in.
pub(crate) struct Server {
    child: Child,
    pub(crate) folder: TempDir,
    pub(crate) url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts one.
    pub(crate) fn start(program: &Path, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = folder.path().join("ports");
        std::fs::create_dir(&ports).unwrap();
        let child = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", "-1", "-js"])
            .arg("-sd")
            .arg(folder.path().join("data"))
            .arg("--ports_file_dir")
            .arg(&ports)
            .arg("-l")
            .arg(folder.path().join("log"))
            .args(more)
            .spawn()
            .unwrap();
        let url = wait("the address", || {
            let file = std::fs::read_dir(&ports).unwrap().flatten().next()?;
            let ports: Value = serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok()?;
            Some(ports.pointer("/nats/0")?.as_str()?.to_owned())
        });
        Self { child, folder, url }
    }

    /// A command against it.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(HEADWATER);
        for variable in ["NATS_USER", "NATS_PASSWORD", "NATS_TIMEOUT"] {
            command.env_remove(variable);
        }
        command.current_dir(self.folder.path()).env("NATS_URL", &self.url);
        command.args(line).stdin(Stdio::null());
        command
    }

    /// What becomes of a command.
    pub(crate) fn output(&self, line: &[&str]) -> Output {
        self.command(line).output().unwrap()
    }

    /// What a command prints that must succeed.
    pub(crate) fn run(&self, line: &[&str]) -> String {
        let output = self.output(line);
        assert!(output.status.success(), "{line:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command complains of that must fail.
    pub(crate) fn fail(&self, line: &[&str]) -> String {
        let output = self.output(line);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// What is known of a stream.
    pub(crate) fn info(&self, name: &str) -> Value {
        serde_json::from_str(&self.run(&["stream", "info", name, "--json"])).unwrap()
    }
}
