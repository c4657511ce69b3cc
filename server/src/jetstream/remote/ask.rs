//! Getting the consumer of a session: what is asked, and what the answer says.
//!
//! A consumer that passes takes no acknowledgements and goes with the session. One that stays is asked for in the same way, under
//! a name that is the same each time, with the wish that the other server makes it stay; asked for again, it begins behind
//! what was acknowledged. One that was made beforehand is looked at, and told to begin there.
//! Invariant: where it begins is never said too late. A consumer may have delivered before it is answered for: then only what
//! was acknowledged, or asked for, or came first, tells where it began.
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
/// Most subjects that a consumer may have of which the stream is asked.
const FILTERS_MAX: usize = 256;
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
    /// Everything up to this sequence it will not deliver; unknown where it has delivered already.
    pub(super) before: Option<u64>,
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
            Self::Own { name, .. } => {
                // To begin anew would disturb one that is somebody else's.
                let info = api.ask(&format!("CONSUMER.INFO.{stream}.{name}"), &Value::Null).await?;
                self.fits(name, &info)?;
                (format!("CONSUMER.RESET.{stream}.{name}"), Value::Null)
            }
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
        let asked = match start {
            Start::Sequence(_) if !self.is_acknowledging() => Some(first(facts, start)),
            _ => None,
        };
        self.read(&path, &answer, asked)
    }

    /// Whether it is listened to before it is there, so that nothing goes only to others who listen to everything. One that was
    /// made beforehand may still send what it is to begin anew with.
    pub(super) fn is_heard_early(&self) -> bool {
        !matches!(self, Self::Own { .. })
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

    /// Where it delivers.
    pub(super) fn deliver(&self) -> &str {
        let (Self::Passing { deliver, .. }
        | Self::Durable { deliver, .. }
        | Self::Own { deliver, .. }) = self;
        deliver
    }

    /// Whether messages may be copied through a consumer that says this of itself.
    fn fits(&self, name: &str, told: &Value) -> Result<()> {
        let config = |key| told.get("config").and_then(|config| config.get(key));
        let is_confirmed = config("ack_policy").and_then(Value::as_str) == Some(FLOW_CONTROL);
        let is_empty = config("headers_only").and_then(Value::as_bool).unwrap_or(false);
        match self {
            Self::Passing { .. } => Ok(()),
            Self::Own { .. } if !is_confirmed => Err(Error::ConsumerUnfit(name.to_owned())),
            Self::Durable { .. } if !is_confirmed => Err(Error::Halted(format!(
                "{name}: the other server does not wait for acknowledgements, so messages would go before they are copied"
            ))),
            _ if is_empty => Err(Error::Halted(format!("consumer {name} delivers headers only"))),
            _ => Ok(()),
        }
    }

    /// Reads the answer. One that was asked to begin at a sequence begins there at the earliest, whatever it says.
    fn read(&self, path: &str, answer: &Value, asked: Option<u64>) -> Result<Made> {
        let number = |pointer| answer.pointer(pointer).and_then(Value::as_u64);
        let config = |key| answer.get("config").and_then(|config| config.get(key));
        let text = |key| config(key).and_then(Value::as_str).unwrap_or_default();
        let has_delivered = number("/delivered/consumer_seq").unwrap_or(0) > 0;
        let before = match (self.is_acknowledging(), asked) {
            (true, _) => number("/ack_floor/stream_seq"),
            (false, Some(asked)) if has_delivered => Some(asked.saturating_sub(1)),
            (false, None) if has_delivered => None,
            (false, _) => number("/delivered/stream_seq"),
        };
        let is_told = before.is_some() || has_delivered;
        let Some(name) = answer.get("name").and_then(Value::as_str).filter(|_| is_told) else {
            let text = format!("{path}: the answer does not say where the consumer begins");
            return Err(Error::OriginUnreachable(text));
        };
        self.fits(name, answer)?;
        let filters = match (text("filter_subject"), config("filter_subjects")) {
            ("", Some(Value::Array(filters))) => {
                let filters = filters.iter().filter_map(Value::as_str).take(FILTERS_MAX + 1);
                filters.map(str::to_owned).collect::<Vec<_>>()
            }
            ("", _) => Vec::new(),
            (filter, _) => vec![filter.to_owned()],
        };
        let is_slow = text("replay_policy") == "original"
            || text("deliver_policy") == "last_per_subject"
            || config("rate_limit_bps").and_then(Value::as_u64).unwrap_or(0) > 0
            || filters.len() > FILTERS_MAX;
        Ok(Made {
            name: name.to_owned(),
            before: before.map(|before| before.max(asked.unwrap_or(1).saturating_sub(1))),
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
        let answer = json!({"name": "C", "delivered": {"stream_seq": 6, "consumer_seq": 2},
            "ack_floor": {"stream_seq": 4, "consumer_seq": 1}, "num_pending": 7,
            "config": {"ack_policy": "flow_control", "filter_subjects": ["a", "b"]}});
        let made = own.read("p", &answer, None).unwrap();
        assert_eq!((made.name.as_str(), made.before, made.left), ("C", Some(4), 7));
        assert_eq!((made.filters, made.is_prompt), (vec!["a".to_owned(), "b".into()], true));
        let mut other = answer.clone();
        other["config"]["ack_policy"] = "explicit".into();
        assert!(
            matches!(own.read("p", &other, None), Err(Error::ConsumerUnfit(name)) if name == "C")
        );
        let (name, deliver) = ("C".to_owned(), "d".to_owned());
        let durable = Terms::Durable { name, deliver, metadata: json!({}) };
        assert!(matches!(durable.read("p", &other, None), Err(Error::Halted(_))));
        let mut empty = answer.clone();
        empty["config"]["headers_only"] = true.into();
        for terms in [&own, &durable] {
            assert!(matches!(terms.read("p", &empty, None), Err(Error::Halted(_))));
        }
        for (key, value) in [
            ("rate_limit_bps", json!(8)),
            ("replay_policy", json!("original")),
            ("deliver_policy", json!("last_per_subject")),
        ] {
            let mut slow = answer.clone();
            slow["config"][key] = value;
            assert!(!own.read("p", &slow, None).unwrap().is_prompt, "{key}");
        }
        assert!(matches!(own.read("p", &json!({}), None), Err(Error::OriginUnreachable(_))));
    }

    #[test]
    fn one_that_delivered_already_does_not_begin_behind_that() {
        let passing = Terms::Passing { name: "C".into(), deliver: "d".into() };
        let answer = |deliveries: u64| {
            json!({"name": "C", "delivered": {"stream_seq": 256, "consumer_seq": deliveries},
                "ack_floor": {"stream_seq": 256}, "config": {"ack_policy": "none"}})
        };
        let read = |deliveries, asked| passing.read("p", &answer(deliveries), asked);
        let before = |deliveries, asked| read(deliveries, asked).unwrap().before;
        assert_eq!(before(0, Some(1)), Some(256), "what is gone is passed over");
        assert_eq!(before(0, None), Some(256));
        assert_eq!(before(250, Some(7)), Some(6));
        assert_eq!(before(250, None), None, "nobody knows");
    }
}
