//! Pull requests that wait, and whose turn it is.
//!
//! They are served in turn, one message each. With a policy of priorities the lowest number comes first, an overflowing
//! group only above its thresholds, a pinned client before all others.
//! Invariants: a request in the queue asks for at least one more message; there are never more than the bound.
//! Not here: refusals at arrival (`request`), the messages (`delivery`).

use super::config::PriorityPolicy;
use super::pin::Pin;
use super::request::PullRequest;
use super::status::Status;
use std::collections::VecDeque;

/// A request that waits. Times are in nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Where it is answered.
    pub(crate) reply: String,
    request: PullRequest,
    /// Messages that it still asks for.
    left: i64,
    /// Bytes that it still takes; 0 for any number.
    bytes_left: i64,
    delivered: u64,
    expires: Option<i64>,
    next_heartbeat: Option<i64>,
}

/// What is known when the next request is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// Now.
    pub(crate) now: i64,
    /// Bytes of the message.
    pub(crate) bytes: i64,
    /// Messages not delivered yet, this one counted.
    pub(crate) pending: u64,
    /// Messages that wait for acknowledgement.
    pub(crate) ack_pending: usize,
}

/// A request that gets a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// Where to.
    pub(crate) reply: String,
    /// What to tell after the message, because the request ends with bytes left over.
    pub(crate) after: Option<Status>,
}

/// A status and where it goes.
pub(crate) type Told = (String, Status);

/// The requests of one consumer.
#[derive(Debug)]
pub(crate) struct Queue {
    requests: VecDeque<Waiting>,
    requests_max: usize,
    policy: PriorityPolicy,
    pub(crate) pin: Pin,
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new(requests_max: usize, policy: PriorityPolicy, pin_ns: i64) -> Self {
        Self { requests: VecDeque::new(), requests_max, policy, pin: Pin::new(pin_ns) }
    }
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }
    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
    /// Messages that all of them ask for.
    pub(crate) fn wanted(&self) -> u64 {
        let left = self.requests.iter().map(|waiting| waiting.left.max(1).unsigned_abs());
        left.fold(0, u64::saturating_add)
    }
    /// Adds a request. False where there are too many.
    pub(crate) fn add(&mut self, reply: String, request: PullRequest, now: i64) -> bool {
        if self.requests.len() >= self.requests_max {
            return false;
        }
        let after = |span: i64| (span > 0).then(|| now.saturating_add(span));
        let waiting = Waiting {
            reply,
            left: request.batch,
            bytes_left: request.max_bytes,
            delivered: 0,
            expires: after(request.expires),
            next_heartbeat: after(request.idle_heartbeat),
            request,
        };
        let at = match self.policy {
            PriorityPolicy::Prioritized => self.place(&waiting),
            _ => self.requests.len(),
        };
        self.requests.insert(at, waiting);
        true
    }

    /// The request that gets a message; those that cannot get it are told so and end. `listens`: whether somebody
    /// listens where a request is answered.
    pub(crate) fn serve(
        &mut self,
        situation: Situation,
        listens: &dyn Fn(&str) -> bool,
        told: &mut Vec<Told>,
    ) -> Option<Served> {
        let mut passed = 0;
        while passed < self.requests.len() {
            let waiting = self.requests.pop_front()?;
            let end = match self.verdict(&waiting, situation) {
                Verdict::Pass => {
                    self.requests.push_back(waiting);
                    passed += 1;
                    continue;
                }
                Verdict::End(status) => Some(status),
                Verdict::Serve if !listens(&waiting.reply) => None,
                Verdict::Serve => return Some(self.take_turn(waiting, situation)),
            };
            if let Some(status) = end {
                told.push((waiting.reply, status));
            }
        }
        None
    }

    fn verdict(&self, waiting: &Waiting, situation: Situation) -> Verdict {
        let ended =
            |code, text| Verdict::End(Status::ended(code, text, waiting.left, waiting.bytes_left));
        if waiting.is_over(situation.now) {
            return ended(408, "Request Timeout");
        }
        let priority = waiting.request.priority.as_ref();
        let id = priority.map_or("", |priority| priority.id.as_str());
        if self.policy == PriorityPolicy::PinnedClient {
            match (self.pin.id(), id) {
                ("", "") => {}
                (pinned, id) if pinned == id => {}
                (_, "") => return Verdict::Pass,
                (_, _) => return ended(423, "Nats-Wrong-Pin-Id"),
            }
        }
        if let (PriorityPolicy::Overflow, Some(priority)) = (self.policy, priority) {
            let least = |min: i64| (min > 0).then(|| min.unsigned_abs());
            let pending = least(priority.min_pending);
            let ack_pending = least(priority.min_ack_pending);
            let is_over = pending.is_some_and(|min| min <= situation.pending)
                || ack_pending.is_some_and(|min| min <= situation.ack_pending as u64);
            if (pending.is_some() || ack_pending.is_some()) && !is_over {
                return Verdict::Pass;
            }
        }
        if waiting.bytes_left > 0 && situation.bytes > waiting.bytes_left {
            return ended(409, "Message Size Exceeds MaxBytes");
        }
        Verdict::Serve
    }

    fn take_turn(&mut self, mut waiting: Waiting, situation: Situation) -> Served {
        if self.policy == PriorityPolicy::PinnedClient {
            self.pin.hold(situation.now);
        }
        let is_bounded = waiting.bytes_left > 0;
        waiting.left -= 1;
        waiting.delivered += 1;
        if is_bounded {
            waiting.bytes_left -= situation.bytes;
            if waiting.bytes_left == 0 {
                waiting.left = 0;
            }
        }
        let reply = waiting.reply.clone();
        if waiting.left > 0 {
            let beat = waiting.request.idle_heartbeat;
            waiting.next_heartbeat = (beat > 0).then(|| situation.now.saturating_add(beat));
            let at = match self.policy {
                PriorityPolicy::Prioritized => self.place(&waiting),
                _ => self.requests.len(),
            };
            self.requests.insert(at, waiting);
            return Served { reply, after: None };
        }
        let (left, bytes) = (waiting.left, waiting.bytes_left);
        let after = (bytes > 0).then(|| Status::ended(409, "Batch Completed", left, bytes));
        Served { reply, after }
    }

    /// Ends what is over, or what nobody listens to any more. `is_end`: nothing is left to deliver now, so that requests
    /// without waiting end. Gives when to look again.
    pub(crate) fn sweep(
        &mut self,
        now: i64,
        is_end: bool,
        idle: &Status,
        listens: &dyn Fn(&str) -> bool,
        told: &mut Vec<Told>,
    ) -> Option<i64> {
        let mut next: Option<i64> = None;
        self.requests.retain_mut(|waiting| {
            if waiting.is_over(now) {
                let (left, bytes) = (waiting.left, waiting.bytes_left);
                let status = Status::ended(408, "Request Timeout", left, bytes);
                told.push((waiting.reply.clone(), status));
                return false;
            }
            let is_done = waiting.expires.is_none() || waiting.delivered > 0;
            if is_end && waiting.request.no_wait && is_done {
                told.push((waiting.reply.clone(), Status::new(404, "No Messages")));
                return false;
            }
            if !listens(&waiting.reply) {
                return false;
            }
            if waiting.next_heartbeat.is_some_and(|at| at <= now) {
                told.push((waiting.reply.clone(), idle.clone()));
                waiting.next_heartbeat = Some(now.saturating_add(waiting.request.idle_heartbeat));
            }
            let times = waiting.next_heartbeat.into_iter().chain(waiting.expires);
            next = next.into_iter().chain(times).min();
            true
        });
        next
    }
    /// Drops those that nobody waits for any more.
    pub(crate) fn retain(&mut self, listens: &dyn Fn(&str) -> bool, now: i64) {
        self.requests.retain(|waiting| waiting.is_over(now) || listens(&waiting.reply));
    }
    /// Ends all of them.
    pub(crate) fn end_all(&mut self, status: &Status) -> Vec<Told> {
        self.requests.drain(..).map(|waiting| (waiting.reply, status.clone())).collect()
    }

    /// Where a request goes that waits by priority: behind those that come before it or at the same time.
    fn place(&self, waiting: &Waiting) -> usize {
        self.requests.partition_point(|other| other.priority() <= waiting.priority())
    }
}

enum Verdict {
    Serve,
    Pass,
    End(Status),
}

impl Waiting {
    fn is_over(&self, now: i64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
    fn priority(&self) -> i64 {
        self.request.priority.as_ref().map_or(0, |priority| priority.priority)
    }
}

#[cfg(test)]
#[path = "waiting_test.rs"]
mod tests;
