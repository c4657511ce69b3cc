//! Answers made comparable: ids, times and versions are replaced, everything else stays as it came.
//! Invariant: equal times of one server stay equal, under the name of the place where the time was first seen.
//! Not here: comparing (`difference`).

use crate::client::Message;
use data_encoding::BASE64;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

const ZERO_TIME: &str = "0001-01-01T00:00:00Z";
/// Longest text shown whole.
const TEXT_BYTES_MAX: usize = 2_000;

/// What one server's answers have in common.
#[derive(Debug, Default)]
pub(crate) struct Normalizer {
    has_loose_times: bool,
    step: String,
    /// Times of this step so far.
    count: usize,
    times: HashMap<String, String>,
}

impl Normalizer {
    /// For one server; times are told apart unless they are loose.
    pub(crate) fn new(has_loose_times: bool) -> Self {
        Self { has_loose_times, ..Self::default() }
    }
    /// The answers of another step begin.
    pub(crate) fn begin(&mut self, step: usize) {
        self.step = format!("{:03}", step + 1);
        self.count = 0;
    }
    /// A message: status and headers as lines, the payload as JSON where it is JSON.
    pub(crate) fn message(&mut self, message: &Message, is_exact: bool) -> Value {
        let mut shown = Map::new();
        if !message.headers.is_empty() {
            shown.insert("headers".into(), self.headers(&message.headers));
        }
        if !message.payload.is_empty() {
            let text = text(&message.payload);
            let value = serde_json::from_slice::<Value>(&message.payload).ok();
            let value = value.filter(Value::is_object).map(|value| self.value("", value));
            if is_exact || value.is_none() {
                shown.insert("text".into(), text.into());
            }
            shown.extend(value.map(|value| ("json".to_owned(), value)));
        }
        Value::Object(shown)
    }
    fn headers(&mut self, block: &[u8]) -> Value {
        let block = String::from_utf8_lossy(block).into_owned();
        let lines = block.strip_suffix("\r\n\r\n").unwrap_or(&block).split("\r\n");
        lines.map(|line| Value::from(self.header(line))).collect()
    }
    fn header(&mut self, line: &str) -> String {
        match line.split_once(": ") {
            Some((name @ "Nats-Time-Stamp", time)) => format!("{name}: {}", self.time(name, time)),
            Some((name @ "Nats-Stream-Identity", _)) => format!("{name}: IDENTITY"),
            Some((name @ "Nats-Stream-Source", source)) => {
                let mut fields: Vec<&str> = source.split(' ').collect();
                if let Some(identity) = fields.get_mut(5) {
                    *identity = "IDENTITY";
                }
                format!("{name}: {}", fields.join(" "))
            }
            _ => line.to_owned(),
        }
    }
    fn time(&mut self, key: &str, time: &str) -> String {
        if time == ZERO_TIME {
            return time.to_owned();
        }
        if self.has_loose_times {
            return "TIME".to_owned();
        }
        self.count += 1;
        let name = format!("TIME {} {key} {}", self.step, self.count);
        self.times.entry(time.to_owned()).or_insert(name).clone()
    }
    fn value(&mut self, key: &str, value: Value) -> Value {
        match value {
            Value::Object(map) => self.object(map),
            Value::Array(list) => {
                let mut list: Vec<Value> =
                    list.into_iter().map(|each| self.value("", each)).collect();
                if key == "sources" && list.iter().all(|each| each.get("lag").is_some()) {
                    list.sort_by_key(|each| format!("{}", without_progress(each)));
                }
                Value::Array(list)
            }
            Value::String(text) => self.text(key, text),
            Value::Number(number)
                if ["active", "rtt", "pause_remaining", "ack_time"].contains(&key)
                    && number.as_i64() > Some(0) =>
            {
                "POSITIVE".into()
            }
            other => other,
        }
    }
    fn object(&mut self, map: Map<String, Value>) -> Value {
        let kind = map.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_advisory = kind.starts_with("io.nats.jetstream.advisory");
        let mut shown = Map::new();
        for (key, value) in map {
            let value = match (key.as_str(), &value) {
                ("id", Value::String(_)) if is_advisory => "ID".into(),
                ("id", Value::Number(_)) => "NUMBER".into(),
                ("request" | "response", Value::String(text)) if is_advisory => {
                    let inner = serde_json::from_str::<Value>(text);
                    inner.map_or_else(|_| value.clone(), |inner| self.value("", inner))
                }
                _ => self.value(&key, value),
            };
            shown.insert(key, value);
        }
        Value::Object(shown)
    }
    fn text(&mut self, key: &str, text: String) -> Value {
        match key {
            "ts" | "timestamp" | "start" | "end" | "last_active" | "pinned_ts" => "TIME".into(),
            "time" | "first_ts" | "last_ts" | "created" => self.time(key, &text).into(),
            "_nats.ver" => "VERSION".into(),
            "hdrs" => match BASE64.decode(text.as_bytes()) {
                Ok(block) => self.headers(&block),
                Err(_) => text.into(),
            },
            "data" => match BASE64.decode(text.as_bytes()) {
                Ok(bytes) => json!({"decoded": self::text(&bytes)}),
                Err(_) => text.into(),
            },
            _ => shortened(text).into(),
        }
    }
}

/// A reply subject without what is random in it: the time of a delivery, the end of a question of flow control.
pub(crate) fn reply(subject: &str) -> String {
    let mut tokens: Vec<&str> = subject.split('.').collect();
    let hidden = match tokens.as_slice() {
        ["$JS", "ACK", ..] => tokens.len().checked_sub(2),
        ["$JS", "FC", ..] => tokens.len().checked_sub(1),
        _ => None,
    };
    if let Some(token) = hidden.and_then(|at| tokens.get_mut(at)) {
        *token = "HIDDEN";
    }
    tokens.join(".")
}

fn without_progress(status: &Value) -> Value {
    let key = |name: &str| status.get(name).cloned().unwrap_or_default();
    json!([key("name"), key("filter_subject"), key("subject_transforms")])
}

fn text(bytes: &[u8]) -> String {
    shortened(String::from_utf8_lossy(bytes).into_owned())
}

fn shortened(text: String) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let start: String = text.chars().take(40).collect();
    format!("{start}… ({} bytes)", text.len())
}
