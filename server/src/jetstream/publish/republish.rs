//! Publishing again what was stored, under another subject and with where it lies in its headers.
//! Not here: which messages are stored.

use crate::jetstream::config::Republish;
use crate::jetstream::text_time;
use crate::routing::{Account, Message};
use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use headwater_replication::Transform;
use headwater_storage::{Appended, Stream};
use std::sync::{Arc, Mutex, PoisonError};

/// Subjects whose last sequence is remembered; at more it begins anew.
const SUBJECTS_MAX: usize = 100_000;

/// Publishes again what was stored.
#[derive(Debug)]
pub(super) struct Republisher {
    transform: Transform,
    headers_only: bool,
    /// The last sequence of each subject seen, so that each copy can name the one before it.
    last: Mutex<HashMap<Bytes, u64, RandomState>>,
}

impl Republisher {
    /// As configured; none for what is not a transform, which verdicts refuse.
    pub(super) fn new(config: &Republish) -> Option<Self> {
        let transform = Transform::new(&config.src, &config.dest).ok()?;
        Some(Self { transform, headers_only: config.headers_only, last: Mutex::default() })
    }
    /// Finds out the last sequence of a subject, before a message on it is appended.
    pub(super) fn look_up(&self, stream: &Stream, subject: &Bytes) {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().contains_key(subject) {
            return;
        }
        let text = std::str::from_utf8(subject).unwrap_or_default();
        let last = stream.last_by_subject(text).ok().flatten();
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

/// A header block with fields added at its end; each field ends its line.
pub(crate) fn with_fields(block: &[u8], fields: &str) -> Bytes {
    let start = block.strip_suffix(b"\r\n").unwrap_or(b"NATS/1.0\r\n");
    let mut whole = BytesMut::with_capacity(start.len() + fields.len() + 2);
    whole.extend_from_slice(start);
    whole.extend_from_slice(fields.as_bytes());
    whole.extend_from_slice(b"\r\n");
    whole.freeze()
}
