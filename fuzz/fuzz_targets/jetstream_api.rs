//! The JetStream API and the publish path, on streams in memory and on a simulated disk: any request is answered once, with an
//! object of its type; any publish is stored or refused; and the streams are what they say of themselves afterwards.
#![no_main]

use bytes::Bytes;
use headwater_fuzz::{
    jetstream_requests::{Body, ENDPOINTS, HEADERS, Request, STREAMS, SUBJECTS, pick},
    jetstream_server::Server,
    within_memory,
};
use headwater_server::routing::Message;
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use serde_json::{Value, json};

/// Requests of one input.
const REQUESTS_MAX: usize = 32;
const MEMORY_MAX: usize = 64 * 1024 * 1024;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_strict: bool,
    requests: Vec<Request<'a>>,
}

fn start(is_strict: bool) -> Server {
    let mut server = Server::start(is_strict);
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
        assert!(answers.iter().all(|each| !each.payload.starts_with(b"{\"error")), "{answers:?}");
    }
    server
}

fn api(server: &mut Server, endpoint: u8, stream: u8, body: &Body<'_>, level: Option<&str>) {
    let (words, takes_name) = ENDPOINTS[usize::from(endpoint) % ENDPOINTS.len()];
    let name = if takes_name { format!(".{}", pick(&STREAMS, stream)) } else { String::new() };
    let level = level.filter(|level| !level.contains(['\r', '\n']));
    let headers = level.map_or(String::new(), |level| {
        format!("NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n")
    });
    let path = format!("$JS.API.{words}{name}");
    let answers = server.ask(&path, headers.into(), body.bytes(), 1);
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

fn publish(server: &Server, subject: u8, headers: Bytes, reply: String, payload: u8) {
    let subject = Bytes::from(pick(&SUBJECTS, subject));
    if subject.contains(&b'*') || subject.contains(&b'>') {
        return;
    }
    server.send(Message {
        subject,
        reply: reply.into(),
        headers,
        payload: vec![payload; payload.into()].into(),
    });
    server.turn(0);
}

fn request(server: &mut Server, request: &Request<'_>) {
    match request {
        Request::Api { endpoint, stream, body, required_level } => {
            api(server, *endpoint, *stream, body, *required_level);
        }
        Request::Raw { path, body } => {
            let subject = format!("$JS.API.{path}");
            if headwater_storage::subject::is_literal(&subject) {
                server.ask(&subject, Bytes::new(), body.bytes(), 0);
            }
        }
        Request::DirectGet { stream, subject } => {
            let subject = format!("$JS.API.DIRECT.GET.{}.{subject}", pick(&STREAMS, *stream));
            if headwater_storage::subject::is_literal(&subject) {
                server.ask(&subject, Bytes::new(), Bytes::new(), 0);
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
            publish(server, *subject, block.into(), reply.text(), *payload);
        }
        Request::PublishRaw { subject, headers, reply } => {
            publish(server, *subject, headers.to_vec().into(), (*reply).to_owned(), 1);
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    within_memory(MEMORY_MAX, || {
        let mut server = start(input.is_strict);
        for each in input.requests.iter().take(REQUESTS_MAX) {
            request(&mut server, each);
        }
        server.finish();
    });
});
