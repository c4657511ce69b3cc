//! The program as a process: flags, files it leaves, signals, exit status, log lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_headwater"))
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "{what} in time");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A running program with its directory; killed when the test ends.
struct Running {
    child: Child,
    directory: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let files = format!(
            "listen: '127.0.0.1:-1'\nports_file_dir: '{}'\npid_file: '{}'\n{configuration}",
            directory.path().display(),
            path("pid").display()
        );
        std::fs::write(path("a.conf"), files).unwrap();
        let mut command = program();
        command.arg("-c").arg(path("a.conf")).arg("-l").arg(path("log"));
        let running = Self { child: command.spawn().unwrap(), directory };
        running.wait_for_log("Server is ready");
        running
    }
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
    fn ports_file(&self) -> PathBuf {
        self.path(&format!("headwater_{}.ports", self.child.id()))
    }
    fn wait_for_log(&self, text: &str) {
        let log = self.path("log");
        wait(text, || {
            std::fs::read_to_string(&log).is_ok_and(|log| log.contains(text)).then_some(())
        });
    }
    fn signal(&self, name: &str) {
        let target = format!("{name}={}", self.path("pid").display());
        let sent = program().args(["--signal", &target]).output().unwrap();
        assert!(sent.status.success(), "{sent:?}");
    }
    fn wait_for_exit(&mut self) -> ExitStatus {
        wait("the exit", || self.child.try_wait().unwrap())
    }
    fn address(&self) -> String {
        let ports: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.ports_file()).unwrap()).unwrap();
        let url = ports["nats"][0].as_str().unwrap();
        url.strip_prefix("nats://").unwrap().to_owned()
    }
}

#[test]
fn files_and_signals() {
    let mut running = Running::start("http: '127.0.0.1:-1'");
    assert_eq!(
        std::fs::read_to_string(running.path("pid")).unwrap(),
        running.child.id().to_string()
    );
    let ports = std::fs::read_to_string(running.ports_file()).unwrap();
    assert!(ports.contains("\"monitoring\":[\"http://127.0.0.1:"), "{ports}");
    let mut socket = TcpStream::connect(running.address()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut greeting = [0; 5];
    socket.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"INFO ");

    std::fs::rename(running.path("log"), running.path("log.old")).unwrap();
    running.signal("reopen");
    running.wait_for_log("File log re-opened");

    let text = std::fs::read_to_string(running.path("a.conf")).unwrap();
    std::fs::write(running.path("a.conf"), format!("{text}\ndebug: true\nmax_payload: 1KB\n"))
        .unwrap();
    running.signal("reload");
    running.wait_for_log("a change of the limits of connections needs a restart");
    running.wait_for_log("Reloaded server configuration");
    TcpStream::connect(running.address()).unwrap();
    running.wait_for_log(" - Client connection created");
    std::fs::write(running.path("a.conf"), "port: x\n").unwrap();
    running.signal("reload");
    running.wait_for_log("a.conf:1:7: a port expected");

    running.signal("term");
    assert!(running.wait_for_exit().success());
    assert!(!running.ports_file().exists() && !running.path("pid").exists());
    running.wait_for_log("Server Exiting..");
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
}

#[test]
fn lame_duck_ends_the_process() {
    let mut running = Running::start("lame_duck_duration: '200ms'\nlame_duck_grace_period: '50ms'");
    let mut socket = TcpStream::connect(running.address()).unwrap();
    socket.write_all(b"CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\n").unwrap();
    let mut said = String::new();
    wait("the answer", || {
        let mut part = [0; 4096];
        let bytes = socket.read(&mut part).unwrap();
        said.push_str(&String::from_utf8_lossy(part.get(..bytes)?));
        said.contains("PONG").then_some(())
    });
    running.signal("ldm");
    socket.read_to_string(&mut said).unwrap();
    assert!(said.contains("\"ldm\":true"), "{said}");
    assert!(running.wait_for_exit().success());
}

/// Reads up to a text.
fn read_to(socket: &mut BufReader<TcpStream>, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        assert!(socket.read_line(&mut text).unwrap() > 0, "closed after {text}");
    }
    text
}

fn say(socket: &mut BufReader<TcpStream>, text: &str) {
    socket.get_mut().write_all(text.as_bytes()).unwrap();
}

/// A server, a connection of its operator that hears `answer.*`, and how subjects of requests about the server begin.
fn with_operator() -> (Running, BufReader<TcpStream>, String) {
    let running = Running::start("accounts: { $SYS: { users: [{ user: s, password: p }] } }\n");
    let socket = TcpStream::connect(running.address()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut socket = BufReader::new(socket);
    let info = read_to(&mut socket, "\n");
    let info: serde_json::Value =
        serde_json::from_str(info.strip_prefix("INFO ").unwrap()).unwrap();
    let connect = "CONNECT {\"verbose\":false,\"user\":\"s\",\"pass\":\"p\"}\r\nSUB answer.* 1\r\n";
    say(&mut socket, connect);
    let server = format!("$SYS.REQ.SERVER.{}", info["server_id"].as_str().unwrap());
    (running, socket, server)
}

/// Nobody waits for a configuration that is slow to read but who asked for it.
#[test]
fn reloads_that_operators_ask_for() {
    let (mut running, mut socket, server) = with_operator();
    let text = std::fs::read_to_string(running.path("a.conf")).unwrap();
    std::fs::remove_file(running.path("a.conf")).unwrap();
    let made = Command::new("mkfifo").arg(running.path("a.conf")).status().unwrap();
    assert!(made.success());
    say(&mut socket, &format!("PUB {server}.RELOAD answer.reload 0\r\n\r\nPING\r\n"));
    assert_eq!(read_to(&mut socket, "PONG\r\n"), "PONG\r\n");
    std::fs::write(running.path("a.conf"), text).unwrap();
    let answer = read_to(&mut socket, "}\r\n");
    assert!(answer.starts_with("MSG answer.reload 1 ") && !answer.contains("error"), "{answer}");
    running.wait_for_log("Reloaded server configuration");
    std::fs::remove_file(running.path("a.conf")).unwrap();
    say(&mut socket, &format!("PUB {server}.RELOAD answer.reload 0\r\n\r\n"));
    let answer = read_to(&mut socket, "}\r\n");
    assert!(answer.contains("\"code\":500") && answer.contains("a.conf"), "{answer}");
    running.signal("term");
    assert!(running.wait_for_exit().success());
}

/// A file that is never read to its end holds nothing up: not the other signals, not requests, not the end of the server.
#[test]
fn a_reload_that_takes_its_time() {
    let (mut running, mut socket, server) = with_operator();
    let text = std::fs::read_to_string(running.path("a.conf")).unwrap();
    let replace_by_pipe = || {
        std::fs::remove_file(running.path("a.conf")).unwrap();
        let made = Command::new("mkfifo").arg(running.path("a.conf")).status().unwrap();
        assert!(made.success());
    };
    replace_by_pipe();
    running.signal("reload");
    // Opens when the reload reads.
    let mut pipe = std::fs::OpenOptions::new().write(true).open(running.path("a.conf")).unwrap();
    std::fs::rename(running.path("log"), running.path("log.old")).unwrap();
    running.signal("reopen");
    running.wait_for_log("File log re-opened");
    say(&mut socket, &format!("PUB {server}.RELOAD answer.reload 0\r\n\r\n"));
    say(&mut socket, &format!("PUB {server}.STATSZ answer.statsz 0\r\n\r\n"));
    let answer = read_to(&mut socket, "}\r\n");
    assert!(answer.starts_with("MSG answer.statsz 1 "), "{answer}");

    // The second one waits for the first: a file that is another by then is what it reads.
    std::fs::remove_file(running.path("a.conf")).unwrap();
    std::fs::write(running.path("a.conf"), "port: x\n").unwrap();
    let log = || std::fs::read_to_string(running.path("log")).unwrap();
    assert!(!log().contains("Reloaded server configuration"), "{}", log());
    pipe.write_all(text.as_bytes()).unwrap();
    drop(pipe);
    let answer = read_to(&mut socket, "}\r\n");
    assert!(answer.starts_with("MSG answer.reload 1 ") && answer.contains("a port"), "{answer}");
    assert!(log().contains("Reloaded server configuration"), "{}", log());

    replace_by_pipe();
    running.signal("reload");
    say(&mut socket, &format!("PUB {server}.RELOAD answer.reload 0\r\n\r\n"));
    let _pipe = std::fs::OpenOptions::new().write(true).open(running.path("a.conf")).unwrap();
    running.signal("term");
    assert!(running.wait_for_exit().success());
}

fn output(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn invocations_that_end_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (good, bad) = (directory.path().join("good.conf"), directory.path().join("bad.conf"));
    std::fs::write(&good, "port: 4222\n").unwrap();
    std::fs::write(&bad, "port: 4222\nfoo: 1\ntls {}\n").unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (good, bad) = (text(&good), text(&bad));
    let foo = format!(
        "headwater: {bad}:2:1: unknown field \"foo\"\n{bad}:3:1: \"tls\" is not supported by Headwater\n"
    );
    let tested = format!("headwater: configuration file {good} test is successful\n");
    for (arguments, succeeds, expected) in [
        (vec!["-v"], true, "(compatible with nats-server 2.15.1)"),
        (vec!["serve", "--version"], true, "headwater: v"),
        (vec!["serve", "--help"], true, "--store_dir <dir>"),
        (vec!["--help"], true, "serve"),
        (vec!["-c", &good, "-t"], true, &tested),
        (vec!["-c", &bad, "-t"], false, &foo),
        (vec!["-c", &bad], false, &foo),
        (vec!["serve", "-foo"], false, "flag provided but not defined: -foo"),
        (vec!["-p"], false, "flag needs an argument: -p"),
        (vec!["--routes", "x"], false, "flag -routes is not supported by Headwater"),
        (vec!["-a", "no.such.host.invalid"], false, "cannot listen on no.such.host.invalid:4222"),
        (vec!["-sl", "dance=1"], false, "unknown signal \"dance\""),
        (vec!["-sl", "term=/no/such/file"], false, "cannot read /no/such/file"),
    ] {
        let output = output(&arguments);
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), succeeds, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
