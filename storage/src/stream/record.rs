//! The records of a stream: what the body of a frame is made of, as bytes.
//!
//! A record is its length, its kind, and its fields. Numbers are LEB128 unless said otherwise. The sequence of a message
//! is stored as the distance from the one that is due: the frame's base sequence, then one above the message or skip
//! before it. `docs/DISK_FORMAT.md` has the tables.
//! Not here: what the records do to a stream (`contents`, `replay`).

use super::{
    fate::Fate,
    index::SequenceSet,
    stored::{StateRecord, StoredConfig},
};
use crate::{Timestamp, format::NUMBER_MAX, limits, log::FrameBody};
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

/// Bytes of a stored structure (state, configuration) that are decoded at most.
const STRUCTURE_BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// The records of a frame, in order. What is wrong with the bytes, once, otherwise.
pub(crate) struct Records {
    bytes: Bytes,
    due: u64,
    left: u32,
}

impl Records {
    /// Of a frame.
    pub(crate) fn of(frame: &FrameBody) -> Self {
        Self { bytes: frame.records.clone(), due: frame.base_sequence, left: frame.count }
    }

    /// Bytes of the records that are left.
    pub(crate) fn left_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Passes over records until the next one is the message with this sequence, or one behind it.
    pub(crate) fn seek(&mut self, sequence: u64) {
        while self.left > 0 {
            let Some((start, len)) = record_at(&self.bytes) else { return };
            let Some(body) = self.bytes.get(start..start + len) else { return };
            let due = match body.split_first() {
                Some((&kind @ (KIND_MESSAGE | KIND_TIMED), fields)) => {
                    let is_due = fields.get(16).is_some_and(|flags| flags & FLAG_DUE != 0);
                    let start = match kind {
                        KIND_TIMED if is_due => 25,
                        KIND_TIMED => 17,
                        _ => 8,
                    };
                    let skipped = fields.get(start..).and_then(read_number);
                    let Some((skipped, _)) = skipped else { return };
                    let found = self.due.saturating_add(skipped);
                    if found >= sequence {
                        return;
                    }
                    found + 1
                }
                Some((&KIND_REMOVE | &KIND_PROGRESS | &KIND_CONFIG, _)) => self.due,
                // Rare: these move the sequence that is due.
                _ => {
                    self.left -= 1;
                    let _ = self.record();
                    continue;
                }
            };
            self.due = due;
            self.left -= 1;
            let _ = self.bytes.split_to(start + len);
        }
    }

    fn record(&mut self) -> Result<Record, &'static str> {
        let mut body = take_text(&mut self.bytes, limits::FRAME_BYTES_MAX)?;
        let Some(&kind) = body.first() else { return Err("record without a kind") };
        let _ = body.split_to(1);
        match kind {
            KIND_MESSAGE => self.message(body, false),
            KIND_TIMED => self.message(body, true),
            KIND_REMOVE => ranges(body).map(Record::Remove),
            KIND_SKIP => {
                let through = take_sequence(&mut body)?;
                self.due = self.due.max(through + 1);
                Ok(Record::Skip(through))
            }
            KIND_SCHEDULE => {
                let sequence = take_sequence(&mut body)?;
                let due = take_time(&mut body)?;
                match body.is_empty() {
                    true => Ok(Record::Schedule(sequence, due)),
                    false => Err("schedule with bytes behind its end"),
                }
            }
            KIND_PROGRESS => {
                let key = take_text(&mut body, usize::MAX)?;
                let key = String::from_utf8(key.to_vec()).map_err(|_| "key is not text")?;
                Ok(Record::Progress(key, body.to_vec()))
            }
            KIND_STATE => {
                let state = StateRecord::decode(&body, STRUCTURE_BYTES_MAX)?;
                self.due = self.due.max(state.last_sequence.saturating_add(1));
                Ok(Record::State(Box::new(state)))
            }
            KIND_CONFIG => {
                let config = StoredConfig::decode(&body, STRUCTURE_BYTES_MAX)?;
                Ok(Record::Config(Box::new(config)))
            }
            KIND_VOID => {
                let records = u32::try_from(take_number(&mut body)?).unwrap_or(u32::MAX);
                // The record itself was counted already.
                let more = records.saturating_sub(1);
                self.left = self.left.checked_sub(more).ok_or("more records than the frame has")?;
                Ok(Record::Void(records))
            }
            _ => Err("record of an unknown kind"),
        }
    }

    fn message(&mut self, mut body: Bytes, is_timed: bool) -> Result<Record, &'static str> {
        let time = take_time(&mut body)?;
        let mut fate = Fate::default();
        if is_timed {
            fate.expires = take_time(&mut body)?;
            let Some(flags) = body.first().copied() else { return Err("message cut short") };
            if flags & !(FLAG_MARKER | FLAG_DUE) != 0 {
                return Err("unknown flags of a message");
            }
            fate.is_marker = flags & FLAG_MARKER != 0;
            let _ = body.split_to(1);
            if flags & FLAG_DUE != 0 {
                fate.due = take_time(&mut body)?;
            }
        }
        let sequence = take_sequence(&mut body)?.saturating_add(self.due);
        if sequence == 0 || sequence > NUMBER_MAX {
            return Err("sequence out of range");
        }
        self.due = sequence + 1;
        Ok(Record::Message(StoredMessage {
            sequence,
            time: Timestamp(time),
            subject: take_text(&mut body, limits::SUBJECT_BYTES_MAX)?,
            message_id: take_text(&mut body, limits::MESSAGE_ID_BYTES_MAX)?,
            headers: take_text(&mut body, limits::HEADER_BYTES_MAX)?,
            payload: body,
            fate,
        }))
    }
}

impl Iterator for Records {
    type Item = Result<Record, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let record = self.record();
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}

/// The sequences of the messages in a frame.
pub(crate) fn message_sequences(frame: &FrameBody) -> SequenceSet {
    let mut sequences = SequenceSet::default();
    for record in Records::of(frame) {
        if let Ok(Record::Message(message)) = record {
            sequences.push(message.sequence);
        }
    }
    sequences
}

fn ranges(mut body: Bytes) -> Result<Ranges, &'static str> {
    let mut ranges = Ranges::new();
    let mut before = 0_u64;
    while !body.is_empty() {
        let first = take_sequence(&mut body)?.saturating_add(before);
        let last = take_sequence(&mut body)?.saturating_add(first);
        if last > NUMBER_MAX {
            return Err("sequence out of range");
        }
        ranges.push((first, last));
        before = last;
    }
    Ok(ranges)
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

/// Where the body of the first record begins, and its length.
fn record_at(bytes: &[u8]) -> Option<(usize, usize)> {
    let (len, start) = read_number(bytes)?;
    Some((start, usize::try_from(len).ok()?)).filter(|(_, len)| *len <= bytes.len())
}

/// A number and its length in bytes; `None` where it is cut short or too large.
pub(crate) fn read_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if index == 9 && bits > 1 {
            return None;
        }
        number |= bits << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, index + 1));
        }
    }
    None
}

fn take_time(bytes: &mut Bytes) -> Result<i64, &'static str> {
    let Some(time) = bytes.first_chunk::<8>().copied() else { return Err("message cut short") };
    let _ = bytes.split_to(8);
    Ok(i64::from_le_bytes(time))
}

pub(super) fn take_number(bytes: &mut Bytes) -> Result<u64, &'static str> {
    let (number, len) = read_number(bytes).ok_or("number cut short or too large")?;
    let _ = bytes.split_to(len);
    Ok(number)
}

fn take_sequence(bytes: &mut Bytes) -> Result<u64, &'static str> {
    let sequence = take_number(bytes)?;
    if sequence <= NUMBER_MAX { Ok(sequence) } else { Err("sequence out of range") }
}

fn take_text(bytes: &mut Bytes, max: usize) -> Result<Bytes, &'static str> {
    let len = usize::try_from(take_number(bytes)?).map_err(|_| "length out of range")?;
    if len > max || len > bytes.len() {
        return Err("length beyond the end");
    }
    Ok(bytes.split_to(len))
}
