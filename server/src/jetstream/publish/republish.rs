//! Publishing again what was stored, under another subject and with where it lies in its headers.
//! Not here: which messages are stored.

use crate::jetstream::config::StreamConfig;
use crate::jetstream::lookup::last_up_to;
use crate::jetstream::text_time;
use crate::routing::{Account, Message};
use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use headwater_replication::Transform;
use headwater_storage::{Appended, Error, Stream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Subjects whose last sequence is remembered; at more it begins anew.
const SUBJECTS_MAX: usize = 100_000;

/// Messages and bytes read at a time where a stream is followed.
const BATCH_MESSAGES_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How long after a failed read it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Publishes again what was stored.
#[derive(Debug)]
pub(super) struct Republisher {
    transform: Transform,
    headers_only: bool,
    /// The last sequence of each subject seen, so that each copy can name the one before it.
    last: Mutex<HashMap<Bytes, u64, RandomState>>,
}

impl Republisher {
    /// As configured, if it is; none for what is not a transform, which verdicts refuse.
    pub(super) fn new(config: &StreamConfig) -> Option<Self> {
        let republish = config.republish.as_ref()?;
        let transform = Transform::new(&republish.src, &republish.dest).ok()?;
        let headers_only = republish.headers_only;
        Some(Self { transform, headers_only, last: Mutex::default() })
    }
    /// Finds out the last sequence of a subject at or below a sequence, where it is not known yet.
    pub(super) fn look_up(&self, stream: &Stream, subject: &Bytes, up_to: u64) {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().contains_key(subject) {
            return;
        }
        let text = std::str::from_utf8(subject).unwrap_or_default();
        let last = last_up_to(stream, text, up_to).ok().flatten();
        let mut known = lock();
        if known.len() >= SUBJECTS_MAX {
            known.clear();
        }
        known.entry(subject.clone()).or_insert(last.map_or(0, |message| message.sequence));
    }
    /// Publishes a stored message again: subject, headers and payload as they were stored.
    pub(super) fn send(
        &self,
        account: &Arc<Account>,
        stream: &str,
        (subject, headers, payload): &(Bytes, Bytes, Bytes),
        appended: &Appended,
    ) {
        let last = {
            let mut known = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(subject.clone(), appended.sequence).unwrap_or(0)
        };
        let text = std::str::from_utf8(subject).unwrap_or_default();
        let Some(destination) = self.transform.apply(text) else { return };
        let mut fields = format!(
            "Nats-Stream: {stream}\r\nNats-Subject: {text}\r\nNats-Sequence: {}\r\n\
             Nats-Time-Stamp: {}\r\nNats-Last-Sequence: {last}\r\n",
            appended.sequence,
            text_time::text(appended.time),
        );
        if self.headers_only {
            fields.push_str(&format!("Nats-Msg-Size: {}\r\n", payload.len()));
        }
        let payload = if self.headers_only { Bytes::new() } else { payload.clone() };
        account.send(&Message {
            subject: Bytes::from(destination),
            headers: with_fields(headers, &fields),
            payload,
            ..Message::default()
        });
    }
}

/// Publishes again what arrives in a stream that takes copies, from now on. Ends with the stream, or when the handle is
/// dropped. What limits remove before it is read is not published again.
pub(crate) fn follow(
    stream: &Arc<Stream>,
    account: &Arc<Account>,
    config: &StreamConfig,
    runtime: &tokio::runtime::Handle,
) -> Option<AbortOnDrop> {
    let republisher = Republisher::new(config).filter(|_| config.is_written_otherwise())?;
    let next = stream.committed_sequence().saturating_add(1);
    let mut tail = stream.tail(next, Vec::new());
    let (stream, account, name) = (stream.clone(), account.clone(), config.name.clone());
    let task = runtime.spawn(async move {
        loop {
            let batch = match tail.next(BATCH_MESSAGES_MAX, BATCH_BYTES_MAX).await {
                Ok(batch) => batch,
                Err(Error::Closed) => break,
                Err(error) => {
                    tracing::warn!(stream = name, %error, "read failed; it is tried again");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            for message in batch.messages {
                let before = message.sequence.saturating_sub(1);
                republisher.look_up(&stream, &message.subject, before);
                let appended =
                    Appended { sequence: message.sequence, duplicate: false, time: message.time };
                let stored = (message.subject, message.headers, message.payload);
                republisher.send(&account, &name, &stored, &appended);
            }
        }
    });
    Some(AbortOnDrop(task.abort_handle()))
}

/// Ends a task when it is dropped.
#[derive(Debug)]
pub(crate) struct AbortOnDrop(pub(crate) tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A header block with fields added at its end; each field ends its line.
pub(crate) fn with_fields(block: &[u8], fields: &str) -> Bytes {
    let start = block.strip_suffix(b"\r\n").unwrap_or(b"NATS/1.0\r\n");
    let mut whole = BytesMut::with_capacity(start.len() + fields.len() + 2);
    whole.extend_from_slice(start);
    whole.extend_from_slice(fields.as_bytes());
    whole.extend_from_slice(b"\r\n");
    whole.freeze()
}
