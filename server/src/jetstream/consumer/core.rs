//! What lies behind a consumer's lock: its decisions, the way to its clients, and the place in the stream.
//! Not here: what is sent now (`delivery`, `sending`), acknowledgements (`answers`).

use super::config::ConsumerConfig;
use super::machine::Machine;
use super::pace::Pace;
use super::push::Push;
use super::status::Status;
use super::waiting::Queue;
use crate::jetstream::text_time;
use crate::routing::Account;
use headwater_storage::{Stream, Tail, Timestamp, subject};
use std::sync::Arc;

/// Bounds of what is added to the time for which it stays, in nanoseconds, so that not all go at once.
const JITTER: std::ops::Range<i64> = 100_000_000..1_000_000_000;

/// How a consumer's messages get to its clients.
#[derive(Debug)]
pub(crate) enum Way {
    /// Unasked.
    Push(Push),
    /// To those who ask.
    Pull(Queue),
}

/// What lies behind a consumer's lock.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Arc<ConsumerConfig>,
    pub(crate) machine: Machine,
    pub(crate) way: Way,
    pub(crate) pace: Pace,
    /// Where those chosen at creation end, and all messages follow.
    pub(crate) chosen_through: u64,
    pub(crate) stream: Arc<Stream>,
    pub(crate) account: Arc<Account>,
    /// `$JS.ACK.<stream>.<consumer>`.
    pub(crate) ack_prefix: String,
    /// `$JS.FC.<stream>.<consumer>`.
    pub(crate) flow_prefix: String,
    pub(crate) last_delivery: Option<Timestamp>,
    pub(crate) last_ack: Option<Timestamp>,
    /// When somebody used it last.
    pub(crate) last_used: i64,
    pub(crate) is_closed: bool,
    /// What is removed now goes with a purge.
    pub(crate) is_purging: bool,
    /// Added to the time for which it stays, in nanoseconds.
    jitter: i64,
    pub(super) tail: Tail,
    /// Nothing is read before this time, after a read that failed; nanoseconds since 1970.
    pub(super) retry_at: i64,
    /// How many removals of the stream were looked at.
    pub(super) removals_seen: u64,
}

impl Core {
    /// A consumer's core. `chosen_through` bounds the messages chosen at creation.
    #[expect(clippy::too_many_arguments, reason = "what a consumer is made of, once")]
    pub(crate) fn new(
        config: Arc<ConsumerConfig>,
        machine: Machine,
        way: Way,
        pace: Pace,
        chosen_through: u64,
        stream: Arc<Stream>,
        account: Arc<Account>,
        names: (&str, &str),
        now: i64,
    ) -> Self {
        let tail = stream.tail(machine.state().next, config.filters());
        let (of, name) = names;
        Self {
            ack_prefix: format!("$JS.ACK.{of}.{name}"),
            flow_prefix: format!("$JS.FC.{of}.{name}"),
            config,
            machine,
            way,
            pace,
            chosen_through,
            account,
            tail,
            retry_at: i64::MIN,
            removals_seen: 0,
            last_delivery: None,
            last_ack: None,
            last_used: now,
            is_closed: false,
            is_purging: false,
            jitter: rand::random_range(JITTER),
            stream,
        }
    }
    /// Looks for other subjects from now on.
    pub(crate) fn set_filters(&mut self, filters: Vec<String>) {
        self.tail = self.stream.tail(self.machine.state().next, filters);
    }
    /// Whether it delivers messages of this subject.
    pub(crate) fn matches(&self, subject: &str) -> bool {
        let ConsumerConfig { filter_subject, filter_subjects, .. } = &*self.config;
        match (filter_subject.is_empty(), filter_subjects.is_empty()) {
            (true, true) => true,
            (false, _) => subject::matches(filter_subject, subject),
            _ => filter_subjects.iter().any(|filter| subject::matches(filter, subject)),
        }
    }
    /// Messages that match and were not delivered yet.
    pub(crate) fn pending(&mut self) -> u64 {
        self.tail.seek(self.next_unchosen());
        self.machine.chosen().len() as u64 + self.tail.pending()
    }
    fn next_unchosen(&self) -> u64 {
        let next = self.machine.state().next;
        match self.machine.chosen().is_empty() {
            true => next,
            false => next.max(self.chosen_through.saturating_add(1)),
        }
    }
    /// What a heartbeat says.
    pub(crate) fn idle(&self) -> Status {
        let state = self.machine.state();
        let stalled = match &self.way {
            Way::Push(push) => push.flow.as_ref().and_then(|flow| flow.asked()),
            Way::Pull(_) => None,
        };
        Status::idle(state.delivered.delivery, state.next.saturating_sub(1), stalled)
    }
    /// Whether nothing is delivered for now, and until when.
    pub(crate) fn paused_until(&self, now: i64) -> Option<i64> {
        let until = self.config.pause_until.map(text_time::stored)?.0;
        (until > now).then_some(until)
    }
    /// How long it stays without anybody using it; `None` for ever.
    pub(crate) fn inactive_span(&self) -> Option<i64> {
        let span = self.config.inactive_threshold;
        (span > 0).then(|| span.saturating_add(self.jitter))
    }
}
