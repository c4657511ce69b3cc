//! Copies the records of a log into a new log.
//!
//! Invariants: a message keeps its sequence, time, subject, id, headers and payload; the records of a frame stay together.
//! Removals and progress are copied as they come, so the new log says what the old one did, as far as that can be read.
//! Not here: which logs are copied (`salvage`).

use crate::{
    Error, Result, Timestamp,
    log::{FoundFrame, FrameBody, Group, LogRef, Position, Replay, SegmentNumber, Waiter},
    stream::{
        limit::joined,
        record::{Encoder, Ranges, Record, Records},
        stored::{StateRecord, StoredConfig},
        summary::Summary,
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// So many bytes are under way at a time.
const UNDER_WAY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A copy that is being made.
pub(super) struct Copy<'a> {
    log: LogRef,
    waiter: Arc<Waiter>,
    config: StoredConfig,
    /// What indexes say of damaged segments.
    notes: &'a BTreeMap<SegmentNumber, Summary>,
    /// The notes of segments below are in the copy.
    noted_below: SegmentNumber,
    /// Messages of the segment that is read, where there is a note of it.
    of_segment: Vec<u64>,
    encoder: Encoder,
    is_begun: bool,
    progress: BTreeMap<String, Vec<u8>>,
    /// Highest sequence that the copy gave out, and the time of that message.
    last_sequence: u64,
    last_time: Option<Timestamp>,
    /// Sequences up to here were given out, though damage took what held them.
    lost_through: u64,
    /// The group that is encoded: the sequence that was due before it, and its time.
    base_sequence: u64,
    group_time: Timestamp,
    end: Position,
    under_way: usize,
    examined: &'a mut dyn FnMut(u64),
}

impl<'a> Copy<'a> {
    /// Begins a copy into an empty log.
    pub(super) fn new(
        log: LogRef,
        config: StoredConfig,
        notes: &'a BTreeMap<SegmentNumber, Summary>,
        examined: &'a mut dyn FnMut(u64),
    ) -> Self {
        let waiter = Arc::new(Waiter::default());
        let listener: std::sync::Weak<Waiter> = Arc::downgrade(&waiter);
        log.listen(listener);
        Self {
            log,
            waiter,
            last_sequence: config.config().first_sequence.saturating_sub(1),
            config,
            notes,
            noted_below: SegmentNumber(0),
            of_segment: Vec::new(),
            encoder: Encoder::default(),
            is_begun: false,
            progress: BTreeMap::new(),
            last_time: None,
            lost_through: 0,
            base_sequence: 0,
            group_time: Timestamp(0),
            end: Position(0),
            under_way: 0,
            examined,
        }
    }

    /// Takes what comes next in the old log.
    pub(super) fn event(&mut self, event: Replay) -> Result<()> {
        match event {
            Replay::Frame(found, body) => self.frame(&found, &body),
            Replay::Damage { to_sequence, .. } => {
                let through = to_sequence.map_or(0, |to| to.saturating_sub(1));
                self.lost_through = self.lost_through.max(through);
                Ok(())
            }
            Replay::Summary(_) => Err(Error::Closed),
            Replay::Torn(_) => Ok(()),
        }
    }

    /// The sequence that no message so far has reached; `None` before the first frame.
    pub(super) fn next_sequence(&self) -> Option<u64> {
        self.is_begun.then(|| self.last_sequence.saturating_add(1))
    }

    /// Ends the copy. Everything is committed on return.
    pub(super) fn finish(mut self) -> Result<()> {
        self.notes_below(SegmentNumber(u64::MAX))?;
        self.open_group()?;
        // They are never given out again.
        self.skip(self.lost_through);
        self.append()?;
        self.waiter.wait(self.end)
    }

    fn frame(&mut self, found: &FoundFrame, body: &FrameBody) -> Result<()> {
        (self.examined)(found.header.frame_bytes());
        let number = found.segment.number;
        self.notes_below(number)?;
        self.group_time = found.header.last_time;
        let has_note = self.notes.contains_key(&number);
        // What cannot be read of a frame, and all behind it, was named before.
        let mut records = Records::of(body).map_while(Result::ok).peekable();
        if !self.is_begun {
            self.last_sequence = self.last_sequence.max(body.base_sequence.saturating_sub(1));
            if let Some(Record::State(state)) =
                records.next_if(|record| matches!(record, Record::State(_)))
            {
                self.last_sequence = self.last_sequence.max(state.last_sequence);
                self.last_time = state.last_time_ns.map(Timestamp);
                self.progress = state.progress.into_iter().collect();
            }
        }
        self.open_group()?;
        records.for_each(|record| self.record(record, has_note));
        self.append()
    }

    fn record(&mut self, record: Record, has_note: bool) {
        match record {
            Record::Message(message) if message.sequence > self.last_sequence => {
                self.encoder.again(&message);
                (self.last_sequence, self.last_time) = (message.sequence, Some(message.time));
                if has_note {
                    self.of_segment.push(message.sequence);
                }
            }
            Record::Remove(ranges) => self.encoder.remove(&ranges),
            Record::Skip(through) => self.skip(through),
            Record::Progress(key, value) => self.set_progress(key, value),
            Record::State(state) => {
                self.skip(state.last_sequence);
                self.replace_progress(state.progress);
            }
            Record::Schedule(sequence, due) => self.encoder.schedule(sequence, due),
            // The newest configuration stands in front.
            Record::Message(_) | Record::Config(_) | Record::Void(_) => {}
        }
    }

    fn skip(&mut self, through: u64) {
        if through > self.last_sequence {
            self.encoder.skip(through);
            self.last_sequence = through;
        }
    }

    fn set_progress(&mut self, key: String, value: Vec<u8>) {
        self.encoder.progress(&key, &value);
        match value.is_empty() {
            true => drop(self.progress.remove(&key)),
            false => drop(self.progress.insert(key, value)),
        }
    }

    fn replace_progress(&mut self, entries: Vec<(String, Vec<u8>)>) {
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        let gone: Vec<_> =
            self.progress.keys().filter(|key| !entries.contains_key(*key)).cloned().collect();
        for key in gone {
            self.set_progress(key, Vec::new());
        }
        for (key, value) in entries {
            if self.progress.get(&key) != Some(&value) {
                self.set_progress(key, value);
            }
        }
    }

    /// Puts into the copy what indexes say of damaged segments that were passed: removals and progress that the damage
    /// took.
    fn notes_below(&mut self, number: SegmentNumber) -> Result<()> {
        if number <= self.noted_below {
            return Ok(());
        }
        let notes = self.notes;
        for (_, note) in notes.range(self.noted_below..number) {
            self.open_group()?;
            let held = note.messages().unwrap_or_default();
            let is_held = |at: &u64| held.binary_search_by_key(at, |noted| noted.sequence).is_ok();
            let seen = std::mem::take(&mut self.of_segment);
            let mut removed = Ranges::from_slice(&note.removed);
            removed.extend(seen.into_iter().filter(|at| !is_held(at)).map(|at| (at, at)));
            let removed = joined(removed);
            if !removed.is_empty() {
                self.encoder.remove(&removed);
            }
            self.replace_progress(note.progress.clone());
            self.lost_through = self.lost_through.max(note.last_sequence);
            self.append()?;
        }
        self.of_segment.clear();
        self.noted_below = number;
        Ok(())
    }

    /// Begins a group. The log, and each segment of it, opens with a state.
    fn open_group(&mut self) -> Result<()> {
        if !self.is_begun || self.log.wants_segment() {
            self.is_begun = true;
            self.encoder.begin(self.last_sequence + 1);
            self.encoder.state(&StateRecord {
                config: self.config.clone(),
                last_sequence: self.last_sequence,
                last_time_ns: self.last_time.map(|time| time.0),
                progress: self.progress.clone().into_iter().collect(),
            });
            self.base_sequence = self.last_sequence + 1;
            self.put(true)?;
        }
        self.base_sequence = self.last_sequence + 1;
        self.encoder.begin(self.base_sequence);
        Ok(())
    }

    /// Appends the group, where anything is in it.
    fn append(&mut self) -> Result<()> {
        if self.encoder.count() > 0 { self.put(false) } else { Ok(()) }
    }

    fn put(&mut self, starts_segment: bool) -> Result<()> {
        let group = Group {
            records: self.encoder.bytes(),
            count: self.encoder.count(),
            base_sequence: self.base_sequence,
            time: self.group_time,
            starts_segment,
            follows: false,
        };
        let bytes = group.records.len();
        if self.under_way + bytes > UNDER_WAY_BYTES_MAX {
            self.waiter.wait(self.end)?;
            self.under_way = 0;
        }
        self.end = self.log.append(&group)?;
        self.under_way += bytes;
        Ok(())
    }
}
