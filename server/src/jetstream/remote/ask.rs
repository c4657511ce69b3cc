//! Getting the consumer of a session: what is asked, and what the answer says.
//!
//! A consumer that passes takes no acknowledgements and goes with the session. One that stays is asked for in the same way, under
//! a name that is the same each time, with the wish that the other server makes it stay; asked for again, it begins behind
//! what was acknowledged. One that was made beforehand is told to begin there.
//! Not here: its deliveries (`session`).

use super::request::Api;
use crate::jetstream::api::{IDENTITY_HEADER, LEVEL_HEADER};
use crate::jetstream::text_time;
use crate::protocol::headers;
use headwater_replication::origin::{OriginFacts, Start};
use headwater_replication::{Error, Result};
use serde_json::{Map, Value, json};

/// How often the consumer says that it is there, in nanoseconds.
const HEARTBEAT_NS: u64 = 1_000_000_000;
/// How long the consumer stays when nobody listens, in nanoseconds.
const INACTIVE_NS: u64 = 10_000_000_000;
/// How long the consumer would wait for acknowledgements, of which there are none, in nanoseconds.
const ACK_WAIT_NS: u64 = 22 * 3600 * 1_000_000_000;
/// The level of the API that has consumers that stay for copies.
const DURABLE_LEVEL: &str = "4";
/// What a consumer says of itself that takes acknowledgements by flow control.
const FLOW_CONTROL: &str = "flow_control";

/// How a consumer is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    /// One that goes with the session.
    Passing { name: String, deliver: String },
    /// One that stays, and takes acknowledgements.
    Durable { name: String, deliver: String, metadata: Value },
    /// One that was made beforehand.
    Own { name: String, deliver: String },
}

/// A consumer, as it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// Its name.
    pub(super) name: String,
    /// Where it delivers.
    pub(super) deliver: String,
    /// Everything up to this sequence it will not deliver.
    pub(super) before: u64,
    /// Messages that it will deliver.
    pub(super) left: u64,
    /// Subjects that it delivers; none for all.
    pub(super) filters: Vec<String>,
    /// It delivers what matches as soon as it can.
    pub(super) is_prompt: bool,
}

impl Terms {
    /// Whether messages go when they are acknowledged.
    pub(super) fn is_acknowledging(&self) -> bool {
        !matches!(self, Self::Passing { .. })
    }

    /// Asks for it.
    pub(super) async fn ask(
        &self,
        api: &Api,
        stream: &str,
        facts: &OriginFacts,
        start: Start,
        filters: Vec<String>,
    ) -> Result<Made> {
        // The stream may have been deleted and created again since it was asked what it is.
        let identity = facts.identity.hash.as_str();
        let mut fields = vec![(IDENTITY_HEADER, identity)];
        let (path, body) = match self {
            Self::Own { name, .. } => (format!("CONSUMER.RESET.{stream}.{name}"), Value::Null),
            Self::Passing { name, .. } => self.create(stream, name, facts, start, filters),
            Self::Durable { name, .. } => {
                fields.push((LEVEL_HEADER, DURABLE_LEVEL));
                self.create(stream, name, facts, start, filters)
            }
        };
        let (answer, told) = api.ask_with(&path, &body, headers::block("", &fields)).await?;
        let is_other = |told: &[u8]| told != identity.as_bytes();
        if headers::get(&told, IDENTITY_HEADER).is_some_and(is_other) {
            let text = format!("{stream} was created again");
            return Err(Error::OriginUnreachable(text));
        }
        let at_least = match start {
            Start::Sequence(_) if !self.is_acknowledging() => first(facts, start),
            _ => 1,
        };
        self.read(&path, &answer, at_least)
    }

    /// The request for one that is made.
    fn create(
        &self,
        stream: &str,
        name: &str,
        facts: &OriginFacts,
        start: Start,
        filters: Vec<String>,
    ) -> (String, Value) {
        let begin = match start {
            Start::Sequence(_) => {
                let first = first(facts, start);
                json!({"deliver_policy": "by_start_sequence", "opt_start_seq": first})
            }
            Start::Time(time) => {
                let time = text_time::text(time);
                json!({"deliver_policy": "by_start_time", "opt_start_time": time})
            }
        };
        let mut path = format!("CONSUMER.CREATE.{stream}");
        let wanted = match filters.as_slice() {
            [] => json!({}),
            [filter] => {
                path = format!("{path}.{name}.{filter}");
                json!({"filter_subject": filter})
            }
            filters => json!({"filter_subjects": filters}),
        };
        let config = self.config(name, [begin, wanted]);
        (path, json!({"stream_name": stream, "config": config}))
    }

    /// The consumer's configuration, with where it begins and what it sends.
    fn config(&self, name: &str, more: [Value; 2]) -> Value {
        let fixed = json!({
            "name": name,
            "deliver_subject": self.deliver(),
            "ack_policy": "none",
            "ack_wait": ACK_WAIT_NS,
            "max_deliver": 1,
            "replay_policy": "instant",
            "idle_heartbeat": HEARTBEAT_NS,
            "flow_control": true,
            "direct": true,
            "inactive_threshold": INACTIVE_NS,
        });
        let stays = match self {
            Self::Durable { metadata, .. } => json!({"sourcing": true, "metadata": metadata}),
            _ => json!({}),
        };
        let [begin, wanted] = more;
        let mut config = Map::new();
        for part in [fixed, stays, begin, wanted] {
            if let Value::Object(fields) = part {
                config.extend(fields);
            }
        }
        Value::Object(config)
    }

    fn deliver(&self) -> &str {
        let (Self::Passing { deliver, .. }
        | Self::Durable { deliver, .. }
        | Self::Own { deliver, .. }) = self;
        deliver
    }

    /// Reads the answer. It begins at `at_least`, whatever it says.
    fn read(&self, path: &str, answer: &Value, at_least: u64) -> Result<Made> {
        let number = |pointer| answer.pointer(pointer).and_then(Value::as_u64);
        let config = |key| answer.get("config").and_then(|config| config.get(key));
        let text = |key| config(key).and_then(Value::as_str).unwrap_or_default();
        let (Some(before), Some(name)) =
            (number("/delivered/stream_seq"), answer.get("name").and_then(Value::as_str))
        else {
            let text = format!("{path}: the answer does not say where the consumer begins");
            return Err(Error::OriginUnreachable(text));
        };
        let is_confirmed = text("ack_policy") == FLOW_CONTROL;
        match self {
            Self::Own { .. } if !is_confirmed => return Err(Error::ConsumerUnfit(name.to_owned())),
            Self::Durable { .. } if !is_confirmed => {
                return Err(Error::Halted(format!(
                    "{path}: the other server does not wait for acknowledgements, so messages would go before they are copied"
                )));
            }
            _ => {}
        }
        let filters = match (text("filter_subject"), config("filter_subjects")) {
            ("", Some(Value::Array(filters))) => {
                filters.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            ("", _) => Vec::new(),
            (filter, _) => vec![filter.to_owned()],
        };
        let is_slow = text("replay_policy") == "original"
            || text("deliver_policy") == "last_per_subject"
            || config("rate_limit_bps").and_then(Value::as_u64).unwrap_or(0) > 0;
        Ok(Made {
            name: name.to_owned(),
            deliver: self.deliver().to_owned(),
            before: before.saturating_add(1).max(at_least).saturating_sub(1),
            left: number("/num_pending").unwrap_or(0),
            filters,
            is_prompt: !is_slow,
        })
    }
}

/// The first sequence to ask for, of those the stream has or will have.
fn first(facts: &OriginFacts, start: Start) -> u64 {
    match start {
        Start::Sequence(sequence) => {
            let next = facts.last_sequence.saturating_add(1);
            sequence.min(next).max(facts.first_sequence).max(1)
        }
        Start::Time(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_say() {
        let own = Terms::Own { name: "C".into(), deliver: "d".into() };
        let answer = json!({"name": "C", "delivered": {"stream_seq": 4}, "num_pending": 7, "config": {
            "ack_policy": "flow_control", "filter_subjects": ["a", "b"]}});
        let made = own.read("p", &answer, 1).unwrap();
        assert_eq!((made.name.as_str(), made.before, made.left), ("C", 4, 7));
        assert_eq!((made.filters, made.is_prompt), (vec!["a".to_owned(), "b".into()], true));
        let mut other = answer.clone();
        other["config"]["ack_policy"] = "explicit".into();
        assert!(matches!(own.read("p", &other, 1), Err(Error::ConsumerUnfit(name)) if name == "C"));
        let (name, deliver) = ("C".to_owned(), "d".to_owned());
        let durable = Terms::Durable { name, deliver, metadata: json!({}) };
        assert!(matches!(durable.read("p", &other, 1), Err(Error::Halted(_))));
        for (key, value) in [
            ("rate_limit_bps", json!(8)),
            ("replay_policy", json!("original")),
            ("deliver_policy", json!("last_per_subject")),
        ] {
            let mut slow = answer.clone();
            slow["config"][key] = value;
            assert!(!own.read("p", &slow, 1).unwrap().is_prompt, "{key}");
        }
        assert!(matches!(own.read("p", &json!({}), 1), Err(Error::OriginUnreachable(_))));
    }
}
