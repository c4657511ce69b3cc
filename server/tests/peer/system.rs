//! What a server tells its system account: events that come unasked, and the answers to requests under `$SYS.REQ`.
//! Not here: the API of JetStream and its advisories (`advisories`).

use crate::client::{Client, Message};
use crate::difference::differences;
use crate::side::{self, ANSWER, Settings, Side};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long nothing must be heard to count as silence.
const SILENCE: Duration = Duration::from_secs(1);
const CONFIG: &str = "accounts { $SYS { users [ { user: sys, password: secret } ] } }";
const SYSTEM: Option<(&str, &str)> = Some(("sys", "secret"));
/// What is its own in each run; only the kind of the value is compared.
const OWN: [&str; 32] = [
    "created",
    "ts",
    "store_dir",
    "level",
    "reserved_memory",
    "reserved_storage",
    "id",
    "server_id",
    "timestamp",
    "time",
    "now",
    "start",
    "stop",
    "last_activity",
    "rtt",
    "seq",
    "flags",
    "mem",
    "cpu",
    "subscriptions",
    "num_subscriptions",
    "uptime",
    "idle",
    "port",
    "cid",
    "msgs",
    "bytes",
    "max_storage",
    "in_msgs",
    "in_bytes",
    "out_msgs",
    "out_bytes",
];
/// What only nats-server shows: its build, its features, how it syncs, the name it makes up for a client without one.
const THEIRS: [&str; 7] = [
    "feature_flags",
    "gomaxprocs",
    "sync_interval",
    "sync_always",
    "compress_ok",
    "default_max_consumers",
    "user",
];

/// A value without what differs from run to run.
fn stable(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                // nats-server has `data: null` beside some errors.
                if THEIRS.contains(&name.as_str()) || value.is_null() {
                    continue;
                }
                let kind = match &value {
                    Value::String(_) => json!("text"),
                    Value::Number(_) => json!("number"),
                    _ => Value::Null,
                };
                let is_own = OWN.contains(&name.as_str()) && !kind.is_null();
                kept.insert(name, if is_own { kind } else { stable(value) });
            }
            Value::Object(kept)
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(stable).collect();
            // nats-server shows accounts in any order.
            list.sort_by_key(|each| each["acc"].to_string());
            list.into()
        }
        other => other,
    }
}

fn parsed(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).unwrap_or_else(|error| panic!("{error}: {message:?}"))
}

/// A server, and a client of its system account.
struct Watched {
    side: Side,
    system: Client,
    id: String,
}

impl Watched {
    fn start(program: &Path) -> Self {
        let settings = Settings { more: CONFIG.into(), ..Settings::default() };
        let side = Side::start_with(program.into(), settings);
        let system = Client::connect_as(&side.address(), "system", SYSTEM).unwrap();
        let mut watched = Self { side, system, id: String::new() };
        let server = watched.ask("SERVER.PING.IDZ", "").unwrap();
        watched.id = server["id"].as_str().unwrap().to_owned();
        watched
    }
    fn ask(&mut self, what: &str, body: &str) -> Option<Value> {
        let subject = format!("$SYS.REQ.{}", what.replace("<id>", &self.id));
        let message = Message { subject, payload: body.into(), ..Message::default() };
        let reply = self.system.request(message, SILENCE)?;
        if reply.headers.is_empty() { Some(parsed(&reply)) } else { Some(json!("no responders")) }
    }
    /// The first event of each subject and reason while clients come and go, and one is refused.
    fn events(&mut self) -> BTreeMap<String, Value> {
        self.system.subscribe("$SYS.>").unwrap();
        self.side.client.subscribe("$SYS.ACCOUNT.CLIENT.AUTH.ERR").unwrap();
        let address = self.side.address();
        let mut client = Client::connect(&address, "guest").unwrap();
        let message = Message { subject: "x".into(), payload: "hi".into(), ..Message::default() };
        client.publish(&message).unwrap();
        client.flush(ANSWER).unwrap();
        drop(client);
        assert!(Client::connect_as(&address, "bad", Some(("sys", "wrong"))).is_err());
        drop(Client::connect_as(&address, "other", SYSTEM).unwrap());
        let mut events = BTreeMap::new();
        let started = Instant::now();
        let is_whole = |events: &BTreeMap<String, Value>| {
            let has = |part: &str| events.keys().any(|subject| subject.contains(part));
            has("STATSZ")
                && has("$SYS.DISCONNECT")
                && has("$G.DISCONNECT Client")
                && has("$G.DISCONNECT Authentication")
        };
        while !is_whole(&events) && started.elapsed() < Duration::from_secs(20) {
            let Some(message) = self.system.hear(Duration::from_secs(1)) else { continue };
            let subject = message.subject.replace(&self.id, "ID");
            if !subject.starts_with("$SYS.REQ") {
                let event = parsed(&message);
                // Who of several goes first is a matter of time.
                let reason = event["reason"].as_str().unwrap_or_default();
                events.entry(format!("{subject} {reason}")).or_insert(event);
            }
        }
        let told = self.side.client.hear(ANSWER).expect("the account hears of it too");
        events.insert(told.subject.clone(), parsed(&told));
        events
    }
}

/// Both servers, Headwater first; none where there is no nats-server.
fn both() -> Option<[Watched; 2]> {
    let peer = side::nats_server()?;
    let own = if side::is_self_test() { peer.clone() } else { side::headwater() };
    Some([Watched::start(&own), Watched::start(&peer)])
}

/// Where two answers differ, if they do.
fn unlike(place: &str, own: Value, peer: Value) -> Option<String> {
    let (own, peer) = (stable(own), stable(peer));
    let found = differences(&own, &peer);
    let lines: String = found.iter().map(|each| format!("  {each}\n")).collect();
    let report = format!("{place}\n{lines}  headwater: {own}\n  nats-server: {peer}");
    (!found.is_empty()).then_some(report)
}

/// Fails with all that was found.
fn none(findings: impl Iterator<Item = Option<String>>) {
    let findings: Vec<String> = findings.flatten().collect();
    assert!(findings.is_empty(), "{}", findings.join("\n\n"));
}

#[test]
fn events() {
    let Some([mut own, mut peer]) = both() else { return };
    let (own, peer) = (own.events(), peer.events());
    let subjects = |events: &BTreeMap<String, Value>| events.keys().cloned().collect::<Vec<_>>();
    assert_eq!(subjects(&own), subjects(&peer));
    assert!(own.len() >= 8, "{:?}", subjects(&own));
    none(own.into_iter().map(|(subject, event)| unlike(&subject, event, peer[&subject].clone())));
}

#[test]
fn requests() {
    let Some([mut own, mut peer]) = both() else { return };
    for watched in [&mut own, &mut peer] {
        let stream = json!({ "name": "A", "subjects": ["a"] });
        watched.side.request("STREAM.CREATE.A", &stream);
        let config = json!({ "durable_name": "C", "ack_policy": "explicit" });
        let consumer = json!({ "stream_name": "A", "config": config });
        watched.side.request("CONSUMER.DURABLE.CREATE.A.C", &consumer);
    }
    let requests = [
        ("SERVER.PING.IDZ", ""),
        ("SERVER.<id>.IDZ", ""),
        ("SERVER.PING", ""),
        ("SERVER.<id>.STATSZ", ""),
        ("SERVER.PING.LEAFZ", ""),
        ("SERVER.PING.ROUTEZ", ""),
        ("SERVER.PING.GATEWAYZ", ""),
        ("SERVER.PING.RAFTZ", ""),
        ("SERVER.PING.ROUTEZ", r#"{"server_name":"pee"}"#),
        ("SERVER.PING.ROUTEZ", r#"{"server_name":"pee","exact_match":true}"#),
        ("SERVER.PING.ROUTEZ", r#"{"host":"other"}"#),
        ("SERVER.PING.ROUTEZ", r#"{"cluster":"c"}"#),
        ("SERVER.PING.ROUTEZ", r#"{"domain":"d"}"#),
        ("SERVER.PING.ROUTEZ", r#"{"tags":["t"]}"#),
        ("SERVER.PING.CONNZ", r#"{"auth":true,"filter_subject":"x"}"#),
        ("SERVER.PING.NONE", ""),
        ("ACCOUNT.PING.STATZ", ""),
        ("ACCOUNT.$G.STATZ", ""),
        ("ACCOUNT.NONE.STATZ", ""),
        ("ACCOUNT.$G.LEAFZ", ""),
        ("ACCOUNT.$G.CONNZ", r#"{"filter_subject":"_INBOX.peer.x"}"#),
        ("ACCOUNT.$G.CONNZ", r#"{"filter_subject":"_INBOX.other.x"}"#),
        ("SERVER.PING.HEALTHZ", ""),
        ("SERVER.PING.HEALTHZ", r#"{"account":"$G"}"#),
        ("SERVER.PING.HEALTHZ", r#"{"account":"NONE"}"#),
        ("SERVER.PING.HEALTHZ", r#"{"account":"NONE","details":true}"#),
        ("SERVER.PING.HEALTHZ", r#"{"stream":"A"}"#),
        ("SERVER.PING.HEALTHZ", r#"{"account":"$G","stream":"A"}"#),
        ("SERVER.PING.HEALTHZ", r#"{"account":"$G","stream":"NONE"}"#),
        ("SERVER.PING.HEALTHZ", r#"{"account":"$G","stream":"NONE","details":true}"#),
        ("SERVER.PING.HEALTHZ", r#"{"account":"$G","stream":"A","consumer":"C"}"#),
        (
            "SERVER.PING.HEALTHZ",
            r#"{"account":"$G","stream":"A","consumer":"NONE","details":true}"#,
        ),
        ("SERVER.PING.HEALTHZ", r#"{"account":"$G","consumer":"C"}"#),
        ("SERVER.PING.JSZ", r#"{"consumer":true,"config":true,"streams":true}"#),
        ("SERVER.<id>.KICK", ""),
        ("SERVER.<id>.KICK", r#"{"cid":9999}"#),
        ("SERVER.<id>.LDM", ""),
        ("SERVER.<id>.LDM", r#"{"cid":9999}"#),
        ("SERVER.<id>.RELOAD", ""),
    ];
    none(requests.into_iter().map(|(subject, body)| {
        let answer = |watched: &mut Watched| watched.ask(subject, body).unwrap_or(json!("silence"));
        unlike(&format!("{subject} {body}"), answer(&mut own), answer(&mut peer))
    }));
}

/// A client of another account is told of its own account's connections.
#[test]
fn own_account() {
    let Some([mut own, mut peer]) = both() else { return };
    let subjects = ["SERVER.PING.CONNZ", "ACCOUNT.PING.CONNZ", "ACCOUNT.PING.STATZ", "SERVER.PING"];
    none(subjects.into_iter().map(|subject| {
        let answer = |watched: &mut Watched| {
            let subject = format!("$SYS.REQ.{subject}");
            let message = Message { subject, ..Message::default() };
            let reply = watched.side.client.request(message, ANSWER).unwrap();
            if reply.headers.is_empty() { parsed(&reply) } else { json!("no responders") }
        };
        unlike(subject, answer(&mut own), answer(&mut peer))
    }));
}

/// A client that is kicked is closed, and it is said why.
#[test]
fn kicked() {
    let Some(sides) = both() else { return };
    for mut watched in sides {
        watched.system.subscribe("$SYS.ACCOUNT.*.DISCONNECT").unwrap();
        let connections = watched.ask("ACCOUNT.$G.CONNZ", "").unwrap();
        let id = &connections["data"]["connections"][0]["cid"];
        let answer = watched.ask("SERVER.<id>.KICK", &json!({ "cid": id }).to_string()).unwrap();
        assert_eq!(answer.get("error"), None, "{answer}");
        let event = parsed(&watched.system.hear(ANSWER).expect("an event"));
        assert_eq!((&event["client"]["id"], &event["reason"]), (id, &json!("Kicked")));
        assert!(watched.side.client.flush(ANSWER).is_err(), "the client is closed");
    }
}
