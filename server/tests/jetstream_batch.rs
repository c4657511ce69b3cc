//! Batches over a socket, atomic and fast: what is answered to each member, what becomes visible and when, and what is left after
//! a restart. All answers are nats-server's.
//! Not here: verdicts on members one by one (`jetstream::publish::atomic::staging`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use headwater_server::{Options, RunningServer};
use serde_json::{Value, json};
use support::{Wire, options, start};

/// Options with JetStream in this directory.
fn with_jetstream(directory: &tempfile::TempDir) -> Options {
    let mut options = options();
    options.storage.store_dir = Some(directory.path().to_owned());
    options.jetstream_mut();
    options
}

/// A connection that asks, one question at a time.
struct Client {
    wire: Wire,
}

impl Client {
    async fn connect(server: &RunningServer) -> Self {
        let mut wire = Wire::quiet(server).await;
        wire.send("SUB answers 1\r\n").await;
        Self { wire }
    }
    /// The payload of the next message, of whatever subscription.
    async fn answer(&mut self) -> String {
        let line = self.wire.read_line().await;
        let bytes = line.rsplit(' ').next().and_then(|bytes| bytes.parse().ok());
        let bytes: usize = bytes.unwrap_or_else(|| panic!("a message, not {line:?}"));
        let text = self.wire.read_bytes(bytes + 2).await;
        text.trim_end_matches("\r\n").to_owned()
    }
    async fn api(&mut self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let line = format!("PUB $JS.API.{path} answers {}\r\n{body}\r\n", body.len());
        self.wire.send(&line).await;
        serde_json::from_str(&self.answer().await).unwrap()
    }
    async fn publish(&mut self, subject: &str, reply: &str, headers: &str) {
        let block = format!("NATS/1.0\r\n{headers}\r\n");
        let (header, total) = (block.len(), block.len() + 1);
        let line = format!("HPUB {subject} {reply} {header} {total}\r\n{block}x\r\n");
        self.wire.send(&line).await;
    }
    /// Publishes a member of the batch `b`; gives the answer.
    async fn member(&mut self, subject: &str, sequence: u64, more: &str) -> String {
        let headers = format!("Nats-Batch-Id: b\r\nNats-Batch-Sequence: {sequence}\r\n{more}");
        self.publish(subject, "answers", &headers).await;
        self.answer().await
    }
    async fn create(&mut self, more: Value) -> Value {
        let mut config = json!({"name": "S", "subjects": ["s.>"], "allow_atomic": true});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.api("STREAM.CREATE.S", &config).await
    }
    /// How many messages the stream holds.
    async fn messages(&mut self) -> u64 {
        let info = self.api("STREAM.INFO.S", &json!({})).await;
        info["state"]["messages"].as_u64().unwrap()
    }
    async fn subject_at(&mut self, sequence: u64) -> String {
        let found = self.api("STREAM.MSG.GET.S", &json!({"seq": sequence})).await;
        found["message"]["subject"].as_str().unwrap().to_owned()
    }
}

const END: &str = "Nats-Batch-Commit: 1\r\n";

/// Steps of a table: subject, number in the batch, more headers, and the answer: nothing, the sequence and count of a
/// stored batch, or the code of an error.
type Step<'a> = (&'a str, u64, &'a str, Answer);

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Staged,
    Stored(u64, u64),
    Refused(u64),
}
use Answer::{Refused, Staged, Stored};

async fn check(client: &mut Client, config: Value, steps: &[Step<'_>], messages: u64) {
    let created = client.create(config).await;
    assert_eq!(created["error"], Value::Null);
    for step in steps {
        let (subject, sequence, more, expected) = step;
        let answer = client.member(subject, *sequence, more).await;
        let found = match serde_json::from_str::<Value>(&answer) {
            Err(_) if answer.is_empty() => Staged,
            Ok(json) if json["error"] == Value::Null => {
                assert_eq!((&json["stream"], &json["batch"]), (&json!("S"), &json!("b")));
                Stored(json["seq"].as_u64().unwrap(), json["count"].as_u64().unwrap())
            }
            Ok(json) => Refused(json["error"]["err_code"].as_u64().unwrap()),
            Err(_) => panic!("{answer:?}"),
        };
        assert_eq!(found, *expected, "{step:?} of {steps:?}");
    }
    assert_eq!(client.messages().await, messages, "{steps:?}");
    client.api("STREAM.DELETE.S", &json!({})).await;
}

#[tokio::test]
async fn answers() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    let last = |header: &str| format!("{header}\r\n{END}");
    let twice = last("Nats-Msg-Id: m");
    let other_stream = last("Nats-Expected-Stream: T");
    let last_id = last("Nats-Expected-Last-Msg-Id: m");
    let subject_of_batch = last("Nats-Expected-Last-Subject-Sequence: 0");
    let wrong = last("Nats-Expected-Last-Sequence: 7");
    let roll_up = last("Nats-Rollup: sub");
    let tables: &[(Value, &[Step<'_>], u64)] = &[
        (json!({}), &[("s.a", 1, "", Staged), ("s.b", 2, END, Stored(2, 2))], 2),
        (
            json!({}),
            &[("s.a", 1, "", Staged), ("s.b", 2, "Nats-Batch-Commit: eob\r\n", Stored(1, 1))],
            1,
        ),
        (json!({}), &[("s.a", 1, "", Staged), ("s.a", 3, END, Refused(10176))], 0),
        (json!({}), &[("s.a", 1, "Nats-Batch-Commit: 2\r\n", Refused(10200))], 0),
        (json!({"allow_atomic": false}), &[("s.a", 1, END, Refused(10174))], 0),
        (json!({}), &[("s.a", 1, "Nats-Required-Api-Level: 99\r\n", Refused(10185))], 0),
        (
            json!({}),
            &[
                ("s.a", 1, "Nats-Msg-Id: m\r\n", Staged),
                ("s.a", 2, &twice, Refused(10201)),
                ("s.a", 1, &twice, Stored(1, 1)),
                ("s.a", 1, "", Staged),
                ("s.a", 2, &twice, Refused(10201)),
            ],
            1,
        ),
        (json!({}), &[("s.a", 1, "", Staged), ("s.a", 2, &other_stream, Refused(10060))], 0),
        (json!({}), &[("s.a", 1, "", Staged), ("s.a", 2, &last_id, Refused(10177))], 0),
        (json!({}), &[("s.a", 1, "", Staged), ("s.a", 2, &subject_of_batch, Refused(10164))], 0),
        (json!({}), &[("s.a", 1, "", Staged), ("s.b", 2, &subject_of_batch, Stored(2, 2))], 2),
        (json!({}), &[("s.a", 1, &wrong, Refused(10071))], 0),
        (json!({}), &[("s.a", 1, "", Staged), ("s.a", 2, &roll_up, Refused(10111))], 0),
        (
            json!({"allow_rollup_hdrs": true}),
            &[
                ("s.a", 1, END, Stored(1, 1)),
                ("s.a", 1, "", Staged),
                ("s.a", 2, &roll_up, Refused(10111)),
                ("s.b", 1, "", Staged),
                ("s.a", 2, &roll_up, Stored(3, 2)),
            ],
            2,
        ),
        (
            json!({"max_msgs": 2, "discard": "new"}),
            &[
                ("s.a", 1, END, Stored(1, 1)),
                ("s.a", 1, "", Staged),
                ("s.a", 2, END, Refused(10077)),
                ("s.a", 1, END, Stored(2, 1)),
            ],
            2,
        ),
    ];
    for (config, steps, messages) in tables {
        for storage in ["memory", "file"] {
            let mut config = config.clone();
            config["storage"] = storage.into();
            check(&mut client, config, steps, *messages).await;
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn nothing_of_an_open_batch_is_seen_or_kept() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    let created = client.create(json!({})).await;
    assert_eq!(created["config"]["metadata"]["_nats.req.level"], "2");
    assert_eq!(created["config"]["allow_atomic"], true);
    client.member("s.1", 1, "").await;
    client.member("s.2", 2, "").await;
    assert_eq!(client.messages().await, 0);
    client.publish("s.between", "answers", "").await;
    assert_eq!(client.answer().await, r#"{"stream":"S","seq":1}"#);
    let stored = r#"{"stream":"S","seq":4,"batch":"b","count":3}"#;
    assert_eq!(client.member("s.3", 3, END).await, stored);
    client.member("s.lost", 1, "").await;
    server.shutdown().await;

    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.messages().await, 4);
    for (sequence, subject) in [(1, "s.between"), (2, "s.1"), (3, "s.2"), (4, "s.3")] {
        assert_eq!(client.subject_at(sequence).await, subject);
    }
    assert!(client.member("s.lost", 2, END).await.contains("10176"));
    server.shutdown().await;
}

#[tokio::test]
async fn open_batches_go_with_what_allowed_them() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    let config =
        |allow_atomic| json!({"name": "S", "subjects": ["s.>"], "allow_atomic": allow_atomic});
    client.create(json!({})).await;
    client.member("s.1", 1, "").await;
    let updated = client.api("STREAM.UPDATE.S", &config(false)).await;
    assert_eq!(updated["config"]["metadata"]["_nats.req.level"], "0");
    client.api("STREAM.UPDATE.S", &config(true)).await;
    assert!(client.member("s.2", 2, END).await.contains("10176"));

    client.member("s.1", 1, "").await;
    client.api("STREAM.DELETE.S", &json!({})).await;
    client.create(json!({})).await;
    assert!(client.member("s.2", 2, END).await.contains("10176"));
    assert_eq!(client.messages().await, 0);
    server.shutdown().await;
}

#[tokio::test]
async fn listeners_hear_of_abandoned_batches_and_of_republished_ones() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    client.create(json!({"republish": {"src": "s.>", "dest": "again.>"}})).await;
    client.wire.send("SUB $JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S 2\r\n").await;
    client.wire.send("SUB again.> 3\r\n").await;
    client.member("s.1", 1, "").await;
    assert!(client.member("s.1", 1, "").await.contains("10176"));
    let advisory: Value = serde_json::from_str(&client.answer().await).unwrap();
    let kind = "io.nats.jetstream.advisory.v1.stream_batch_abandoned";
    assert_eq!((&advisory["type"], &advisory["stream"]), (&json!(kind), &json!("S")));
    assert_eq!((&advisory["batch"], &advisory["reason"]), (&json!("b"), &json!("incomplete")));

    client.member("s.1", 1, "").await;
    client.member("s.2", 2, END).await;
    for (sequence, last) in [(1, 0), (2, 0)] {
        let again = client.answer().await;
        assert!(again.contains(&format!("Nats-Subject: s.{sequence}\r\n")), "{again}");
        assert!(again.contains(&format!("Nats-Sequence: {sequence}\r\n")), "{again}");
        assert!(again.contains(&format!("Nats-Last-Sequence: {last}\r\n")), "{again}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn fast_batches() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    client.wire.send("SUB flow.> 4\r\n").await;
    let created = client.create(json!({"allow_batched": true, "max_msgs": 5000})).await;
    assert_eq!(created["config"]["metadata"]["_nats.req.level"], "4");
    let reply =
        |sequence: u64, operation: u8| format!("flow.b.100.fail.{sequence}.{operation}.$FI");
    client.publish("s.a", &reply(1, 0), "").await;
    assert_eq!(client.answer().await, r#"{"type":"ack","seq":0,"msgs":100}"#);
    let mut told = 0;
    for sequence in 2..=1000 {
        client.publish("s.a", &reply(sequence, 1), "").await;
        while sequence > told + 500 {
            let answer: Value = serde_json::from_str(&client.answer().await).unwrap();
            assert_eq!((&answer["type"], &answer["msgs"]), (&json!("ack"), &json!(100)));
            told = answer["seq"].as_u64().unwrap();
        }
    }
    client.publish("s.a", &reply(1001, 3), "").await;
    let last = loop {
        let answer = client.answer().await;
        if answer.contains("stream") {
            break answer;
        }
    };
    assert_eq!(last, r#"{"stream":"S","seq":1000,"batch":"b","count":1000}"#);
    assert_eq!(client.messages().await, 1000);

    let failing = "Nats-Expected-Last-Sequence: 7\r\n";
    for (sequence, operation, headers) in [(1, 0, ""), (2, 1, failing), (3, 1, "")] {
        client.publish("s.a", &reply(sequence, operation), headers).await;
    }
    let expected = [
        r#"{"type":"ack","seq":0,"msgs":100}"#,
        r#"{"type":"err","seq":2,"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 1001"}}"#,
        r#"{"stream":"S","seq":1001,"batch":"b","count":1}"#,
    ];
    for expected in expected {
        assert_eq!(client.answer().await, expected);
    }
    server.shutdown().await;
    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.messages().await, 1001);
    server.shutdown().await;
}

#[tokio::test]
async fn members_without_a_reply_are_taken_silently() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(with_jetstream(&directory)).await;
    let mut client = Client::connect(&server).await;
    client.create(json!({})).await;
    let members = 1000;
    for sequence in 1..members {
        let headers = format!("Nats-Batch-Id: b\r\nNats-Batch-Sequence: {sequence}\r\n");
        client.publish("s.a", "", &headers).await;
    }
    let stored = r#"{"stream":"S","seq":1000,"batch":"b","count":1000}"#;
    assert_eq!(client.member("s.a", members, END).await, stored);
    assert_eq!(client.messages().await, members);
    server.shutdown().await;
}
