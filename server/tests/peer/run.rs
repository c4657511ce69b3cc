//! Runs scripts on both servers side by side and reports where answers differ.
//! Not here: what is sent (`script`), what is compared (`answer`), which differences are kept (`kept`).

use crate::answer::{self, Normalizer};
use crate::client::Message;
use crate::difference::{Difference, differences};
use crate::kept::Kept;
use crate::schema::Schemas;
use crate::script::{Act, PATIENCE, Script, Step, Wanted};
use crate::side::{self, ANSWER, Side};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long nothing must be heard to count as silence.
const SILENCE: Duration = Duration::from_millis(700);

/// What a step made a server say.
struct Answer {
    /// As it is compared.
    shown: Value,
    /// Replies that are JSON objects, as they came.
    replies: Vec<Value>,
}

/// Runs scripts at the same time; fails with every difference that is not kept on purpose.
pub(crate) fn check(scripts: Vec<Script>) {
    let Some(peer) = side::nats_server() else { return };
    let schemas = Schemas::find();
    let reports: Vec<Vec<String>> = std::thread::scope(|scope| {
        let check = |script: &'static Script| check_one(script, &peer, schemas.as_ref());
        let leaked = scripts.into_iter().map(|script| &*Box::leak(Box::new(script)));
        let threads: Vec<_> = leaked.map(|script| scope.spawn(move || check(script))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let findings = reports.concat();
    assert!(findings.is_empty(), "{} findings\n\n{}", findings.len(), findings.join("\n\n"));
}

fn check_one(script: &Script, peer: &Path, schemas: Option<&Schemas>) -> Vec<String> {
    let own = if side::is_self_test() { peer.to_path_buf() } else { side::headwater() };
    let (left, right) = std::thread::scope(|scope| {
        let left = scope.spawn(|| answers(script, own));
        let right = scope.spawn(|| answers(script, peer.to_path_buf()));
        (left.join().unwrap(), right.join().unwrap())
    });
    let mut kept = Kept::of(script.name);
    let mut findings = Vec::new();
    for (at, step) in script.steps.iter().enumerate() {
        let (Some(left), Some(right)) = (left.get(at), right.get(at)) else { break };
        show(script, step, &right.shown);
        let mut found = differences(&left.shown, &right.shown);
        found.retain(|difference| !kept.covers(&step.name, difference));
        if !found.is_empty() {
            findings.push(report(script, step, &found, &left.shown, &right.shown));
        }
        if let Some(schemas) = schemas {
            let known = schemas.violations(&right.replies);
            let mut violations = schemas.violations(&left.replies);
            violations.retain(|violation| !known.contains(violation));
            let place = format!("{}: {}", script.name, step.name);
            findings
                .extend(violations.into_iter().map(|each| format!("{place}\n  schema: {each}")));
        }
    }
    if !side::is_self_test() {
        findings.extend(kept.unused());
    }
    findings
}

/// Prints the answers of the script that the environment names.
fn show(script: &Script, step: &Step, answer: &Value) {
    if std::env::var("HEADWATER_PEER_SHOW").is_ok_and(|name| script.name.starts_with(&name)) {
        println!("{}: {}\n    {answer}", script.name, step.name);
    }
}

fn report(
    script: &Script,
    step: &Step,
    found: &[Difference],
    left: &Value,
    right: &Value,
) -> String {
    let name: String = step.name.chars().take(400).collect();
    let lines: String = found.iter().map(|each| format!("  {each}\n")).collect();
    format!("{}: {name}\n{lines}  headwater:   {left}\n  nats-server: {right}", script.name)
}

/// The answers of one server, up to the first that does not come.
fn answers(script: &Script, program: PathBuf) -> Vec<Answer> {
    let mut side = Side::start(program);
    let mut normalizer = Normalizer::new(script.has_loose_times);
    let mut answers = Vec::new();
    for (at, step) in script.steps.iter().enumerate() {
        normalizer.begin(at);
        let answer = act(&mut side, &mut normalizer, &step.act);
        let is_lost = answer.shown == json!("no answer");
        answers.push(answer);
        if is_lost {
            break;
        }
    }
    answers
}

fn act(side: &mut Side, normalizer: &mut Normalizer, act: &Act) -> Answer {
    let mut replies = Vec::new();
    let shown = match act {
        Act::Ask(message, wanted) => {
            let messages = ask(side, message, *wanted);
            let mut shown = Vec::new();
            for message in &messages {
                replies.extend(object(&message.payload));
                shown.push(normalizer.message(message, *wanted == Wanted::Exact));
            }
            match (*wanted, shown.len()) {
                (Wanted::Silence, 0) => json!("silence"),
                (_, 0) => json!("no answer"),
                (Wanted::ToStatus, _) => Value::Array(shown),
                (Wanted::CountToStatus, count) => json!([count, shown[count - 1]]),
                (Wanted::Error, _) => shown[0]["json"]["error"].take(),
                _ => shown.remove(0),
            }
        }
        Act::Send(message) => {
            side.client.publish(message).unwrap();
            side.client.flush(ANSWER).unwrap();
            Value::Null
        }
        Act::Fill { subject, count } => fill(side, subject, *count),
        Act::Until(message, pointer, value, patience) => {
            let is_reached =
                |answer: &Value| answer.pointer(pointer).unwrap_or(&Value::Null) == value;
            until(side, normalizer, message, *patience, is_reached)
        }
        Act::Contact(message) => until(side, normalizer, message, PATIENCE, has_contact),
        Act::Restart(end) => {
            side.restart(*end);
            Value::Null
        }
        Act::Listen(subject) => {
            side.client.subscribe(subject).unwrap();
            Value::Null
        }
        Act::Hear(count) => {
            let heard = std::iter::from_fn(|| side.client.hear(ANSWER)).take(*count).collect();
            let mut shown = heard_as(side, normalizer, heard, &mut replies);
            // nats-server tells of requests that followed each other in any order.
            shown.sort_by_key(|heard| heard["message"]["json"]["subject"].to_string());
            Value::Array(shown)
        }
        Act::Drain => {
            let mut heard: Vec<Message> = Vec::new();
            while heard.last().is_none_or(|last| !last.headers.starts_with(b"NATS/1.0 ")) {
                match side.client.hear(ANSWER) {
                    Some(message) => heard.push(message),
                    None => break,
                }
            }
            Value::Array(heard_as(side, normalizer, heard, &mut replies))
        }
        Act::Hush => match side.client.hear(SILENCE) {
            None => json!("silence"),
            Some(message) => json!({"subject": message.subject,
                "message": normalizer.message(&message, false)}),
        },
        Act::Answer(delivery, payload, is_confirmed) => {
            answer_delivery(side, normalizer, *delivery, payload, *is_confirmed)
        }
    };
    let errors = std::mem::take(&mut side.client.errors);
    let shown = if errors.is_empty() { shown } else { json!({"answer": shown, "errors": errors}) };
    Answer { shown, replies }
}

/// Answers a delivery; shows the confirmation where one is wanted.
fn answer_delivery(
    side: &mut Side,
    normalizer: &mut Normalizer,
    delivery: usize,
    payload: &str,
    is_confirmed: bool,
) -> Value {
    let Some(subject) = side.deliveries.get(delivery).cloned() else {
        return json!("no such delivery");
    };
    let payload = payload.as_bytes().to_vec();
    let message = Message { subject, payload, ..Message::default() };
    if is_confirmed {
        let reply = side.client.ask(message).unwrap();
        let reply = side.client.reply(&reply, SILENCE);
        return reply.map_or(json!("silence"), |reply| normalizer.message(&reply, true));
    }
    side.client.publish(&message).unwrap();
    side.client.flush(ANSWER).unwrap();
    Value::Null
}

/// Messages of subscriptions as they are shown; deliveries are kept to be answered.
fn heard_as(
    side: &mut Side,
    normalizer: &mut Normalizer,
    heard: Vec<Message>,
    replies: &mut Vec<Value>,
) -> Vec<Value> {
    replies.extend(heard.iter().filter_map(|message| object(&message.payload)));
    let shown = heard.iter().map(|message| {
        let mut shown =
            json!({"subject": message.subject, "message": normalizer.message(message, false)});
        if !message.reply.is_empty() {
            shown["reply"] = answer::reply(&message.reply).into();
            side.deliveries.push(message.reply.clone());
        }
        shown
    });
    shown.collect()
}

/// Whether the mirror and all sources of a stream have heard of their origins, and have nothing left to take.
fn has_contact(answer: &Value) -> bool {
    let sources = answer["sources"].as_array().into_iter().flatten();
    let mut copies = answer.get("mirror").into_iter().chain(sources);
    copies.all(|copy| copy["active"].as_i64() >= Some(0) && copy["lag"] == 0)
}

fn object(payload: &[u8]) -> Option<Value> {
    serde_json::from_slice(payload).ok().filter(Value::is_object)
}

fn ask(side: &mut Side, message: &Message, wanted: Wanted) -> Vec<Message> {
    let client = &mut side.client;
    let Ok(reply) = client.ask(message.clone()) else { return Vec::new() };
    match wanted {
        Wanted::One | Wanted::Exact | Wanted::Error => {
            client.reply(&reply, ANSWER).into_iter().collect()
        }
        Wanted::Silence => client.reply(&reply, SILENCE).into_iter().collect(),
        Wanted::ToStatus | Wanted::CountToStatus => {
            let body = String::from_utf8_lossy(&message.payload);
            let is_many = body.contains("\"batch\"") || body.contains("multi_last");
            let mut messages = Vec::new();
            while let Some(message) = client.reply(&reply, ANSWER) {
                let is_status = message.headers.starts_with(b"NATS/1.0 ");
                messages.push(message);
                if is_status || !is_many {
                    break;
                }
            }
            messages
        }
    }
}

fn fill(side: &mut Side, subject: &str, count: u64) -> Value {
    let client = &mut side.client;
    let replies: Vec<String> = (1..=count)
        .map(|number| {
            let subject = subject.replace("{}", &number.to_string());
            let payload = format!("message {number}").into_bytes();
            client.ask(Message { subject, payload, ..Message::default() }).unwrap()
        })
        .collect();
    let (mut acknowledged, mut last) = (0, Value::Null);
    for reply in replies {
        let Some(message) = client.reply(&reply, ANSWER) else { return json!("no answer") };
        last = object(&message.payload).unwrap_or_default();
        if last.get("error").is_none() {
            acknowledged += 1;
        }
    }
    json!({"acknowledged": acknowledged, "last": last})
}

fn until(
    side: &mut Side,
    normalizer: &mut Normalizer,
    message: &Message,
    patience: Duration,
    is_reached: impl Fn(&Value) -> bool,
) -> Value {
    let started = Instant::now();
    loop {
        let Some(reply) = side.client.request(message.clone(), ANSWER) else {
            return json!("no answer");
        };
        let answer = object(&reply.payload).unwrap_or_default();
        if is_reached(&answer) {
            return json!("reached");
        }
        if started.elapsed() > patience {
            let mut shown = Map::new();
            shown.insert("not reached".into(), normalizer.message(&reply, false));
            return Value::Object(shown);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
