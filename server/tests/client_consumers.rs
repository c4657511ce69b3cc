//! The commands on consumers, events, accounts and checks as processes, against nats-server where it is found and against
//! this program's own server.
//! Not here: what is printed to the letter (unit tests of `cli`), streams (`client_commands`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/commands.rs"]
mod commands;

use commands::{Server, against_both};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

impl Server {
    fn do_it(&self, line: &str) -> String {
        self.run(&words(line))
    }

    fn refuse(&self, line: &str) -> String {
        self.fail(&words(line))
    }

    fn consumer(&self, name: &str) -> Value {
        let answer = self.run(&["consumer", "info", "T", name, "--json"]);
        serde_json::from_str(&answer).unwrap()
    }

    /// A stream of so many messages.
    fn fill(&self, count: u64) {
        self.do_it("stream add T --subjects T.> --defaults");
        self.run(&["pub", "T.a", "m {{Count}}", "--count", &count.to_string()]);
    }

    /// A command that runs on, and has said on standard error that it is ready.
    fn follow(&self, line: &str) -> Child {
        let mut command = self.command(&words(line));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut note = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut note).unwrap();
        assert!(note.contains("Subscribing") || note.contains("Listening"), "{note}");
        child
    }

    /// A check, with its exit status.
    fn check(&self, line: &str) -> (i32, String) {
        let line = format!("server check {line}");
        let output = self.output(&words(&line));
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }
}

/// What a command prints until it ends well.
fn finish(mut child: Child) -> String {
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

#[test]
fn consumers_come_and_go() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill(3);
        assert_eq!(server.do_it("consumer ls T"), "No Consumers defined\n");
        let said = server.do_it("consumer add T P --pull --filter T.a --wait 5s --defaults");
        for expected in [
            "Consumer T > P was created\n",
            "Filter Subject: T.a\n",
            "Ack Wait: 5.00s\n",
            "Unprocessed Messages: 3\n",
        ] {
            assert!(said.contains(expected), "{expected:?} in {said}");
        }
        let line = "c add T U --target out --deliver 2 --filter T.a,T.b --heartbeat 1s --flow-control \
                    --ack all --max-deliver 5 --backoff 1s,2s --max-pending 7 --defaults";
        server.do_it(line);
        let config = &server.consumer("U")["config"];
        for (field, expected) in [
            ("deliver_subject", Value::from("out")),
            ("opt_start_seq", 2.into()),
            ("filter_subjects", vec!["T.a", "T.b"].into()),
            ("idle_heartbeat", 1_000_000_000_i64.into()),
            ("flow_control", true.into()),
            ("ack_policy", "all".into()),
            ("backoff", vec![1_000_000_000_i64, 2_000_000_000].into()),
            ("max_ack_pending", 7.into()),
            ("durable_name", "U".into()),
        ] {
            assert_eq!(config[field], expected, "{field}");
        }
        let said = server.do_it("c add T --ephemeral --inactive-threshold 1h --json --defaults");
        let ephemeral: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(ephemeral["config"]["durable_name"], Value::Null, "{said}");
        assert_eq!(server.do_it("c ls T -n").lines().count(), 3);
        let said = server.refuse("c add T P --pull --ack none --defaults");
        assert!(said.contains("could not create Consumer: consumer already exists"), "{said}");
        let said = server.refuse("c add T --defaults");
        assert!(said.contains("a consumer needs a name, unless it is --ephemeral"), "{said}");
        assert!(server.refuse("c rm T P").contains("--force does it without"));
        server.do_it("c rm T P --force");
        assert!(server.refuse("c info T P").contains("consumer not found (10014)"));
    });
}

#[test]
fn configurations_come_from_files_and_flags() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill(1);
        let said =
            server.do_it("c add T P --pull --sample 25 --metadata a=b --metadata c=d=e --defaults");
        assert!(said.contains("Sampling Rate: 25\n"), "{said}");
        assert!(said.contains("a: b\n") && said.contains("c: d=e\n"), "{said}");
        let config = &server.consumer("P")["config"];
        assert_eq!(config["sample_freq"], "25");
        assert_eq!(
            (&config["metadata"]["a"], &config["metadata"]["c"]),
            (&"b".into(), &"d=e".into())
        );
        let write = |name: &str, text: &str| {
            std::fs::write(server.folder.path().join(name), text).unwrap();
        };
        write(
            "c.json",
            r#"{"durable_name": "F", "ack_policy": "all", "filter_subject": "T.a",
                "max_deliver": 4, "sample_freq": "7%", "metadata": {"k": "v"}}"#,
        );
        server.do_it("c add T --config c.json");
        server.do_it("c add T G --config c.json");
        for name in ["F", "G"] {
            let config = &server.consumer(name)["config"];
            for (field, expected) in [
                ("durable_name", Value::from(name)),
                ("ack_policy", "all".into()),
                ("filter_subject", "T.a".into()),
                ("max_deliver", 4.into()),
                ("sample_freq", "7%".into()),
            ] {
                assert_eq!(config[field], expected, "{field} of {name}");
            }
            assert_eq!(config["metadata"]["k"], "v", "{name}");
        }
        // What is shown can be made again.
        write("shown.json", &server.do_it("c info T P --json"));
        server.do_it("c add T Q --config shown.json");
        assert_eq!(server.consumer("Q")["config"]["metadata"], config["metadata"]);
        write("list.json", "[1]");
        for (line, expected) in [
            ("c add T --config c.json --ack none", "flags for parts of it"),
            ("c add T --config c.json --sample 0", "flags for parts of it"),
            ("c add T --config c.json --ephemeral", "cannot be used with"),
            ("c add T --config list.json", "list.json is no configuration"),
            ("c add T --config absent.json", "absent.json"),
            ("c add T X --sample 101 --defaults", "101"),
            ("c add T X --metadata a --defaults", "no KEY=VALUE"),
        ] {
            let said = server.refuse(line);
            assert!(said.contains(expected), "{line}: {said}");
        }
    });
}

#[test]
fn messages_are_fetched() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill(4);
        server.do_it("c add T P --pull --defaults");
        let said = server.do_it("c next T P --count 2");
        let first = "[#1] Received on \"T.a\" with reply \"$JS.ACK.T.P.1.1.1.";
        assert!(said.starts_with(first) && said.ends_with("\nm 2\n"), "{said}");
        assert_eq!(server.consumer("P")["ack_floor"]["stream_seq"], 2);
        assert_eq!(server.do_it("c next T P --no-ack --raw"), "m 3\n");
        assert_eq!(server.consumer("P")["num_ack_pending"], 1);
        let output = server.output(&words("c next T P --count 5 --wait 200ms --raw"));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, b"m 4\n");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("4 of 5 messages did not come within 200ms"), "{said}");
        let said = server.refuse("c next T P --wait 0s");
        assert!(said.contains("1 of 1 messages are not there"), "{said}");
        server.do_it("c add T U --target out --defaults");
        assert!(server.refuse("c next T U").contains("`consumer sub` prints them"));
        server.do_it("c add T N --ack none --defaults");
        assert_eq!(server.do_it("c next T N --count 4 --raw"), "m 1\nm 2\nm 3\nm 4\n");
        server.do_it("c add T B --max-pull-batch 1 --defaults");
        let said = server.refuse("c next T B --count 2");
        assert!(
            said.contains("could not fetch messages: Exceeded MaxRequestBatch of 1 (409)"),
            "{said}"
        );
    });
}

#[test]
fn consumers_are_followed() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill(2);
        server.do_it("c add T P --pull --defaults");
        server.do_it(
            "c add T U --target out --heartbeat 100ms --flow-control --ack explicit --defaults",
        );
        for name in ["P", "U"] {
            let follower = server.follow(&format!("c sub T {name} --count 3 --raw"));
            server.do_it("pub T.b late");
            assert_eq!(finish(follower), "m 1\nm 2\nlate\n", "{name}");
            assert_eq!(server.consumer(name)["ack_floor"]["stream_seq"], 3, "{name}");
            server.do_it("stream purge T --seq 4 --force");
            server.do_it("stream rm T --force");
            server.fill(2);
            server.do_it(
                "c add T U --target out --heartbeat 100ms --flow-control --ack explicit --defaults",
            );
        }
    });
}

#[test]
fn pauses() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill(1);
        server.do_it("c add T P --pull --defaults");
        let said = server.do_it("c pause T P 1h --force");
        assert!(said.starts_with("Paused T > P until ") && said.contains("(59m5"), "{said}");
        assert_eq!(server.consumer("P")["paused"], true);
        server.refuse("c next T P --wait 100ms");
        assert!(
            server.do_it("c resume T P --force").contains("was resumed while previously paused")
        );
        assert_eq!(server.do_it("c resume T P"), "Consumer T > P is not paused\n");
        assert_eq!(server.do_it("c next T P --raw"), "m 1\n");
        let said = server.refuse("c pause T P 2020-01-01T00:00:00Z --force");
        assert!(said.contains("could not pause Consumer: the time is in the past"), "{said}");
        let output = server.output(&words("c pause T P soon --force"));
        assert_ne!(output.status.code(), Some(0), "{output:?}");
    });
}

#[test]
fn events_and_accounts() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        let subject = "$JS.EVENT.ADVISORY.STREAM.>,$JS.EVENT.METRIC.>";
        let json = server.follow(&format!("events --json --count 1 --subjects {subject}"));
        let people = server.follow(&format!("events --count 1 --subjects {subject}"));
        server.fill(2);
        let event: Value = serde_json::from_str(&finish(json)).unwrap();
        assert_eq!(event["type"], "io.nats.jetstream.advisory.v1.stream_action");
        let said = finish(people);
        assert!(said.contains("] io.nats.jetstream.advisory.v1.stream_action\n"), "{said}");
        assert!(said.contains("action: create\n") && said.contains("stream: T\n"), "{said}");
        let said = server.do_it("account info");
        for expected in ["Account: $G ($G)\n", "Streams: 1 of unlimited\n", "RTT: "] {
            assert!(said.contains(expected), "{expected:?} in {said}");
        }
        let account: Value = serde_json::from_str(&server.do_it("account info --json")).unwrap();
        assert_eq!(account["jetstream"]["streams"], 1, "{account}");
        assert_eq!(account["user"]["account"], "$G", "{account}");
    });
}

#[test]
fn checks() {
    against_both(|program| {
        let server = Server::start(program, &[]);
        server.fill(3);
        server.do_it("c add T P --pull --defaults");
        for (line, code, expected) in [
            ("connection", 0, "OK Connection OK:connected to nats://127.0.0.1:"),
            ("connection --connect-critical 1ns", 2, "CRITICAL Connection Crit:connected to "),
            ("connection --rtt-warn 1ns", 1, "WARNING Connection Warn:rtt time in "),
            ("stream --stream T", 0, "OK T OK:0 sources | sources=0\n"),
            (
                "stream --stream T --msgs-warn 3 --msgs-critical 2",
                1,
                "WARNING T Warn:3 messages OK:0 sources | messages=3;3;2 sources=0\n",
            ),
            ("stream --stream T --min-sources 1", 2, "CRITICAL T Crit:0 sources | sources=0;1\n"),
            (
                "stream --stream X",
                2,
                "CRITICAL X Crit:could not request Stream information: stream not found (10059)\n",
            ),
            (
                "consumer --stream T --consumer P",
                0,
                "OK T_P | ack_pending=0 pull_waiting=0 pending=3 redelivered=0\n",
            ),
            (
                "consumer --stream T --consumer P --unprocessed-critical 3",
                2,
                "CRITICAL T_P Crit:Unprocessed Messages: 3 | ack_pending=0 pull_waiting=0 pending=3;;3 redelivered=0\n",
            ),
            ("jetstream", 0, "OK JetStream | memory=0B memory_pct=0%;75;90 storage="),
            ("jetstream --mem-warn 9 --mem-critical 8", 3, "UNKNOWN JetStream Unknown:memory: "),
            ("connection -s nats://127.0.0.1:1", 2, "CRITICAL Connection Crit:could not connect "),
            ("connection -s nats://:x:y", 3, "UNKNOWN Connection Unknown:--server "),
            ("stream", 3, ""),
            ("stream --stream T --msgs-warn x", 3, ""),
        ] {
            let (status, said) = server.check(line);
            assert_eq!(status, code, "{line}: {said}");
            assert!(said.starts_with(expected), "{line}: {said}");
        }
    });
}
