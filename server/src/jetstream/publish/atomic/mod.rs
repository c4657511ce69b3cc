//! Atomic batches: messages that are stored whole or not at all, as in nats-server's ADR-50.
//!
//! Life of a batch: its members wait in memory (`staging`) on the publishers' tasks; the one that completes it has all of
//! them checked (`check`) and appended as one, in one frame of the log. Nothing of an open batch is visible or durable:
//! the answer to a member says that it waits, the answer to the last one that all are stored.
//! A batch that is idle for too long is dropped by a task that runs while there are open batches.
//! Not here: messages outside of batches (`publish`).

mod check;
mod staging;

use super::budget::Budget;
use super::republish::with_fields;
use super::settings::Settings;
use super::{IS_IN_CALLBACK, ack, headers};
use crate::jetstream::advisory::{self, Abandoned};
use crate::jetstream::api::{LEVEL_HEADER, is_level_supported};
use crate::jetstream::errors::{self, ApiError};
use crate::protocol::headers as block;
use crate::routing::{Account, Message};
use bytes::Bytes;
use headwater_storage::{Appended, NewMessage, Stream};
use staging::{Arrival, Commit, Member, Outcome, Staging};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

const ID: &str = "Nats-Batch-Id";
const SEQUENCE: &str = "Nats-Batch-Sequence";
const COMMIT: &str = "Nats-Batch-Commit";

/// The id of the batch that a message belongs to, if it says so.
pub(super) fn batch_id(message: &Message) -> Option<&[u8]> {
    block::get(&message.headers, ID).filter(|id| !id.is_empty())
}

/// The atomic batches of one stream.
#[derive(Debug)]
pub(super) struct AtomicBatches {
    stream: Arc<Stream>,
    runtime: tokio::runtime::Handle,
    staging: Mutex<Sweeping>,
}

/// Open batches, and whether the task that ends idle ones runs.
#[derive(Debug)]
struct Sweeping {
    staging: Staging,
    is_running: bool,
}

/// Who a member came from and where its answer goes; empty for nowhere.
struct Publish<'a> {
    account: &'a Arc<Account>,
    settings: &'a Arc<Settings>,
    reply: Bytes,
}

impl AtomicBatches {
    /// None open yet.
    pub(super) fn new(
        stream: Arc<Stream>,
        budget: Arc<Budget>,
        runtime: tokio::runtime::Handle,
    ) -> Arc<Self> {
        let sweeping = Sweeping { staging: Staging::new(budget), is_running: false };
        Arc::new(Self { stream, runtime, staging: Mutex::new(sweeping) })
    }
    /// Drops what is open: the stream takes no batches any more.
    pub(super) fn clear(&self) {
        self.lock().staging.clear();
    }
    /// Takes a message of a batch.
    pub(super) fn take(
        self: &Arc<Self>,
        account: &Arc<Account>,
        settings: &Arc<Settings>,
        message: &Message,
        id: &[u8],
    ) {
        let reply = if settings.no_ack { Bytes::new() } else { message.reply.clone() };
        let publish = Publish { account, settings, reply };
        let arrival = match arrival(settings, message, id) {
            Ok(arrival) => arrival,
            Err(error) => return publish.refuse(&error),
        };
        match self.stage(account, settings, &arrival) {
            Outcome::Staged => publish.answer(Bytes::new()),
            Outcome::Refused(error, reason) => {
                publish.refuse(&error);
                if let Some(reason) = reason {
                    advisory::batch_abandoned(account, &settings.name, id, reason);
                }
            }
            Outcome::Complete(mut members, claim) => {
                if arrival.commit == Commit::Before
                    && let Some(last) = members.last_mut()
                {
                    last.headers = with_fields(&last.headers, "Nats-Batch-Commit: 1\r\n");
                }
                match check::check(&self.stream, settings, members) {
                    Ok(news) => self.append(publish, news, id),
                    Err(error) => publish.refuse(&error),
                }
                drop(claim);
            }
        }
    }

    /// Puts a member to its batch, and has somebody look after what is open.
    fn stage(
        self: &Arc<Self>,
        account: &Arc<Account>,
        settings: &Settings,
        arrival: &Arrival<'_>,
    ) -> Outcome {
        let mut sweeping = self.lock();
        let outcome = sweeping.staging.take(arrival, Instant::now());
        if matches!(outcome, Outcome::Staged) && !sweeping.is_running {
            sweeping.is_running = true;
            let (batches, account) = (Arc::downgrade(self), Arc::downgrade(account));
            self.runtime.spawn(sweep(batches, account, settings.name.clone()));
        }
        outcome
    }

    fn append(&self, publish: Publish<'_>, news: Vec<NewMessage>, id: &[u8]) {
        let Publish { account, settings, reply } = publish;
        let (account, settings) = (account.clone(), settings.clone());
        let count = u64::try_from(news.len()).unwrap_or(u64::MAX);
        let id = String::from_utf8_lossy(id).into_owned();
        let again = settings.republish.iter().flat_map(|republish| {
            news.iter().map(|new| {
                republish.look_up(&self.stream, &new.subject, u64::MAX);
                (new.subject.clone(), new.headers.clone(), new.payload.clone())
            })
        });
        let again: Vec<_> = again.collect();
        self.stream.append_all_with(news, move |result| {
            let outer = IS_IN_CALLBACK.replace(true);
            if !reply.is_empty() {
                let payload = match &result {
                    Ok(appended) => ack::committed(&settings, appended, &id, count),
                    Err(error) => ack::refused(&settings, &ApiError::of_append(error)),
                };
                account.send(&ack::message(reply, payload));
            }
            if let (Some(republish), Ok(last)) = (&settings.republish, &result) {
                let sequences = last.sequence.saturating_sub(count).saturating_add(1)..;
                for (stored, sequence) in again.iter().zip(sequences) {
                    let appended = Appended { sequence, ..*last };
                    republish.send(&account, &settings.name, stored, &appended);
                }
            }
            IS_IN_CALLBACK.set(outer);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Sweeping> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Ends idle batches. Gives them, and when to look again: never where nothing is open.
    fn expire(&self) -> (Vec<Bytes>, Option<Instant>) {
        let mut sweeping = self.lock();
        let idle = sweeping.staging.expire(Instant::now());
        let next = sweeping.staging.next_deadline();
        sweeping.is_running = next.is_some();
        (idle, next)
    }
}

/// Ends batches that are idle for too long, as long as any are open.
async fn sweep(batches: Weak<AtomicBatches>, account: Weak<Account>, stream: String) {
    loop {
        let Some((idle, next)) = batches.upgrade().map(|batches| batches.expire()) else { return };
        if let Some(account) = account.upgrade() {
            for id in idle {
                advisory::batch_abandoned(&account, &stream, &id, Abandoned::Timeout);
            }
        }
        let Some(next) = next else { return };
        tokio::time::sleep_until(next.into()).await;
    }
}

/// What a message is to its batch, or why it is refused whatever its batch.
fn arrival<'a>(
    settings: &Settings,
    message: &Message,
    id: &'a [u8],
) -> Result<Arrival<'a>, ApiError> {
    let mut member = Member {
        subject: message.subject.clone(),
        headers: headers::without_status(&message.headers),
        payload: message.payload.clone(),
    };
    let bytes = member.headers.len() + member.payload.len();
    if settings.sealed {
        return Err(errors::SEALED);
    }
    if settings.message_bytes_max.is_some_and(|max| bytes > max) {
        return Err(errors::MESSAGE_EXCEEDS_MAXIMUM);
    }
    if !settings.allow_atomic {
        return Err(errors::ATOMIC_PUBLISH_DISABLED);
    }
    let sequence = block::get(&member.headers, SEQUENCE).and_then(headers::number);
    let commit = match block::get(&member.headers, COMMIT) {
        None => Commit::Not,
        Some(b"1") => Commit::Here,
        Some(b"eob") => Commit::Before,
        Some(_) => Commit::Invalid,
    };
    let level = block::get(&member.headers, LEVEL_HEADER).filter(|level| !level.is_empty());
    let is_level_supported = level.is_none() || is_level_supported(message);
    if level.is_some() {
        member.headers = headers::without(&member.headers, LEVEL_HEADER);
    }
    Ok(Arrival { id, sequence, commit, is_level_supported, member })
}

impl Publish<'_> {
    fn answer(self, payload: Bytes) {
        if !self.reply.is_empty() {
            self.account.send(&ack::message(self.reply, payload));
        }
    }
    fn refuse(self, error: &ApiError) {
        let payload = ack::refused(self.settings, error);
        self.answer(payload);
    }
}
