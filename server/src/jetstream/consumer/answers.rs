//! What clients send to a consumer: acknowledgements, pull requests, answers to flow control, resets.
//!
//! They are taken on the publisher's task, under the consumer's lock, and only change what is decided; the consumer's
//! own task sends.
//! Not here: their form (`ack`, `request`), what they change (`machine`, `waiting`, `flow`).

use super::Consumer;
use super::ack::{Answer, Delivered};
use super::config::{AckPolicy, PriorityPolicy};
use super::core::{Core, Way};
use super::delivery::Output;
use super::events::Event;
use super::machine::Taken;
use super::request::PullRequest;
use super::status::Status;
use crate::jetstream::api::is_level_supported;
use crate::protocol::headers;
use crate::routing::{Account, Handler, Message, Origin};
use bytes::Bytes;
use headwater_storage::Timestamp;
use std::sync::{Arc, Weak};

/// Which of a consumer's subjects a handler listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inlet {
    /// `$JS.ACK.<stream>.<consumer>.>`
    Acknowledgements,
    /// `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`
    Requests,
    /// `$JS.FC.<stream>.<consumer>.*`
    FlowControl,
}

/// Takes what is sent to one of a consumer's subjects.
pub(crate) struct Receiver {
    pub(crate) consumer: Weak<Consumer>,
    pub(crate) inlet: Inlet,
}

impl Handler for Receiver {
    fn deliver(&self, _: &Arc<Account>, message: &Message, _: &Arc<Origin>) {
        let Some(consumer) = self.consumer.upgrade() else { return };
        match self.inlet {
            Inlet::Acknowledgements => consumer.acknowledged(message),
            Inlet::Requests => consumer.requested(message),
            Inlet::FlowControl => consumer.flow_answered(message),
        }
    }
}

impl Consumer {
    fn acknowledged(&self, message: &Message) {
        let subject = std::str::from_utf8(&message.subject).unwrap_or_default();
        let Some(delivered) = Delivered::read(subject) else { return };
        let answer = Answer::read(&message.payload);
        let now = self.clock.now();
        let mut core = self.lock();
        if core.is_closed {
            return;
        }
        core.last_used = now;
        let mut events = Vec::new();
        let is_answered = match answer {
            Answer::Done => core.done(delivered, now, &mut events),
            Answer::Next(request) => {
                core.done(delivered, now, &mut events);
                let refused = core.request(message.reply.clone(), request, now);
                if let Some(status) = refused {
                    let reply = String::from_utf8_lossy(&message.reply).into_owned();
                    events.push(Output::Tell(status.message(&reply, "")));
                }
                false
            }
            Answer::Again(delay) => {
                if core.machine.again(delivered, delay, now) {
                    events.push(Output::Publish(Event::Naked(delivered)));
                }
                true
            }
            Answer::Working => {
                core.machine.working(delivered.sequence, now);
                true
            }
            Answer::Never(reason) => {
                let is_taken = core.machine.done(delivered) != Taken::No;
                events.push(Output::Publish(Event::Terminated(delivered, reason)));
                is_taken
            }
            Answer::Unknown => true,
        };
        let settled = core.machine.take_settled();
        drop(core);
        let reply = Some(message.reply.clone()).filter(|reply| is_answered && !reply.is_empty());
        self.send(events);
        self.settle(&settled, reply);
    }

    /// Messages are done. Who wants an answer gets it when that is durable.
    fn settle(&self, settled: &[u64], reply: Option<Bytes>) {
        let (saver, woken) = (self.saver.clone(), self.woken.clone());
        self.settled(settled, move |is_durable| {
            if let (true, Some(reply)) = (is_durable, reply) {
                saver.answer_when_durable(reply);
            }
            woken.notify_one();
        });
    }

    fn requested(&self, message: &Message) {
        if message.reply.is_empty() {
            return;
        }
        let refused = match is_level_supported(message) {
            false => Some(Status::new(412, "Required Api Level")),
            true => {
                let now = self.clock.now();
                let mut core = self.lock();
                core.request(message.reply.clone(), &message.payload, now)
            }
        };
        if let Some(status) = refused {
            let reply = String::from_utf8_lossy(&message.reply).into_owned();
            self.send(vec![Output::Tell(status.message(&reply, ""))]);
        }
        self.woken.notify_one();
    }

    fn flow_answered(&self, message: &Message) {
        let subject = std::str::from_utf8(&message.subject).unwrap_or_default();
        let now = self.clock.now();
        let mut core = self.lock();
        let is_acknowledged = core.config.ack_policy == AckPolicy::FlowControl;
        let Way::Push(push) = &mut core.way else { return };
        let Some(flow) = &mut push.flow else { return };
        if !flow.answered(subject) {
            return;
        }
        let number = |name: &str| {
            let value = headers::get(&message.headers, name)?;
            std::str::from_utf8(value).ok()?.trim().parse::<u64>().ok()
        };
        if let (true, Some(sequence)) = (is_acknowledged, number("Nats-Last-Stream"))
            && sequence > 0
        {
            let delivery = number("Nats-Last-Consumer").unwrap_or(0);
            core.done(Delivered { deliveries: 1, sequence, delivery }, now, &mut Vec::new());
        }
        let settled = core.machine.take_settled();
        drop(core);
        self.settle(&settled, None);
    }
}

impl Core {
    /// A message is done. Whether that is answered.
    fn done(&mut self, delivered: Delivered, now: i64, events: &mut Vec<Output>) -> bool {
        let taken = self.machine.done(delivered);
        if taken != Taken::No {
            self.last_ack = Some(Timestamp::now());
        }
        if let Taken::Settled { since } = taken
            && self.is_sampled()
        {
            let span = now.saturating_sub(since);
            events.push(Output::Publish(Event::Acknowledged(delivered, span)));
        }
        taken != Taken::No
    }
    fn is_sampled(&self) -> bool {
        match self.config.sample_percent() {
            0 => false,
            percent if percent >= 100 => true,
            percent => rand::random_range(0..100) < percent,
        }
    }

    /// Takes a pull request; what the client is told at once where it does not wait.
    fn request(&mut self, reply: Bytes, body: &[u8], now: i64) -> Option<Status> {
        let config = self.config.clone();
        if matches!(self.way, Way::Push(_)) {
            return Some(Status::new(409, "Consumer is push based"));
        }
        let request = match PullRequest::read(body) {
            Ok(request) => request,
            Err(status) => return Some(status),
        };
        if let Err(status) = request.check(&config) {
            return Some(status);
        }
        self.last_used = now;
        if let Some(status) = self.check_pin(&request, now) {
            return Some(status);
        }
        if request.no_wait
            && let Some(status) = self.check_no_wait(&request, now)
        {
            return Some(status);
        }
        let has_heartbeat = request.idle_heartbeat > 0;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        let Way::Pull(queue) = &mut self.way else { return None };
        if queue.add(reply.clone(), request.clone(), now) {
            return None;
        }
        self.sweep_silently(now);
        let Way::Pull(queue) = &mut self.way else { return None };
        let is_taken = queue.add(reply, request, now);
        // A client that expects heartbeats notices by itself, and would only ask again at once.
        (!is_taken && !has_heartbeat).then(|| Status::new(409, "Exceeded MaxWaiting"))
    }

    fn check_pin(&mut self, request: &PullRequest, now: i64) -> Option<Status> {
        let is_pinned = self.config.priority_policy == PriorityPolicy::PinnedClient;
        let Way::Pull(queue) = &mut self.way else { return None };
        let id = request.priority.as_ref().map_or("", |priority| priority.id.as_str());
        if !is_pinned || queue.pin.id().is_empty() || id.is_empty() {
            return None;
        }
        if queue.pin.id() != id {
            return Some(Status::new(423, "Nats-Pin-Id mismatch"));
        }
        queue.pin.renew(now);
        None
    }

    /// A request that does not wait is refused where nothing is there, or others ask for it already.
    fn check_no_wait(&mut self, request: &PullRequest, now: i64) -> Option<Status> {
        let pending = self.pending() + self.machine.again_count() as u64;
        if pending == 0 {
            return (request.expires == 0).then(|| Status::new(404, "No Messages"));
        }
        self.sweep_silently(now);
        let Way::Pull(queue) = &self.way else { return None };
        let asked = if queue.is_empty() { 0 } else { queue.wanted() };
        (pending < asked).then(|| Status::new(408, "Requests Pending"))
    }

    /// Drops requests that nobody waits for any more. What the others are due is told by the task.
    fn sweep_silently(&mut self, now: i64) {
        let account = self.account.clone();
        let Way::Pull(queue) = &mut self.way else { return };
        queue.retain(&|reply| account.has_interest(reply), now);
    }
}
