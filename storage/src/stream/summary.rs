//! What a stream notes of a sealed segment, so that opening it needs no look at the messages: each message that the
//! segment itself does not remove, what it removes of earlier segments, and how things stand at its end.
//!
//! Invariants: taking a summary has the same effect as replaying the frames, as far as later segments and readers can
//! tell.
//! Not here: the file it is in (`format::segment_index`).

use super::{
    accounting::message_bytes,
    config::StorageKind,
    fate::Fate,
    limit::joined,
    record::{Ranges, Record, Records, StoredMessage, number, read_number},
    stored::{StoredConfig, decode, encode},
};
use crate::{Timestamp, format::NUMBER_MAX, log::FrameBody};
use bincode::{Decode, Encode};
use bytes::Bytes;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// Bytes of a summary that are decoded at most.
const SUMMARY_BYTES_MAX: usize = 1 << 30;

/// A message of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    /// Place of the subject among those of the summary.
    pub(crate) subject: u32,
    /// What it counts for.
    pub(crate) bytes: u32,
    pub(crate) fate: Fate,
}

/// A summary as stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Summary {
    pub(crate) config: StoredConfig,
    pub(crate) last_sequence: u64,
    pub(crate) last_time_ns: Option<i64>,
    pub(crate) last_id: Vec<u8>,
    pub(crate) progress: Vec<(String, Vec<u8>)>,
    /// What the segment removes of the ones before it.
    pub(crate) removed: Vec<(u64, u64)>,
    /// Message ids, with sequence and time.
    pub(crate) ids: Vec<(Vec<u8>, u64, i64)>,
    pub(crate) subjects: Vec<Vec<u8>>,
    count: u32,
    /// Of each message: distance of its sequence from the one before, of its time (zigzag), subject, bytes. Behind them, of
    /// each message with a lifetime or mark: its place among the messages as distance from the one before, what is left
    /// of its lifetime from its time on (zigzag), 1 for a delete marker and 2 for one that is due, and how far from its
    /// time on (zigzag). LEB128.
    packed: Vec<u8>,
}

impl Summary {
    /// As bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// From bytes; what is wrong with them otherwise.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let summary: Self = decode(bytes, SUMMARY_BYTES_MAX)?;
        let rises = |ranges: &[(u64, u64)]| {
            let ordered = ranges.iter().all(|(first, last)| first <= last && *last <= NUMBER_MAX);
            ordered && ranges.is_sorted_by(|before, after| before.1 < after.0)
        };
        if summary.last_sequence > NUMBER_MAX || !rises(&summary.removed) {
            return Err("sequence out of range");
        }
        Ok(summary)
    }

    /// The messages; what is wrong with them otherwise.
    pub(crate) fn messages(&self) -> Result<Vec<Noted>, &'static str> {
        // A message has at least four bytes.
        let count = (self.count as usize).min(self.packed.len() / 4);
        let mut messages = Vec::with_capacity(count);
        let mut packed = &self.packed[..];
        let (mut sequence, mut time) = (0_u64, 0_i64);
        for _ in 0..self.count {
            sequence = sequence.saturating_add(take(&mut packed)?);
            time = time.wrapping_add(unzigzag(take(&mut packed)?));
            let narrow = |number: u64| u32::try_from(number).map_err(|_| "number out of range");
            let subject = narrow(take(&mut packed)?)?;
            let bytes = narrow(take(&mut packed)?)?;
            let rises = messages.last().is_none_or(|before: &Noted| before.sequence < sequence);
            if !rises || sequence > self.last_sequence || subject as usize >= self.subjects.len() {
                return Err("messages do not fit the summary");
            }
            let time = Timestamp(time);
            messages.push(Noted { sequence, time, subject, bytes, fate: Fate::default() });
        }
        let mut place = 0_usize;
        while !packed.is_empty() {
            let distance = usize::try_from(take(&mut packed)?).unwrap_or(usize::MAX);
            place = place.saturating_add(distance);
            let noted = messages.get_mut(place).ok_or("a lifetime of no message")?;
            let expires = noted.time.0.wrapping_add(unzigzag(take(&mut packed)?));
            let flags = take(&mut packed)?;
            let due = match flags & 2 {
                0 => i64::MIN,
                _ => noted.time.0.wrapping_add(unzigzag(take(&mut packed)?)),
            };
            noted.fate = Fate { expires, is_marker: flags & 1 != 0, due };
        }
        Ok(messages)
    }
}

/// A summary that is being made, frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Summing {
    config: Option<StoredConfig>,
    last_sequence: u64,
    last_time: Option<Timestamp>,
    last_id: Bytes,
    progress: BTreeMap<String, Vec<u8>>,
    removed: Ranges,
    ids: Vec<(Vec<u8>, u64, i64)>,
    subjects: Vec<Vec<u8>>,
    numbers: HashMap<Bytes, u32, foldhash::fast::RandomState>,
    messages: Vec<Noted>,
    /// Of each message, whether the segment removes it.
    is_removed: Vec<bool>,
    /// Something is there that a summary cannot say.
    is_odd: bool,
}

impl Summing {
    /// Notes a frame.
    pub(crate) fn frame(&mut self, frame: &FrameBody) {
        for record in Records::of(frame) {
            match record {
                Err(_) => self.is_odd = true,
                // A segment begins with a state, which tells what the ones before it left.
                Ok(Record::State(state)) => {
                    self.is_odd |= self.config.is_some();
                    self.last_sequence = state.last_sequence;
                    self.last_time = state.last_time_ns.map(Timestamp);
                    self.progress = state.progress.into_iter().collect();
                    self.config = Some(state.config);
                }
                Ok(_) if self.config.is_none() => self.is_odd = true,
                Ok(Record::Message(message)) => self.message(message),
                Ok(Record::Remove(ranges)) => self.remove(&ranges),
                Ok(Record::Skip(through)) => {
                    self.last_sequence = self.last_sequence.max(through);
                    self.last_id.clear();
                }
                Ok(Record::Progress(key, value)) => {
                    super::core::set_progress(&mut self.progress, key, value);
                }
                Ok(Record::Config(config)) => self.config = Some(*config),
                Ok(Record::Schedule(sequence, due)) => self.schedule(sequence, due),
                Ok(Record::Void(_)) => {}
            }
        }
    }

    fn message(&mut self, message: StoredMessage) {
        let StoredMessage { sequence, time, subject, message_id, headers, payload, fate } = message;
        if sequence <= self.last_sequence {
            self.is_odd = true;
            return;
        }
        let bytes = message_bytes(StorageKind::File, subject.len(), headers.len(), payload.len());
        let next = self.subjects.len() as u32;
        let subjects = &mut self.subjects;
        let subject = *self.numbers.entry(subject).or_insert_with_key(|subject| {
            subjects.push(subject.to_vec());
            next
        });
        self.messages.push(Noted { sequence, time, subject, bytes, fate });
        self.is_removed.push(false);
        if !message_id.is_empty() {
            self.ids.push((message_id.to_vec(), sequence, time.0));
        }
        self.last_id = message_id;
        self.last_sequence = sequence;
        self.last_time = Some(time);
    }

    /// What is due when of a message in an earlier segment, a summary cannot say.
    fn schedule(&mut self, sequence: u64, due: i64) {
        let own = self.messages.first().map_or(self.last_sequence + 1, |noted| noted.sequence);
        let found = self.messages.binary_search_by_key(&sequence, |noted| noted.sequence);
        match found.ok().and_then(|at| self.messages.get_mut(at)) {
            Some(noted) => noted.fate.due = due,
            None => self.is_odd |= sequence < own,
        }
    }

    fn remove(&mut self, ranges: &Ranges) {
        let own = self.messages.first().map_or(u64::MAX, |noted| noted.sequence);
        for (first, last) in ranges {
            if *first < own {
                self.removed.push((*first, (*last).min(own - 1)));
            }
            let start = self.messages.partition_point(|noted| noted.sequence < *first);
            let within = self.messages.iter().zip(&mut self.is_removed).skip(start);
            for (_, is_removed) in within.take_while(|(noted, _)| noted.sequence <= *last) {
                *is_removed = true;
            }
        }
    }

    /// The summary; `None` where one would not tell everything.
    pub(crate) fn finish(self) -> Option<Summary> {
        let config = self.config.filter(|_| !self.is_odd)?;
        let (mut packed, mut fates, mut place) = (Vec::new(), Vec::new(), 0);
        let (mut sequence, mut time, mut count) = (0, 0_i64, 0_u64);
        let stay =
            self.messages.iter().zip(&self.is_removed).filter(|(_, is_removed)| !**is_removed);
        for (noted, _) in stay {
            number(&mut packed, noted.sequence - sequence);
            number(&mut packed, zigzag(noted.time.0.wrapping_sub(time)));
            number(&mut packed, noted.subject.into());
            number(&mut packed, noted.bytes.into());
            if !noted.fate.is_usual() {
                number(&mut fates, count - place);
                number(&mut fates, zigzag(noted.fate.expires.wrapping_sub(noted.time.0)));
                let is_due = noted.fate.due != i64::MIN;
                number(&mut fates, u64::from(noted.fate.is_marker) | u64::from(is_due) << 1);
                if is_due {
                    number(&mut fates, zigzag(noted.fate.due.wrapping_sub(noted.time.0)));
                }
                place = count;
            }
            (sequence, time) = (noted.sequence, noted.time.0);
            count += 1;
        }
        packed.append(&mut fates);
        Some(Summary {
            last_sequence: self.last_sequence,
            last_time_ns: self.last_time.map(|time| time.0),
            last_id: self.last_id.to_vec(),
            progress: self.progress.into_iter().collect(),
            removed: joined(self.removed).into_vec(),
            ids: if config.config().dedup_window.is_zero() { Vec::new() } else { self.ids },
            subjects: self.subjects,
            count: u32::try_from(count).ok()?,
            packed,
            config,
        })
    }
}

/// Takes a number off the front.
fn take(packed: &mut &[u8]) -> Result<u64, &'static str> {
    let (number, len) = read_number(packed).ok_or("number cut short or too large")?;
    *packed = packed.get(len..).unwrap_or_default();
    Ok(number)
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::Position,
        stream::{Incarnation, StreamConfig, record::Encoder, stored::StateRecord},
    };
    use std::time::Duration;

    fn frame(encoder: &Encoder, base_sequence: u64) -> FrameBody {
        let records = Bytes::copy_from_slice(encoder.bytes());
        FrameBody { base_position: Position(0), base_sequence, count: encoder.count(), records }
    }

    #[test]
    fn a_segment_is_summed_up() {
        let dedup_window = Duration::from_secs(1);
        let config = StreamConfig { name: "s".into(), dedup_window, ..StreamConfig::default() };
        let config = StoredConfig::new(&config, Incarnation(1), Timestamp(1));
        let progress = vec![("a".to_owned(), vec![1])];
        let state = StateRecord { config, last_sequence: 9, last_time_ns: Some(5), progress };
        let mut encoder = Encoder::default();
        encoder.begin(10);
        encoder.state(&state);
        let text = |sequence: u64, time, subject: &'static str, encoder: &mut Encoder| {
            let id = sequence.to_string();
            let texts = [subject.as_bytes(), id.as_bytes(), b"", b"x"];
            let expires = if sequence == 14 { 99 } else { i64::MIN };
            let due = if sequence == 14 { 120 } else { i64::MIN };
            let fate = Fate { expires, is_marker: sequence == 14, due };
            encoder.message(sequence, Timestamp(time), fate, texts);
        };
        text(10, 100, "a", &mut encoder);
        text(13, 90, "b", &mut encoder);
        text(14, 95, "a", &mut encoder);
        encoder.remove(&[(2, 3), (7, 10)]);
        encoder.progress("a", b"");
        encoder.progress("b", b"2");
        encoder.skip(20);
        encoder.schedule(14, 125);
        let mut summing = Summing::default();
        summing.frame(&frame(&encoder, 10));
        let summary = summing.finish().unwrap();
        let bytes = summary.encode();
        let summary = Summary::decode(&bytes).unwrap();
        assert_eq!(summary.removed, [(2, 3), (7, 9)]);
        assert_eq!((summary.last_sequence, summary.last_time_ns), (20, Some(95)));
        assert_eq!(summary.progress, [("b".to_owned(), b"2".to_vec())]);
        assert_eq!((summary.ids.len(), &summary.last_id[..]), (3, &b""[..]));
        let noted = |sequence, time, subject, fate| Noted {
            sequence,
            time: Timestamp(time),
            subject,
            bytes: 32,
            fate,
        };
        let fate = Fate { expires: 99, is_marker: true, due: 125 };
        let expected = [noted(13, 90, 1, Fate::default()), noted(14, 95, 0, fate)];
        assert_eq!(summary.messages().unwrap(), expected);
        for len in 0..bytes.len() {
            assert!(Summary::decode(&bytes[..len]).is_err(), "{len}");
        }
        // Without a state in front nothing is known of what was before.
        let mut summing = Summing::default();
        encoder.begin(10);
        text(10, 100, "a", &mut encoder);
        summing.frame(&frame(&encoder, 10));
        assert!(summing.finish().is_none());
    }
}
