//! Streams: a log with sequences, limits, a subject index and a dedup window.
//!
//! A change goes one way: it is checked and made under the lock (`append`, `apply`, `remove`), goes into the log, and
//! becomes visible when the log says that it is committed (`core`). Readers see what is committed (`read`, `tail`).
//! After a restart all of it is built again from the records of the log (`replay`).

pub mod batch;
pub mod config;
mod tail;

mod accounting;
mod append;
mod apply;
mod combine;
mod commit;
mod compact;
mod contents;
mod core;
mod dedup;
mod due;
mod entries;
pub(crate) mod environment;
mod expiries;
pub(crate) mod fate;
pub(crate) mod index;
pub(crate) mod limit;
mod maintain;
mod read;
pub(crate) mod record;
mod remove;
pub(crate) mod replay;
mod signal;
pub(crate) mod stored;
pub(crate) mod summary;

pub use batch::{Batch, BatchOutcome, Item, Step};
pub use combine::{Combine, Last};
pub use config::{
    Compression, DeleteMarker, Discard, Limits, StorageKind, StreamConfig, SyncPolicy,
};
pub use tail::{Tail, TailBatch};

pub(crate) use core::{Core, Done, log_options};

use crate::{
    Error, NewMessage, Result, Timestamp,
    log::LogRef,
    stream::{append::Outcome, core::Effect, environment::Environment, signal::Signal},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::AtomicI64},
};
use tokio::sync::{oneshot, watch};

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
    /// What damage took; forgotten when the segments around it go.
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
pub struct Stream {
    environment: Arc<Environment>,
    core: Mutex<Core>,
    signal: Signal,
    /// When the next message is too old, in nanoseconds since 1970; the maximum where none will be.
    next_expiry: AtomicI64,
}

impl Stream {
    /// Takes over a stream that was built or rebuilt, and listens to its log.
    pub(crate) fn new(environment: &Arc<Environment>, core: Core) -> Arc<Self> {
        let log = core.log.clone();
        let stream = Arc::new(Self {
            environment: Arc::clone(environment),
            core: Mutex::new(core),
            signal: Signal::default(),
            next_expiry: AtomicI64::new(i64::MIN),
        });
        stream.listen(&log);
        stream
    }

    pub(crate) fn listen(self: &Arc<Self>, log: &LogRef) {
        let listener: Weak<Self> = Arc::downgrade(self);
        log.listen(listener);
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its configuration as last stored.
    pub fn config(&self) -> StreamConfig {
        StreamConfig::clone(&self.core().config)
    }

    /// When it was created.
    pub fn created(&self) -> Timestamp {
        self.core().created
    }

    /// Which creation of a stream of this name it is.
    pub fn incarnation(&self) -> Incarnation {
        self.core().incarnation
    }

    /// Figures of what is committed.
    pub fn state(&self) -> StreamState {
        let core = self.core();
        let committed = core.committed_sequence;
        let first = core.first_sequence();
        let held = core.contents.held_messages;
        let is_fresh = committed == 0 && held == 0;
        StreamState {
            messages: held,
            bytes: core.contents.held_bytes,
            first_sequence: if is_fresh { 0 } else { first },
            first_time: core
                .contents
                .entries
                .get(first)
                .map(|entry| entry.time)
                .filter(|_| held > 0),
            last_sequence: committed,
            last_time: core.committed_time,
            subjects: core.held_subjects(),
            deleted: (committed + 1).saturating_sub(first).saturating_sub(held),
            lost: core.lost.clone(),
        }
    }

    /// Appends a message; calls `done` once it is durable (or refused). `done` runs on the commit thread, on
    /// one that waits for an append of its own, or on this one when the answer is known at once: it must not block and must
    /// not call back into this stream.
    pub fn append_with(
        &self,
        message: NewMessage,
        done: impl FnOnce(Result<Appended>) + Send + 'static,
    ) {
        self.append_to(self.core(), &message, done);
    }

    fn append_to(
        &self,
        mut core: MutexGuard<'_, Core>,
        message: &NewMessage,
        done: impl FnOnce(Result<Appended>) + Send + 'static,
    ) {
        let told = match core.append(message, self.environment.now()) {
            Ok(Outcome::Stored(appended, effect)) => {
                core.queue(effect, Some(answer(Ok(appended), done)));
                None
            }
            Ok(Outcome::Duplicate(seen)) => {
                let (sequence, time) = (seen.sequence, seen.time);
                let appended = Appended { sequence, duplicate: true, time };
                core.answer_after_pending(answer(Ok(appended), done))
            }
            Err(error) => core.answer_after_pending(answer(Err(error), done)),
        };
        self.finish(core, told);
    }

    /// Appends a message and waits until it is durable.
    pub async fn append(&self, message: NewMessage) -> Result<Appended> {
        let (sender, receiver) = oneshot::channel();
        self.append_with(message, move |result| drop(sender.send(result)));
        self.environment.wait(receiver).await?
    }

    /// Same, blocking the thread. Where nothing else is being committed this thread writes to the disk itself, and answers
    /// whoever appended meanwhile: their callbacks run here.
    pub fn append_blocking(&self, message: NewMessage) -> Result<Appended> {
        let (sender, receiver) = oneshot::channel();
        // The commit thread is not to wait for one that waits for its stream.
        let core = self.core();
        let helper = self.environment.store.help();
        self.append_to(core, &message, move |result| drop(sender.send(result)));
        self.environment.wait_blocking(receiver, helper)?
    }

    /// Appends messages as one: all of them, in one frame, with sequences that follow each other, or none. Each is checked
    /// as if those before it were stored; a message id that the dedup window holds is refused (`DuplicateMessageId`).
    /// Gives what the last one came to.
    pub fn append_all_with(
        &self,
        messages: Vec<NewMessage>,
        done: impl FnOnce(Result<Appended>) + Send + 'static,
    ) {
        let now = self.environment.now();
        let mut core = self.core();
        let told = match core.append_all(messages, now) {
            Ok((appended, effect)) => {
                core.queue(effect, Some(answer(Ok(appended), done)));
                None
            }
            Err(error) => core.answer_after_pending(answer(Err(error), done)),
        };
        self.finish(core, told);
    }

    /// Same, waiting until it is durable.
    pub async fn append_all(&self, messages: Vec<NewMessage>) -> Result<Appended> {
        let (sender, receiver) = oneshot::channel();
        self.append_all_with(messages, move |result| drop(sender.send(result)));
        self.environment.wait(receiver).await?
    }

    /// Appends the steps of a replication batch in order, each with its progress, and stops at the first one that the
    /// stream refuses. What was applied is in one frame: after a crash the copies and the progress agree.
    pub fn apply_with(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<BatchOutcome>) + Send + 'static,
    ) {
        let now = self.environment.now();
        let mut core = self.core();
        let told = match core.apply(batch, now) {
            Ok((outcome, Some(effect))) => {
                core.queue(effect, Some(answer(Ok(outcome), done)));
                None
            }
            Ok((outcome, None)) => core.answer_after_pending(answer(Ok(outcome), done)),
            Err(error) => core.answer_after_pending(answer(Err(error), done)),
        };
        self.finish(core, told);
    }

    /// Same, waiting until it is durable.
    pub async fn apply(&self, batch: Batch) -> Result<BatchOutcome> {
        let (sender, receiver) = oneshot::channel();
        self.apply_with(batch, move |result| drop(sender.send(result)));
        self.environment.wait(receiver).await?
    }

    /// The progress last stored under `key` by a batch; survives purge and expiry of everything copied.
    pub fn progress(&self, key: &str) -> Option<Vec<u8>> {
        self.core().held_progress.get(key).cloned()
    }

    /// All progress entries, sorted by key.
    pub fn progress_entries(&self) -> Vec<(String, Vec<u8>)> {
        self.core().held_progress.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Highest committed sequence; 0 for none.
    pub fn committed_sequence(&self) -> u64 {
        self.core().committed_sequence
    }

    /// The sequence of the message that was appended with this id inside the dedup window, also where it is not durable
    /// yet.
    pub fn sequence_of_id(&self, message_id: &[u8]) -> Option<u64> {
        let now = self.environment.now();
        self.core().dedup.seen(message_id, now).map(|seen| seen.sequence)
    }

    /// Deletes one message; durable on return. Its bytes stay in the segment until that goes, and nothing reads them.
    pub async fn delete(&self, sequence: u64) -> Result<()> {
        let now = self.environment.now();
        self.change(|core| core.delete(sequence, now).map(|effect| ((), Some(effect)))).await
    }

    /// Takes messages out that have done their work, whatever deletes are denied: for those who decide when a message has.
    /// Calls `done` once that is durable, as `append_with` does; those that are not there count as taken out.
    pub fn release_with(&self, sequences: &[u64], done: impl FnOnce(Result<()>) + Send + 'static) {
        let now = self.environment.now();
        let mut core = self.core();
        let told = match core.release(sequences, now) {
            Ok(Some(effect)) => {
                core.queue(effect, Some(answer(Ok(()), done)));
                None
            }
            Ok(None) => core.answer_after_pending(answer(Ok(()), done)),
            Err(error) => core.answer_after_pending(answer(Err(error), done)),
        };
        self.finish(core, told);
    }

    /// Removes messages; durable on return. Gives how many went.
    pub async fn purge(&self, purge: Purge) -> Result<u64> {
        let now = self.environment.now();
        self.change(|core| core.purge(&purge, now)).await
    }

    /// Stores a new configuration (name and storage kind must not change) and applies its limits at once.
    pub async fn update(&self, config: StreamConfig) -> Result<()> {
        let now = self.environment.now();
        let stored = self.core().check_update(&config)?;
        if config.storage == StorageKind::File {
            self.environment.catalogue.put(stored)?.wait(&self.environment).await?;
        }
        self.change(|core| core.update(config, now).map(|effect| ((), Some(effect)))).await?;
        self.change(|core| core.enforce(now).map(|effect| ((), effect))).await
    }

    /// Marked as changed whenever what is committed changes, and when the stream is deleted or closed, which the next
    /// read says. For tasks that wait for more than one thing; a `Tail` waits by itself.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.signal.subscribe()
    }

    /// Follows the stream from `sequence` on, seeing only subjects that match any of `filters` (none given: all).
    pub fn tail(self: &Arc<Self>, sequence: u64, filters: Vec<String>) -> Tail {
        Tail::new(Arc::clone(self), sequence, &filters)
    }

    /// Bytes of its segment files, dead messages and unsynced frames included; 0 in memory.
    pub fn disk_bytes(&self) -> u64 {
        let log = self.core().log.clone();
        log.segments().iter().map(|segment| segment.bytes).sum()
    }

    /// Why the stream takes no appends, if it does not.
    pub fn failure(&self) -> Option<Error> {
        self.core().failure.clone()
    }

    /// Makes a change and waits until it is durable.
    async fn change<T>(
        &self,
        make: impl FnOnce(&mut Core) -> Result<(T, Option<Effect>)>,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let done: Done = Box::new(move |failure| drop(sender.send(failure)));
        let value = {
            let mut core = self.core();
            let (value, effect) = make(&mut core)?;
            let told = match effect {
                Some(effect) => {
                    core.queue(effect, Some(done));
                    None
                }
                None => core.answer_after_pending(done),
            };
            self.finish(core, told);
            value
        };
        match self.environment.wait(receiver).await? {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }
}

/// Hands a result on, unless the commit failed.
fn answer<T: Send + 'static>(
    result: Result<T>,
    done: impl FnOnce(Result<T>) + Send + 'static,
) -> Done {
    Box::new(move |failure| done(failure.map_or(result, Err)))
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.core();
        f.debug_struct("Stream").field("name", &core.config.name).field("core", &*core).finish()
    }
}

#[cfg(test)]
mod combine_test;
#[cfg(test)]
mod compact_crash_test;
#[cfg(test)]
mod due_test;
#[cfg(test)]
pub(crate) mod golden_test;
#[cfg(test)]
mod lifetime_test;
#[cfg(test)]
mod record_test;
#[cfg(test)]
mod stream_crash_test;
#[cfg(test)]
mod stream_damage_test;
#[cfg(test)]
pub(crate) mod stream_test;

/// Prints what to run again when a test panics.
#[cfg(test)]
pub(crate) struct OnPanic(pub(crate) String);

#[cfg(test)]
impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with {}", self.0);
        }
    }
}
