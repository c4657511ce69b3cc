//! One opened origin on another server: a consumer there, and its deliveries in order.
//!
//! Invariant: a delivery is given only behind the one before it. Whatever else comes, and silence, ends the session.
//! Not here: opening another one (the driver of `headwater-replication`).

use super::answers::{Answers, Question};
use super::ask::{Made, Terms};
use super::delivery::Delivery;
use super::inbox::{Inbox, Next};
use super::pulse::{Place, Pulse};
use super::request::Api;
use crate::routing::InternalSubscription;
use bytes::Bytes;
use headwater_replication::origin::{
    Acknowledge, BoxFuture, Frontier, OriginBatch, OriginFacts, Session, Start,
};
use headwater_replication::{Error, Result};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long it may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// See the top of the file.
pub(super) struct RemoteSession {
    name: String,
    api: Api,
    facts: OriginFacts,
    terms: Terms,
    consumer: Made,
    inbox: Arc<Inbox>,
    answers: Arc<Answers>,
    pulse: Pulse,
    subscription: Option<InternalSubscription>,
    /// The newest delivery taken: its number, and its sequence.
    number: u64,
    sequence: u64,
}

impl Drop for RemoteSession {
    fn drop(&mut self) {
        let is_made = self.subscription.take().is_some();
        if let (true, Terms::Passing { .. }) = (is_made, &self.terms) {
            // It would go by itself after a while.
            let path = format!("CONSUMER.DELETE.{}.{}", self.name, self.consumer.name);
            self.api.tell(&path, &Value::Null);
        }
    }
}

impl RemoteSession {
    pub(super) fn new(name: &str, api: Api, facts: OriginFacts, terms: Terms) -> Self {
        Self {
            name: name.to_owned(),
            answers: Arc::new(Answers::new(api.clone(), terms.is_acknowledging())),
            api,
            facts,
            terms,
            consumer: Made::default(),
            inbox: Arc::default(),
            pulse: Pulse::default(),
            subscription: None,
            number: 0,
            sequence: 0,
        }
    }

    /// Has the consumer made; gives the sequence it begins with.
    async fn create(&mut self, start: Start, filters: Vec<String>) -> Result<u64> {
        let listen = || self.api.account.subscribe(self.terms.deliver(), self.inbox.clone());
        let early = self.terms.is_heard_early().then(listen);
        let asked = self.terms.ask(&self.api, &self.name, &self.facts, start, filters);
        self.consumer = asked.await?;
        // The others send nothing before somebody listens, so nothing is missed between their making and this.
        self.subscription = Some(early.unwrap_or_else(listen));
        let first = || Some(self.inbox.first()?.saturating_sub(1));
        let before = self.consumer.before.or_else(first);
        self.sequence = before.ok_or_else(|| self.lost("nobody knows where it began"))?;
        self.answers.begin(self.sequence);
        self.inbox.learn(self.sequence, self.consumer.left);
        Ok(self.sequence.saturating_add(1))
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
                self.pulse.moved();
                return Ok(Some(message));
            }
            Delivery::Flow(subject) => self.asked(subject),
            Delivery::Heartbeat { number, stalled } => {
                if number.is_some_and(|number| number != self.number) {
                    let number = number.unwrap_or(0);
                    return Err(self.lost(&format!("the consumer sent {number} deliveries")));
                }
                if !stalled.is_empty() {
                    self.asked(stalled);
                } else if !self.answers.is_waiting() && self.consumer.is_prompt {
                    self.beats()?;
                }
            }
            Delivery::End(text) => return Err(self.lost(&format!("the consumer says {text}"))),
        }
        Ok(None)
    }

    fn asked(&self, subject: Bytes) {
        let (number, sequence) = (self.number, self.sequence);
        self.answers.asked(Question { subject, number, sequence });
    }
    /// The consumer says that it is there, and sent nothing since it said so before.
    fn beats(&mut self) -> Result<()> {
        let place = || Place {
            stream: self.name.clone(),
            sequence: self.sequence,
            consumer: self.consumer.clone(),
            is_acknowledging: self.answers.is_acknowledging(),
        };
        let wrong = self.pulse.beats(&self.api, &self.inbox, place);
        wrong.map_or(Ok(()), |wrong| Err(self.lost(wrong)))
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

    fn acknowledge(&self) -> Option<Arc<dyn Acknowledge>> {
        self.answers.is_acknowledging().then(|| self.answers.clone() as Arc<dyn Acknowledge>)
    }
}
