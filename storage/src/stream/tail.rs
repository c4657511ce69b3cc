//! Following a stream: batches of committed messages, then waiting for more.
//!
//! Invariants: every sequence is looked at once, in order; nothing above what is committed is seen.
//! Not here: which messages match (`read`).

use super::{Stream, read::Filter};
use crate::{Error, Message, Result};
use std::sync::Arc;

/// Messages that a tail found.
#[derive(Clone, Debug, Default)]
pub struct TailBatch {
    /// Matching messages in order. May be empty while `examined` moves on over messages that do not match.
    pub messages: Vec<Message>,
    /// Every sequence up to this one has been looked at (it is the tail's next sequence minus one).
    pub examined: u64,
}

/// A reader that follows a stream up to what is committed.
#[derive(Debug)]
pub struct Tail {
    stream: Arc<Stream>,
    next: u64,
    filter: Filter,
}

impl Tail {
    /// A tail that looks at `sequence` first.
    pub(super) fn new(stream: Arc<Stream>, sequence: u64, filters: &[String]) -> Self {
        Self { stream, next: sequence.max(1), filter: Filter::new(filters) }
    }

    /// The next messages, or `None` where there is nothing new now. At most `messages_max` messages and, but for a
    /// single larger one, `bytes_max` bytes of subjects, headers and payloads.
    pub fn try_next(&mut self, messages_max: usize, bytes_max: usize) -> Result<Option<TailBatch>> {
        let (log, sequences, examined) = {
            let core = self.stream.core();
            if matches!(core.failure, Some(Error::Closed)) {
                return Err(Error::Closed);
            }
            if self.next > core.committed_sequence || messages_max == 0 {
                return Ok(None);
            }
            let (sequences, examined) =
                core.next_batch(self.next, &self.filter, messages_max, bytes_max);
            (core.log.clone(), sequences, examined)
        };
        let (messages, failed) = self.stream.read_messages(log, &sequences);
        let examined = match failed {
            // What was read before it is given first.
            Some((sequence, _)) if !messages.is_empty() => sequence - 1,
            Some((_, error)) => return Err(error),
            None => examined,
        };
        self.next = examined + 1;
        Ok(Some(TailBatch { messages, examined }))
    }

    /// Same, waiting until there is something new. Fails with `Closed` once the stream is deleted or closed.
    /// Safe to drop while it waits.
    pub async fn next(&mut self, messages_max: usize, bytes_max: usize) -> Result<TailBatch> {
        let mut changes = self.stream.signal.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(batch) = self.try_next(messages_max, bytes_max)? {
                return Ok(batch);
            }
            if changes.changed().await.is_err() {
                return Err(Error::Closed);
            }
        }
    }

    /// Same, blocking the thread.
    pub fn next_blocking(&mut self, messages_max: usize, bytes_max: usize) -> Result<TailBatch> {
        loop {
            let seen = self.stream.signal.version();
            if let Some(batch) = self.try_next(messages_max, bytes_max)? {
                return Ok(batch);
            }
            self.stream.signal.wait_past(seen);
        }
    }

    /// Looks at `sequence` next, also backwards.
    pub fn seek(&mut self, sequence: u64) {
        self.next = sequence.max(1);
    }

    /// The sequence it will look at next.
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Committed messages that match and have not been given yet.
    pub fn pending(&self) -> u64 {
        self.stream.core().count_from(self.next, &self.filter)
    }
}
