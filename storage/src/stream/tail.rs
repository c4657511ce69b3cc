//! Following a stream: batches of committed messages, then waiting for more.

use crate::{Message, Result};

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
pub struct Tail {}

impl Tail {
    /// The next messages, or `None` where there is nothing new now. At most `messages_max` messages and, but for a
    /// single larger one, `bytes_max` bytes of subjects, headers and payloads.
    pub fn try_next(
        &mut self,
        _messages_max: usize,
        _bytes_max: usize,
    ) -> Result<Option<TailBatch>> {
        todo!()
    }
    /// Same, waiting until there is something new. Fails with `Closed` once the stream is deleted or closed.
    /// Safe to drop while it waits.
    pub async fn next(&mut self, _messages_max: usize, _bytes_max: usize) -> Result<TailBatch> {
        todo!()
    }
    /// Same, blocking the thread.
    pub fn next_blocking(&mut self, _messages_max: usize, _bytes_max: usize) -> Result<TailBatch> {
        todo!()
    }
    /// The sequence it will look at next.
    pub fn next_sequence(&self) -> u64 {
        todo!()
    }
    /// Committed messages that match and have not been given yet.
    pub fn pending(&self) -> u64 {
        todo!()
    }
}
