//! Streams: a log with sequences, limits, a subject index and a dedup window.
pub mod batch;
pub mod config;
mod tail;

pub use batch::{Batch, BatchOutcome, Item, Step};
pub use config::{Compression, Discard, Limits, StorageKind, StreamConfig, SyncPolicy};
pub use tail::{Tail, TailBatch};

use crate::{Error, Message, NewMessage, Result, Timestamp};

/// What an append came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Sequence of the message, or of the earlier one with the same id.
    pub sequence: u64,
    /// The message id was in the dedup window: nothing was stored.
    pub duplicate: bool,
    /// When the message was stored.
    pub time: Timestamp,
}

/// Random 128 bits chosen when a stream is created: a recreated stream of the same name has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u128);

/// Messages lost to damage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Lost sequences, as inclusive ranges in order.
    pub sequences: Vec<(u64, u64)>,
    /// Bytes of the damaged frames on disk.
    pub bytes: u64,
}

/// Figures of a stream at one moment, counting committed messages only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Messages held.
    pub messages: u64,
    /// Bytes held, by the formula of `stream::accounting` (the one nats-server reports).
    pub bytes: u64,
    /// Sequence of the first message held; `last_sequence + 1` when emptied; 0 when the stream never held anything.
    pub first_sequence: u64,
    /// Time of the first message held.
    pub first_time: Option<Timestamp>,
    /// Highest sequence given out.
    pub last_sequence: u64,
    /// Time of the message that had the highest sequence.
    pub last_time: Option<Timestamp>,
    /// Distinct subjects held.
    pub subjects: u64,
    /// Sequences between first and last that hold nothing.
    pub deleted: u64,
    /// What damage took.
    pub lost: Lost,
}

/// What to purge. All fields unset: everything.
#[derive(Clone, Debug, Default)]
pub struct Purge {
    /// Only subjects that match.
    pub filter: Option<String>,
    /// Only sequences below this one.
    pub before: Option<u64>,
    /// Keep this many of the newest (that match).
    pub keep: Option<u64>,
}

/// A durable stream of messages. Cheap to share as `Arc<Stream>`; every method may be called from any thread.
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// Its configuration as last stored.
    pub fn config(&self) -> StreamConfig {
        todo!()
    }
    /// When it was created.
    pub fn created(&self) -> Timestamp {
        todo!()
    }
    /// Which creation of a stream of this name it is.
    pub fn incarnation(&self) -> Incarnation {
        todo!()
    }
    /// Figures of what is committed.
    pub fn state(&self) -> StreamState {
        todo!()
    }
    /// Stored messages per subject, for subjects that match `filter`, sorted by subject.
    pub fn subjects(&self, _filter: &str) -> Vec<(String, u64)> {
        todo!()
    }
    /// Interior sequences that hold nothing, as inclusive ranges in order.
    pub fn deleted(&self) -> Vec<(u64, u64)> {
        todo!()
    }

    /// Appends a message; calls `done` once it is durable (or refused). `done` runs on the commit thread, or on this
    /// one when the answer is known at once: it must not block and must not call back into this stream.
    pub fn append_with(
        &self,
        _message: NewMessage,
        _done: impl FnOnce(Result<Appended>) + Send + 'static,
    ) {
        todo!()
    }
    /// Appends a message and waits until it is durable.
    pub async fn append(&self, _message: NewMessage) -> Result<Appended> {
        todo!()
    }
    /// Same, blocking the thread.
    pub fn append_blocking(&self, _message: NewMessage) -> Result<Appended> {
        todo!()
    }
    /// Appends the steps of a replication batch in order, each with its progress, and stops at the first one that the
    /// stream refuses. What was applied is in one frame: after a crash the copies and the progress agree.
    pub fn apply_with(
        &self,
        _batch: Batch,
        _done: impl FnOnce(Result<BatchOutcome>) + Send + 'static,
    ) {
        todo!()
    }
    /// Same, waiting until it is durable.
    pub async fn apply(&self, _batch: Batch) -> Result<BatchOutcome> {
        todo!()
    }
    /// The progress last stored under `key` by a batch; survives purge and expiry of everything copied.
    pub fn progress(&self, _key: &str) -> Option<Vec<u8>> {
        todo!()
    }
    /// All progress entries, sorted by key.
    pub fn progress_entries(&self) -> Vec<(String, Vec<u8>)> {
        todo!()
    }

    /// The message at `sequence`; `MessageNotFound` where there is none (or it is not committed).
    pub fn get(&self, _sequence: u64) -> Result<Message> {
        todo!()
    }
    /// The newest message whose subject matches `filter` (literal or wildcard).
    pub fn last_by_subject(&self, _filter: &str) -> Result<Option<Message>> {
        todo!()
    }
    /// The first message at or after `sequence` whose subject matches any of `filters` (none given: any subject).
    pub fn next_by_subject(&self, _filters: &[String], _sequence: u64) -> Result<Option<Message>> {
        todo!()
    }
    /// The first sequence whose message is at or after `time`; `last_sequence + 1` where there is none.
    pub fn sequence_at_time(&self, _time: Timestamp) -> Result<u64> {
        todo!()
    }
    /// Messages at or after `sequence` that match any of `filters` (none given: all).
    pub fn count_from(&self, _sequence: u64, _filters: &[String]) -> u64 {
        todo!()
    }
    /// Highest committed sequence; 0 for none.
    pub fn committed_sequence(&self) -> u64 {
        todo!()
    }

    /// Deletes one message; durable on return. With `erase` its bytes are overwritten on disk.
    pub async fn delete(&self, _sequence: u64, _erase: bool) -> Result<()> {
        todo!()
    }
    /// Removes messages; durable on return. Gives how many went.
    pub async fn purge(&self, _purge: Purge) -> Result<u64> {
        todo!()
    }
    /// Stores a new configuration (name and storage kind must not change) and applies its limits at once.
    pub async fn update(&self, _config: StreamConfig) -> Result<()> {
        todo!()
    }

    /// Follows the stream from `sequence` on, seeing only subjects that match any of `filters` (none given: all).
    pub fn tail(self: &std::sync::Arc<Self>, _sequence: u64, _filters: Vec<String>) -> Tail {
        todo!()
    }
    /// Why the stream takes no appends, if it does not.
    pub fn failure(&self) -> Option<Error> {
        todo!()
    }
}
