//! Answers to a consumer's questions of flow control.
//!
//! Invariant: where an answer acknowledges, it is given when everything that was delivered before its question is durable here,
//! and says no more than that.
//! Not here: the questions (`session`).

use super::request::Api;
use crate::protocol::headers;
use bytes::Bytes;
use headwater_replication::origin::Acknowledge;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the top of the file.
#[derive(Debug)]
pub(super) struct Answers {
    api: Api,
    is_acknowledging: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Everything up to here is durable.
    durable: u64,
    /// The newest question that waits: the consumer listens to no answer to an earlier one.
    waiting: Option<Question>,
}

/// A question, and what was delivered before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Where the answer goes.
    pub(super) subject: Bytes,
    /// How many deliveries came.
    pub(super) number: u64,
    /// Sequence of the last one.
    pub(super) sequence: u64,
}

impl Answers {
    /// `is_acknowledging`: messages may go when they are answered.
    pub(super) fn new(api: Api, is_acknowledging: bool) -> Self {
        Self { api, is_acknowledging, state: Mutex::default() }
    }
    /// Everything up to here was acknowledged before.
    pub(super) fn begin(&self, sequence: u64) {
        self.lock().durable = sequence;
    }
    /// Whether a question waits for its answer.
    pub(super) fn is_waiting(&self) -> bool {
        self.lock().waiting.is_some()
    }
    /// Whether messages may go when they are answered.
    pub(super) fn is_acknowledging(&self) -> bool {
        self.is_acknowledging
    }
    /// Answers a question, now or when it may be. One that is asked again keeps its place.
    pub(super) fn asked(&self, question: Question) {
        let mut state = self.lock();
        if !self.is_acknowledging || question.sequence <= state.durable {
            state.waiting = None;
            drop(state);
            return self.answer(question);
        }
        let is_known = |known: &Question| known.subject == question.subject;
        if !state.waiting.as_ref().is_some_and(is_known) {
            state.waiting = Some(question);
        }
    }

    fn answer(&self, question: Question) {
        let (number, sequence) = (question.number.to_string(), question.sequence.to_string());
        let fields = [("Nats-Last-Consumer", &*number), ("Nats-Last-Stream", &*sequence)];
        self.api.answer(question.subject, headers::block("", &fields));
    }
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Acknowledge for Answers {
    fn durable(&self, sequence: u64) {
        let mut state = self.lock();
        state.durable = state.durable.max(sequence);
        let durable = state.durable;
        let ready = state.waiting.take_if(|question| question.sequence <= durable);
        drop(state);
        if let Some(question) = ready {
            self.answer(question);
        }
    }
}
