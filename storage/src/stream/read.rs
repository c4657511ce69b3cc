//! Reads: by sequence, time and subject, and the batches of a tail. Only what is committed and not removed.
//!
//! Invariants: the lock is not held while bytes are read; a message that cannot be read any more becomes a named loss.
//! Not here: following (`tail`).

use super::{
    Stream,
    contents::Contents,
    core::Core,
    entries::Entry,
    index::SubjectId,
    record::{Ranges, Record, Records, StoredMessage},
};
use crate::{Error, Message, Result, Timestamp, log::LogRef, subject};
use std::collections::HashSet;

/// Messages looked at one by one before the index is asked where the next match is.
const SCAN_MESSAGES: usize = 256;
/// The index is asked at once for so many literal subjects: a look at each costs less than one message looked at.
const LITERALS_MAX: usize = 4;
/// Messages that are looked at together, which is how many are in memory at a time.
const LOOK_MESSAGES: usize = 16;

/// Which subjects a reader wants.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// Any.
    All,
    /// Those that match one of these.
    Subjects(Vec<String>),
}

impl Filter {
    /// Of the filters as given: none means all.
    pub(crate) fn new(filters: &[String]) -> Self {
        match filters.is_empty() || filters.iter().any(|filter| filter == ">") {
            true => Self::All,
            false => Self::Subjects(filters.to_vec()),
        }
    }

    fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Subjects(filters) => std::str::from_utf8(text)
                .is_ok_and(|text| filters.iter().any(|filter| subject::matches(filter, text))),
        }
    }

    /// Whether it names a few subjects.
    fn is_literal(&self) -> bool {
        matches!(self, Self::Subjects(filters) if filters.len() <= LITERALS_MAX
            && !filters.iter().any(|filter| subject::has_wildcard(filter)))
    }

    /// Visits every subject that matches, once.
    fn visit(&self, contents: &Contents, visit: &mut dyn FnMut(SubjectId)) {
        let Self::Subjects(filters) = self else {
            return contents.subjects.for_each_match(">", visit);
        };
        let mut seen = HashSet::new();
        for filter in filters {
            if !subject::has_wildcard(filter) {
                if let Some(id) = contents.subjects.find(filter.as_bytes())
                    && (filters.len() == 1 || seen.insert(id))
                {
                    visit(id);
                }
                continue;
            }
            contents.subjects.for_each_match(filter, &mut |id| {
                if filters.len() == 1 || seen.insert(id) {
                    visit(id);
                }
            });
        }
    }
}

impl Core {
    /// The first held message at or after a sequence that matches.
    pub(crate) fn next_match(&self, from: u64, filter: &Filter) -> Option<(u64, Entry)> {
        let committed = self.committed_sequence;
        let held = |(at, entry): (u64, Entry)| (at <= committed).then_some((at, entry));
        let entries = &self.contents.entries;
        if matches!(filter, Filter::All) {
            return entries.iter_from(from).next().and_then(held);
        }
        let mut looked_at = from;
        if !filter.is_literal() {
            let mut messages = entries.iter_from(from);
            for (at, entry) in messages.by_ref().take(SCAN_MESSAGES) {
                if filter.matches(self.contents.subjects.subject(entry.subject)) {
                    return held((at, entry));
                }
            }
            looked_at = messages.next().filter(|(at, _)| *at <= committed)?.0;
        }
        let mut next = None;
        filter.visit(&self.contents, &mut |id| {
            let sequences = self.contents.subjects.sequences(id);
            if let Some(at) = sequences.and_then(|all| all.at_or_after(looked_at)) {
                next = Some(next.map_or(at, |found: u64| found.min(at)));
            }
        });
        let at = next?;
        held((at, entries.get(at)?))
    }

    /// Held messages at or after a sequence that match.
    pub(crate) fn count_from(&self, from: u64, filter: &Filter) -> u64 {
        let committed = self.committed_sequence;
        if matches!(filter, Filter::All) {
            let first = self.first_sequence();
            return match from <= first {
                true => self.contents.held_messages,
                false => self.contents.entries.count_range(from, committed),
            };
        }
        let mut count = 0;
        filter.visit(&self.contents, &mut |id| {
            let sequences = self.contents.subjects.sequences(id);
            count += sequences.map_or(0, |all| all.count_range(from, committed));
        });
        count
    }

    /// The last held message that matches.
    fn last_match(&self, filter: &Filter) -> Option<u64> {
        let mut last = None;
        filter.visit(&self.contents, &mut |id| {
            let sequences = self.contents.subjects.sequences(id);
            last = last.max(sequences.and_then(|all| all.at_or_before(self.committed_sequence)));
        });
        last
    }

    fn subject_of(&self, sequence: u64) -> Option<String> {
        let entry = self.contents.entries.get(sequence)?;
        std::str::from_utf8(self.contents.subjects.subject(entry.subject)).ok().map(str::to_owned)
    }

    /// The last held message of each subject that matches, at or below a sequence; in order.
    fn last_of_each(&self, filter: &Filter, through: u64) -> Vec<u64> {
        let through = through.min(self.committed_sequence);
        let mut last = Vec::new();
        filter.visit(&self.contents, &mut |id| {
            let sequences = self.contents.subjects.sequences(id);
            last.extend(sequences.and_then(|all| all.at_or_before(through)));
        });
        last.sort_unstable();
        last
    }

    /// The sequences a tail gets next, and how far it has looked then.
    pub(crate) fn next_batch(
        &self,
        from: u64,
        filter: &Filter,
        messages_max: usize,
        bytes_max: usize,
    ) -> (Vec<u64>, u64) {
        let (mut sequences, mut bytes, mut next) = (Vec::new(), 0, from);
        while sequences.len() < messages_max {
            let Some((at, entry)) = self.next_match(next, filter) else {
                return (sequences, self.committed_sequence);
            };
            bytes += entry.bytes as usize;
            if bytes > bytes_max && !sequences.is_empty() {
                return (sequences, at - 1);
            }
            sequences.push(at);
            next = at + 1;
        }
        (sequences, next - 1)
    }
}

/// Reads messages in rising order, each frame once.
pub(super) struct FrameReader {
    log: LogRef,
    frame: Option<Records>,
}

impl FrameReader {
    pub(super) fn new(log: LogRef) -> Self {
        Self { log, frame: None }
    }

    /// The message with this sequence; `None` where it is not in the frame that would hold it.
    pub(super) fn read(&mut self, sequence: u64) -> Result<Option<StoredMessage>> {
        if let Some(found) = self.in_frame(sequence)? {
            return Ok(Some(found));
        }
        let Some(frame) = self.log.frame_for_sequence(sequence)? else { return Ok(None) };
        self.frame = Some(Records::of(&frame));
        self.in_frame(sequence)
    }

    fn in_frame(&mut self, sequence: u64) -> Result<Option<StoredMessage>> {
        let Some(records) = &mut self.frame else { return Ok(None) };
        if !records.seek(sequence) {
            return Ok(None);
        }
        match records.next() {
            Some(Ok(Record::Message(message))) => Ok(Some(message)),
            Some(Err(what)) => {
                let place = format!("frame of sequence {sequence}");
                Err(Error::Damaged { place, what: what.to_owned() })
            }
            _ => Ok(None),
        }
    }
}

impl From<StoredMessage> for Message {
    fn from(stored: StoredMessage) -> Self {
        let StoredMessage { sequence, time, subject, headers, payload, .. } = stored;
        Self { sequence, time, subject, headers, payload }
    }
}

impl Stream {
    /// Reads held messages that are not wanted: those that turn out to be damaged are reported as lost from then on.
    pub(super) fn look_at(&self, log: &LogRef, sequences: &[u64]) -> Result<()> {
        let mut each = sequences.chunks(LOOK_MESSAGES);
        each.try_for_each(|some| match self.read_messages(log.clone(), some).1 {
            None => Ok(()),
            Some((_, error)) => Err(error),
        })
    }

    /// Reads held messages, in rising order, up to one where reading fails. One that was removed meanwhile is left out, and so
    /// is, in a batch, one that turns out to be damaged: it is reported as lost from then on.
    pub(super) fn read_messages(
        &self,
        log: LogRef,
        sequences: &[u64],
    ) -> (Vec<Message>, Option<(u64, Error)>) {
        let mut reader = FrameReader::new(log);
        let mut messages = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            match reader.read(*sequence) {
                Ok(Some(found)) => messages.push(found.into()),
                Ok(None) => {
                    self.lose_if_held(*sequence, &Error::MessageNotFound(*sequence));
                }
                Err(error @ Error::Damaged { .. }) => {
                    reader.frame = None;
                    self.lose_if_held(*sequence, &error);
                }
                Err(error) => return (messages, Some((*sequence, error))),
            }
        }
        (messages, None)
    }

    /// Takes out a message that cannot be read.
    fn lose_if_held(&self, sequence: u64, error: &Error) {
        let mut core = self.core();
        let Some(entry) = core.contents.lose(sequence) else { return };
        tracing::error!(stream = core.config.name, sequence, %error, "message is lost to damage");
        core.lost.bytes += u64::from(entry.bytes);
        let ranges: Ranges = core.lost.sequences.drain(..).chain([(sequence, sequence)]).collect();
        core.lost.sequences = super::limit::joined(ranges).into_vec();
    }

    fn read_one(&self, find: impl FnOnce(&Core) -> Option<u64>) -> Result<Option<Message>> {
        let (log, sequence) = {
            let core = self.core();
            let Some(sequence) = find(&core) else { return Ok(None) };
            (core.log.clone(), sequence)
        };
        match FrameReader::new(log).read(sequence) {
            Ok(Some(found)) => Ok(Some(found.into())),
            Ok(None) => {
                self.lose_if_held(sequence, &Error::MessageNotFound(sequence));
                Ok(None)
            }
            Err(error) => {
                if matches!(error, Error::Damaged { .. }) {
                    self.lose_if_held(sequence, &error);
                }
                Err(error)
            }
        }
    }

    /// The message at `sequence`; `MessageNotFound` where there is none (or it is not committed).
    pub fn get(&self, sequence: u64) -> Result<Message> {
        let held = |core: &Core| {
            let is_held = sequence <= core.committed_sequence
                && core.contents.entries.get(sequence).is_some();
            is_held.then_some(sequence)
        };
        self.read_one(held)?.ok_or(Error::MessageNotFound(sequence))
    }

    /// The newest message whose subject matches `filter` (literal or wildcard).
    pub fn last_by_subject(&self, filter: &str) -> Result<Option<Message>> {
        let filter = Filter::Subjects(vec![filter.to_owned()]);
        self.read_one(|core| core.last_match(&filter))
    }

    /// The first message at or after `sequence` whose subject matches any of `filters` (none given: any subject).
    pub fn next_by_subject(&self, filters: &[String], sequence: u64) -> Result<Option<Message>> {
        let filter = Filter::new(filters);
        self.read_one(|core| core.next_match(sequence, &filter).map(|(at, _)| at))
    }

    /// The first sequence whose message is at or after `time`; `last_sequence + 1` where there is none.
    pub fn sequence_at_time(&self, time: Timestamp) -> Result<u64> {
        let core = self.core();
        let end = core.committed_sequence + 1;
        Ok(core.contents.entries.at_time(time).map_or(end, |found| found.min(end)))
    }

    /// How often messages were removed since the stream was opened, whatever the reason: those who remember messages
    /// look again when it changes.
    pub fn removals(&self) -> u64 {
        self.core().removals
    }

    /// The subject of a message that is held, without reading it.
    pub fn subject_of(&self, sequence: u64) -> Option<String> {
        self.core().subject_of(sequence)
    }

    /// Sequences and subjects of the first held messages at or after a sequence, without reading them.
    pub fn held_from(&self, sequence: u64, messages_max: usize) -> Vec<(u64, String)> {
        let core = self.core();
        let committed = core.committed_sequence;
        let entries = core.contents.entries.iter_from(sequence);
        let held = entries.take_while(|(at, _)| *at <= committed).take(messages_max);
        held.filter_map(|(at, _)| Some((at, core.subject_of(at)?))).collect()
    }

    /// Which of these sequences hold no message.
    pub fn missing(&self, sequences: &[u64]) -> Vec<u64> {
        let core = self.core();
        let entries = &core.contents.entries;
        sequences.iter().copied().filter(|at| entries.get(*at).is_none()).collect()
    }

    /// The sequence of the last message of each subject that matches, among those up to a sequence; in order. No
    /// filters: every subject. Cost: by subjects.
    pub fn last_of_each_subject(&self, filters: &[String], through: u64) -> Vec<u64> {
        self.core().last_of_each(&Filter::new(filters), through)
    }

    /// Messages at or after `sequence` that match any of `filters` (none given: all).
    pub fn count_from(&self, sequence: u64, filters: &[String]) -> u64 {
        self.core().count_from(sequence, &Filter::new(filters))
    }

    /// Stored messages per subject, for subjects that match `filter`, sorted by subject.
    pub fn subjects(&self, filter: &str) -> Vec<(String, u64)> {
        let core = self.core();
        let mut found = Vec::new();
        Filter::Subjects(vec![filter.to_owned()]).visit(&core.contents, &mut |id| {
            let sequences = core.contents.subjects.sequences(id);
            let count = sequences.map_or(0, |all| all.count_range(0, core.committed_sequence));
            if count > 0 {
                let subject = String::from_utf8_lossy(core.contents.subjects.subject(id));
                found.push((subject.into_owned(), count));
            }
        });
        drop(core);
        found.sort_unstable();
        found
    }

    /// Interior sequences that hold nothing, as inclusive ranges in order.
    pub fn deleted(&self) -> Vec<(u64, u64)> {
        let core = self.core();
        let mut ranges = Vec::new();
        let mut next = core.first_sequence();
        for (at, _) in core.contents.entries.iter_from(next) {
            if at > core.committed_sequence {
                break;
            }
            if at > next {
                ranges.push((next, at - 1));
            }
            next = at + 1;
        }
        if next <= core.committed_sequence {
            ranges.push((next, core.committed_sequence));
        }
        ranges
    }
}
