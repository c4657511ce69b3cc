//! When a consumer's state is stored: what has changed goes out as one message, and while that is on its way the next
//! changes gather. Acknowledgements that want an answer get it when what they changed is durable.
//!
//! Invariants: one message is on its way at a time, so what is stored is in order; after a failure the next one is a
//! whole state, because nobody knows what was lost.
//! Not here: what is stored (`ledger`, `state`).

use super::ledger::{encode_changes, encode_whole, stored_state};
use super::machine::Machine;
use crate::routing::{Account, Message};
use bytes::Bytes;
use headwater_storage::Stream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Changes that are stored before a whole state takes their place.
const CHANGES_MAX: u32 = 256;
/// Bytes of changes, in wholes of the state, before one takes their place.
const CHANGES_PER_WHOLE: usize = 4;
/// A state smaller than this is taken to be this large.
const WHOLE_BYTES_MIN: usize = 4096;

/// Answers that wait for what has changed to be durable.
const REPLIES_MAX: usize = 65_536;

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Saver {
    name: String,
    account: Arc<Account>,
    /// `None`: the state is not stored.
    stream: Option<Arc<Stream>>,
    is_under_way: AtomicBool,
    has_failed: AtomicBool,
    since_whole: Mutex<(u32, usize)>,
    /// Who wants an answer when the next changes are durable.
    replies: Mutex<Vec<Bytes>>,
}

impl Saver {
    /// Stores the state of a consumer, whose whole state is stored already.
    pub(crate) fn new(name: &str, account: Arc<Account>, stream: Option<Arc<Stream>>) -> Self {
        Self {
            name: name.to_owned(),
            account,
            stream,
            is_under_way: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            since_whole: Mutex::default(),
            replies: Mutex::default(),
        }
    }
    /// An answer is wanted once everything that has changed is durable.
    /// One that finds too many before it gets none, as if it had been lost on the way.
    pub(crate) fn answer_when_durable(&self, reply: Bytes) {
        let mut replies = lock(&self.replies);
        if replies.len() < REPLIES_MAX {
            replies.push(reply);
        }
    }
    /// Whether somebody waits for what has changed to be durable.
    pub(crate) fn is_awaited(&self) -> bool {
        !lock(&self.replies).is_empty()
    }
    /// Whether the next changes have to wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_under_way.load(Ordering::Acquire)
    }

    /// Sends off what has changed, unless something is on its way. `woken` is told when that has arrived.
    pub(crate) fn save(self: &Arc<Self>, machine: &mut Machine, woken: &Arc<Notify>) {
        if self.is_busy() {
            return;
        }
        let changes = machine.take_changes();
        let replies = std::mem::take(&mut *lock(&self.replies));
        let Some(stream) = self.stream.as_ref() else { return self.answer(replies) };
        let has_failed = self.has_failed.load(Ordering::Acquire);
        if changes.is_none() && !has_failed {
            // What they acknowledged is durable already.
            return self.answer(replies);
        }
        let encoded = {
            let mut since = lock(&self.since_whole);
            let (count, bytes) = *since;
            let state = machine.state();
            let whole_bytes =
                (state.pending.len() * 24 + state.redelivered.len() * 12).max(WHOLE_BYTES_MIN);
            let is_whole =
                has_failed || count >= CHANGES_MAX || bytes > whole_bytes * CHANGES_PER_WHOLE;
            let encoded = match (is_whole, &changes) {
                (false, Some(changes)) => encode_changes(changes),
                _ => encode_whole(state),
            };
            encoded.map(|encoded| {
                *since = if is_whole { (0, 0) } else { (count + 1, bytes + encoded.len()) };
                (encoded, is_whole)
            })
        };
        let (payload, is_whole) = match encoded {
            Ok(encoded) => encoded,
            Err(error) => return self.failed(&error),
        };
        self.is_under_way.store(true, Ordering::Release);
        let (saver, woken) = (self.clone(), woken.clone());
        stream.append_with(stored_state(&self.name, payload, is_whole), move |result| {
            match result {
                Ok(_) => {
                    saver.has_failed.store(false, Ordering::Release);
                    saver.answer(replies);
                }
                Err(error) => saver.failed(&error),
            }
            saver.is_under_way.store(false, Ordering::Release);
            woken.notify_one();
        });
    }

    /// Nobody is answered: they cannot know whether what they acknowledged is durable.
    fn failed(&self, error: &headwater_storage::Error) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            tracing::error!(consumer = self.name, %error, "the state of a consumer is not stored");
        }
    }
    fn answer(&self, replies: Vec<Bytes>) {
        for subject in replies {
            self.account.send(&Message { subject, ..Message::default() });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
