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
    /// Where the next record begins.
    at: usize,
    due: u64,
    left: u32,
}

impl Records {
    /// Of a frame.
    pub(crate) fn of(frame: &FrameBody) -> Self {
        let bytes = frame.records.clone();
        Self { bytes, at: 0, due: frame.base_sequence, left: frame.count }
    }

    /// Bytes of the records that are left.
    pub(crate) fn left_bytes(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Passes over records until the next one is the message with this sequence, or one behind it. False where it is not
    /// that message; what is wrong with the bytes, `next` tells.
    pub(crate) fn seek(&mut self, sequence: u64) -> bool {
        while self.left > 0 {
            let mut rest = Fields { bytes: &self.bytes, at: self.at, end: self.bytes.len() };
            let Ok(mut body) = rest.text(limits::FRAME_BYTES_MAX) else { return true };
            let due = match body.byte() {
                Some(kind @ (KIND_MESSAGE | KIND_TIMED)) => {
                    let skipped = body
                        .time()
                        .and_then(|_| body.fate(kind == KIND_TIMED))
                        .and_then(|_| body.number());
                    let Ok(skipped) = skipped else { return true };
                    let found = self.due.saturating_add(skipped);
                    if found >= sequence {
                        return found == sequence;
                    }
                    found + 1
                }
                Some(KIND_REMOVE | KIND_PROGRESS | KIND_CONFIG | KIND_SCHEDULE) => self.due,
                // Rare: these move the sequence that is due.
                _ => {
                    self.left -= 1;
                    if self.record().is_err() {
                        self.left = 0;
                    }
                    continue;
                }
            };
            self.due = due;
            self.left -= 1;
            self.at = rest.at;
        }
        false
    }

    fn record(&mut self) -> Result<Record, &'static str> {
        let Self { bytes, at, due, left } = self;
        let mut rest = Fields { bytes, at: *at, end: bytes.len() };
        let mut body = rest.text(limits::FRAME_BYTES_MAX)?;
        *at = rest.at;
        match body.byte().ok_or("record without a kind")? {
            KIND_MESSAGE => message(body, due, false),
            KIND_TIMED => message(body, due, true),
            KIND_REMOVE => ranges(body).map(Record::Remove),
            KIND_SKIP => {
                let through = body.sequence()?;
                *due = (*due).max(through + 1);
                Ok(Record::Skip(through))
            }
            KIND_SCHEDULE => {
                let sequence = body.sequence()?;
                let due = body.time()?;
                match body.rest().is_empty() {
                    true => Ok(Record::Schedule(sequence, due)),
                    false => Err("schedule with bytes behind its end"),
                }
            }
            KIND_PROGRESS => {
                let key = body.text(usize::MAX)?.rest().to_vec();
                let key = String::from_utf8(key).map_err(|_| "key is not text")?;
                Ok(Record::Progress(key, body.rest().to_vec()))
            }
            KIND_STATE => {
                let state = StateRecord::decode(body.rest(), STRUCTURE_BYTES_MAX)?;
                *due = (*due).max(state.last_sequence.saturating_add(1));
                Ok(Record::State(Box::new(state)))
            }
            KIND_CONFIG => {
                let config = StoredConfig::decode(body.rest(), STRUCTURE_BYTES_MAX)?;
                Ok(Record::Config(Box::new(config)))
            }
            KIND_VOID => {
                let records = u32::try_from(body.number()?).unwrap_or(u32::MAX);
                // The record itself was counted already.
                let more = records.saturating_sub(1);
                *left = left.checked_sub(more).ok_or("more records than the frame has")?;
                Ok(Record::Void(records))
            }
            _ => Err("record of an unknown kind"),
        }
    }
}

fn message(mut body: Fields<'_>, due: &mut u64, is_timed: bool) -> Result<Record, &'static str> {
    let time = body.time()?;
    let fate = body.fate(is_timed)?;
    let sequence = body.sequence()?.saturating_add(*due);
    if sequence == 0 || sequence > NUMBER_MAX {
        return Err("sequence out of range");
    }
    *due = sequence + 1;
    Ok(Record::Message(StoredMessage {
        sequence,
        time: Timestamp(time),
        subject: body.text(limits::SUBJECT_BYTES_MAX)?.slice(),
        message_id: body.text(limits::MESSAGE_ID_BYTES_MAX)?.slice(),
        headers: body.text(limits::HEADER_BYTES_MAX)?.slice(),
        payload: body.slice(),
        fate,
    }))
}

/// What is left of a part of a frame. A share of the memory is taken only for what is given away.
struct Fields<'a> {
    bytes: &'a Bytes,
    at: usize,
    end: usize,
}

impl<'a> Fields<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    fn slice(&self) -> Bytes {
        self.bytes.slice(self.at..self.end)
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.rest().first().copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// The next so many bytes.
    fn take(&mut self, len: usize) -> Result<Self, &'static str> {
        if len > self.end - self.at {
            return Err("length beyond the end");
        }
        let part = Self { bytes: self.bytes, at: self.at, end: self.at + len };
        self.at = part.end;
        Ok(part)
    }

    fn time(&mut self) -> Result<i64, &'static str> {
        let bytes = self.take(8).map_err(|_| "message cut short")?;
        let bytes = bytes.rest().first_chunk::<8>().ok_or("message cut short")?;
        Ok(i64::from_le_bytes(*bytes))
    }

    /// What a timed message says beside its own time; nothing where it is none.
    fn fate(&mut self, is_timed: bool) -> Result<Fate, &'static str> {
        let mut fate = Fate::default();
        if !is_timed {
            return Ok(fate);
        }
        fate.expires = self.time()?;
        let flags = self.byte().ok_or("message cut short")?;
        if flags & !(FLAG_MARKER | FLAG_DUE) != 0 {
            return Err("unknown flags of a message");
        }
        fate.is_marker = flags & FLAG_MARKER != 0;
        if flags & FLAG_DUE != 0 {
            fate.due = self.time()?;
        }
        Ok(fate)
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        let (number, len) = read_number(self.rest()).ok_or("number cut short or too large")?;
        self.at += len;
        Ok(number)
    }

    fn sequence(&mut self) -> Result<u64, &'static str> {
        let sequence = self.number()?;
        if sequence <= NUMBER_MAX { Ok(sequence) } else { Err("sequence out of range") }
    }

    /// Bytes behind their length.
    fn text(&mut self, max: usize) -> Result<Self, &'static str> {
        let len = usize::try_from(self.number()?).map_err(|_| "length out of range")?;
        if len > max { Err("length beyond the end") } else { self.take(len) }
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

fn ranges(mut body: Fields<'_>) -> Result<Ranges, &'static str> {
    let mut ranges = Ranges::new();
    let mut before = 0_u64;
    while !body.rest().is_empty() {
        let first = body.sequence()?.saturating_add(before);
        let last = body.sequence()?.saturating_add(first);
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
