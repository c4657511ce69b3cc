//! Backups: requests and advisories beside nats-server; archives of each server restored in the other by the real command
//! line; archives that are cut, changed or never end.
//! Not here: the bytes of an archive (unit tests of the server).

use crate::client::Message;
use crate::run::check;
use crate::script::Script;
use crate::side::{self, ANSWER, End, Settings, Side};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn verdicts() -> Script {
    let restore = |name: &str, config: Value| {
        (format!("STREAM.RESTORE.{name}"), json!({"config": config, "state": {"messages": 1}}))
    };
    let mut script = Script::new("backups/verdicts")
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": "memory"}))
        .api("STREAM.SNAPSHOT.A", Value::Null)
        .api("STREAM.SNAPSHOT.A", json!({}))
        .api("STREAM.SNAPSHOT.NONE", json!({"deliver_subject": "d"}))
        .api("STREAM.SNAPSHOT.A", json!({"chunk_size": 1024}))
        .api("STREAM.SNAPSHOT.A", json!({"deliver_subject": "d.*"}))
        .api("STREAM.RESTORE.B", Value::Null)
        .api("STREAM.RESTORE.B", json!({}));
    for (subject, body) in [
        restore("B", json!({"name": "C"})),
        restore("A", json!({"name": "A", "subjects": ["a.>"]})),
        restore("B", json!({"name": "B", "subjects": ["a.1"]})),
        restore("B", json!({"name": "B", "subjects": ["..."]})),
        restore("B", json!({"name": "B", "mirror": {"name": "A"}, "subjects": ["b"]})),
    ] {
        script = script.api(subject, body);
    }
    script
}

/// A snapshot that nobody listens to goes its way all the same.
fn advisories() -> Script {
    Script::new("backups/advisories")
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": "memory"}))
        .publish("a.1", "text")
        .listen("$JS.EVENT.ADVISORY.STREAM.*.A")
        .api("STREAM.SNAPSHOT.A", json!({"deliver_subject": "d"}))
        .hear(2)
        .api("STREAM.RESTORE.B", json!({"config": {"name": "B", "subjects": ["b"]}}))
        .only_error()
        .listen("$JS.EVENT.ADVISORY.STREAM.RESTORE_CREATE.C")
        .api("STREAM.RESTORE.C", json!({"config": {"name": "C", "subjects": ["c"]}}))
        .only_error()
        .hear(1)
}

#[test]
fn requests() {
    check(vec![verdicts(), advisories()]);
}

/// A server, and what is asked of it over its own connection.
pub(crate) struct Place {
    side: Side,
}

impl Place {
    pub(crate) fn start(program: PathBuf) -> Self {
        Self { side: Side::start(program) }
    }
    fn request(&mut self, subject: &str, body: &Value) -> Value {
        self.side.request(subject, body)
    }
    pub(crate) fn succeeds(&mut self, subject: &str, body: &Value) -> Value {
        let reply = self.request(subject, body);
        assert!(reply.get("error").is_none(), "{subject}: {reply}");
        reply
    }
    fn publish(&mut self, subject: &str, headers: &[u8], payload: Vec<u8>) {
        let (subject, headers) = (subject.to_owned(), headers.to_vec());
        let message = Message { subject, headers, payload, ..Message::default() };
        let reply = self.side.client.request(message, ANSWER).expect("an acknowledgement");
        let text = String::from_utf8_lossy(&reply.payload).into_owned();
        assert!(text.contains("\"seq\""), "{text}");
    }
    /// What a backup has to bring back: streams and consumers, but for when they were made, and every message.
    pub(crate) fn contents(&mut self) -> Value {
        let mut streams = Vec::new();
        let list = self.succeeds("STREAM.LIST", &Value::Null);
        for listed in list["streams"].as_array().unwrap() {
            let name = listed["config"]["name"].as_str().unwrap();
            let details = json!({"deleted_details": true, "subjects_filter": ">"});
            let info = self.succeeds(&format!("STREAM.INFO.{name}"), &details);
            let last = info["state"]["last_seq"].as_u64().unwrap();
            let get = format!("STREAM.MSG.GET.{name}");
            let messages: Vec<Value> = (1..=last)
                .map(|seq| self.request(&get, &json!({"seq": seq}))["message"].take())
                .collect();
            let consumers = self.succeeds(&format!("CONSUMER.LIST.{name}"), &Value::Null);
            let consumers = consumers["consumers"].as_array().unwrap().iter().map(|each| {
                let pair = |name: &str| json!([each[name]["consumer_seq"], each[name]["stream_seq"]]);
                json!({
                    "config": each["config"], "delivered": pair("delivered"), "floor": pair("ack_floor"),
                    "pending": each["num_ack_pending"], "redelivered": each["num_redelivered"],
                    "left": each["num_pending"],
                })
            });
            let consumers: Vec<Value> = consumers.collect();
            streams.push(json!({
                "config": info["config"], "state": info["state"], "messages": messages,
                "consumers": consumers,
            }));
        }
        let mut contents = json!(streams);
        for stream in contents.as_array_mut().unwrap() {
            // The time of a message that is gone is in no archive.
            stream["state"].as_object_mut().unwrap().remove("last_ts");
            for consumer in stream["consumers"].as_array_mut().unwrap() {
                server_keys(&mut consumer["config"]);
            }
            server_keys(&mut stream["config"]);
        }
        contents
    }
    pub(crate) fn types(&self, program: &Path, home: &Path, words: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(["--server", &self.side.address()]).args(words);
        command.env("XDG_CONFIG_HOME", home).env("HOME", home);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nats {words:?}\n{text}");
        text
    }
    /// Streams of several kinds, with gaps, headers, messages of many sizes, and consumers that are under way.
    pub(crate) fn fill(&mut self) {
        for config in [
            json!({"name": "A", "subjects": ["a.>"]}),
            json!({"name": "M", "subjects": ["m"], "storage": "memory", "max_msgs_per_subject": 5}),
            json!({"name": "E", "subjects": ["e"], "first_seq": 7}),
            json!({"name": "P", "subjects": ["p"]}),
            json!({"name": "T", "subjects": ["t"], "allow_msg_ttl": true}),
            json!({"name": "W", "subjects": ["w.>"], "retention": "workqueue"}),
        ] {
            let name = config["name"].as_str().unwrap().to_owned();
            self.succeeds(&format!("STREAM.CREATE.{name}"), &config);
        }
        // It begins where the stream does, however much comes before it first delivers.
        let early =
            json!({"durable_name": "EARLY", "ack_policy": "explicit", "deliver_policy": "new"});
        let early = json!({"stream_name": "A", "config": early});
        self.succeeds("CONSUMER.DURABLE.CREATE.A.EARLY", &early);
        for number in 0..300_u32 {
            let text = random(number, usize::try_from(number * number / 3).unwrap());
            self.publish(&format!("a.{}", number % 7), b"NATS/1.0\r\nK: v\r\n\r\n", text);
        }
        for number in 0..9 {
            self.publish("m", b"", random(number, 10));
            self.publish("p", b"", Vec::new());
            self.publish("t", b"NATS/1.0\r\nNats-TTL: 1h\r\n\r\n", b"for an hour".to_vec());
            self.publish(&format!("w.{number}"), b"", b"work".to_vec());
        }
        for seq in [3, 4, 50, 51, 52, 300] {
            self.succeeds("STREAM.MSG.DELETE.A", &json!({"seq": seq}));
        }
        self.succeeds("STREAM.PURGE.P", &Value::Null);
        for (stream, config) in [
            ("A", json!({"durable_name": "C", "ack_policy": "explicit", "filter_subject": "a.3"})),
            ("A", json!({"durable_name": "N", "ack_policy": "none", "deliver_policy": "new"})),
            (
                "A",
                json!({"durable_name": "S", "deliver_policy": "by_start_sequence", "opt_start_seq": 200}),
            ),
            (
                "A",
                json!({"durable_name": "L", "deliver_policy": "last_per_subject", "filter_subject": "a.*"}),
            ),
            ("W", json!({"durable_name": "C", "ack_policy": "explicit"})),
        ] {
            let subject = format!(
                "CONSUMER.DURABLE.CREATE.{stream}.{}",
                config["durable_name"].as_str().unwrap()
            );
            self.succeeds(&subject, &json!({"stream_name": stream, "config": config}));
        }
        for stream in ["A", "W"] {
            let inbox = format!("pulled.{stream}");
            self.side.client.subscribe(&inbox).unwrap();
            let mut replies = Vec::new();
            for _ in 0..4 {
                let (subject, reply) =
                    (format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.C"), inbox.clone());
                let message = Message { subject, reply, ..Message::default() };
                self.side.client.publish(&message).unwrap();
                replies.push(self.side.client.hear(ANSWER).expect("a message").reply);
            }
            for (at, answer) in [(0, "+ACK"), (2, "+ACK"), (1, "-NAK {\"delay\": 900000000000}")] {
                let (subject, payload) = (replies[at].clone(), answer.as_bytes().to_vec());
                let message = Message { subject, payload, ..Message::default() };
                if answer == "+ACK" {
                    self.side.client.request(message, ANSWER).expect("a confirmation");
                } else {
                    self.side.client.publish(&message).unwrap();
                }
            }
        }
    }
}

/// What a server adds by itself is its own.
fn server_keys(config: &mut Value) {
    for key in ["_nats.ver", "_nats.level"] {
        config["metadata"].as_object_mut().unwrap().remove(key);
    }
}

/// Bytes that no compression makes shorter.
fn random(seed: u32, bytes: usize) -> Vec<u8> {
    let mut state = u64::from(seed) * 2 + 0x9e37_79b9_7f4a_7c15;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// An account of `from`, backed up and restored in `to` by the command line, is the same there; and so back in `from`.
fn there_and_back(from: PathBuf, to: PathBuf) {
    let Some(program) = side::find("nats", "HEADWATER_NATS_CLI") else {
        eprintln!("skipped: no nats command line (HEADWATER_NATS_CLI names it)");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let (one, other) = (home.join("one"), home.join("other"));
    let (one, other) = (one.to_str().unwrap(), other.to_str().unwrap());
    let (mut from, mut to) = (Place::start(from), Place::start(to));
    from.fill();
    let expected = from.contents();
    from.types(&program, home, &["backup", "account", "--force", "--consumers", one]);
    to.types(&program, home, &["backup", "restore", "account", one]);
    equal(&to.contents(), &expected);
    // What was restored is durable.
    to.side.restart(End::Kill);
    let mut kept = expected.clone();
    kept.as_array_mut().unwrap().retain(|stream| stream["config"]["storage"] == "file");
    equal(&to.contents(), &kept);
    to.types(&program, home, &["backup", "account", "--force", "--consumers", other]);
    let mut fresh = Place::start(from.side.program().to_path_buf());
    fresh.types(&program, home, &["backup", "restore", "account", other]);
    equal(&fresh.contents(), &kept);
}

pub(crate) fn equal(found: &Value, expected: &Value) {
    let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let name = &expected["config"]["name"];
        for key in ["config", "state", "consumers", "messages"] {
            assert_eq!(found[key], expected[key], "{key} of {name}");
        }
    }
}

#[test]
fn archives_of_nats_server_are_restored() {
    let Some(peer) = side::nats_server() else { return };
    there_and_back(peer, side::headwater());
}

#[test]
fn archives_are_restored_by_nats_server() {
    let Some(peer) = side::nats_server() else { return };
    there_and_back(side::headwater(), peer);
}

impl Place {
    /// Takes a snapshot as a client does: pieces are answered, and an empty message ends it.
    fn snapshot(&mut self, stream: &str) -> Vec<u8> {
        self.side.client.subscribe("pieces").unwrap();
        let request =
            json!({"deliver_subject": "pieces", "chunk_size": 4096, "window_size": 16384});
        self.succeeds(&format!("STREAM.SNAPSHOT.{stream}"), &request);
        let mut archive = Vec::new();
        loop {
            let piece = self.side.client.hear(ANSWER).expect("a piece");
            if piece.payload.is_empty() {
                let status = String::from_utf8_lossy(&piece.headers).into_owned();
                // One piece that is not full ends without a status.
                assert!(status.is_empty() || status.starts_with("NATS/1.0 204"), "{status}");
                return archive;
            }
            archive.extend_from_slice(&piece.payload);
            if !piece.reply.is_empty() {
                let message = Message { subject: piece.reply, ..Message::default() };
                self.side.client.publish(&message).unwrap();
            }
        }
    }
    /// Sends pieces of an archive; gives the first answer that is not empty.
    fn send(&mut self, to: &str, archive: &[u8]) -> Option<Value> {
        for piece in archive.chunks(100_000) {
            let (subject, payload) = (to.to_owned(), piece.to_vec());
            let message = Message { subject, payload, ..Message::default() };
            let answer = self.side.client.request(message, ANSWER).expect("an answer");
            if !answer.payload.is_empty() {
                return Some(serde_json::from_slice(&answer.payload).unwrap());
            }
        }
        None
    }
    fn begin(&mut self, config: &Value) -> String {
        let subject = format!("STREAM.RESTORE.{}", config["name"].as_str().unwrap());
        let reply = self.succeeds(&subject, &json!({"config": config}));
        reply["deliver_subject"].as_str().unwrap().to_owned()
    }
    /// Restores an archive to its end; gives the answer.
    fn restore(&mut self, config: &Value, archive: &[u8]) -> Value {
        let to = self.begin(config);
        self.send(&to, archive).unwrap_or_else(|| {
            let message = Message { subject: to, ..Message::default() };
            let answer = self.side.client.request(message, ANSWER).expect("an answer");
            serde_json::from_slice(&answer.payload).unwrap()
        })
    }
    fn is_gone(&mut self) {
        let info = self.request("STREAM.INFO.A", &Value::Null);
        assert_eq!(info["error"]["err_code"], 10059, "{info}");
    }
}

/// A server that has a stream with a consumer no more, and the archive of it.
fn archived() -> (Place, Vec<u8>, Value) {
    let mut place = Place::start(side::headwater());
    let config = json!({"name": "A", "subjects": ["a.>"]});
    place.succeeds("STREAM.CREATE.A", &config);
    for number in 0..60 {
        place.publish("a.1", b"", random(number, 20_000));
    }
    let consumer = json!({"durable_name": "C", "ack_policy": "explicit"});
    let create = json!({"stream_name": "A", "config": consumer});
    place.succeeds("CONSUMER.DURABLE.CREATE.A.C", &create);
    let archive = place.snapshot("A");
    place.succeeds("STREAM.DELETE.A", &Value::Null);
    (place, archive, config)
}

/// Whatever is wrong with an archive, nothing of it stays, and the name is free for the next one.
#[test]
fn archives_that_are_not_whole_leave_nothing() {
    let (mut place, archive, config) = archived();
    let mut changed = archive.clone();
    changed[archive.len() / 2] ^= 1;
    for (what, archive) in [
        ("nothing", &[][..]),
        ("no archive", &b"some text that is no archive at all"[..]),
        ("cut", &archive[..archive.len() - 40_000]),
        ("cut behind the start", &archive[..300_000]),
        ("changed", &changed),
    ] {
        let reply = place.restore(&config, archive);
        assert_eq!(reply["error"]["err_code"], 10062, "{what}: {reply}");
        place.is_gone();
    }
    // Limits of the stream that is asked for hold.
    let small = json!({"name": "A", "subjects": ["a.>"], "max_msg_size": 19_999});
    let reply = place.restore(&small, &archive);
    assert_eq!(reply["error"]["err_code"], 10062, "{reply}");
    let few = json!({"name": "A", "subjects": ["a.>"], "max_msgs": 5, "sealed": true});
    let reply = place.restore(&few, &archive);
    assert_eq!(
        (&reply["state"]["messages"], &reply["state"]["first_seq"]),
        (&json!(5), &json!(56))
    );
    let again = place.request("STREAM.RESTORE.A", &json!({"config": config}));
    assert_eq!(again["error"]["err_code"], 10130, "{again}");
}

/// A crash in the middle of a restore leaves nothing, and the name is free.
#[test]
fn a_crash_in_the_middle_leaves_nothing() {
    let (mut place, archive, config) = archived();
    let to = place.begin(&config);
    assert_eq!(place.send(&to, &archive[..archive.len() - 100_000]), None);
    place.is_gone();
    let taken = place.request("STREAM.CREATE.A", &config);
    assert_eq!(taken["error"]["err_code"], 10058, "the name is taken: {taken}");
    place.side.restart(End::Kill);
    place.is_gone();
    let reply = place.restore(&config, &archive);
    assert_eq!(reply["state"]["messages"], 60, "{reply}");
    place.side.restart(End::Kill);
    let info = place.succeeds("STREAM.INFO.A", &Value::Null);
    assert_eq!(
        (&info["state"]["messages"], &info["state"]["consumer_count"]),
        (&json!(60), &json!(1))
    );
}

/// A message whose time is over when it is restored goes at once; its sequence is not given out again.
#[test]
fn what_is_over_is_not_restored() {
    let mut place = Place::start(side::headwater());
    let config = json!({"name": "A", "subjects": ["a"], "allow_msg_ttl": true});
    place.succeeds("STREAM.CREATE.A", &config);
    place.publish("a", b"NATS/1.0\r\nNats-TTL: 1\r\n\r\n", b"for a second".to_vec());
    place.publish("a", b"NATS/1.0\r\nNats-TTL: 1h\r\n\r\n", b"for an hour".to_vec());
    place.publish("a", b"NATS/1.0\r\nNats-TTL: 1\r\n\r\n", b"for a second".to_vec());
    let archive = place.snapshot("A");
    place.succeeds("STREAM.DELETE.A", &Value::Null);
    std::thread::sleep(Duration::from_millis(1100));
    place.restore(&config, &archive);
    let started = Instant::now();
    loop {
        let info = place.succeeds("STREAM.INFO.A", &Value::Null);
        let state = &info["state"];
        if (&state["messages"], &state["last_seq"]) == (&json!(1), &json!(3)) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{info}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A schedule is one where it is restored too, and a key that was purged is gone after its time.
#[test]
fn schedules_and_markers_are_restored() {
    let mut place = Place::start(side::headwater());
    let schedules = json!({"name": "A", "subjects": ["a.>"], "allow_msg_schedules": true, "allow_rollup_hdrs": true});
    let marked = json!({"name": "K", "subjects": ["k.>"], "max_age": 2_000_000_000_u64, "allow_rollup_hdrs": true,
        "allow_msg_ttl": true, "subject_delete_marker_ttl": 1_000_000_000});
    let headers = b"NATS/1.0\r\nNats-Schedule: @every 1s\r\nNats-Schedule-Target: a.to\r\n\r\n";
    place.succeeds("STREAM.CREATE.A", &schedules);
    place.succeeds("STREAM.CREATE.K", &marked);
    place.publish("a.s", headers, b"text".to_vec());
    place.publish("k.1", b"NATS/1.0\r\nKV-Operation: PURGE\r\n\r\n", Vec::new());
    place.publish("k.2", b"", b"value".to_vec());
    for config in [&schedules, &marked] {
        let name = config["name"].as_str().unwrap();
        let archive = place.snapshot(name);
        place.succeeds(&format!("STREAM.DELETE.{name}"), &Value::Null);
        place.restore(config, &archive);
    }
    let started = Instant::now();
    let mut wait = |subject: &str, body: Value, done: &dyn Fn(&Value) -> bool| loop {
        let reply = place.request(subject, &body);
        if done(&reply) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(15), "{subject}: {reply}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let last = json!({"last_by_subj": "a.to"});
    wait("STREAM.MSG.GET.A", last, &|reply| reply["message"]["seq"].as_u64() > Some(2));
    // Nothing comes for the marker; what is put for the value goes too.
    wait("STREAM.INFO.K", Value::Null, &|info| {
        (&info["state"]["messages"], &info["state"]["last_seq"]) == (&json!(0), &json!(3))
    });
}

/// Restores that are under way at one time share what their account may hold.
#[test]
fn restores_share_the_room_of_their_account() {
    let settings = Settings { max_file: "2MB", ..Settings::default() };
    let (mut other, archive, config) = archived();
    let mut place = Place { side: Side::start_with(side::headwater(), settings) };
    let first = place.begin(&config);
    let (begin, rest) = archive.split_at(archive.len() - 100_000);
    assert_eq!(place.send(&first, begin), None);
    let second = json!({"name": "B", "subjects": ["b.>"]});
    let refused = place.restore(&second, &archive);
    assert_eq!(refused["error"]["err_code"], 10047, "{refused}");
    assert_eq!(place.send(&first, rest), None);
    let message = Message { subject: first, ..Message::default() };
    let answer = place.side.client.request(message, ANSWER).expect("an answer");
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(answer["state"]["messages"], 60, "{answer}");
    place.succeeds("STREAM.DELETE.A", &Value::Null);
    place.restore(&second, &archive);
    place.succeeds("STREAM.INFO.B", &Value::Null);
    other.is_gone();
}

/// An archive that no longer comes is given up.
#[test]
fn a_restore_that_stalls_leaves_nothing() {
    let (mut place, archive, config) = archived();
    let to = place.begin(&config);
    assert_eq!(place.send(&to, &archive[..500_000]), None);
    let started = Instant::now();
    loop {
        let reply = place.request("STREAM.CREATE.A", &config);
        if reply.get("error").is_none() {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{reply}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
