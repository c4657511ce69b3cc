//! Two servers linked as leaf nodes, of which one copies a stream of the other: what the copy holds after either was killed.
//!
//! Every pair is tried: nats-server as the origin and as the copier, as the hub and as the leaf, and Headwater on both sides.
//! Not here: copies on one server (`mirrors`, `sources`).

use crate::client::Message;
use crate::schema::Schemas;
use crate::side::{self, ANSWER, End, Settings, Side};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a copy may take to be whole again: nats-server waits 10 seconds for a lost origin, and then backs off.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The two servers.
pub(crate) struct Pair {
    pub(crate) origin: Side,
    pub(crate) copier: Side,
    schemas: Option<Schemas>,
    published: u64,
}

impl Pair {
    pub(crate) fn start(origin: &Path, copier: &Path, is_origin_hub: bool) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let accepts = format!("leafnodes {{ listen: '127.0.0.1:{port}' }}");
        let dials =
            format!("leafnodes {{ remotes: [ {{ url: 'nats-leaf://127.0.0.1:{port}' }} ] }}");
        let (of_origin, of_copier) =
            if is_origin_hub { (accepts, dials) } else { (dials, accepts) };
        let start = |program: &Path, name, more| {
            let jetstream = format!(", domain: {name}");
            Side::start_with(
                program.into(),
                Settings { name, jetstream, more, ..Settings::default() },
            )
        };
        let origin = start(origin, "origin", of_origin);
        let copier = start(copier, "copier", of_copier);
        Self { origin, copier, schemas: Schemas::find(), published: 0 }
    }
    pub(crate) fn ask(&mut self, is_origin: bool, path: &str, body: &Value) -> Value {
        let side = if is_origin { &mut self.origin } else { &mut self.copier };
        let subject = format!("$JS.API.{path}");
        let payload = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let message = Message { subject, payload, ..Message::default() };
        let reply = side.client.request(message, ANSWER).expect("an answer");
        let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
        if let Some(schemas) = &self.schemas {
            let violations = schemas.violations(std::slice::from_ref(&reply));
            assert!(violations.is_empty(), "{path}: {violations:?}\n{reply}");
        }
        reply
    }
    pub(crate) fn create(&mut self, is_origin: bool, config: &Value) {
        let path = format!("STREAM.CREATE.{}", config["name"].as_str().unwrap());
        let reply = self.ask(is_origin, &path, config);
        assert!(reply.get("error").is_none(), "{reply}");
    }
    fn publish(&mut self, count: u64) {
        for number in self.published + 1..=self.published + count {
            let payload = format!("message {number}").into_bytes();
            let (subject, headers) =
                (format!("a.{}", number % 3), b"NATS/1.0\r\nK: v\r\n\r\n".into());
            let message = Message { subject, headers, payload, ..Message::default() };
            let reply = self.origin.client.request(message, ANSWER).expect("an acknowledgement");
            let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
            assert_eq!(reply["seq"], number, "{reply}");
        }
        self.published += count;
    }
    /// Waits until a copy has everything.
    pub(crate) fn reaches(&mut self, name: &str, messages: u64) {
        let started = Instant::now();
        loop {
            let info = self.ask(false, &format!("STREAM.INFO.{name}"), &Value::Null);
            if info["state"]["messages"] == messages {
                return;
            }
            let is_late = started.elapsed() > PATIENCE;
            assert!(!is_late, "{name} has {messages} messages in time: {info}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    /// A stored message without its time, and with what its headers say beside their source.
    pub(crate) fn stored(&mut self, is_origin: bool, name: &str, sequence: u64) -> Value {
        let path = format!("STREAM.MSG.GET.{name}");
        let mut reply = self.ask(is_origin, &path, &json!({"seq": sequence}));
        reply["message"].take()
    }
    /// The mirror is the origin; the source has each message once, in order.
    fn compare(&mut self, deleted: &[u64]) {
        let left = self.published - deleted.len() as u64;
        self.reaches("M", left);
        self.reaches("S", left);
        let mut next = 0;
        for sequence in 1..=self.published {
            let original = self.stored(true, "A", sequence);
            assert_eq!(self.stored(false, "M", sequence), original, "sequence {sequence}");
            if !original.is_null() {
                next += 1;
                let copy = self.stored(false, "S", next);
                assert_eq!(copy["data"], original["data"], "copy {next} of {sequence}");
                assert_eq!(copy["subject"], original["subject"], "copy {next} of {sequence}");
            }
        }
    }
}

/// Copies while both sides are killed and restarted in turn.
fn check(origin: &Path, copier: &Path, is_origin_hub: bool, ends: &[End]) {
    let mut pair = Pair::start(origin, copier, is_origin_hub);
    pair.create(true, &json!({"name": "A", "subjects": ["a.>"]}));
    pair.publish(60);
    let deleted = [1, 5, 6, 30];
    for sequence in deleted {
        pair.ask(true, "STREAM.MSG.DELETE.A", &json!({"seq": sequence}));
    }
    let external = json!({"api": "$JS.origin.API", "deliver": "copies.of.a"});
    let origin = json!({"name": "A", "external": external});
    pair.create(false, &json!({"name": "M", "mirror": origin}));
    let origin = json!({"name": "A", "external": {"api": "$JS.origin.API"}});
    pair.create(false, &json!({"name": "S", "sources": [origin]}));
    pair.compare(&deleted);
    pair.publish(40);
    pair.compare(&deleted);
    for end in ends {
        pair.copier.restart(*end);
        pair.publish(50);
        pair.compare(&deleted);
        pair.origin.restart(*end);
        pair.publish(50);
        pair.compare(&deleted);
    }
    pair.publish(400);
    pair.origin.restart(End::Kill);
    pair.copier.restart(End::Kill);
    pair.publish(30);
    pair.compare(&deleted);
}

/// Both programs, where there are both.
pub(crate) fn programs() -> Option<(PathBuf, PathBuf)> {
    let peer = side::nats_server()?;
    Some((side::headwater(), peer))
}

#[test]
fn nats_server_copies_from_a_leaf_and_from_its_hub() {
    let Some((own, peer)) = programs() else { return };
    // nats-server takes its time before it tries again, so both wait at the same time.
    std::thread::scope(|scope| {
        for is_origin_hub in [false, true] {
            let (own, peer) = (&own, &peer);
            scope.spawn(move || check(own, peer, is_origin_hub, &[End::Kill]));
        }
    });
}

#[test]
fn copies_from_nats_server() {
    let Some((own, peer)) = programs() else { return };
    for is_origin_hub in [false, true] {
        check(&peer, &own, is_origin_hub, &[End::Kill, End::Stop]);
    }
}

#[test]
fn copies_between_two() {
    let own = side::headwater();
    for is_origin_hub in [false, true] {
        check(&own, &own, is_origin_hub, &[End::Kill, End::Stop]);
    }
}
