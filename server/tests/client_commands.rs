//! The client commands as processes, against nats-server where it is found and against this program's own server.
//! Not here: what is printed to the letter (unit tests of `cli`), questions on a terminal (`cli::stream::prompts`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/commands.rs"]
mod commands;

use commands::{HEADWATER, Server, against_both, wait};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

impl Server {
    /// The four streams of the walkthrough.
    fn set_up(&self) {
        for line in [
            "stream add ORDERS --subjects ORDERS.* --storage memory --defaults",
            "s add RETURNS --subjects RETURNS.* --storage memory --defaults",
            "str add ARCHIVE --source ORDERS --source RETURNS --defaults",
            "stream add REPORT --mirror ARCHIVE --defaults",
        ] {
            let words: Vec<_> = line.split(' ').collect();
            let said = self.run(&words);
            let name = words[2];
            for expected in [
                &format!("Stream {name} was created\n"),
                &format!("Information for Stream {name} created "),
                "State:\n\n             Messages: 0\n",
            ] {
                assert!(said.contains(expected), "{expected:?} in {said}");
            }
        }
    }

    fn wait_for_messages(&self, name: &str, count: u64) {
        wait(name, || (self.info(name)["state"]["messages"] == count).then_some(()));
    }
}

#[test]
fn the_walkthrough() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        assert!(server.run(&["stream", "report"]).contains("No Streams defined"));
        assert_eq!(server.run(&["stream", "ls"]), "No Streams defined\n");
        server.set_up();
        assert_eq!(server.run(&["s", "ls", "-n"]), "ARCHIVE\nORDERS\nREPORT\nRETURNS\n");
        let said = server.run(&["req", "ORDERS.new", "ORDER {{Count}}", "--count", "100"]);
        assert_eq!(said.matches("\"stream\":\"ORDERS\"").count(), 100, "{said}");
        server.run(&["request", "RETURNS.new", "RETURN {{Count}}", "--count", "100"]);
        server.wait_for_messages("REPORT", 200);

        let report = server.run(&["s", "report", "--dot", "a.dot", "--svg", "a.svg"]);
        for expected in [
            "| Stream  | Storage | Replication | Consumers | Messages | Bytes   | Lost | Deleted | Cluster |\n",
            "| ORDERS  | Memory  |             | 0         | 100      | 3.3 KiB | 0    | 0       |         |\n",
            "| RETURNS | Memory  |             | 0         | 100      | 3.5 KiB | 0    | 0       |         |\n",
            "| ARCHIVE | File    | Sourced     | 0         | 200      |",
            "| REPORT  | File    | Mirror      | 0         | 200      |",
            "| Stream  | Kind   | Source Stream | Active ",
            "| ARCHIVE | Source | ORDERS        | ",
            "| ARCHIVE | Source | RETURNS       | ",
            "| REPORT  | Mirror | ARCHIVE       | ",
        ] {
            assert!(report.contains(expected), "{expected:?} in {report}");
        }
        let read = |name: &str| std::fs::read_to_string(server.folder.path().join(name)).unwrap();
        let dot = read("a.dot");
        let edges: Vec<_> = dot.lines().filter(|line| line.contains("->")).collect();
        assert_eq!(
            edges,
            [
                "\tn2->n1[color=\"green\"];",
                "\tn3->n1[color=\"green\"];",
                "\tn1->n4[color=\"blue\",label=\"Mirror\"];",
            ]
        );
        assert!(read("a.svg").contains(">RETURNS<"));
        let info = server.run(&["s", "info", "ARCHIVE"]);
        for expected in [
            "              Sources: ORDERS\n                       RETURNS\n",
            "          Stream Name: RETURNS\n                  Lag: 0\n            Last Seen: ",
            "             Messages: 200\n",
        ] {
            assert!(info.contains(expected), "{expected:?} in {info}");
        }
    });
}

#[test]
fn messages_of_a_stream() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.set_up();
        let header = ["--header", "A: b"];
        server.run(&[&["req", "ORDERS.new", "first"], header.as_slice()].concat());
        server.run(&["req", "ORDERS.old", "second {{Count}}", "--count", "2"]);
        server.wait_for_messages("REPORT", 3);
        let said = server.run(&["s", "get", "ORDERS", "1"]);
        assert!(said.starts_with("Item: ORDERS#1 received 20"), "{said}");
        assert!(said.ends_with(" on Subject ORDERS.new\n\nHeaders:\n  A: b\n\nfirst\n"), "{said}");
        let said = server.run(&["s", "get", "ORDERS", "--last", "ORDERS.old"]);
        assert!(said.ends_with(" on Subject ORDERS.old\n\nsecond 2\n"), "{said}");
        let said = server.run(&["s", "get", "REPORT", "1"]);
        assert!(said.contains("  Nats-Stream-Source: ORDERS 1 > > ORDERS.new "), "{said}");
        let said = server.fail(&["s", "get", "ORDERS", "9"]);
        assert_eq!(
            said,
            "headwater: error: could not retrieve the message: no message found (10037)\n"
        );

        let said = server.run(&["s", "purge", "ORDERS", "--subject", "ORDERS.new", "-f"]);
        assert!(said.starts_with("Purged 1 messages from ORDERS\n\nState:\n"), "{said}");
        let said = server.run(&["s", "purge", "ORDERS", "--keep", "1", "-f"]);
        assert!(said.contains("FirstSeq: 3 @ 20"), "{said}");
        let said = server.fail(&["s", "purge", "ORDERS"]);
        assert!(said.contains("cannot ask for confirmation without a terminal"), "{said}");
        assert_eq!(server.info("ORDERS")["state"]["messages"], 1);
        assert_eq!(server.run(&["s", "rm", "ORDERS", "-f"]), "");
        let said = server.fail(&["s", "info", "ORDERS"]);
        assert!(said.ends_with(": stream not found (10059)\n"), "{said}");
    });
}

#[test]
fn changes() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        let limits = ["--max-msgs", "10", "--max-age", "1h", "--max-bytes", "1MiB"];
        let add = ["stream", "add", "A", "--subjects", "a,b", "--subjects", "c", "--json"];
        let made: Value =
            serde_json::from_str(&server.run(&[&add, limits.as_slice()].concat())).unwrap();
        let config = &made["config"];
        assert_eq!(config["subjects"], serde_json::json!(["a", "b", "c"]));
        assert_eq!(config["max_bytes"], 1 << 20);
        assert_eq!(config["max_age"], 3_600_000_000_000_u64);

        let edit = ["s", "edit", "A", "--max-msgs", "20", "--deny-delete"];
        let said = server.fail(&edit);
        assert!(said.contains("cannot ask for confirmation without a terminal"), "{said}");
        let said = server.run(&[&edit, ["--dry-run"].as_slice()].concat());
        let expected =
            "- deny_delete: false\n+ deny_delete: true\n- max_msgs: 10\n+ max_msgs: 20\n";
        assert!(said.contains(expected), "{said}");
        assert_eq!(server.info("A")["config"]["max_msgs"], 10);
        let said = server.run(&[&edit, ["-f"].as_slice()].concat());
        assert!(said.contains("Stream A was updated\n"), "{said}");
        let config = &server.info("A")["config"];
        assert_eq!((&config["max_msgs"], &config["deny_delete"]), (&20.into(), &true.into()));
        assert_eq!(config["max_age"], 3_600_000_000_000_u64);
        assert_eq!(server.run(&edit), "No difference in configuration\n");
    });
}

#[test]
fn mistakes() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        for (line, expected) in [
            (
                &["s", "add", "A", "--source", "A", "--defaults"][..],
                "could not create Stream: detected cycle (10052)",
            ),
            (
                &["s", "add", "A", "--mirror", "B", "--subjects", "b"],
                "mirrors cannot listen for messages on subjects",
            ),
            (&["s", "add", "A"], "a stream needs --subjects"),
            (&["s", "add", "A.B", "--defaults"], "invalid value 'A.B'"),
            (&["s", "add", "A", "--subjects", "a", "--max-age", "x"], "\"x\" is not a duration"),
            (&["s", "info"], "the following required arguments were not provided"),
            (&["s", "rm", "A"], "cannot ask for confirmation without a terminal"),
            (&["s", "rm", "A", "-f"], "could not remove Stream: stream not found (10059)"),
            (&["req", "nobody", "x"], "No responders are available"),
            (&["pub", "a", "{{Foo}}"], "{{Foo}} is unknown"),
            (&["pub", "a..b", "x"], "\"a..b\" is no subject to send to"),
            (&["pub", "a.*", "x"], "\"a.*\" is no subject to send to"),
            (&["pub", "a.{{Count}}.>", "x"], "\"a.1.>\" is no subject to send to"),
            (&["req", "", "x"], "\"\" is no subject to send to"),
            (&["pub", "a", "b", "-H", "c"], "a header is written as 'Name: value'"),
            (&["nothing"], "unrecognized subcommand 'nothing'"),
        ] {
            let said = server.fail(line);
            let first = said.lines().find(|line| line.starts_with("headwater: error: "));
            assert!(first.is_some_and(|line| line.contains(expected)), "{line:?}: {said}");
        }
        let said = server.fail(&["-s", "nats://127.0.0.1:1", "s", "ls"]);
        assert!(
            said.starts_with("headwater: error: could not connect to nats://127.0.0.1:1: "),
            "{said}"
        );
    });
}

#[test]
fn passwords() {
    against_both(|program| {
        let server = Server::start(program, &["--user", "me", "--pass", "secret"]);
        let said = server.fail(&["s", "ls"]);
        assert!(said.contains("authorization violation"), "{said}");
        let said = server.fail(&["--user", "me", "--password", "other", "s", "ls"]);
        assert!(said.contains("authorization violation") && !said.contains("other"), "{said}");
        let good = ["s", "ls", "--user", "me", "--password", "secret"];
        assert_eq!(server.run(&good), "No Streams defined\n");
        let with = |login: &str| server.url.replace("//", &format!("//{login}@"));
        let url = with("me:s%65cret");
        assert_eq!(server.run(&["s", "ls", "-s", &url]), "No Streams defined\n");
        let mut command = server.command(&["s", "ls"]);
        assert!(command.env("NATS_URL", &url).status().unwrap().success());
        let bench = ["bench", "publish", "--count", "1", "-s", &url];
        server.run(&bench);
        let said = server.fail(&["s", "ls", "-s", &with("me:0ther")]);
        assert!(said.contains("authorization violation") && !said.contains("0ther"), "{said}");
        // The flags come first.
        server.run(&[&good[..], &["-s", &with("me:0ther")]].concat());
        let two = format!("{url},{}", with("you:s"));
        assert!(server.fail(&["s", "ls", "-s", &two]).contains("must name the same user"));
        for words in [&["s", "ls", "-s", &url][..], &bench] {
            let said = server.fail(&[words, &["--password", "secret"]].concat());
            assert!(said.contains("of no use without --user"), "{said}");
        }
    });
}

#[test]
fn publishing_and_listening() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        let mut listener = server.command(&["sub", "foo.>", "--count", "3"]);
        let mut listener = listener.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut notes = BufReader::new(listener.stderr.take().unwrap());
        let mut note = String::new();
        notes.read_line(&mut note).unwrap();
        assert!(note.contains("Subscribing on foo.>"), "{note}");
        server.run(&["pub", "foo.a", "body {{Count}}", "-H", "A: b", "--count", "2"]);
        let said = server.fail(&["req", "foo.b", "hello", "--timeout", "50ms"]);
        assert!(said.contains("no answer within 50ms"), "{said}");
        assert!(said.ends_with("headwater: error: 1 of 1 requests were not answered\n"), "{said}");
        let output = listener.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let heard = String::from_utf8(output.stdout).unwrap();
        let expected = "\
[#1] Received on \"foo.a\"
A: b

body 1
[#2] Received on \"foo.a\"
A: b

body 2
[#3] Received on \"foo.b\" with reply \"_INBOX.";
        assert!(heard.starts_with(expected), "{heard}");
        assert!(heard.ends_with("\"\nhello\n"), "{heard}");
    });
}

#[test]
fn the_demo() {
    against_both(|program| {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("temporary");
        std::fs::create_dir(&temporary).unwrap();
        let output = Command::new(HEADWATER)
            .args(["demo", "--server-program"])
            .arg(program)
            .current_dir(folder.path())
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        for expected in [
            "| REPORT  | 200       | 200   | 0       | 0     | 0     |\n",
            "|                    After the crash                    |\n",
            "\nAll of it holds. It took ",
        ] {
            assert!(said.contains(expected), "{expected:?} in {said}");
        }
        let picture = std::fs::read_to_string(folder.path().join("replication.svg")).unwrap();
        assert!(picture.contains(">ARCHIVE<"), "{picture}");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "its data is removed");
    });
}
