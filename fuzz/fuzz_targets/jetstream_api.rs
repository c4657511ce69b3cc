//! The JetStream API and the publish path, on streams in memory and on a simulated disk: any request is answered once, with an
//! object of its type; any publish is stored or refused; and the streams are what they say of themselves afterwards.
#![no_main]

use bytes::Bytes;
use headwater_fuzz::within_memory;
use headwater_server::{
    jetstream::{Identity, JetStream, JetStreamOptions},
    routing::{Account, Handler, InternalSubscription, Message, Origin},
};
use headwater_storage::{Volume, VolumeOptions, testing::SimulatedMachine};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// Requests of one input.
const REQUESTS_MAX: usize = 32;
/// How often other tasks get their turn before an answer is missed.
const TURNS_MAX: usize = 1000;
const MEMORY_MAX: usize = 64 * 1024 * 1024;

/// Endpoints that take the name of a stream, or none.
const ENDPOINTS: [(&str, bool); 16] = [
    ("INFO", false),
    ("STREAM.NAMES", false),
    ("STREAM.LIST", false),
    ("STREAM.CREATE", true),
    ("STREAM.UPDATE", true),
    ("STREAM.INFO", true),
    ("STREAM.DELETE", true),
    ("STREAM.PURGE", true),
    ("STREAM.MSG.GET", true),
    ("STREAM.MSG.DELETE", true),
    ("DIRECT.GET", true),
    ("STREAM.SNAPSHOT", true),
    ("STREAM.RESTORE", true),
    ("STREAM.PEER.REMOVE", true),
    ("CONSUMER.CREATE", true),
    ("CONSUMER.LIST", true),
];
const STREAMS: [&str; 5] = ["S", "F", "M", "N", "O"];
const SUBJECTS: [&str; 8] = ["s.a", "s.b.c", "f.a", "f.b", "n.a", "s.>", "*.a", "o.a"];
const FIELDS: [&str; 58] = [
    "name", "description", "subjects", "retention", "max_consumers", "max_msgs", "max_bytes", "max_age",
    "max_msgs_per_subject", "max_msg_size", "discard", "storage", "num_replicas", "no_ack",
    "duplicate_window", "placement", "mirror", "sources", "compression", "first_seq",
    "subject_transform", "republish", "allow_direct", "mirror_direct", "sealed", "deny_delete",
    "deny_purge", "allow_rollup_hdrs", "discard_new_per_subject", "consumer_limits", "allow_atomic",
    "allow_batched", "metadata", "pedantic", "offset", "subject", "filter", "seq", "keep",
    "last_by_subj", "next_by_subj", "start_time", "batch", "max_bytes", "multi_last", "up_to_seq",
    "up_to_time", "no_hdr", "no_erase", "deleted_details", "subjects_filter", "src", "dest",
    "filter_subject", "opt_start_seq", "opt_start_time", "subject_transforms", "external",
];
const HEADERS: [&str; 12] = [
    "Nats-Msg-Id",
    "Nats-Expected-Stream",
    "Nats-Expected-Last-Sequence",
    "Nats-Expected-Last-Subject-Sequence",
    "Nats-Expected-Last-Subject-Sequence-Subject",
    "Nats-Expected-Last-Msg-Id",
    "Nats-Rollup",
    "Nats-TTL",
    "Nats-Batch-Id",
    "Nats-Batch-Sequence",
    "Nats-Batch-Commit",
    "Nats-Required-Api-Level",
];
const WORDS: [&str; 16] = [
    "", "1", "2", "sub", "all", "never", "eob", "file", "memory", "limits", "old", "new", "s2",
    "2026-01-01T00:00:00Z", "b", "18446744073709551615",
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_strict: bool,
    requests: Vec<Request<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Request<'a> {
    Api { endpoint: u8, stream: u8, body: Body<'a>, required_level: Option<&'a str> },
    Raw { path: &'a str, body: Body<'a> },
    DirectGet { stream: u8, subject: &'a str },
    Publish { subject: u8, headers: Vec<(u8, Word<'a>)>, reply: Reply<'a>, payload: u8 },
    PublishRaw { subject: u8, headers: &'a [u8], reply: &'a str },
}

#[derive(Arbitrary, Debug)]
enum Body<'a> {
    Bytes(&'a [u8]),
    Fields(Vec<(u8, Field<'a>)>),
}

#[derive(Arbitrary, Debug)]
enum Field<'a> {
    Null,
    Flag(bool),
    Small(i8),
    Number(i64),
    Count(u64),
    Word(Word<'a>),
    List(Vec<Word<'a>>),
    Object(Vec<(u8, Word<'a>)>),
    Objects(Vec<Vec<(u8, Word<'a>)>>),
}

#[derive(Arbitrary, Debug)]
enum Word<'a> {
    Known(u8),
    Subject(u8),
    Stream(u8),
    Any(&'a str),
}

/// Where the answer to a publish goes.
#[derive(Arbitrary, Debug)]
enum Reply<'a> {
    None,
    Inbox,
    /// It is one of a fast batch.
    Fast { batch: u8, flow: u8, gaps: bool, sequence: u8, operation: u8 },
    Any(&'a str),
}

fn pick<'a>(from: &[&'a str], number: u8) -> &'a str {
    from[usize::from(number) % from.len()]
}

impl Word<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Known(number) => pick(&WORDS, *number),
            Self::Subject(number) => pick(&SUBJECTS, *number),
            Self::Stream(number) => pick(&STREAMS, *number),
            Self::Any(text) => text,
        }
    }
}

fn object(fields: &[(u8, Word<'_>)]) -> Value {
    let fields = fields.iter().map(|(name, word)| (pick(&FIELDS, *name).to_owned(), word.text().into()));
    Value::Object(fields.collect())
}

impl Field<'_> {
    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Flag(flag) => (*flag).into(),
            Self::Small(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::Count(number) => (*number).into(),
            Self::Word(word) => word.text().into(),
            Self::List(words) => words.iter().map(Word::text).collect(),
            Self::Object(fields) => object(fields),
            Self::Objects(objects) => objects.iter().map(|fields| object(fields)).collect(),
        }
    }
}

impl Body<'_> {
    fn bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.to_vec().into(),
            Self::Fields(fields) => {
                let fields = fields.iter().map(|(name, field)| (pick(&FIELDS, *name).to_owned(), field.value()));
                Value::Object(fields.collect::<Map<_, _>>()).to_string().into()
            }
        }
    }
}

/// Keeps what is sent to the inbox.
#[derive(Default)]
struct Inbox(Mutex<Vec<Message>>);

impl Handler for Inbox {
    fn deliver(&self, _: &Arc<Account>, message: &Message, _: &Arc<Origin>) {
        self.0.lock().expect("no panic").push(message.clone());
    }
}

/// JetStream on a simulated machine, and somebody who asks.
struct Server {
    runtime: Runtime,
    volume: Arc<Volume>,
    jetstream: Arc<JetStream>,
    account: Arc<Account>,
    origin: Arc<Origin>,
    inbox: Arc<Inbox>,
    _subscription: InternalSubscription,
    asked: u64,
}

impl Server {
    fn start(is_strict: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let options = VolumeOptions { journal_bytes_max: 256 * 1024, ..VolumeOptions::new("unused") };
        let volume = SimulatedMachine::new(3).open(&options).expect("a fresh volume");
        let volume = Arc::new(volume);
        let options = JetStreamOptions {
            memory_bytes_max: Some(1 << 30),
            file_bytes_max: Some(1 << 30),
            is_strict,
            directory: "unused".into(),
        };
        let (account, inbox) = (Account::new("$G"), Arc::new(Inbox::default()));
        let entered = runtime.enter();
        let jetstream = JetStream::start(volume.clone(), Identity::default(), options);
        jetstream.attach(&account);
        drop(entered);
        let subscription = account.subscribe("_INBOX.>", inbox.clone());
        let origin = Arc::new(Origin { client_id: 1, ..Origin::default() });
        let mut server = Self {
            runtime,
            volume,
            jetstream,
            account,
            origin,
            inbox,
            _subscription: subscription,
            asked: 0,
        };
        for (name, config) in [
            ("S", json!({"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": true,
                "allow_atomic": true, "allow_batched": true, "allow_rollup_hdrs": true})),
            ("F", json!({"name": "F", "subjects": ["f.>"], "max_msgs": 20, "allow_direct": true})),
            ("M", json!({"name": "M", "mirror": {"name": "S"}, "storage": "memory"})),
        ] {
            let path = format!("$JS.API.STREAM.CREATE.{name}");
            let answers = server.ask(&path, Bytes::new(), config.to_string().into(), 1);
            assert!(answers.iter().all(|each| !each.payload.starts_with(b"{\"error")), "{answers:?}");
        }
        server
    }

    /// Lets everything else have its turn until so many answers are there, or nothing more is expected.
    fn turn(&self, wanted: usize) {
        for _ in 0..TURNS_MAX {
            self.runtime.block_on(tokio::task::yield_now());
            SimulatedMachine::commit(&self.volume);
            if self.inbox.0.lock().expect("no panic").len() >= wanted {
                return;
            }
        }
    }

    /// Asks, and gives what comes to the inbox that is only for this.
    fn ask(&mut self, subject: &str, headers: Bytes, payload: Bytes, wanted: usize) -> Vec<Message> {
        self.asked += 1;
        let reply = Bytes::from(format!("_INBOX.{}", self.asked));
        self.send(Message { subject: subject.to_owned().into(), reply: reply.clone(), headers, payload });
        self.turn(wanted);
        let mut answers = std::mem::take(&mut *self.inbox.0.lock().expect("no panic"));
        answers.retain(|answer| answer.subject == reply);
        answers
    }

    fn send(&self, message: Message) {
        let _entered = self.runtime.enter();
        self.account.publish(&message, &self.origin);
    }

    fn api(&mut self, endpoint: u8, stream: u8, body: &Body<'_>, level: Option<&str>) {
        let (words, takes_name) = ENDPOINTS[usize::from(endpoint) % ENDPOINTS.len()];
        let name = if takes_name { format!(".{}", pick(&STREAMS, stream)) } else { String::new() };
        let level = level.filter(|level| !level.contains(['\r', '\n']));
        let headers = level.map_or(String::new(), |level| {
            format!("NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n")
        });
        let path = format!("$JS.API.{words}{name}");
        let answers = self.ask(&path, headers.into(), body.bytes(), 1);
        if words == "DIRECT.GET" {
            return;
        }
        let [answer] = &answers[..] else { panic!("{path}: {} answers", answers.len()) };
        let value: Value = serde_json::from_slice(&answer.payload).expect("JSON");
        let kind = value["type"].as_str().unwrap_or_default();
        assert!(kind.starts_with("io.nats.jetstream.api.v1."), "{path}: {value}");
        if let Some(error) = value.get("error") {
            let is_whole = error["code"].is_u64() && error["description"].is_string();
            assert!(is_whole, "{path}: {value}");
        }
    }

    fn publish(&self, subject: u8, headers: Bytes, reply: String, payload: u8) {
        let subject = Bytes::from(pick(&SUBJECTS, subject));
        if subject.contains(&b'*') || subject.contains(&b'>') {
            return;
        }
        self.send(Message { subject, reply: reply.into(), headers, payload: vec![payload; payload.into()].into() });
        self.turn(0);
    }

    fn request(&mut self, request: &Request<'_>) {
        match request {
            Request::Api { endpoint, stream, body, required_level } => {
                self.api(*endpoint, *stream, body, *required_level);
            }
            Request::Raw { path, body } => {
                let subject = format!("$JS.API.{path}");
                if headwater_storage::subject::is_literal(&subject) {
                    self.ask(&subject, Bytes::new(), body.bytes(), 0);
                }
            }
            Request::DirectGet { stream, subject } => {
                let subject = format!("$JS.API.DIRECT.GET.{}.{subject}", pick(&STREAMS, *stream));
                if headwater_storage::subject::is_literal(&subject) {
                    self.ask(&subject, Bytes::new(), Bytes::new(), 0);
                }
            }
            Request::Publish { subject, headers, reply, payload } => {
                let mut block = String::new();
                for (name, word) in headers {
                    let value = word.text().replace(['\r', '\n'], "");
                    block.push_str(&format!("{}: {value}\r\n", pick(&HEADERS, *name)));
                }
                if !block.is_empty() {
                    block = format!("NATS/1.0\r\n{block}\r\n");
                }
                self.publish(*subject, block.into(), reply.text(), *payload);
            }
            Request::PublishRaw { subject, headers, reply } => {
                self.publish(*subject, headers.to_vec().into(), (*reply).to_owned(), 1);
            }
        }
    }

    /// Every stream is what it says of itself, and JetStream comes to an end.
    fn finish(self) {
        for stream in self.volume.streams() {
            let (state, mut held) = (stream.state(), 0);
            let mut tail = stream.tail(0, Vec::new());
            while let Ok(Some(batch)) = tail.try_next(100, 1 << 20) {
                held += batch.messages.len() as u64;
            }
            assert_eq!(held, state.messages, "{state:?}");
        }
        let Self { runtime, jetstream, volume, .. } = self;
        runtime.block_on(jetstream.stop());
        volume.close().expect("a clean close");
    }
}

impl Reply<'_> {
    fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Inbox => "_INBOX.p".into(),
            Self::Fast { batch, flow, gaps, sequence, operation } => {
                let gaps = if *gaps { "ok" } else { "fail" };
                let (batch, operation) = (batch % 3, operation % 6);
                format!("_INBOX.p.b{batch}.{flow}.{gaps}.{sequence}.{operation}.$FI")
            }
            Self::Any(text) => (*text).to_owned(),
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    within_memory(MEMORY_MAX, || {
        let mut server = Server::start(input.is_strict);
        for request in input.requests.iter().take(REQUESTS_MAX) {
            server.request(request);
        }
        server.finish();
    });
});
