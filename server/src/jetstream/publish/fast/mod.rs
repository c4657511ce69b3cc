//! Fast batches: a stream of publishes in which the server says how many may be under way, as in nats-server's ADR-50.
//!
//! Life of a message: its reply subject says what it is to its batch (`pattern`); it waits until what came before it is
//! stored, and is then appended together with all that came meanwhile (`flow`). Unlike an atomic batch, what is stored
//! is visible at once, and what comes before a failure stays.
//! Invariant: answers of a batch are sent in order, under the lock, as from a callback: what they cause runs elsewhere.
//! Not here: batches that are stored whole or not at all (`atomic`).

mod answer;
mod flow;
mod pattern;

use super::budget::{Budget, Kind};
use super::settings::Settings;
use super::{IS_IN_CALLBACK, ack, headers, prepare};
use crate::jetstream::api::{LEVEL_HEADER, is_level_supported};
use crate::jetstream::errors::{self, ApiError};
use crate::routing::{Account, Message};
use bytes::Bytes;
use flow::{Batch, Entry};
use headwater_storage::{Appended, Error as StorageError, NewMessage, Stream};
use pattern::{Operation, Pattern};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

pub(super) use pattern::is_fast;

/// Most open batches of a stream.
const OPEN_MAX: usize = 1000;
/// Longest id of a batch.
const ID_BYTES_MAX: usize = 64;

/// The fast batches of one stream.
#[derive(Debug)]
pub(super) struct FastBatches {
    stream: Arc<Stream>,
    runtime: tokio::runtime::Handle,
    budget: Arc<Budget>,
    open: Mutex<Open>,
}

/// Open batches, and whether the task that ends idle ones runs.
#[derive(Debug, Default)]
struct Open {
    batches: HashMap<Bytes, (u64, Batch)>,
    /// How many were begun; tells a batch from an earlier one with the same id.
    begun: u64,
    is_swept: bool,
}

/// Which batch an append is for, and who is told of it.
#[derive(Clone)]
struct Errand {
    account: Arc<Account>,
    settings: Arc<Settings>,
    id: Bytes,
    number: u64,
}

impl FastBatches {
    /// None open yet.
    pub(super) fn new(
        stream: Arc<Stream>,
        budget: Arc<Budget>,
        runtime: tokio::runtime::Handle,
    ) -> Arc<Self> {
        Arc::new(Self { stream, runtime, budget, open: Mutex::default() })
    }
    /// Forgets what is open: the stream takes no batches any more. What is being appended is stored.
    pub(super) fn clear(&self) {
        self.lock().batches.clear();
    }
    /// Takes a message of a batch.
    pub(super) fn take(
        self: &Arc<Self>,
        account: &Arc<Account>,
        settings: &Arc<Settings>,
        message: &Message,
    ) {
        let chunk = match self.arrive(account, settings, message) {
            Ok(chunk) => chunk,
            Err(error) if settings.no_ack => return drop(error),
            Err(error) => {
                let payload = ack::refused(settings, &error);
                account.send(&ack::message(message.reply.clone(), payload));
                return;
            }
        };
        if let Some((errand, chunk)) = chunk {
            self.append(errand, chunk);
        }
    }

    /// Puts a message to its batch; gives what is to be appended now.
    fn arrive(
        self: &Arc<Self>,
        account: &Arc<Account>,
        settings: &Arc<Settings>,
        message: &Message,
    ) -> Result<Option<(Errand, Vec<Entry>)>, ApiError> {
        let pattern = admitted(settings, message)?;
        let now = Instant::now();
        let mut plain = message.clone();
        plain.headers = headers::without(&message.headers, LEVEL_HEADER);
        let prepared = prepare(&self.stream, settings, &plain);
        let mut open = self.lock();
        let number = open.find(&pattern, &self.budget, now)?;
        if !is_level_supported(message) {
            open.batches.remove(&pattern.id);
            return Err(errors::REQUIRED_API_LEVEL);
        }
        if !std::mem::replace(&mut open.is_swept, true) {
            self.runtime.spawn(sweep(Arc::downgrade(self)));
        }
        let count = open.batches.len();
        let Some((_, batch)) = open.batches.get_mut(&pattern.id) else { return Ok(None) };
        batch.touch(now);
        let reply = &message.reply;
        if pattern.operation == Operation::Ping {
            batch.ping(pattern.sequence, reply, count);
        } else if batch.arrive(&pattern, reply, !settings.no_ack) {
            accept(batch, &pattern, reply, prepared);
        }
        let (account, settings, id) = (account.clone(), settings.clone(), pattern.id);
        let errand = Errand { account, settings, id, number };
        let chunk = open.proceed(&errand);
        Ok((!chunk.is_empty()).then_some((errand, chunk)))
    }

    /// Appends messages of a batch. A single one tells whether it was there before.
    fn append(self: &Arc<Self>, errand: Errand, chunk: Vec<Entry>) {
        let news: Vec<NewMessage> = chunk.iter().map(|entry| entry.new.clone()).collect();
        if let Some(republish) = &errand.settings.republish {
            for new in &news {
                republish.look_up(&self.stream, &new.subject, u64::MAX);
            }
        }
        let (batches, mut news) = (self.clone(), news);
        let single = if news.len() == 1 { news.pop() } else { None };
        let done = move |result| batches.appended(errand, chunk, result);
        match single {
            Some(new) => self.stream.append_with(new, done),
            None => self.stream.append_all_with(news, done),
        }
    }

    /// Messages were appended or refused: the batch goes on, with the next append on another thread.
    fn appended(
        self: Arc<Self>,
        errand: Errand,
        chunk: Vec<Entry>,
        result: Result<Appended, StorageError>,
    ) {
        let outer = IS_IN_CALLBACK.replace(true);
        if let Ok(last) = &result {
            republish(&errand, &chunk, last);
        }
        let mut open = self.lock();
        let count = open.batches.len();
        let batch = open.batches.get_mut(&errand.id).filter(|(each, _)| *each == errand.number);
        if let Some((_, batch)) = batch {
            match (result, chunk.as_slice()) {
                (Ok(last), [entry]) if last.duplicate => {
                    batch.duplicate(entry, last.sequence, count);
                }
                (Ok(last), _) => batch.stored(&chunk, last.sequence, count),
                (Err(error), [entry]) => batch.failed(entry, ApiError::of_append(&error), count),
                (Err(_), _) => batch.again(chunk),
            }
            let next = open.proceed(&errand);
            drop(open);
            if !next.is_empty() {
                let batches = self.clone();
                self.runtime.spawn(async move { batches.append(errand, next) });
            }
        }
        IS_IN_CALLBACK.set(outer);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Ends idle batches; gives when to look again: never where nothing is open.
    fn expire(&self) -> Option<Instant> {
        let mut open = self.lock();
        let now = Instant::now();
        open.batches.retain(|_, (_, batch)| batch.deadline().is_none_or(|each| each > now));
        let deadlines = open
            .batches
            .values()
            .map(|(_, batch)| batch.deadline().unwrap_or(now + flow::IDLE_MAX));
        let next = deadlines.min();
        open.is_swept = next.is_some();
        next
    }
}

impl Open {
    /// The number of the batch that a message belongs to, which begins with its first message.
    fn find(
        &mut self,
        pattern: &Pattern,
        budget: &Arc<Budget>,
        now: Instant,
    ) -> Result<u64, ApiError> {
        let open = self.batches.len() + 1;
        match self.batches.entry(pattern.id.clone()) {
            Slot::Occupied(slot) => Ok(slot.get().0),
            Slot::Vacant(_) if !pattern.begins() => Err(errors::BATCH_PUBLISH_UNKNOWN),
            Slot::Vacant(_) if open > OPEN_MAX => Err(errors::BATCH_PUBLISH_TOO_MANY),
            Slot::Vacant(slot) => {
                let claim = budget.open(Kind::Fast).ok_or(errors::BATCH_PUBLISH_TOO_MANY)?;
                self.begun += 1;
                slot.insert((self.begun, Batch::new(pattern, claim, open, now)));
                Ok(self.begun)
            }
        }
    }
    /// Sends a batch's answers, forgets it if it is over, and gives what is to be appended next.
    fn proceed(&mut self, errand: &Errand) -> Vec<Entry> {
        let Some((_, batch)) = self.batches.get_mut(&errand.id) else { return Vec::new() };
        let outer = IS_IN_CALLBACK.replace(true);
        for (reply, answer) in batch.take_answers() {
            let payload = answer.payload(&errand.settings, &errand.id);
            errand.account.send(&ack::message(reply, payload));
        }
        IS_IN_CALLBACK.set(outer);
        if batch.is_over {
            self.batches.remove(&errand.id);
            return Vec::new();
        }
        batch.begin_append()
    }
}

/// Puts a message into the queue of its batch, or says why it is not stored.
fn accept(
    batch: &mut Batch,
    pattern: &Pattern,
    reply: &Bytes,
    prepared: Result<NewMessage, ApiError>,
) {
    let (sequence, is_last) = (pattern.sequence, pattern.operation == Operation::Commit);
    let error = match prepared {
        Ok(new) => {
            let entry = Entry { new, sequence, reply: reply.clone(), is_last };
            (!batch.push(entry)).then_some(flow::NO_ROOM)
        }
        Err(error) => Some(error),
    };
    if let Some(error) = error {
        batch.refuse(sequence, reply, is_last, error);
    }
}

/// What a message is to its batch, or why it is refused whatever its batch.
fn admitted(settings: &Settings, message: &Message) -> Result<Pattern, ApiError> {
    let bytes = message.headers.len() + message.payload.len();
    if settings.sealed {
        return Err(errors::SEALED);
    }
    if settings.message_bytes_max.is_some_and(|max| bytes > max) {
        return Err(errors::MESSAGE_EXCEEDS_MAXIMUM);
    }
    if !settings.allow_batched {
        return Err(errors::BATCH_PUBLISH_DISABLED);
    }
    let pattern = Pattern::read(&message.reply).ok_or(errors::BATCH_PUBLISH_PATTERN)?;
    let is_long = pattern.id.len() > ID_BYTES_MAX;
    if is_long { Err(errors::BATCH_PUBLISH_ID) } else { Ok(pattern) }
}

fn republish(errand: &Errand, chunk: &[Entry], last: &Appended) {
    let Some(republish) = errand.settings.republish.as_ref().filter(|_| !last.duplicate) else {
        return;
    };
    let before = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
    let sequences = last.sequence.saturating_sub(before).saturating_add(1)..;
    for (entry, sequence) in chunk.iter().zip(sequences) {
        let new = &entry.new;
        let stored = (new.subject.clone(), new.headers.clone(), new.payload.clone());
        let appended = Appended { sequence, ..*last };
        republish.send(&errand.account, &errand.settings.name, &stored, &appended);
    }
}

/// Ends batches that are idle for too long, as long as any are open.
async fn sweep(batches: Weak<FastBatches>) {
    while let Some(next) = batches.upgrade().and_then(|batches| batches.expire()) {
        tokio::time::sleep_until(next.into()).await;
    }
}
