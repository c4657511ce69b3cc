//! Records out of the bytes of a frame. Any bytes give records or an error.
//! Not here: how they are written (`record`).

use super::{
    super::{
        fate::Fate,
        index::SequenceSet,
        stored::{StateRecord, StoredConfig},
    },
    FLAG_DUE, FLAG_MARKER, KIND_CONFIG, KIND_MESSAGE, KIND_PROGRESS, KIND_REMOVE, KIND_SCHEDULE,
    KIND_SKIP, KIND_STATE, KIND_TIMED, KIND_VOID, Ranges, Record, StoredMessage,
};
use crate::{Timestamp, format::NUMBER_MAX, limits, log::FrameBody};
use bytes::Bytes;

/// Bytes of a stored structure (state, configuration) that are decoded at most.
const STRUCTURE_BYTES_MAX: usize = 64 * 1024 * 1024;

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
