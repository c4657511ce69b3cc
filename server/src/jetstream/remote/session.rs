//! One opened origin on another server: a consumer there, and its deliveries in order.
//!
//! Invariant: a delivery is given only behind the one before it. Whatever else comes, and silence, ends the session.
//! Not here: opening another one (the driver of `headwater-replication`).

use super::delivery::Delivery;
use super::inbox::{Inbox, Next};
use super::request::Api;
use crate::jetstream::api::IDENTITY_HEADER;
use crate::jetstream::text_time;
use crate::protocol::headers;
use crate::routing::InternalSubscription;
use bytes::Bytes;
use headwater_replication::origin::{
    BoxFuture, Frontier, OriginBatch, OriginFacts, Session, Start,
};
use headwater_replication::{Error, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How often the consumer says that it is there, in nanoseconds.
const HEARTBEAT_NS: u64 = 1_000_000_000;
/// How long it may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long the consumer stays when nobody listens, in nanoseconds.
const INACTIVE_NS: u64 = 10_000_000_000;
/// How long the consumer would wait for acknowledgements, of which there are none, in nanoseconds.
const ACK_WAIT_NS: u64 = 22 * 3600 * 1_000_000_000;

/// See the top of the file.
pub(super) struct RemoteSession {
    name: String,
    api: Api,
    facts: OriginFacts,
    deliver: String,
    consumer: String,
    inbox: Arc<Inbox>,
    subscription: Option<InternalSubscription>,
    /// The newest delivery taken: its number, and its sequence.
    number: u64,
    sequence: u64,
}

impl Drop for RemoteSession {
    fn drop(&mut self) {
        if self.subscription.take().is_some() {
            // It would go by itself after a while.
            let path = format!("CONSUMER.DELETE.{}.{}", self.name, self.consumer);
            self.api.tell(&path, &Value::Null);
        }
    }
}

impl RemoteSession {
    pub(super) fn new(
        name: &str,
        api: Api,
        facts: OriginFacts,
        deliver: String,
        consumer: String,
    ) -> Self {
        Self {
            name: name.to_owned(),
            api,
            facts,
            deliver,
            consumer,
            inbox: Arc::default(),
            subscription: None,
            number: 0,
            sequence: 0,
        }
    }

    /// Has the consumer made; gives the sequence it begins with.
    async fn create(&mut self, start: Start, filters: Vec<String>) -> Result<u64> {
        let (begin, at_least) = match start {
            Start::Sequence(sequence) => {
                let next = self.facts.last_sequence.saturating_add(1);
                let first = sequence.min(next).max(self.facts.first_sequence).max(1);
                (json!({"deliver_policy": "by_start_sequence", "opt_start_seq": first}), first)
            }
            Start::Time(time) => {
                let time = text_time::text(time);
                (json!({"deliver_policy": "by_start_time", "opt_start_time": time}), 0)
            }
        };
        let mut path = format!("CONSUMER.CREATE.{}", self.name);
        let wanted = match filters.as_slice() {
            [] => json!({}),
            [filter] => {
                path = format!("{path}.{}.{filter}", self.consumer);
                json!({"filter_subject": filter})
            }
            filters => json!({"filter_subjects": filters}),
        };
        let config = self.config([begin, wanted]);
        let body = json!({"stream_name": self.name, "config": config});
        // The stream may have been deleted and created again since it was asked what it is.
        let identity = self.facts.identity.hash.clone();
        let wanted = headers::block("", &[(IDENTITY_HEADER, &identity)]);
        let (made, told) = self.api.ask_with(&path, &body, wanted).await?;
        let is_other = |told: &[u8]| told != identity.as_bytes();
        if headers::get(&told, IDENTITY_HEADER).is_some_and(is_other) {
            return Err(self.lost("the stream was created again"));
        }
        if let Some(name) = made.get("name").and_then(Value::as_str) {
            name.clone_into(&mut self.consumer);
        }
        let number = |pointer| made.pointer(pointer).and_then(Value::as_u64);
        let Some(before) = number("/delivered/stream_seq") else {
            let text = format!("{path}: the answer does not say where the consumer begins");
            return Err(Error::OriginUnreachable(text));
        };
        self.sequence = before.saturating_add(1).max(at_least).saturating_sub(1);
        self.inbox.begin(number("/num_pending").unwrap_or(0));
        // The consumer sends nothing before somebody listens, so nothing is missed between its making and this.
        let subscription = self.api.account.subscribe(&self.deliver, self.inbox.clone());
        self.subscription = Some(subscription);
        Ok(self.sequence.saturating_add(1))
    }

    /// The consumer's configuration, with where it begins and what it sends.
    fn config(&self, more: [Value; 2]) -> Value {
        let mut config = Map::new();
        let fixed = json!({
            "name": self.consumer,
            "deliver_subject": self.deliver,
            "ack_policy": "none",
            "ack_wait": ACK_WAIT_NS,
            "max_deliver": 1,
            "replay_policy": "instant",
            "idle_heartbeat": HEARTBEAT_NS,
            "flow_control": true,
            "direct": true,
            "inactive_threshold": INACTIVE_NS,
        });
        for part in std::iter::once(fixed).chain(more) {
            if let Value::Object(fields) = part {
                config.extend(fields);
            }
        }
        Value::Object(config)
    }

    fn lost(&self, what: &str) -> Error {
        let number = self.number;
        Error::OriginUnreachable(format!("{what}; delivery {number} of {} came last", self.name))
    }

    /// Takes one delivery; gives its message. `None` for the rest.
    fn take(&mut self, delivery: Delivery) -> Result<Option<headwater_storage::Message>> {
        match delivery {
            Delivery::Message { message, number, .. } => {
                if number != self.number.saturating_add(1) || message.sequence <= self.sequence {
                    return Err(self.lost(&format!("delivery {number} came out of order")));
                }
                (self.number, self.sequence) = (number, message.sequence);
                return Ok(Some(message));
            }
            Delivery::Flow(reply) => self.api.answer(reply, self.word()),
            Delivery::Heartbeat { number, stalled } => {
                if number != self.number && number > 0 {
                    return Err(self.lost(&format!("the consumer sent {number} deliveries")));
                }
                if !stalled.is_empty() {
                    self.api.answer(stalled, self.word());
                }
            }
            Delivery::End(text) => return Err(self.lost(&format!("the consumer says {text}"))),
        }
        Ok(None)
    }

    /// What an answer to flow control says.
    fn word(&self) -> Bytes {
        let (number, sequence) = (self.number.to_string(), self.sequence.to_string());
        headers::block("", &[("Nats-Last-Consumer", &number), ("Nats-Last-Stream", &sequence)])
    }

    /// What is there now; `None` for nothing at all.
    fn gather(&mut self, messages_max: usize, bytes_max: usize) -> Result<Option<OriginBatch>> {
        let (mut batch, mut bytes, mut is_heard) = (OriginBatch::default(), 0, false);
        while batch.messages.len() < messages_max {
            let delivery = match self.inbox.take() {
                Next::Delivery(delivery) => delivery,
                Next::Nothing => break,
                Next::Overrun if batch.messages.is_empty() => {
                    return Err(self.lost("more came than may wait"));
                }
                Next::Overrun => break,
            };
            let size = delivery.bytes();
            if bytes + size > bytes_max && !batch.messages.is_empty() {
                self.inbox.put_back(delivery);
                break;
            }
            is_heard = true;
            match self.take(delivery) {
                Ok(Some(message)) => {
                    bytes += size;
                    batch.messages.push(message);
                }
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
        batch.examined = self.sequence;
        Ok(is_heard.then_some(batch))
    }
}

impl Session for RemoteSession {
    fn facts(&self) -> OriginFacts {
        self.facts.clone()
    }

    fn start(&mut self, start: Start, filters: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        Box::pin(self.create(start, filters))
    }

    fn next(
        &mut self,
        messages_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<OriginBatch>> {
        Box::pin(async move {
            loop {
                if let Some(batch) = self.gather(messages_max, bytes_max)? {
                    return Ok(batch);
                }
                let came = tokio::time::timeout(SILENCE_MAX, self.inbox.came()).await;
                if came.is_err() {
                    return Err(self.lost("the consumer is silent"));
                }
            }
        })
    }

    fn frontier(&self) -> Arc<dyn Frontier> {
        self.inbox.clone()
    }
}
