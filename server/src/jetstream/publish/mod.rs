//! Publishing into a stream: header checks in nats-server's order, the append, the acknowledgement.
//!
//! Runs on the publisher's task up to the append and on the engine's commit thread from there. Nothing here waits.
//! A publisher that asked for an answer gets one, whatever happens, unless the stream says `no_ack`.
//! Not here: messages of batches (`atomic`, `fast`), what the engine checks itself (sequences, ids, limits).

mod ack;
mod atomic;
mod budget;
mod fast;
mod headers;
mod held;
pub(crate) mod republish;
mod settings;

pub(crate) use budget::Budget;

use super::config::StreamConfig;
use super::errors::{self, ApiError};
use super::schedule;
use crate::routing::{Account, Handler, Message, Origin};
use atomic::AtomicBatches;
use bytes::Bytes;
use fast::FastBatches;
use headers::Headers;
use headwater_replication::time_to_live::{self, TimeToLive};
use headwater_storage::message::{Expect, Rollup};
use headwater_storage::{NewMessage, Stream, subject};
use held::Held;
use settings::Settings;
use std::cell::Cell;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::mpsc;

/// Largest header block of a stored message.
const HEADER_BYTES_MAX: usize = 65_535;

/// Messages published while the engine called back that wait to be captured.
const DEFERRED_MAX: usize = 65_536;

thread_local! {
    /// Set while the engine calls back: another append from here has to go to another thread.
    static IS_IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Captures what is published on a stream's subjects.
pub(crate) struct Publisher {
    stream: Arc<Stream>,
    settings: RwLock<Arc<Settings>>,
    atomic: Arc<AtomicBatches>,
    fast: Arc<FastBatches>,
    /// JetStream's domain; empty for none.
    domain: String,
    /// Messages published while the engine called back, for the task that takes them in order.
    deferred: mpsc::Sender<Deferred>,
}

/// A message that was published while the engine called back.
struct Deferred {
    account: Arc<Account>,
    message: Message,
    /// What is not acknowledged before it is stored.
    held: Option<Arc<Held>>,
}

impl Publisher {
    /// For one stream.
    pub(crate) fn new(
        stream: Arc<Stream>,
        config: &StreamConfig,
        domain: &str,
        budget: &Arc<Budget>,
        runtime: tokio::runtime::Handle,
    ) -> Arc<Self> {
        let settings = RwLock::new(Arc::new(Settings::new(config, domain)));
        let atomic = AtomicBatches::new(stream.clone(), budget.clone(), runtime.clone());
        let fast = FastBatches::new(stream.clone(), budget.clone(), runtime.clone());
        let (deferred, messages) = mpsc::channel(DEFERRED_MAX);
        let publisher =
            Arc::new(Self { stream, domain: domain.to_owned(), settings, atomic, fast, deferred });
        runtime.spawn(take_deferred(Arc::downgrade(&publisher), messages));
        publisher
    }
    /// Goes by another configuration from now on.
    pub(crate) fn configure(&self, config: &StreamConfig) {
        let settings = Arc::new(Settings::new(config, &self.domain));
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        if !config.allow_atomic {
            self.atomic.clear();
        }
        if !config.allow_batched {
            self.fast.clear();
        }
    }
    /// Drops the batches that are open: nothing is captured any more.
    pub(crate) fn abandon(&self) {
        self.atomic.clear();
        self.fast.clear();
    }

    fn publish(&self, account: &Arc<Account>, message: &Message, held: Option<Arc<Held>>) {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner).clone();
        if fast::is_fast(&message.reply) {
            return self.fast.take(account, &settings, message);
        }
        if let Some(id) = atomic::batch_id(message) {
            return self.atomic.take(account, &settings, message, id);
        }
        let reply = if settings.no_ack { Bytes::new() } else { message.reply.clone() };
        match prepare(&self.stream, &settings, message) {
            Ok(new) => self.append(account.clone(), settings, new, reply, held),
            Err(error) if !reply.is_empty() => {
                account.send(&ack::message(reply, ack::refused(&settings, &error)));
            }
            Err(_) => {}
        }
    }

    fn append(
        &self,
        account: Arc<Account>,
        settings: Arc<Settings>,
        mut new: NewMessage,
        reply: Bytes,
        held: Option<Arc<Held>>,
    ) {
        new.combined = settings.is_counter.then(Arc::default);
        let combined = new.combined.clone();
        let again = settings.republish.as_ref().map(|republish| {
            republish.look_up(&self.stream, &new.subject, u64::MAX);
            (new.subject.clone(), new.headers.clone(), new.payload.clone())
        });
        self.stream.append_with(new, move |result| {
            let outer = IS_IN_CALLBACK.replace(true);
            let acknowledgement = (!reply.is_empty()).then(|| {
                let payload = match &result {
                    Ok(appended) => {
                        let combined = combined.as_ref().and_then(|told| told.get());
                        ack::accepted(&settings, appended, combined)
                    }
                    Err(error) => ack::refused(&settings, &ApiError::of_append(error)),
                };
                ack::message(reply, payload)
            });
            match (&settings.republish, &again, &result) {
                (Some(republish), Some(again), Ok(appended)) if !appended.duplicate => {
                    Held::while_stored(&account, acknowledgement, || {
                        republish.send(&account, &settings.name, again, appended);
                    });
                }
                _ => drop(acknowledgement.map(|message| account.send(&message))),
            }
            drop(held);
            IS_IN_CALLBACK.set(outer);
        });
    }
}

impl Handler for Publisher {
    fn deliver(&self, account: &Arc<Account>, message: &Message, _origin: &Arc<Origin>) {
        if !IS_IN_CALLBACK.get() {
            return self.publish(account, message, None);
        }
        let (account, message) = (account.clone(), message.clone());
        let deferred = Deferred { account, message, held: Held::of_this_thread() };
        if let Err(error) = self.deferred.try_send(deferred) {
            let message = error.into_inner().message;
            let subject = String::from_utf8_lossy(&message.subject);
            tracing::warn!(%subject, "a message that was published again is not captured: too many wait");
        }
    }
}

/// Publishes what could not be published at once, in order.
async fn take_deferred(publisher: Weak<Publisher>, mut messages: mpsc::Receiver<Deferred>) {
    while let Some(Deferred { account, message, held }) = messages.recv().await {
        let Some(publisher) = publisher.upgrade() else { return };
        publisher.publish(&account, &message, held);
    }
}

/// Checks a message and makes the append of it.
fn prepare(
    stream: &Stream,
    settings: &Settings,
    message: &Message,
) -> Result<NewMessage, ApiError> {
    let new = NewMessage {
        subject: settings.transformed(&message.subject),
        headers: headers::without_status(&message.headers),
        payload: message.payload.clone(),
        ..NewMessage::default()
    };
    let bytes = new.headers.len() + new.payload.len();
    if settings.message_bytes_max.is_some_and(|max| bytes > max) {
        return Err(errors::MESSAGE_EXCEEDS_MAXIMUM);
    }
    if new.headers.len() > HEADER_BYTES_MAX {
        return Err(errors::HEADERS_EXCEED_MAXIMUM);
    }
    if settings.sealed {
        return Err(errors::SEALED);
    }
    if new.headers.is_empty() {
        return if settings.is_counter { Err(errors::COUNTER_INCREMENT_MISSING) } else { Ok(new) };
    }
    with_headers(stream, settings, new)
}

fn with_headers(
    stream: &Stream,
    settings: &Settings,
    mut new: NewMessage,
) -> Result<NewMessage, ApiError> {
    let block = new.headers.clone();
    let headers = Headers::read(&block);
    headers.check_increment(settings.is_counter, &new.payload)?;
    if headers.expected_stream.is_some_and(|name| name != settings.name.as_bytes()) {
        return Err(errors::EXPECTED_STREAM);
    }
    if headers.has_lifetime() && !settings.allow_ttl {
        return Err(errors::TTL_DISABLED);
    }
    new.expect = expectations(stream, &headers, &new.subject)?;
    let is_schedule_wrong = schedule::check(stream, &settings.schedules, &mut new).err();
    let has_source = headers.has_source.then_some(errors::SOURCE_HEADER_REFUSED);
    if let Some(error) = is_schedule_wrong.or(has_source) {
        unmet(stream, &new.expect).map_or(Ok(()), Err)?;
        return Err(error);
    }
    new.message_id = headers.message_id.map(Bytes::copy_from_slice);
    if let Some(value) = headers.rollup.or(new.due.map(|_| &b"sub"[..])) {
        new.rollup = Some(rollup(stream, settings, &new, value)?);
    }
    if headers.time_to_live == Some(TimeToLive::Invalid) {
        unmet(stream, &new.expect).map_or(Ok(()), Err)?;
        let is_denied = new.rollup.is_some() && !settings.allow_rollup;
        return Err(if is_denied { errors::ROLLUP_DENIED } else { errors::TTL_INVALID });
    }
    set_lifetime(settings, &headers, &mut new);
    Ok(new)
}

/// The lifetime that a message asks for, raised to the shortest one there is; the stored header says so.
fn set_lifetime(settings: &Settings, headers: &Headers<'_>, new: &mut NewMessage) {
    new.is_marker = settings.has_markers && time_to_live::is_delete_marker(&new.headers);
    let least = settings.ttl_seconds_min;
    let wanted = match headers.time_to_live {
        Some(TimeToLive::Seconds(seconds)) if seconds < least => {
            new.headers = time_to_live::replaced(&new.headers, least);
            TimeToLive::Seconds(least)
        }
        Some(wanted) => wanted,
        None => return,
    };
    new.lifetime = wanted.lifetime();
}

/// What the publisher expects of the stream. What is not a number is expected to be something that cannot be.
fn expectations(
    stream: &Stream,
    headers: &Headers<'_>,
    subject: &Bytes,
) -> Result<Expect, ApiError> {
    let mut expect = Expect::default();
    if let Some(number) = headers.expected_subject_sequence {
        let filter = match headers.expected_subject {
            Some(filter) => Bytes::copy_from_slice(filter),
            None => subject.clone(),
        };
        let is_filter = std::str::from_utf8(&filter).is_ok_and(subject::is_valid);
        match number.filter(|_| is_filter) {
            Some(number) => expect.last_subject_sequence = Some((filter, number)),
            None if number == Some(0) => {}
            None => {
                let actual = if is_filter { last_of(stream, &filter) } else { 0 };
                return Err(ApiError::wrong_last_sequence(actual));
            }
        }
    } else if headers.expected_subject.is_some() {
        return Err(errors::EXPECTED_SUBJECT_SEQUENCE_MISSING);
    }
    match headers.expected_sequence {
        None => {}
        Some(Some(number)) => expect.last_sequence = Some(number),
        Some(None) => return Err(ApiError::wrong_last_sequence(stream.committed_sequence())),
    }
    expect.last_message_id = headers.expected_message_id.map(Bytes::copy_from_slice);
    Ok(expect)
}

fn last_of(stream: &Stream, filter: &[u8]) -> u64 {
    let filter = std::str::from_utf8(filter).unwrap_or_default();
    let last = stream.last_by_subject(filter).ok().flatten();
    last.map_or(0, |message| message.sequence)
}

/// The expectation about sequences that does not hold now: it is the answer when another, later check fails as well.
fn unmet(stream: &Stream, expect: &Expect) -> Option<ApiError> {
    if let Some((filter, expected)) = &expect.last_subject_sequence {
        let actual = last_of(stream, filter);
        if actual != *expected {
            return Some(ApiError::wrong_last_sequence(actual));
        }
    }
    let actual = stream.committed_sequence();
    let is_unmet = expect.last_sequence.is_some_and(|expected| expected != actual);
    is_unmet.then(|| ApiError::wrong_last_sequence(actual))
}

fn rollup(
    stream: &Stream,
    settings: &Settings,
    new: &NewMessage,
    value: &[u8],
) -> Result<Rollup, ApiError> {
    if value.eq_ignore_ascii_case(b"all") {
        return Ok(Rollup::All);
    }
    if value.eq_ignore_ascii_case(b"sub") || !settings.allow_rollup {
        return Ok(Rollup::Subject);
    }
    unmet(stream, &new.expect).map_or(Ok(()), Err)?;
    if let Some(expected) = &new.expect.last_message_id {
        let last = stream.get(stream.committed_sequence()).ok();
        let id = last.as_ref().and_then(|last| Headers::read(&last.headers).message_id);
        let actual = String::from_utf8_lossy(id.unwrap_or_default());
        if actual.as_bytes() != expected {
            return Err(ApiError::wrong_last_message_id(&actual));
        }
    }
    Err(ApiError::rollup_value(value))
}
