//! The JetStream API and the publish path, on streams in memory and on a simulated disk: any request is answered once, with an
//! object of its type; any publish is stored or refused; and the streams are what they say of themselves afterwards.
#![no_main]

use bytes::Bytes;
use headwater_fuzz::{
    jetstream_requests::{Body, ENDPOINTS, HEADERS, Request, STREAMS, SUBJECTS, pick},
    within_memory,
};
use headwater_server::{
    jetstream::{Identity, JetStream, JetStreamOptions},
    routing::{Account, Handler, InternalSubscription, Message, Origin},
};
use headwater_storage::{Volume, VolumeOptions, testing::SimulatedMachine};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// Requests of one input.
const REQUESTS_MAX: usize = 32;
/// How often other tasks get their turn before an answer is missed.
const TURNS_MAX: usize = 1000;
const MEMORY_MAX: usize = 64 * 1024 * 1024;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_strict: bool,
    requests: Vec<Request<'a>>,
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
        let options =
            VolumeOptions { journal_bytes_max: 256 * 1024, ..VolumeOptions::new("unused") };
        let volume = SimulatedMachine::new(3).open(&options).expect("a fresh volume");
        let volume = Arc::new(volume);
        let options = JetStreamOptions {
            memory_bytes_max: Some(1 << 30),
            file_bytes_max: Some(1 << 30),
            is_strict,
            domain: String::new(),
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
            (
                "S",
                json!({"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": true,
                "allow_atomic": true, "allow_batched": true, "allow_rollup_hdrs": true}),
            ),
            ("F", json!({"name": "F", "subjects": ["f.>"], "max_msgs": 20, "allow_direct": true})),
            ("M", json!({"name": "M", "mirror": {"name": "S"}, "storage": "memory"})),
        ] {
            let path = format!("$JS.API.STREAM.CREATE.{name}");
            let answers = server.ask(&path, Bytes::new(), config.to_string().into(), 1);
            assert!(
                answers.iter().all(|each| !each.payload.starts_with(b"{\"error")),
                "{answers:?}"
            );
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
    fn ask(
        &mut self,
        subject: &str,
        headers: Bytes,
        payload: Bytes,
        wanted: usize,
    ) -> Vec<Message> {
        self.asked += 1;
        let reply = Bytes::from(format!("_INBOX.{}", self.asked));
        self.send(Message {
            subject: subject.to_owned().into(),
            reply: reply.clone(),
            headers,
            payload,
        });
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
        self.send(Message {
            subject,
            reply: reply.into(),
            headers,
            payload: vec![payload; payload.into()].into(),
        });
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

fuzz_target!(|input: Input<'_>| {
    within_memory(MEMORY_MAX, || {
        let mut server = Server::start(input.is_strict);
        for request in input.requests.iter().take(REQUESTS_MAX) {
            server.request(request);
        }
        server.finish();
    });
});
