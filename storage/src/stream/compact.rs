//! Writes sealed segments again that are mostly dead: messages that are gone leave a few bytes, everything else stays.
//!
//! Invariants: a message whose removal is not committed stays, and so does whatever the dedup window may still need; records
//! keep their positions and messages their sequences, and what is left still says how far the sequences went.
//! Not here: the files (`log::rewrite`), how often (`volume::housekeeper`).

use super::{
    Core, Stream,
    record::{Encoder, Record, Records},
};
use crate::{
    Error, Result, Timestamp,
    limits::FRAME_BYTES_TARGET,
    log::{FrameBody, LogRef, NewFrame, Position, SegmentNumber},
    stream::SyncPolicy,
};
use std::collections::HashSet;

/// A segment is written again when it takes this many times the bytes of its messages, and this much more.
const DEAD_FACTOR: u64 = 2;
const DEAD_BYTES_MIN: u64 = 1024;

/// A segment that is worth writing again, and the messages of it that stay.
struct Candidate {
    log: LogRef,
    number: SegmentNumber,
    bytes: u64,
    stays: HashSet<u64, foldhash::fast::RandomState>,
}

impl Core {
    /// A sealed segment that is mostly dead.
    fn mostly_dead(&mut self, now: Timestamp) -> Option<Candidate> {
        if self.failure.is_some() || self.is_in_memory() || self.removed_bytes < DEAD_BYTES_MIN {
            return None;
        }
        let segments = self.log.segments();
        let window_start = now.saturating_sub(self.dedup.window());
        let sealed = segments.iter().zip(segments.iter().skip(1));
        let found = sealed.filter(|(segment, _)| segment.last_time < window_start).find_map(
            |(segment, next)| {
                let through = next.base_sequence.saturating_sub(1);
                let live = self.contents.entries.bytes_range(segment.base_sequence, through);
                let worth = DEAD_FACTOR.saturating_mul(live).saturating_add(DEAD_BYTES_MIN);
                // Once written again, a segment is worth it when half of what stayed then is gone.
                let before = self.compacted.get(&segment.number).map(|before| before / 2);
                let is_worth = segment.bytes > worth && before.is_none_or(|before| live < before);
                is_worth.then_some((segment, next, live))
            },
        );
        let Some((segment, next, live)) = found else {
            // Nothing more to gain until more is removed, but for what the window still holds.
            let held_back = segments.iter().any(|segment| segment.last_time >= window_start);
            if !held_back {
                self.removed_bytes = 0;
            }
            return None;
        };
        let held = self.contents.entries.iter_from(segment.base_sequence);
        let stays = held.map(|(at, _)| at).take_while(|at| *at < next.base_sequence).collect();
        self.compacted.insert(segment.number, live);
        let (log, number, bytes) = (self.log.clone(), segment.number, segment.bytes);
        Some(Candidate { log, number, bytes, stays })
    }
}

impl Stream {
    /// Writes one segment again, where one is mostly dead and gets much smaller. True where one was gone through.
    pub(crate) fn compact(&self, now: Timestamp) -> Result<bool> {
        let Some(candidate) = self.core().mostly_dead(now) else { return Ok(false) };
        let Candidate { log, number, bytes, stays } = candidate;
        let stays_through = stays.iter().copied().max().unwrap_or(0);
        let mut rewriting = Rewriting { stays_through, ..Rewriting::default() };
        let visited = log.visit_segment(number, &mut |frame| {
            rewriting.frame(&frame, &|sequence| stays.contains(&sequence));
            Ok(())
        });
        if let Err(Error::Damaged { .. }) = visited {
            // It stays as it is, and what cannot be read of it counts no more.
            let mut sequences: Vec<u64> = stays.iter().copied().collect();
            sequences.sort_unstable();
            self.look_at(&log, &sequences)?;
        }
        visited?;
        let frames = rewriting.finish().unwrap_or_default();
        let new_bytes = frames.iter().map(|frame| frame.records.len() as u64).sum::<u64>();
        if !frames.is_empty() && new_bytes < bytes / 4 * 3 {
            let own = self.core().config.sync;
            if own.unwrap_or(self.environment.sync) != SyncPolicy::Always {
                // The new segment is durable at once, and what removed its messages has to be before it.
                self.environment.store.checkpoint()?;
            }
            log.replace_segment(number, frames)?;
        }
        Ok(true)
    }
}

/// The new frames of a segment, while the old ones are gone through.
#[derive(Default)]
struct Rewriting {
    frames: Vec<NewFrame>,
    encoder: Encoder,
    base_sequence: u64,
    position: u64,
    /// Records that are left out since the last one that stayed.
    void: u32,
    /// The last message among them.
    void_through: u64,
    /// The last message of the segment that stays.
    stays_through: u64,
    is_begun: bool,
    is_odd: bool,
}

impl Rewriting {
    fn frame(&mut self, frame: &FrameBody, stays: &dyn Fn(u64) -> bool) {
        if !self.is_begun {
            self.is_begun = true;
            self.position = frame.base_position.0;
            self.begin(frame.base_sequence);
        }
        for record in Records::of(frame) {
            let Ok(record) = record else {
                self.is_odd = true;
                return;
            };
            self.record(record, stays);
            if self.encoder.bytes().len() >= FRAME_BYTES_TARGET {
                self.close();
            }
        }
    }

    fn begin(&mut self, base_sequence: u64) {
        self.base_sequence = base_sequence;
        self.encoder.begin(base_sequence);
    }

    fn record(&mut self, record: Record, stays: &dyn Fn(u64) -> bool) {
        match record {
            Record::Message(message) if !stays(message.sequence) => {
                self.void = self.void.saturating_add(1);
                self.void_through = message.sequence;
                return;
            }
            Record::Void(records) => {
                self.void = self.void.saturating_add(records);
                return;
            }
            _ => self.put_void(),
        }
        match record {
            Record::Message(message) => self.encoder.again(&message),
            Record::Remove(ranges) => self.encoder.remove(&ranges),
            Record::Skip(through) => self.encoder.skip(through),
            Record::Progress(key, value) => self.encoder.progress(&key, &value),
            Record::Schedule(sequence, due) => self.encoder.schedule(sequence, due),
            Record::State(state) => self.encoder.state(&state),
            Record::Config(config) => self.encoder.config(&config),
            Record::Void(_) => {}
        }
    }

    fn put_void(&mut self) {
        let through = std::mem::take(&mut self.void_through);
        let is_told = through <= self.stays_through;
        if !is_told {
            // No message behind it tells that its sequence was given out: a skip in its place does.
            self.void -= 1;
        }
        if self.void > 0 {
            self.encoder.void(std::mem::take(&mut self.void));
        }
        if !is_told {
            self.encoder.skip(through);
        }
    }

    fn close(&mut self) {
        self.put_void();
        if self.encoder.count() == 0 {
            return;
        }
        self.frames.push(NewFrame {
            base_position: Position(self.position),
            base_sequence: self.base_sequence,
            count: self.encoder.count(),
            records: self.encoder.bytes().to_vec(),
        });
        self.position += u64::from(self.encoder.count());
        self.begin(self.encoder.due());
    }

    /// The frames; `None` where something could not be read.
    fn finish(mut self) -> Option<Vec<NewFrame>> {
        self.close();
        (!self.is_odd && !self.frames.is_empty()).then_some(self.frames)
    }
}
