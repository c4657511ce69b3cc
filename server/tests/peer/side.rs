//! One of the two servers that are compared, as a process with a store of its own.
//! Invariant: it listens on a free port, is named the same on both sides, and is killed when the test ends.
//! Not here: what is asked of it (`run`).

use crate::client::{Client, Message};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start or to stop.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long it may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// Where a program is: named by a variable, on the path, or where the gate installs it.
pub(crate) fn find(program: &str, variable: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ci-tools");
    let installed = [tools.join("venv/bin"), tools.join("bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain(installed);
    places.find_map(|place| Some(place.join(program)).filter(|path| path.is_file()))
}

/// The peer, or a line that says why there is nothing to compare with.
pub(crate) fn nats_server() -> Option<PathBuf> {
    let found = find("nats-server", "HEADWATER_NATS_SERVER");
    if found.is_none() {
        eprintln!("skipped: no nats-server (HEADWATER_NATS_SERVER names it)");
    }
    found
}

/// Whether nats-server stands on both sides, which checks the scripts rather than Headwater.
pub(crate) fn is_self_test() -> bool {
    std::env::var_os("HEADWATER_PEER_SELF").is_some()
}

/// Headwater's program.
pub(crate) fn headwater() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_headwater"))
}

/// How a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is asked to stop.
    Stop,
    /// It is killed.
    Kill,
}

/// What a server's configuration says beside its address and its store.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The server's name.
    pub(crate) name: &'static str,
    /// What its streams may hold in files.
    pub(crate) max_file: &'static str,
    /// More keys of the block `jetstream`.
    pub(crate) jetstream: String,
    /// More keys.
    pub(crate) more: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { name: "peer", max_file: "10GB", jetstream: String::new(), more: String::new() }
    }
}

/// A running server.
pub(crate) struct Side {
    program: PathBuf,
    settings: Settings,
    directory: tempfile::TempDir,
    child: Child,
    /// The connection over which it is asked.
    pub(crate) client: Client,
    /// Subjects to answer the deliveries to that were heard.
    pub(crate) deliveries: Vec<String>,
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of {}:\n{}", self.program.display(), self.log());
        }
    }
}

impl Side {
    /// Starts a server.
    pub(crate) fn start(program: PathBuf) -> Self {
        Self::start_with(program, Settings::default())
    }
    /// Starts a server with a configuration.
    pub(crate) fn start_with(program: PathBuf, settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let child = spawn(&program, directory.path(), &settings);
        let client = connect(&directory, child.id(), settings.name);
        Self { program, settings, directory, child, client, deliveries: Vec::new() }
    }
    /// Ends the process and starts another on the same store.
    pub(crate) fn restart(&mut self, end: End) {
        match end {
            End::Kill => self.child.kill().unwrap(),
            End::Stop => {
                let pid = self.child.id().to_string();
                Command::new("kill").args(["-INT", &pid]).status().unwrap();
            }
        }
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < DEADLINE, "{} stops in time", self.program.display());
            std::thread::sleep(Duration::from_millis(2));
        }
        self.child = spawn(&self.program, self.directory.path(), &self.settings);
        self.client = connect(&self.directory, self.child.id(), self.settings.name);
    }
    /// Asks the JetStream API, and gives what is answered.
    pub(crate) fn request(&mut self, subject: &str, body: &Value) -> Value {
        let payload = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let subject = format!("$JS.API.{subject}");
        let message = Message { subject, payload, ..Message::default() };
        let reply = self.client.request(message, ANSWER).expect("an answer");
        serde_json::from_slice(&reply.payload).unwrap()
    }
    /// What runs.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }
    /// Where clients connect.
    pub(crate) fn address(&self) -> String {
        self.address_of("nats")
    }
    /// Where a listener of this kind is: `nats`, `websocket`, `monitoring`.
    pub(crate) fn address_of(&self, kind: &str) -> String {
        address(self.directory.path(), self.child.id(), kind).unwrap()
    }
    /// What the server wrote into its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn spawn(program: &Path, directory: &Path, settings: &Settings) -> Child {
    let place = directory.display();
    let Settings { name, max_file, jetstream, more } = settings;
    let text = format!(
        "server_name: {name}\nlisten: '127.0.0.1:-1'\nports_file_dir: '{place}'\n{more}\n\
         jetstream {{ store_dir: '{place}/store', max_mem: 1GB, max_file: {max_file} {jetstream} }}\n"
    );
    std::fs::write(directory.join("peer.conf"), text).unwrap();
    let log = std::fs::File::options().create(true).append(true).open(directory.join("log"));
    let log = log.unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(directory.join("peer.conf"));
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}

/// An address in the ports file of a process.
fn address(directory: &Path, pid: u32, kind: &str) -> Option<String> {
    let ending = format!("_{pid}.ports");
    let mut files = std::fs::read_dir(directory).unwrap().flatten();
    let file = files.find(|file| file.file_name().to_string_lossy().ends_with(&ending))?;
    let ports: Value = serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok()?;
    let url = ports[kind][0].as_str()?;
    Some(url.split_once("://")?.1.to_owned())
}

/// Waits until JetStream answers, and has told of it: what is heard later is of the script. The connection that asked goes.
fn connect(directory: &tempfile::TempDir, pid: u32, name: &str) -> Client {
    let started = Instant::now();
    loop {
        let client =
            address(directory.path(), pid, "nats").and_then(|at| Client::connect(&at, name).ok());
        if let Some(mut client) = client {
            // Asked again only while nobody answers, so that the counters of both sides grow alike.
            let subject = "$JS.API.STREAM.NAMES".to_owned();
            let probe = Message { subject, ..Message::default() };
            client.subscribe("$JS.EVENT.ADVISORY.API").unwrap();
            let answer = client.request(probe, ANSWER);
            if answer.is_some_and(|answer| answer.headers.is_empty()) {
                assert!(client.hear(ANSWER).is_some(), "the request is told of");
                drop(client);
                let address = address(directory.path(), pid, "nats").unwrap();
                return Client::connect(&address, name).unwrap();
            }
        }
        let log = || std::fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        assert!(started.elapsed() < DEADLINE, "the server answers in time: {}", log());
        std::thread::sleep(Duration::from_millis(5));
    }
}
