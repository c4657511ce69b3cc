//! Giving one message to whoever is next, and the statuses that go beside messages.
//! Not here: which message (`delivery`), whose turn it is (`waiting`).

use super::config::{AckPolicy, PriorityPolicy};
use super::core::{Core, Way};
use super::delivery::{Collecting, Output};
use super::events::Event;
use super::status::Status;
use super::waiting::{Situation, Told};
use crate::jetstream::publish::republish::with_fields;
use crate::routing::Message as Sent;
use bytes::Bytes;
use headwater_storage::{Message, Timestamp};

impl Core {
    /// Gives a message to whoever is next; `pending` messages are left after it. False where nobody can take it now.
    pub(super) fn offer(
        &mut self,
        message: Message,
        pending: u64,
        collecting: &mut Collecting<'_>,
    ) -> bool {
        let (now, sequence) = (collecting.now, message.sequence);
        let ready_at = if self.pace.is_free() {
            i64::MIN
        } else {
            self.pace.ready_at(sequence, message.time.0)
        };
        if ready_at > now {
            collecting.ready_at = Some(ready_at);
            return false;
        }
        let preview = self.machine.preview(sequence);
        let reply = preview.subject(&self.ack_prefix, message.time, pending);
        let mut sent = Sent {
            subject: message.subject,
            reply: Bytes::from(reply),
            headers: message.headers,
            payload: message.payload,
        };
        if self.config.headers_only {
            let size = format!("Nats-Msg-Size: {}\r\n", sent.payload.len());
            sent.headers = with_fields(&sent.headers, &size);
            sent.payload = Bytes::new();
        }
        let bytes = size(&sent);
        let Some((to, after)) = self.taker(bytes, pending, collecting) else { return false };
        if let (Way::Pull(queue), PriorityPolicy::PinnedClient) =
            (&self.way, self.config.priority_policy)
        {
            let pin = format!("Nats-Pin-Id: {}\r\n", queue.pin.id());
            sent.headers = with_fields(&sent.headers, &pin);
        }
        self.machine.delivered(sequence, now);
        self.last_delivery = Some(Timestamp::now());
        if !self.pace.is_free() {
            self.pace.sent(sequence, message.time.0, bytes, now);
        }
        collecting.messages += 1;
        collecting.bytes += bytes;
        collecting.out.push(Output::Deliver(to.clone(), sent));
        if let Some(status) = after {
            collecting.out.push(Output::Tell(status.message(&to, "")));
        }
        self.sent(bytes as u64, now, collecting.out);
        true
    }

    /// Who takes a message of so many bytes, and what is told after it.
    fn taker(
        &mut self,
        bytes: usize,
        pending: u64,
        collecting: &mut Collecting<'_>,
    ) -> Option<(String, Option<Status>)> {
        let account = &self.account;
        let queue = match &mut self.way {
            Way::Push(push) if push.is_stalled() => return None,
            Way::Push(_) => return Some((self.config.deliver_subject.clone(), None)),
            Way::Pull(queue) => queue,
        };
        let situation = Situation {
            now: collecting.now,
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            pending: pending.saturating_add(1),
            ack_pending: self.machine.state().pending.len(),
        };
        let was_pinned = !queue.pin.id().is_empty();
        let mut told = Vec::new();
        let listens = |reply: &str| account.has_interest(reply);
        let served = queue.serve(situation, &listens, &mut told);
        if !was_pinned && !queue.pin.id().is_empty() {
            let group = self.config.priority_groups.first().cloned().unwrap_or_default();
            let id = queue.pin.id().to_owned();
            collecting.out.push(Output::Publish(Event::Pinned { group, id }));
        }
        tell(told, collecting.out);
        self.last_used = collecting.now;
        served.map(|served| (served.reply, served.after))
    }

    /// Bytes went: the receiver may have to be asked.
    fn sent(&mut self, bytes: u64, now: i64, out: &mut Vec<Output>) {
        let is_full = self.config.ack_policy == AckPolicy::FlowControl && self.machine.room() == 0;
        let Way::Push(push) = &mut self.way else { return };
        push.heard(now);
        if let Some(flow) = &mut push.flow
            && flow.sent(bytes, is_full)
        {
            self.ask(out);
        }
    }
    /// Asks the receiver to say that it got what was sent.
    fn ask(&mut self, out: &mut Vec<Output>) {
        let Way::Push(push) = &mut self.way else { return };
        let Some(flow) = &mut push.flow else { return };
        let id = nuid::next();
        let id = id.as_str();
        let id = id.get(id.len().saturating_sub(4)..).unwrap_or_default();
        let reply = format!("{}.{id}", self.flow_prefix);
        let question = Status::new(100, "FlowControl Request");
        out.push(Output::Tell(question.message(&self.config.deliver_subject, &reply)));
        flow.ask(reply);
    }

    /// Statuses that are due when nothing is left to deliver. Gives when to look again.
    pub(super) fn settle(&mut self, now: i64, is_end: bool, out: &mut Vec<Output>) -> Option<i64> {
        let idle = self.idle();
        let asks = self.config.ack_policy == AckPolicy::FlowControl
            && !self.machine.state().pending.is_empty();
        let account = &self.account;
        match &mut self.way {
            Way::Pull(queue) => {
                let mut told = Vec::new();
                let listens = |reply: &str| account.has_interest(reply);
                let next = queue.sweep(now, is_end, &idle, &listens, &mut told);
                let pin = queue.pin.ends();
                if pin.is_some_and(|ends| ends <= now) && queue.pin.release() {
                    let group = self.config.priority_groups.first().cloned().unwrap_or_default();
                    out.push(Output::Publish(Event::Unpinned { group, reason: "timeout" }));
                }
                tell(told, out);
                next.into_iter().chain(queue.pin.ends()).min()
            }
            Way::Push(push) => {
                if push.beats(now) {
                    out.push(Output::Tell(idle.message(&self.config.deliver_subject, "")));
                    let is_asked = push.flow.as_ref().is_some_and(|flow| flow.asked().is_some());
                    let next = push.next_heartbeat();
                    if asks && !is_asked {
                        self.ask(out);
                    }
                    return next;
                }
                push.next_heartbeat()
            }
        }
    }
}

fn tell(told: Vec<Told>, out: &mut Vec<Output>) {
    out.extend(told.into_iter().map(|(to, status)| Output::Tell(status.message(&to, ""))));
}

/// What a message counts for.
fn size(sent: &Sent) -> usize {
    sent.subject.len() + sent.reply.len() + sent.headers.len() + sent.payload.len()
}
