//! Builds a stream from the records of its log.
//!
//! Invariants: nothing of a frame counts twice; what damage took becomes a named gap, and its sequences are never given
//! out again.
//! Not here: which log belongs to which stream (`catalogue`).

use super::{
    Incarnation, StreamConfig,
    accounting::message_bytes,
    config::StorageKind,
    contents::Contents,
    core::{Core, set_progress},
    dedup::{DedupWindow, Seen},
    record::{Ranges, Record, Records, StoredMessage},
    stored::StoredConfig,
    summary::Summary,
};
use crate::{
    Error, Result, Timestamp,
    format::NUMBER_MAX,
    log::{FoundFrame, FrameBody, LogRef, Position, Replay},
    stream::Lost,
};
use bytes::Bytes;
use std::{collections::BTreeMap, time::Duration};

/// Why a frame whose sequences were there before it is not taken.
pub(crate) fn of_another_history(found: &FoundFrame) -> Error {
    let what = "its sequences come a second time";
    let place = found.damaged(what).path.display().to_string();
    Error::Damaged { place, what: what.into() }
}

/// A stream that is being built.
pub(crate) struct Rebuild {
    contents: Contents,
    dedup: DedupWindow,
    now: Timestamp,
    progress: BTreeMap<String, Vec<u8>>,
    last_sequence: u64,
    last_time: Option<Timestamp>,
    last_id: Bytes,
    lost: Lost,
    damage: Vec<String>,
    config: Option<StoredConfig>,
    /// Damage came behind the last state: what is known beyond the messages may rest on the segments before it.
    is_doubtful: bool,
}

impl Rebuild {
    /// Begins. `window` is how long message ids are remembered.
    pub(crate) fn new(window: Duration, now: Timestamp) -> Self {
        Self {
            contents: Contents::default(),
            dedup: DedupWindow::new(window),
            now,
            progress: BTreeMap::new(),
            last_sequence: 0,
            last_time: None,
            last_id: Bytes::new(),
            lost: Lost::default(),
            damage: Vec::new(),
            config: None,
            is_doubtful: false,
        }
    }

    /// Takes the next frame or damage. Gives the sequence that no message so far has reached.
    pub(crate) fn event(&mut self, event: Replay) -> Result<Option<u64>> {
        match event {
            Replay::Frame(found, frame) => {
                // Sound frames only rise, and messages within a frame do. This one is of another history: a journal that
                // was put into the place of a segment has what a power cut took back beside what came instead.
                if frame.base_sequence <= self.last_sequence {
                    return Err(of_another_history(&found));
                }
                self.frame(&frame);
            }
            Replay::Summary(bytes) => self.summary(&bytes)?,
            Replay::Torn(_) => {}
            Replay::Damage { from_sequence, to_sequence, places } => {
                self.is_doubtful = true;
                self.lost.bytes += places.iter().map(|place| place.bytes).sum::<u64>();
                self.damage.extend(places.iter().map(ToString::to_string));
                let from = from_sequence.max(self.last_sequence + 1);
                if let Some(to) = to_sequence
                    && to > from
                {
                    self.lost.sequences.push((from, to - 1));
                }
                // The state that told of earlier sequences may be what was lost: what comes next says how many there were.
                if let Some(last) = to_sequence.map(|to| to.saturating_sub(1))
                    && last > self.last_sequence
                {
                    self.last_sequence = last;
                    self.last_id.clear();
                }
            }
        }
        Ok(Some(self.last_sequence.saturating_add(1)))
    }

    /// What damage took, a sentence each.
    pub(crate) fn damage(&mut self) -> Vec<String> {
        std::mem::take(&mut self.damage)
    }

    /// What damage took of the messages so far.
    pub(crate) fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Highest sequence given out so far.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// The messages that are held so far.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The configuration that the log itself has, where one was read.
    pub(crate) fn config(&self) -> Option<&StoredConfig> {
        self.config.as_ref()
    }

    /// The stream, on its opened log.
    pub(crate) fn finish(
        self,
        config: StreamConfig,
        incarnation: Incarnation,
        created: Timestamp,
        log: LogRef,
    ) -> Core {
        let mut core = Core::new(config, incarnation, created, log);
        // Where all records are gone, the segment that took their place says how far they reached.
        let is_told = self.config.is_some() || self.last_sequence > 0;
        let active = core.log.segments().last().map_or(0, |segment| segment.base_sequence);
        let reached = if is_told { self.last_sequence } else { active.saturating_sub(1) };
        core.last_sequence = core.last_sequence.max(reached);
        core.committed_sequence = core.last_sequence;
        (core.last_time, core.committed_time) = (self.last_time, self.last_time);
        core.last_id = self.last_id;
        core.contents = self.contents;
        core.dedup = self.dedup;
        core.held_progress = self.progress.clone();
        core.progress = self.progress;
        core.lost = self.lost;
        core.doubt_until = self.is_doubtful.then_some(Position(u64::MAX));
        let least = core.config.first_sequence.max(1);
        core.lost.sequences.retain_mut(|(first, last)| {
            *first = least.max(*first);
            first <= last
        });
        core
    }

    fn frame(&mut self, frame: &FrameBody) {
        for record in Records::of(frame) {
            let record = match record {
                Ok(record) => record,
                Err(what) => {
                    let position = frame.base_position.0;
                    self.is_doubtful = true;
                    self.damage.push(format!("records at position {position}: {what}"));
                    return;
                }
            };
            match record {
                Record::Message(message) => self.message(message),
                Record::Remove(ranges) => {
                    self.contents.doom_ranges(&ranges);
                    self.contents.remove(&ranges, u64::MAX);
                }
                Record::Skip(through) => {
                    self.last_sequence = self.last_sequence.max(through.min(NUMBER_MAX));
                    self.last_id.clear();
                }
                Record::Progress(key, value) => set_progress(&mut self.progress, key, value),
                Record::State(state) => {
                    if state.last_sequence >= self.last_sequence {
                        self.last_sequence = state.last_sequence;
                        self.last_time = state.last_time_ns.map(Timestamp).or(self.last_time);
                    }
                    self.progress = state.progress.into_iter().collect();
                    self.config = Some(state.config);
                    self.is_doubtful = false;
                }
                Record::Config(config) => self.config = Some(*config),
                Record::Schedule(sequence, due) => self.contents.expiries.set_due(sequence, due),
                Record::Void(_) => {}
            }
        }
    }

    /// Takes a whole segment from what was noted of it, or nothing.
    fn summary(&mut self, bytes: &[u8]) -> Result<()> {
        let refused =
            |what: &str| Error::Damaged { place: "segment index".into(), what: what.into() };
        let summary = Summary::decode(bytes).map_err(refused)?;
        let messages = summary.messages().map_err(refused)?;
        if messages.first().is_some_and(|first| first.sequence <= self.last_sequence) {
            return Err(refused("sequences do not rise"));
        }
        let removed = Ranges::from_vec(summary.removed);
        self.contents.doom_ranges(&removed);
        self.contents.remove(&removed, u64::MAX);
        self.contents.load(&messages, &summary.subjects);
        for (id, sequence, time) in summary.ids {
            self.dedup.insert(&id, Seen { sequence, time: Timestamp(time) }, self.now);
        }
        self.last_sequence = self.last_sequence.max(summary.last_sequence);
        self.last_time = summary.last_time_ns.map(Timestamp).or(self.last_time);
        self.last_id = summary.last_id.into();
        self.progress = summary.progress.into_iter().collect();
        self.config = Some(summary.config);
        self.is_doubtful = false;
        Ok(())
    }

    fn message(&mut self, message: StoredMessage) {
        let StoredMessage { sequence, time, subject, message_id, headers, payload, fate } = message;
        debug_assert!(sequence > self.last_sequence, "the frame was looked at before");
        let bytes = message_bytes(StorageKind::File, subject.len(), headers.len(), payload.len());
        self.contents.insert(sequence, &subject, bytes, time, fate);
        self.contents.hold(bytes.into(), 1);
        self.last_sequence = sequence;
        self.last_time = Some(time);
        if message_id.is_empty() {
            self.last_id.clear();
        } else {
            self.dedup.insert(&message_id, Seen { sequence, time }, self.now);
            self.last_id = Bytes::copy_from_slice(&message_id);
        }
    }
}
