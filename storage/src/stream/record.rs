//! The records of a stream: what the body of a frame is made of, as bytes.
//!
//! A record is its length, its kind, and its fields. Numbers are LEB128 unless said otherwise. The sequence of a message
//! is stored as the distance from the one that is due: the frame's base sequence, then one above the message or skip
//! before it. `docs/DISK_FORMAT.md` has the tables.
//! Not here: how the bytes are read (`decode`), what the records do to a stream (`contents`, `replay`).

mod decode;

pub(crate) use decode::{Records, message_sequences, read_number};

use super::{
    fate::Fate,
    stored::{StateRecord, StoredConfig},
};
use crate::Timestamp;
use bytes::Bytes;
use smallvec::SmallVec;

/// Inclusive ranges of sequences, rising.
pub(crate) type Ranges = SmallVec<[(u64, u64); 1]>;

pub(crate) const KIND_MESSAGE: u8 = 1;
pub(crate) const KIND_REMOVE: u8 = 2;
pub(crate) const KIND_SKIP: u8 = 3;
pub(crate) const KIND_PROGRESS: u8 = 4;
pub(crate) const KIND_STATE: u8 = 5;
pub(crate) const KIND_CONFIG: u8 = 6;
pub(crate) const KIND_VOID: u8 = 7;
pub(crate) const KIND_TIMED: u8 = 8;
pub(crate) const KIND_SCHEDULE: u8 = 9;

/// Bit of a timed message's flags: it is a delete marker.
const FLAG_MARKER: u8 = 1;
/// Bit of them: when it is due follows.
const FLAG_DUE: u8 = 2;

/// A record as read.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// A message.
    Message(StoredMessage),
    /// These messages are gone.
    Remove(Ranges),
    /// No message has a sequence up to this one that was not seen before.
    Skip(u64),
    /// A progress entry; an empty value takes it away.
    Progress(String, Vec<u8>),
    /// What cannot be told from the records behind it.
    State(Box<StateRecord>),
    /// The configuration from here on.
    Config(Box<StoredConfig>),
    /// The message with this sequence is due at this time from here on; the minimum: no more.
    Schedule(u64, i64),
    /// So many records that were messages and are gone, left out when the segment was written again.
    Void(u32),
}

/// A message as read: slices of the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredMessage {
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    pub(crate) subject: Bytes,
    pub(crate) message_id: Bytes,
    pub(crate) headers: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) fate: Fate,
}

/// Writes records, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    count: u32,
    messages: u32,
    due: u64,
}

impl Encoder {
    /// Begins a group: the next message will have the sequence `due` unless it skips some.
    pub(crate) fn begin(&mut self, due: u64) {
        self.bytes.clear();
        self.count = 0;
        self.messages = 0;
        self.due = due;
    }

    /// The records so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// How many of them are messages.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// The sequence of the next message, unless it skips some.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// Where the records end now.
    pub(crate) fn mark(&self) -> Mark {
        let Self { count, messages, due, .. } = *self;
        Mark { len: self.bytes.len(), count, messages, due }
    }

    /// Takes back everything since the mark.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.bytes.truncate(mark.len);
        (self.count, self.messages, self.due) = (mark.count, mark.messages, mark.due);
    }

    /// Adds a message as it was read.
    pub(crate) fn again(&mut self, message: &StoredMessage) {
        let StoredMessage { subject, message_id, headers, payload, .. } = message;
        let texts = [&subject[..], message_id, headers, payload];
        self.message(message.sequence, message.time, message.fate, texts);
    }

    /// Adds a message.
    pub(crate) fn message(
        &mut self,
        sequence: u64,
        time: Timestamp,
        fate: Fate,
        [subject, message_id, headers, payload]: [&[u8]; 4],
    ) {
        debug_assert!(sequence >= self.due, "sequences rise");
        let skipped = sequence - self.due;
        let texts = [subject, message_id, headers];
        let is_timed = !fate.is_usual();
        let len = 8
            + match fate.due {
                _ if !is_timed => 0,
                i64::MIN => 9,
                _ => 17,
            }
            + number_len(skipped)
            + texts.iter().map(|text| number_len(text.len() as u64) + text.len()).sum::<usize>()
            + payload.len();
        self.open(if is_timed { KIND_TIMED } else { KIND_MESSAGE }, len);
        self.bytes.extend_from_slice(&time.0.to_le_bytes());
        if is_timed {
            self.bytes.extend_from_slice(&fate.expires.to_le_bytes());
            let marker = if fate.is_marker { FLAG_MARKER } else { 0 };
            if fate.due == i64::MIN {
                self.bytes.push(marker);
            } else {
                self.bytes.push(marker | FLAG_DUE);
                self.bytes.extend_from_slice(&fate.due.to_le_bytes());
            }
        }
        number(&mut self.bytes, skipped);
        for text in texts {
            number(&mut self.bytes, text.len() as u64);
            self.bytes.extend_from_slice(text);
        }
        self.bytes.extend_from_slice(payload);
        self.messages += 1;
        self.due = sequence + 1;
    }

    /// Adds a removal.
    pub(crate) fn remove(&mut self, ranges: &[(u64, u64)]) {
        let mut body = Vec::new();
        let mut before = 0;
        for (first, last) in ranges {
            number(&mut body, first - before);
            number(&mut body, last - first);
            before = *last;
        }
        self.add(KIND_REMOVE, &body);
    }

    /// Adds a skip.
    pub(crate) fn skip(&mut self, through: u64) {
        let mut body = Vec::new();
        number(&mut body, through);
        self.add(KIND_SKIP, &body);
        self.due = self.due.max(through + 1);
    }

    /// Adds when a message is due from now on.
    pub(crate) fn schedule(&mut self, sequence: u64, due: i64) {
        let mut body = Vec::new();
        number(&mut body, sequence);
        body.extend_from_slice(&due.to_le_bytes());
        self.add(KIND_SCHEDULE, &body);
    }

    /// Adds a progress entry.
    pub(crate) fn progress(&mut self, key: &str, value: &[u8]) {
        let mut body = Vec::new();
        number(&mut body, key.len() as u64);
        body.extend_from_slice(key.as_bytes());
        body.extend_from_slice(value);
        self.add(KIND_PROGRESS, &body);
    }

    /// Adds a state.
    pub(crate) fn state(&mut self, state: &StateRecord) {
        self.add(KIND_STATE, &state.encode());
    }

    /// Adds a configuration.
    pub(crate) fn config(&mut self, config: &StoredConfig) {
        self.add(KIND_CONFIG, &config.encode());
    }

    /// Adds room for records that are left out. They count as records.
    pub(crate) fn void(&mut self, records: u32) {
        let mut body = Vec::new();
        number(&mut body, records.into());
        self.add(KIND_VOID, &body);
        self.count += records.saturating_sub(1);
    }

    fn add(&mut self, kind: u8, body: &[u8]) {
        self.open(kind, body.len());
        self.bytes.extend_from_slice(body);
    }

    fn open(&mut self, kind: u8, len: usize) {
        number(&mut self.bytes, len as u64 + 1);
        self.bytes.push(kind);
        self.count += 1;
    }
}

/// A place between two records of an encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    len: usize,
    count: u32,
    messages: u32,
    due: u64,
}

pub(super) fn number_len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

pub(crate) fn number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
