//! The commands on key-value buckets and object stores as processes, against nats-server where it is found and against this program's own
//! server.
//! Not here: the contract of both (the client library, `peer`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "support/commands.rs"]
mod commands;

use commands::{Server, against_both, wait};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn values_come_and_go() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        let run = |line: &str| server.run(&words(line));
        let refuse = |line: &str| server.fail(&words(line));
        let made = run("kv add C --history 3 --ttl 1h --max-value-size 1k --storage memory");
        for line in ["History Kept: 3", "Maximum Value Size: 1.0 KiB", "Storage: Memory"] {
            assert!(made.contains(line), "{line}: {made}");
        }
        assert!(refuse("kv add C --history 3").contains("already in use"));
        assert_eq!(run("kv put C a one"), "one\n");
        assert_eq!(run("kv create C b first"), "first\n");
        assert!(refuse("kv create C b other").contains("already exists"));
        assert_eq!(run("kv update C b second 2"), "second\n");
        assert!(refuse("kv update C b third 2").contains("wrong last sequence"));
        assert_eq!(run("kv get C b --raw"), "second");
        assert_eq!(run("kv get C b --raw --revision 2"), "first");
        assert!(refuse("kv get C b --raw --revision 1").contains("key b not found"));
        let shown = run("kv get C b");
        assert!(shown.starts_with("C > b revision: 3 created @ 20"), "{shown}");
        assert_eq!(run("kv ls C"), "a\nb\n");
        run("kv del C b");
        assert!(refuse("kv get C b").contains("key b not found"));
        assert_eq!(run("kv ls C"), "a\n");
        let history = run("kv history C b");
        let rows: Vec<&str> = history.lines().filter(|line| line.starts_with("| b ")).collect();
        let kinds = rows.iter().map(|row| row.split('|').nth(3).unwrap().trim());
        assert_eq!(kinds.collect::<Vec<_>>(), ["PUT", "PUT", "DEL"], "{history}");
        // What each key holds comes first.
        let watched = run("kv watch C --count 2");
        let seen = watched.lines().map(|line| line.split_once("] ").unwrap().1);
        assert_eq!(seen.collect::<Vec<_>>(), ["PUT C > a: one", "DEL C > b"]);
        run("kv purge C a");
        assert!(run("kv history C a").contains("PURGE"));
        assert_eq!(run("kv ls --names"), "C\n");
        run("kv rm C --force");
        assert!(refuse("kv put C a b").contains("stream not found"));
    });
}

#[test]
fn what_is_watched() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        let run = |line: &str| server.run(&words(line));
        run("kv add C --history 5");
        for line in ["put C a one", "put C a two", "put C b x", "del C b", "put C c y"] {
            run(&format!("kv {line}"));
        }
        let seen = |line: &str| {
            let said = run(&format!("kv watch C {line}"));
            let changes = said.lines().map(|line| line.split_once("] ").unwrap().1.to_owned());
            changes.collect::<Vec<_>>()
        };
        let (one, two, x) = ("PUT C > a: one", "PUT C > a: two", "PUT C > b: x");
        let (gone, y) = ("DEL C > b", "PUT C > c: y");
        assert_eq!(seen("--count 3"), [two, gone, y]);
        assert_eq!(seen("--history --count 5"), [one, two, x, gone, y]);
        assert_eq!(seen("--history a --count 2"), [one, two]);
        assert_eq!(seen("--no-deletes --count 2"), [two, y]);
        assert_eq!(seen("--revision 2 --history --count 4"), [two, x, gone, y]);
        let mut command = server.command(&words("kv watch C --updates --count 1"));
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        // It has begun when its consumer is there.
        wait("the watch", || {
            let names = run("consumer ls KV_C -n");
            names.lines().any(|name| !name.contains("No Consumers")).then_some(())
        });
        run("kv put C d new");
        let said = child.wait_with_output().unwrap().stdout;
        assert!(said.ends_with(b"] PUT C > d: new\n"), "{}", String::from_utf8_lossy(&said));
        let said = server.fail(&words("kv watch C --history --updates"));
        assert!(said.contains("cannot be used with"), "{said}");
    });
}

#[test]
fn values_have_a_lifetime() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        let run = |line: &str| server.run(&words(line));
        let refuse = |line: &str| server.fail(&words(line));
        run("kv add C --history 5 --marker-ttl 1s");
        assert_eq!(run("kv create C a one --ttl 1500ms"), "one\n");
        assert!(refuse("kv create C a two --ttl 2s").contains("already exists"));
        run("kv put C b x");
        run("kv del C b");
        assert_eq!(run("kv create C b again --ttl 2s"), "again\n");
        assert_eq!(run("kv get C b --raw"), "again");
        for key in ["a", "b"] {
            wait("the end of a lifetime", || {
                (!server.output(&["kv", "get", "C", key]).status.success()).then_some(())
            });
        }
        assert!(refuse("kv create C c z --ttl 100ms").contains("invalid per-message TTL"));
        run("kv add N");
        assert!(refuse("kv create N a b --ttl 2s").contains("per-message TTL is disabled"));
    });
}

#[test]
fn a_value_of_any_bytes_comes_from_standard_input() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.run(&["kv", "add", "C"]);
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let mut command = server.command(&["kv", "put", "C", "k"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(child.wait().unwrap().success());
        let found = server.command(&["kv", "get", "C", "k", "--raw"]).output().unwrap();
        assert!(found.stdout == bytes, "{} bytes", found.stdout.len());
    });
}

#[test]
fn files_come_back_as_they_were() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        let run = |line: &str| server.run(&words(line));
        let refuse = |line: &str| server.fail(&words(line));
        let made = run("object add O --description files --max-bucket-size 10MB");
        assert!(made.contains("Backing Store: OBJ_O"), "{made}");
        let bytes: Vec<u8> = (0..=250).cycle().take(700_001).collect();
        let path = |name: &str| server.folder.path().join(name);
        std::fs::write(path("in"), &bytes).unwrap();
        std::fs::write(path("empty"), b"").unwrap();
        assert!(run("object put O in --name a/b").contains("Digest: SHA-256="));
        run("object put O empty");
        assert!(run("object get O a/b").contains("Wrote b (700001 bytes)"));
        assert!(std::fs::read(path("b")).unwrap() == bytes);
        let mode = |name: &str| std::fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("b"), mode("in"));
        std::fs::set_permissions(path("b"), Permissions::from_mode(0o640)).unwrap();
        assert!(refuse("object get O a/b").contains("is there already"));
        run("object get O empty --output b --force");
        assert_eq!(std::fs::read(path("b")).unwrap(), b"");
        assert_eq!(mode("b"), 0o640);
        assert_eq!(run("object ls O --names"), "a/b\nempty\n");
        assert!(run("object ls O").contains("684 KiB"));
        assert!(run("object info O a/b").contains("Size: 684 KiB"));
        run("object rm O a/b");
        assert!(refuse("object info O a/b").contains("was deleted"));
        assert!(refuse("object get O a/b --output c").contains("a/b"));
        assert!(!path("c").exists());
        assert_eq!(run("object ls O --names"), "empty\n");
        assert_eq!(run("object ls --names"), "O\n");
        run("object rm O --force");
        assert!(refuse("object ls O").contains("O"));
    });
}
