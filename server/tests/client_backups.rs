//! `stream backup` and `stream restore` as processes, against nats-server where it is found and against this program's own
//! server.
//! Not here: what an archive holds, and the same folders with the `nats` command line (`peer`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/commands.rs"]
mod commands;

use commands::{Server, against_both};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const MESSAGES: usize = 308;

impl Server {
    fn words(&self, line: &str) -> String {
        self.run(&line.split(' ').collect::<Vec<_>>())
    }
    fn refuses(&self, line: &str, reason: &str) {
        let said = self.fail(&line.split(' ').collect::<Vec<_>>());
        assert!(said.contains(reason), "{line}: {said}");
    }
    /// A stream with messages that fill many pieces, a gap, and a consumer under way.
    fn fill(&self) {
        self.words("stream add A --subjects a.* --defaults");
        self.words("pub a.1 {{Count}} --count 300 -H K:v");
        for _ in 0..8 {
            let text: String = (0..100_000).map(|_| rand::random_range('a'..='z')).collect();
            self.run(&["pub", "a.2", &text]);
        }
        self.words("consumer add A C --pull --defaults");
        self.words("consumer next A C --count 3");
        self.words("stream purge A --seq 3 --force");
    }
    fn message(&self, sequence: usize) -> Value {
        let text = self.run(&["stream", "get", "A", &sequence.to_string(), "--json"]);
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn streams_come_back_from_folders() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill();
        let (state, last) = (server.info("A")["state"].clone(), server.message(MESSAGES));
        let said = server.words("stream backup A one --check");
        assert!(said.contains("Backed up stream A to one: 306 messages, "), "{said}");
        let folder = server.folder.path().join("one");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let mut names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["backup.json", "stream.arc.s2"], "nothing else stays");
        server.refuses("stream backup A one", "there is a backup in one already");
        server.refuses("stream restore one", "stream name already in use");
        server.words("stream rm A --force");
        let said = server.words("stream restore one");
        assert!(said.starts_with("Restored stream A in "), "{said}");
        assert!(said.contains("Messages: 306"), "{said}");
        assert_eq!(server.info("A")["state"], state);
        assert_eq!(server.message(MESSAGES), last);
        assert_eq!(server.words("consumer ls A --names"), "C\n");
        assert_eq!(server.words("consumer next A C --raw").trim(), "4");
    });
}

#[test]
fn configurations_and_consumers_are_chosen() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill();
        server.words("stream backup A bare --no-consumers");
        server.words("stream rm A --force");
        let path = |name: &str| server.folder.path().join(name);
        let described: Value =
            serde_json::from_slice(&fs::read(path("bare/backup.json")).unwrap()).unwrap();
        let mut config = described["config"].clone();
        config["subjects"] = json!(["a.*", "b"]);
        fs::write(path("other.json"), config.to_string()).unwrap();
        let restored: Value =
            serde_json::from_str(&server.words("stream restore bare --config other.json --json"))
                .unwrap();
        assert_eq!(restored["config"]["subjects"], json!(["a.*", "b"]));
        assert_eq!(restored["state"]["consumer_count"], 0);
        config["name"] = "B".into();
        fs::write(path("other.json"), config.to_string()).unwrap();
        server.refuses("stream restore bare --config other.json", "the stream is A there too");
    });
}

/// What is not there, or not whole, leaves neither a folder that looks like a backup nor a stream.
#[test]
fn failures_leave_nothing() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill();
        let path = |name: &str| server.folder.path().join(name);
        server.refuses("stream backup NONE none", "stream not found");
        assert_eq!(fs::read_dir(path("none")).map_or(0, Iterator::count), 0);
        server.refuses("stream restore none", "backup.json");
        // A backup that the `nats` command line broke off.
        fs::create_dir(path("one")).unwrap();
        fs::write(path("one/backup.json"), "").unwrap();
        fs::write(path("one/stream.tar.s2"), "some bytes").unwrap();
        server.words("stream backup A one");
        server.words("stream rm A --force");
        let archive = fs::read(path("one/stream.arc.s2")).unwrap();
        assert!(archive.len() > 500_000, "many pieces: {}", archive.len());
        let mut changed = archive.clone();
        changed[archive.len() / 2] ^= 1;
        for bytes in [&archive[..archive.len() / 2], &changed[..], b""] {
            fs::write(path("one/stream.arc.s2"), bytes).unwrap();
            server.refuses("stream restore one", "could not restore Stream: ");
            server.refuses("stream info A", "stream not found");
        }
        fs::write(path("one/stream.arc.s2"), &archive).unwrap();
        fs::write(path("one/stream.tar.s2"), "").unwrap();
        server.refuses("stream restore one", "holds both stream.arc.s2 and stream.tar.s2");
        fs::remove_file(path("one/stream.tar.s2")).unwrap();
        server.words("stream restore one");
    });
}
