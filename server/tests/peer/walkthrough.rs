//! The walkthrough of NATS's page on data replication, typed into the real `nats` command line against Headwater: memory
//! streams gathered in an archive that is mirrored for reports, before and after the server is killed.
//! Not here: comparing with nats-server (the scripts).

use crate::side::{self, End, Side};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);

/// The command line and the server it talks to.
struct Terminal {
    program: PathBuf,
    side: Side,
    directory: tempfile::TempDir,
}

impl Terminal {
    /// Types a command; gives what it prints.
    fn types(&self, line: &str) -> String {
        let mut command = Command::new(&self.program);
        command.args(["--server", &self.side.address()]).args(words(line));
        // Its own settings and contexts are left alone.
        command.env("XDG_CONFIG_HOME", self.directory.path()).env("HOME", self.directory.path());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "nats {line}\n{text}\n{errors}");
        text + &errors
    }
    fn request(&mut self, subject: &str, body: &Value) -> Value {
        self.side.request(subject, body)
    }
    /// Waits until a stream holds so many messages and its copies have nothing left to take.
    fn holds(&mut self, stream: &str, messages: u64) {
        let started = Instant::now();
        loop {
            let info = self.request(&format!("STREAM.INFO.{stream}"), &Value::Null);
            let sources = info["sources"].as_array().into_iter().flatten();
            let mut copies = info.get("mirror").into_iter().chain(sources);
            let is_idle = copies.all(|copy| copy["lag"] == 0 && copy["active"].as_i64() > Some(0));
            if info["state"]["messages"] == messages && is_idle {
                assert_eq!(info["state"]["last_seq"], messages, "{stream} has no gaps");
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{stream} holds {messages} in time: {info}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    /// All messages of a stream, as the API gives them.
    fn messages(&mut self, stream: &str, count: u64) -> Vec<Value> {
        let get = format!("STREAM.MSG.GET.{stream}");
        (1..=count).map(|seq| self.request(&get, &json!({"seq": seq}))["message"].take()).collect()
    }
    fn add_origins(&self) {
        for name in ["ORDERS", "RETURNS"] {
            let line = format!("s add {name} --subjects {name}.* --storage memory --defaults");
            let shown = self.types(&line);
            assert!(shown.contains(&format!("Stream {name} was created")), "{shown}");
        }
    }
    fn publish(&self) {
        self.types("req ORDERS.new 'ORDER {{Count}}' --count 100");
        self.types("req RETURNS.new 'RETURN {{Count}}' --count 100");
    }
}

/// The words of a command line; what stands in quotes is one.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let words = quoted.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// The cells of the rows of a table that begin with these cells.
fn rows(report: &str, beginning: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_matches(['│', '|', '┃']);
        inner.split(['│', '|', '┃']).map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = report.lines().map(cells);
    rows.filter(|row| row.iter().zip(beginning).all(|(cell, wanted)| cell == wanted))
        .filter(|row| row.len() >= beginning.len())
        .collect()
}

/// The tables of `nats stream report`: what is stored, and what copies what.
fn check_report(report: &str, origins: u64, copies: u64) {
    for (name, storage, messages) in [
        ("ORDERS", "Memory", origins),
        ("RETURNS", "Memory", origins),
        ("ARCHIVE", "File", copies),
        ("REPORT", "File", copies),
    ] {
        let found = rows(report, &[name, storage]);
        assert_eq!(found.len(), 1, "{name} in {report}");
        assert!(found[0].contains(&messages.to_string()), "{messages} in {name}: {report}");
    }
    for (name, kind, origin) in [
        ("ARCHIVE", "Source", "ORDERS"),
        ("ARCHIVE", "Source", "RETURNS"),
        ("REPORT", "Mirror", "ARCHIVE"),
    ] {
        let found = rows(report, &[name, kind]);
        let row = found.iter().find(|row| row.iter().any(|cell| cell == origin));
        let row = row.unwrap_or_else(|| panic!("{name} {kind} {origin} in {report}"));
        assert!(row.contains(&"0".to_owned()), "no lag: {row:?}");
        assert_eq!(row.last().map(String::as_str), Some(""), "no error: {row:?}");
    }
}

fn check_dot(file: &Path) {
    let dot = std::fs::read_to_string(file).unwrap();
    for name in ["ORDERS", "RETURNS", "ARCHIVE", "REPORT", "Mirror"] {
        assert!(dot.contains(name), "{name} in {dot}");
    }
    assert_eq!(dot.matches("->").count(), 3, "{dot}");
}

#[test]
fn walkthrough() {
    let Some(program) = side::find("nats", "HEADWATER_NATS_CLI") else {
        eprintln!("skipped: no nats command line (HEADWATER_NATS_CLI names it)");
        return;
    };
    let side = Side::start(side::headwater());
    let mut terminal = Terminal { program, side, directory: tempfile::tempdir().unwrap() };
    terminal.add_origins();
    let shown = terminal.types("s add ARCHIVE --source ORDERS --source RETURNS --defaults");
    assert!(shown.contains("Stream ARCHIVE was created"), "{shown}");
    let shown = terminal.types("s add REPORT --mirror ARCHIVE --defaults");
    assert!(shown.contains("Stream REPORT was created"), "{shown}");

    terminal.publish();
    terminal.holds("ARCHIVE", 200);
    terminal.holds("REPORT", 200);
    check_report(&terminal.types("s report"), 100, 200);
    let file = terminal.directory.path().join("replication.dot");
    check_report(&terminal.types(&format!("s report --dot {}", file.display())), 100, 200);
    check_dot(&file);
    let info = terminal.types("s info ARCHIVE");
    for text in ["Source Information", "ORDERS", "RETURNS", "Messages: 200"] {
        assert!(info.contains(text), "{text} in {info}");
    }
    let info = terminal.types("s info REPORT");
    assert!(info.contains("Mirror Information") && info.contains("Lag: 0"), "{info}");
    assert!(info.contains("Mirror: ARCHIVE"), "{info}");

    let archive = terminal.messages("ARCHIVE", 200);
    assert_eq!(archive, terminal.messages("REPORT", 200), "REPORT equals ARCHIVE");
    // Streams in memory are gone with the process; what was copied is not, and what comes next is copied once.
    terminal.side.restart(End::Kill);
    assert_eq!(archive, terminal.messages("ARCHIVE", 200), "nothing lost, nothing doubled");
    assert_eq!(archive, terminal.messages("REPORT", 200), "nothing lost, nothing doubled");
    terminal.add_origins();
    terminal.publish();
    terminal.holds("ARCHIVE", 400);
    terminal.holds("REPORT", 400);
    check_report(&terminal.types("s report"), 100, 400);
    let archive = terminal.messages("ARCHIVE", 400);
    assert_eq!(archive, terminal.messages("REPORT", 400), "REPORT equals ARCHIVE");
    let mut texts: Vec<String> = archive.iter().map(|each| each["data"].to_string()).collect();
    texts.sort();
    let (pairs, _) = texts.as_chunks::<2>();
    assert!(pairs.iter().all(|[one, other]| one == other), "each text came before and after");
    texts.dedup();
    assert_eq!(texts.len(), 200, "and no text came more often");
}
