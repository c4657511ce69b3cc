//! What a consumer sends now: the next messages for those who want them, and what is due besides.
//!
//! Everything is decided under the consumer's lock and sent after it was given back, by one task, so that receivers may
//! call into the consumer and messages stay in order.
//! Invariants: a message is marked as delivered exactly when it is among what is to be sent; a sequence is passed over
//! only when the stream says that nothing there matches.
//! Not here: who gets a message (`sending`), acknowledgements (`answers`), the task (`task`), storing (`store`).

use super::core::{Core, Way};
use super::events::{Event, REMOVED};
use super::machine::{Exhausted, Next};
use crate::routing::Message as Sent;
use headwater_storage::{Error, Timestamp};

/// Messages that are collected before they are sent.
const MESSAGES_MAX: usize = 256;
const BYTES_MAX: usize = 1024 * 1024;
/// How long after a failed read it is tried again, in nanoseconds.
const RETRY_NANOS: i64 = 1_000_000_000;

/// Something to send.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// A message; it carries its own subject and goes to this one.
    Deliver(String, Sent),
    /// A status.
    Tell(Sent),
    /// Word for others.
    Publish(Event),
}

/// What the task waits for before it collects again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Do not wait: there is more to send.
    pub(crate) is_more: bool,
    /// A time, in nanoseconds since 1970.
    pub(crate) until: Option<i64>,
    /// A change of the stream.
    pub(crate) for_stream: bool,
}

/// What a collection has come to so far.
pub(super) struct Collecting<'a> {
    pub(super) now: i64,
    pub(super) out: &'a mut Vec<Output>,
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) ready_at: Option<i64>,
    pub(super) is_full: bool,
}

impl Core {
    /// Collects what is to be sent now.
    pub(crate) fn collect(&mut self, now: i64, out: &mut Vec<Output>) -> Wait {
        if self.is_closed {
            return Wait::default();
        }
        self.forget_removed(out);
        let deadline = self.machine.expire(now);
        let mut collecting =
            Collecting { now, out, messages: 0, bytes: 0, ready_at: None, is_full: false };
        let paused = self.paused_until(now);
        let is_more = paused.is_none() && self.is_wanted() && self.take_all(&mut collecting);
        let Collecting { ready_at, is_full, .. } = collecting;
        if is_more {
            return Wait { is_more: true, ..Wait::default() };
        }
        let way = self.settle(now, !is_full, out);
        let times = [deadline, paused, ready_at, way];
        let is_watched = self.is_wanted() && !is_full && paused.is_none() && ready_at.is_none();
        let for_stream = is_watched || !self.machine.state().pending.is_empty();
        Wait { is_more: false, until: times.into_iter().flatten().min(), for_stream }
    }

    /// Whether somebody wants messages and can take them.
    fn is_wanted(&self) -> bool {
        match &self.way {
            Way::Push(push) => push.is_active && !push.is_stalled(),
            Way::Pull(queue) => !queue.is_empty(),
        }
    }

    /// What is pending and was removed from the stream needs nothing any more.
    pub(crate) fn forget_removed(&mut self, out: &mut Vec<Output>) {
        let removals = self.stream.removals();
        if removals == self.removals_seen {
            return;
        }
        self.removals_seen = removals;
        let pending: Vec<u64> = self.machine.state().pending.keys().copied().collect();
        for sequence in self.stream.missing(&pending) {
            let Some(delivered) = self.machine.gone(sequence) else { continue };
            self.last_ack = Some(Timestamp::now());
            if !self.is_purging {
                out.push(Output::Publish(Event::Terminated(delivered, REMOVED.into())));
            }
        }
        self.machine.stream_begins(self.stream.state().first_sequence);
    }

    /// Takes messages until nothing is left, nobody wants more, or enough is collected: then true.
    fn take_all(&mut self, collecting: &mut Collecting<'_>) -> bool {
        // Not where the clock was set back.
        if (1..=RETRY_NANOS).contains(&self.retry_at.saturating_sub(collecting.now)) {
            collecting.ready_at = Some(self.retry_at);
            return false;
        }
        loop {
            if collecting.messages >= MESSAGES_MAX || collecting.bytes >= BYTES_MAX {
                return true;
            }
            let mut exhausted = Vec::new();
            let next = self.machine.next(&mut exhausted);
            give_up(exhausted, collecting.out);
            let goes_on = match next {
                Next::Full => {
                    collecting.is_full = true;
                    false
                }
                Next::Again(sequence) => self.take_again(sequence, collecting),
                Next::Chosen(sequence) => self.take_chosen(sequence, collecting),
                Next::From(sequence) => self.take_new(sequence, collecting),
            };
            if !goes_on || !self.is_wanted() {
                return false;
            }
        }
    }

    fn take_again(&mut self, sequence: u64, collecting: &mut Collecting<'_>) -> bool {
        match self.stream.get(sequence) {
            Ok(message) => {
                let pending = self.pending();
                self.offer(message, pending, collecting)
            }
            Err(error) if is_gone(&error) => {
                if let Some(delivered) = self.machine.gone(sequence) {
                    collecting
                        .out
                        .push(Output::Publish(Event::Terminated(delivered, REMOVED.into())));
                }
                true
            }
            Err(error) => self.read_failed(&error, collecting),
        }
    }

    fn take_chosen(&mut self, sequence: u64, collecting: &mut Collecting<'_>) -> bool {
        let is_taken = match self.stream.get(sequence) {
            Ok(message) => {
                let pending = self.pending().saturating_sub(1);
                self.offer(message, pending, collecting)
            }
            Err(error) if is_gone(&error) => {
                self.machine.drop_chosen();
                true
            }
            Err(error) => self.read_failed(&error, collecting),
        };
        if self.machine.chosen().is_empty() {
            self.machine.skip_to(self.chosen_through.saturating_add(1));
        }
        is_taken
    }

    fn take_new(&mut self, from: u64, collecting: &mut Collecting<'_>) -> bool {
        let wanted = match &self.way {
            Way::Push(_) => u64::MAX,
            Way::Pull(queue) => queue.wanted(),
        };
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(self.machine.room());
        let count = wanted.min(MESSAGES_MAX - collecting.messages).max(1);
        self.tail.seek(from);
        let batch = match self.tail.try_next(count, BYTES_MAX) {
            Ok(Some(batch)) => batch,
            Ok(None) => return false,
            Err(error) => return self.read_failed(&error, collecting),
        };
        let behind = self.tail.pending();
        let mut left = batch.messages.len() as u64;
        for message in batch.messages {
            left -= 1;
            if !self.offer(message, behind + left, collecting) {
                return false;
            }
        }
        self.machine.skip_to(batch.examined + 1);
        true
    }

    /// A failed read is tried again soon, also where nothing else happens. False: nothing more is taken now.
    fn read_failed(&mut self, error: &Error, collecting: &mut Collecting<'_>) -> bool {
        if !matches!(error, Error::Closed) {
            tracing::warn!(consumer = self.ack_prefix, %error, "read failed; it is tried again");
            self.retry_at = collecting.now.saturating_add(RETRY_NANOS);
            collecting.ready_at = Some(self.retry_at);
        }
        false
    }
}

fn give_up(exhausted: Vec<Exhausted>, out: &mut Vec<Output>) {
    out.extend(exhausted.into_iter().map(|each| Output::Publish(Event::MaxDeliveries(each))));
}

/// Whether a message that cannot be read never will be.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::MessageNotFound(_) | Error::Damaged { .. })
}
