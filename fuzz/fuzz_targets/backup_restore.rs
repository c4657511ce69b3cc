//! Restoring a stream from an archive that may hold anything: it is refused and leaves nothing, or the stream holds the
//! messages of the archive and serves its consumers. Either way each piece is answered once.
#![no_main]

use bytes::Bytes;
use data_encoding::BASE64;
use headwater_fuzz::{
    archive::{Archive, Item},
    jetstream_server::Server,
    within_memory,
};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MEMORY_MAX: usize = 64 * 1024 * 1024;
const PIECES_MAX: usize = 8;
/// Messages that are asked of a consumer.
const PULLED_MAX: usize = 8;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    has_lifetimes: bool,
    has_schedules: bool,
    is_in_memory: bool,
    is_workqueue: bool,
    /// Bytes instead of an archive.
    raw: Option<&'a [u8]>,
    archive: Archive<'a>,
    piece: u8,
}

impl Input<'_> {
    fn config(&self) -> Value {
        let mut config = json!({"name": "R", "subjects": ["r.>"], "allow_msg_ttl": self.has_lifetimes,
            "storage": if self.is_in_memory { "memory" } else { "file" }});
        if self.has_lifetimes {
            config["subject_delete_marker_ttl"] = 1_000_000_000.into();
            config["allow_rollup_hdrs"] = true.into();
        }
        if self.has_schedules {
            config["allow_msg_schedules"] = true.into();
            config["allow_rollup_hdrs"] = true.into();
        }
        if self.is_workqueue {
            config["retention"] = "workqueue".into();
        }
        config
    }
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn ask(server: &mut Server, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answers = server.ask(&format!("$JS.API.{path}"), Bytes::new(), body.into(), 1);
    let [answer] = &answers[..] else { panic!("{path}: {} answers", answers.len()) };
    value(&answer.payload)
}

/// Sends pieces and the end; gives the answer that is not empty.
fn restore(server: &mut Server, to: &str, bytes: &[u8], pieces: usize) -> Value {
    let size = bytes.len().div_ceil(pieces).max(1);
    for piece in bytes.chunks(size).chain(std::iter::once(&b""[..])) {
        let answers = server.ask_and_wait(to, piece.to_vec().into());
        let [answer] = &answers[..] else { panic!("{to}: {} answers", answers.len()) };
        if !answer.payload.is_empty() {
            return value(&answer.payload);
        }
    }
    panic!("the end has no answer");
}

/// The stream holds what the archive says.
fn holds(server: &mut Server, items: &[Item<'_>], info: &Value, may_lose: bool) {
    let (mut sequence, mut held) = (0, 0);
    for item in items {
        sequence += item.step.value();
        let got = ask(server, "STREAM.MSG.GET.R", &json!({"seq": sequence}));
        let message = &got["message"];
        if message.is_null() {
            assert!(may_lose, "{sequence}: {got}");
            continue;
        }
        held += 1;
        let text = |bytes: &[u8]| match bytes {
            b"" => Value::Null,
            bytes => BASE64.encode(bytes).into(),
        };
        assert_eq!(message["subject"], item.subject());
        assert_eq!(message["data"], text(item.payload), "{sequence}");
        assert_eq!(message["hdrs"], text(item.block().as_bytes()), "{sequence}");
    }
    if !may_lose {
        assert_eq!(info["state"]["messages"], held, "{info}");
    }
}

/// The sequence of a message that was delivered; none for a status.
fn delivered(reply: &[u8]) -> Option<u64> {
    let reply = std::str::from_utf8(reply).ok()?.strip_prefix("$JS.ACK.")?;
    reply.split('.').nth(3)?.parse().ok()
}

/// Every consumer answers, and gives what the archive holds, and nothing twice.
fn serves(server: &mut Server, info: &Value, archive: &Archive<'_>) {
    let names: BTreeSet<String> = archive.consumers.iter().map(|each| each.name()).collect();
    assert_eq!(info["state"]["consumer_count"], names.len(), "{info}");
    let steps = archive.items.iter().map(|item| item.step.value());
    let sequences: BTreeSet<u64> = steps
        .scan(0_u64, |sequence, step| {
            *sequence += step;
            Some(*sequence)
        })
        .collect();
    for name in names {
        let consumer = ask(server, &format!("CONSUMER.INFO.R.{name}"), &Value::Null);
        assert_eq!(consumer["name"], name, "{consumer}");
        let floor = consumer["ack_floor"]["stream_seq"].as_u64();
        assert!(floor <= consumer["delivered"]["stream_seq"].as_u64(), "{consumer}");
        let (next, once) =
            (format!("$JS.API.CONSUMER.MSG.NEXT.R.{name}"), &br#"{"no_wait": true}"#[..]);
        let mut seen = BTreeSet::new();
        for _ in 0..PULLED_MAX {
            let heard = server.pull(&next, once.into());
            let [answer] = &heard[..] else { break };
            let Some(sequence) = delivered(&answer.reply) else { break };
            assert!(sequences.contains(&sequence), "{name}: {sequence}");
            assert!(seen.insert(sequence), "{name}: {sequence} twice");
        }
    }
}

fn run(input: &Input<'_>) {
    let (mut server, config) = (Server::start(false), input.config());
    let begun = ask(&mut server, "STREAM.RESTORE.R", &json!({"config": config}));
    let Some(to) = begun["deliver_subject"].as_str().map(str::to_owned) else {
        assert!(begun["error"].is_object(), "{begun}");
        return server.finish();
    };
    let bytes = input.raw.map_or_else(|| input.archive.bytes(), <[u8]>::to_vec);
    let pieces = usize::from(input.piece) % PIECES_MAX + 1;
    let restored = restore(&mut server, &to, &bytes, pieces);
    let info = ask(&mut server, "STREAM.INFO.R", &Value::Null);
    if restored["error"].is_object() {
        assert_eq!(info["error"]["err_code"], 10059, "{restored}: {info}");
        let again = ask(&mut server, "STREAM.CREATE.R", &config);
        assert!(again["error"].is_null(), "{again}");
        return server.finish();
    }
    assert!(restored["config"].is_object(), "{restored}");
    if input.raw.is_none() && input.archive.is_good() {
        // Some go by their time, and work that is done is taken away.
        let may_lose = input.has_lifetimes || input.has_schedules || input.is_workqueue;
        holds(&mut server, &input.archive.items, &info, may_lose);
        serves(&mut server, &info, &input.archive);
    }
    server.finish();
}

fuzz_target!(|input: Input<'_>| {
    within_memory(MEMORY_MAX, || run(&input));
});
