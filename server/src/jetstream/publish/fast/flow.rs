//! One fast batch: what has come of it, what is stored, and what its publisher is told of it.
//!
//! Pure: messages and what became of them are handed in, answers are handed out. Numbers of the batch's messages are
//! those that the publisher gave.
//! Invariants: `told <= stored <= received`; at most one append of a batch is under way, so that where no gap is allowed
//! nothing behind a message that failed is ever stored; what waits is accounted for in the claim.
//! Not here: appends and sending (`fast`).

use super::super::budget::Claim;
use super::answer::Answer;
use super::pattern::{Operation, Pattern};
use crate::jetstream::errors::{self, ApiError};
use bytes::Bytes;
use headwater_storage::NewMessage;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a batch stays open without a new message.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(10);
/// After how many messages publishers are told, all batches of the stream together.
const FLOW_MAX: usize = 500;
/// Most messages and bytes of one append.
const CHUNK_MESSAGES_MAX: usize = 512;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// What a message takes beside its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 256;

/// A message that waits to be stored.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) new: NewMessage,
    pub(super) sequence: u64,
    pub(super) reply: Bytes,
    pub(super) is_last: bool,
}

impl Entry {
    fn bytes(&self) -> usize {
        let texts = self.new.subject.len() + self.new.headers.len() + self.new.payload.len();
        texts + ENTRY_OVERHEAD_BYTES
    }
}

/// A fast batch.
#[derive(Debug)]
pub(super) struct Batch {
    received: u64,
    stored: u64,
    told: u64,
    /// Where the last stored message lies in the stream.
    last_sequence: u64,
    /// Messages that came and are neither stored nor refused.
    pending: usize,
    every: u16,
    every_max: u16,
    is_gap_allowed: bool,
    is_committed: bool,
    /// Nothing more will come of it.
    pub(super) is_over: bool,
    /// An append is under way.
    is_appending: bool,
    /// So many messages go one by one, because together they failed.
    singles: usize,
    queue: VecDeque<Entry>,
    claim: Claim,
    deadline: Instant,
    answers: Vec<(Bytes, Answer)>,
}

impl Batch {
    /// A batch that begins; `open` is how many the stream has with it.
    pub(super) fn new(pattern: &Pattern, claim: Claim, open: usize, now: Instant) -> Self {
        let most = u16::try_from(FLOW_MAX).unwrap_or(u16::MAX);
        Self {
            received: 0,
            stored: 0,
            told: 0,
            last_sequence: 0,
            pending: 0,
            every: if open > 1 { 1 } else { pattern.flow.min(most) },
            every_max: pattern.flow,
            is_gap_allowed: pattern.is_gap_allowed,
            is_committed: false,
            is_over: false,
            is_appending: false,
            singles: 0,
            queue: VecDeque::new(),
            claim,
            deadline: now + IDLE_MAX,
            answers: Vec::new(),
        }
    }
    /// When it will have been idle for too long; never where only appends are waited for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.is_committed).then_some(self.deadline)
    }
    /// Something came: it stays open.
    pub(super) fn touch(&mut self, now: Instant) {
        self.deadline = now + IDLE_MAX;
    }
    /// What is to be said, in order.
    pub(super) fn take_answers(&mut self) -> Vec<(Bytes, Answer)> {
        std::mem::take(&mut self.answers)
    }
    /// Answers a question how far it is.
    pub(super) fn ping(&mut self, sequence: u64, reply: &Bytes, open: usize) {
        let mut is_told = false;
        if sequence > self.received {
            let (expected, found) = (self.received + 1, sequence.saturating_add(1));
            self.say(reply, Answer::Gap { expected, found });
            if self.is_gap_allowed {
                self.received = sequence;
                if self.pending == 0 {
                    self.stored = self.received;
                }
                is_told = self.tell(reply, open);
            } else {
                self.commit(reply);
                is_told = self.is_over;
            }
        }
        if !is_told {
            let (sequence, every) = (self.told, self.every);
            self.say(reply, Answer::Flow { sequence, every });
        }
    }
    /// Counts a message in; gives whether it is to be stored.
    pub(super) fn arrive(&mut self, pattern: &Pattern, reply: &Bytes, is_answered: bool) -> bool {
        if self.is_committed {
            return false;
        }
        let (expected, found) = (self.received + 1, pattern.sequence);
        if found != expected {
            self.say(reply, Answer::Gap { expected, found });
            if found < expected || !self.is_gap_allowed {
                self.commit(reply);
                return false;
            }
        }
        self.received = found;
        match pattern.operation {
            Operation::End => {
                self.received -= 1;
                if self.pending == 0 {
                    self.stored = self.received;
                }
                self.commit(reply);
                return false;
            }
            Operation::Commit => self.is_committed = true,
            Operation::Add | Operation::Ping => {
                if found == 1 && is_answered {
                    let every = self.every;
                    self.say(reply, Answer::Flow { sequence: 0, every });
                }
            }
        }
        true
    }
    /// Puts a message that arrived behind those that wait, if there is room for it.
    pub(super) fn push(&mut self, entry: Entry) -> bool {
        if !self.claim.grow(entry.bytes()) {
            return false;
        }
        self.pending += 1;
        self.queue.push_back(entry);
        true
    }
    /// What to append next; empty where nothing waits, or an append is under way.
    pub(super) fn begin_append(&mut self) -> Vec<Entry> {
        let mut chunk = Vec::new();
        if self.is_appending {
            return chunk;
        }
        let most = if self.singles > 0 { 1 } else { CHUNK_MESSAGES_MAX };
        let mut bytes = 0;
        while chunk.len() < most
            && let Some(next) = self.queue.front()
            && (chunk.is_empty() || bytes + next.bytes() <= CHUNK_BYTES_MAX)
        {
            bytes += next.bytes();
            chunk.extend(self.queue.pop_front());
        }
        self.singles = self.singles.saturating_sub(chunk.len());
        self.is_appending = !chunk.is_empty();
        chunk
    }
    /// Messages are stored, the last of them at this sequence of the stream.
    pub(super) fn stored(&mut self, chunk: &[Entry], last_sequence: u64, open: usize) {
        self.is_appending = false;
        let before = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let sequences = last_sequence.saturating_sub(before).saturating_add(1)..;
        for (entry, sequence) in chunk.iter().zip(sequences) {
            self.last_sequence = sequence;
            self.resolve(entry, open);
        }
    }
    /// A message is in the stream already, at this sequence.
    pub(super) fn duplicate(&mut self, entry: &Entry, sequence: u64, open: usize) {
        self.is_appending = false;
        if entry.is_last {
            self.stored = entry.sequence;
            self.tell(&entry.reply, open);
        }
        if entry.is_last && entry.sequence == 1 && !self.is_gap_allowed {
            self.say(&entry.reply, Answer::Duplicate { sequence });
            self.is_over = true;
        } else {
            self.resolve(entry, open);
        }
    }
    /// Messages that were to be appended together are refused: each has to be tried alone, to find out which ones.
    pub(super) fn again(&mut self, chunk: Vec<Entry>) {
        self.is_appending = false;
        self.singles = chunk.len();
        for entry in chunk.into_iter().rev() {
            self.queue.push_front(entry);
        }
    }
    /// A message that was appended alone is refused.
    pub(super) fn failed(&mut self, entry: &Entry, error: ApiError, open: usize) {
        self.is_appending = false;
        self.pending -= 1;
        self.claim.shrink(entry.bytes());
        self.refuse(entry.sequence, &entry.reply, entry.is_last, error);
        if !self.is_over {
            self.settle(&entry.reply, Some(entry.sequence), open);
        }
    }
    /// A message is refused that does not wait.
    pub(super) fn refuse(&mut self, sequence: u64, reply: &Bytes, is_last: bool, error: ApiError) {
        if sequence == 1 && !self.is_gap_allowed {
            self.say(reply, Answer::Refused(error));
            self.is_over = true;
            return;
        }
        self.say(reply, Answer::Failed { sequence, error });
        if self.is_gap_allowed && !is_last {
            return;
        }
        while self.queue.back().is_some_and(|entry| entry.sequence > sequence) {
            let Some(entry) = self.queue.pop_back() else { break };
            self.pending -= 1;
            self.claim.shrink(entry.bytes());
        }
        self.received = sequence - 1;
        if self.pending == 0 {
            self.stored = self.received;
        }
        self.commit(reply);
    }

    fn say(&mut self, reply: &Bytes, answer: Answer) {
        self.answers.push((reply.clone(), answer));
    }
    /// A message that waited is stored, or was before.
    fn resolve(&mut self, entry: &Entry, open: usize) {
        self.pending -= 1;
        self.claim.shrink(entry.bytes());
        self.settle(&entry.reply, Some(entry.sequence), open);
    }
    fn settle(&mut self, reply: &Bytes, sequence: Option<u64>, open: usize) {
        if self.pending == 0 {
            self.stored = self.received;
        } else if let Some(sequence) = sequence {
            self.stored = sequence;
        }
        if self.is_committed {
            self.commit(reply);
        } else {
            self.tell(reply, open);
        }
    }
    /// Takes no more messages, and is over once all that came are stored.
    fn commit(&mut self, reply: &Bytes) {
        self.is_committed = true;
        if self.received == self.stored && !self.is_over {
            self.is_over = true;
            let (sequence, count) = (self.last_sequence, self.received);
            self.say(reply, Answer::Over { sequence, count });
        }
    }
    /// Tells how far it is, if it is time; then the next time is moved towards the batch's share.
    fn tell(&mut self, reply: &Bytes, open: usize) -> bool {
        let every = u64::from(self.every.max(1));
        let steps = self.stored.saturating_sub(self.told) / every;
        if steps == 0 {
            return false;
        }
        self.told += steps * every;
        let share = u16::try_from(FLOW_MAX / open.max(1)).unwrap_or(u16::MAX);
        let share = share.max(1).min(self.every_max);
        self.every = match self.every < share {
            true => self.every.saturating_mul(2).min(share),
            false => (self.every / 2).max(share),
        };
        let (sequence, every) = (self.told, self.every);
        self.say(reply, Answer::Flow { sequence, every });
        true
    }
}

/// What a publisher is told whose messages there is no room for.
pub(super) const NO_ROOM: ApiError = errors::TOO_MANY_REQUESTS;

#[cfg(test)]
#[path = "flow_test.rs"]
mod flow_test;
