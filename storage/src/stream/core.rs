//! The part of a stream that is behind its lock: contents, log, dedup window, progress, and what waits to be committed.
//!
//! Invariants: a change is appended to the log before it is made here, in the same order; what readers see changes only
//! when the log says that the change is committed. `committed_sequence <= last_sequence`.
//! Not here: the checks of an append (`append`), replication batches (`apply`), removals (`remove`), reads (`read`).

use super::{
    combine::{Combine, Lasts},
    config::{Compression, StorageKind, StreamConfig},
    contents::Contents,
    dedup::DedupWindow,
    record::{Encoder, Ranges},
    stored::{StateRecord, StoredConfig},
};
use crate::{
    Error, Result, Timestamp,
    log::{Group, LogRef, Position, SegmentNumber},
    store::LogOptions,
    stream::{Incarnation, Lost, SyncPolicy},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Told once whether a change is committed, or why it never will be.
pub(crate) type Done = Box<dyn FnOnce(Option<Error>) + Send>;

/// Pause between two looks at segments that only the dedup window keeps.
const TRIM_PAUSE: Duration = Duration::from_secs(1);

/// What a committed change does to what readers see.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    /// Highest sequence given out by it; 0 for none.
    pub(crate) last_sequence: u64,
    /// Time of the message that has it.
    pub(crate) last_time: Option<Timestamp>,
    /// Messages added, and what they count for.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Messages that go.
    pub(crate) removed: Ranges,
    /// Progress entries that change.
    pub(crate) progress: Vec<(String, Vec<u8>)>,
}

/// A change that is in the log and not committed.
pub(crate) struct Pending {
    /// It is committed when the log is committed up to here.
    pub(crate) position: Position,
    pub(crate) effect: Effect,
    pub(crate) done: Option<Done>,
}

/// See the top of the file.
pub(crate) struct Core {
    pub(crate) config: Arc<StreamConfig>,
    pub(crate) incarnation: Incarnation,
    pub(crate) created: Timestamp,
    pub(crate) log: LogRef,
    pub(crate) contents: Contents,
    pub(crate) dedup: DedupWindow,
    /// Progress with everything that is appended.
    pub(crate) progress: BTreeMap<String, Vec<u8>>,
    /// Progress that is committed.
    pub(crate) held_progress: BTreeMap<String, Vec<u8>>,
    pub(crate) last_sequence: u64,
    pub(crate) last_time: Option<Timestamp>,
    /// Id of the message with the last sequence.
    pub(crate) last_id: Bytes,
    pub(crate) committed_sequence: u64,
    pub(crate) committed_time: Option<Timestamp>,
    pub(crate) lost: Lost,
    pub(crate) pending: VecDeque<Pending>,
    /// The log's end with everything that is appended.
    pub(crate) assigned: Position,
    pub(crate) failure: Option<Error>,
    pub(crate) encoder: Encoder,
    /// Makes what is stored, and what it was made of.
    pub(crate) combine: Option<Arc<dyn Combine>>,
    pub(crate) lasts: Lasts,
    /// Damage may have taken the state that a segment began with: no segment goes before more than this is committed.
    pub(crate) doubt_until: Option<Position>,
    /// Where the second segment begins: no segment can go before the first message is at or above it.
    pub(crate) next_segment: u64,
    pub(crate) trim_after: Timestamp,
    /// What was removed counted for this much since the segments were last looked at for dead bytes.
    pub(crate) removed_bytes: u64,
    /// How often something was removed since the stream was opened.
    pub(crate) removals: u64,
    /// Segments that were written again, with what their messages counted for then.
    pub(crate) compacted: BTreeMap<SegmentNumber, u64>,
}

/// How the log of a stream is written.
pub(crate) fn log_options(
    config: &StreamConfig,
    sync: SyncPolicy,
    segment_bytes: u64,
) -> LogOptions {
    let compression = config.compression;
    debug_assert!(matches!(compression, Compression::None | Compression::Lz4));
    LogOptions { compression, sync: config.sync.unwrap_or(sync), segment_bytes }
}

impl Core {
    /// A stream that never held anything, on an empty log.
    pub(crate) fn new(
        config: StreamConfig,
        incarnation: Incarnation,
        created: Timestamp,
        log: LogRef,
    ) -> Self {
        let last_sequence = config.first_sequence.saturating_sub(1);
        let assigned = log.committed();
        Self {
            dedup: DedupWindow::new(config.dedup_window),
            config: Arc::new(config),
            incarnation,
            created,
            log,
            contents: Contents::default(),
            progress: BTreeMap::new(),
            held_progress: BTreeMap::new(),
            last_sequence,
            last_time: None,
            last_id: Bytes::new(),
            committed_sequence: last_sequence,
            committed_time: None,
            lost: Lost::default(),
            pending: VecDeque::new(),
            assigned,
            failure: None,
            encoder: Encoder::default(),
            combine: None,
            lasts: Lasts::default(),
            doubt_until: None,
            next_segment: 0,
            trim_after: Timestamp(i64::MIN),
            // After recovery nobody knows what was removed before.
            removed_bytes: u64::MAX,
            removals: 0,
            compacted: BTreeMap::new(),
        }
    }

    /// Whether nothing of it outlives the process.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.config.storage == StorageKind::Memory
    }

    /// As the catalogue has it.
    pub(crate) fn stored(&self) -> StoredConfig {
        StoredConfig::new(&self.config, self.incarnation, self.created)
    }

    /// Why it takes no changes, if it does not.
    pub(crate) fn check(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Opens a new segment where the log wants one, with all that the records before it tell beyond the messages.
    pub(crate) fn roll(&mut self) -> Result<()> {
        if !self.log.wants_segment() {
            return Ok(());
        }
        self.append_state()?;
        self.next_segment = self.next_segment.min(self.last_sequence + 1);
        Ok(())
    }

    /// Appends the state record that opens a segment.
    pub(crate) fn append_state(&mut self) -> Result<()> {
        let state = StateRecord {
            config: self.stored(),
            last_sequence: self.last_sequence,
            last_time_ns: self.last_time.map(|time| time.0),
            progress: self.progress.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        };
        self.begin();
        self.encoder.state(&state);
        let time = self.last_time.unwrap_or(self.created);
        self.append_group(time, true, true)?;
        if self.doubt_until.is_some() {
            self.doubt_until = Some(self.assigned);
        }
        Ok(())
    }

    /// Makes the first record of a new log: the state that all begins with.
    pub(crate) fn open_log_with_state(&mut self) -> Result<()> {
        self.append_state()?;
        self.next_segment = u64::MAX;
        self.queue(Effect::default(), None);
        Ok(())
    }

    /// Begins a group of records.
    pub(crate) fn begin(&mut self) {
        self.encoder.begin(self.last_sequence + 1);
    }

    /// Appends the records that were encoded since `begin`.
    pub(crate) fn append_group(
        &mut self,
        time: Timestamp,
        starts_segment: bool,
        follows: bool,
    ) -> Result<()> {
        // Memory is never replayed: only messages are kept.
        if self.is_in_memory() && self.encoder.messages() == 0 {
            return Ok(());
        }
        let group = Group {
            records: self.encoder.bytes(),
            count: self.encoder.count(),
            base_sequence: self.last_sequence + 1,
            time,
            starts_segment,
            follows,
        };
        self.assigned = self.log.append(&group)?;
        Ok(())
    }

    /// Queues a change that ends at the log's end.
    pub(crate) fn queue(&mut self, effect: Effect, done: Option<Done>) {
        self.pending.push_back(Pending { position: self.assigned, effect, done });
    }

    /// Answers when everything appended so far is committed: for an answer that rests on it. Gives the answer back where
    /// that is so already.
    #[must_use]
    pub(crate) fn answer_after_pending(&mut self, done: Done) -> Option<Done> {
        if self.pending.is_empty() {
            return Some(done);
        }
        self.queue(Effect::default(), Some(done));
        None
    }

    /// The log is committed up to here: makes the changes visible, and gives who is to be told.
    pub(crate) fn settle(&mut self, through: Position) -> Vec<Done> {
        let mut dones = Vec::new();
        while let Some(next) = self.pending.front()
            && next.position <= through
        {
            let Some(pending) = self.pending.pop_front() else { break };
            self.make_visible(pending.effect);
            dones.extend(pending.done);
        }
        dones
    }

    fn make_visible(&mut self, effect: Effect) {
        if effect.last_sequence > self.committed_sequence {
            self.committed_sequence = effect.last_sequence;
        }
        if effect.last_time.is_some() {
            self.committed_time = effect.last_time;
        }
        self.contents.hold(effect.bytes, effect.messages);
        if !effect.removed.is_empty() {
            self.removals += 1;
            let before = self.contents.held_bytes;
            self.contents.remove(&effect.removed, self.committed_sequence);
            let removed = before.saturating_sub(self.contents.held_bytes);
            self.removed_bytes = self.removed_bytes.saturating_add(removed);
            for (first, last) in &effect.removed {
                self.log.forget(*first, *last);
            }
        }
        for (key, value) in effect.progress {
            set_progress(&mut self.held_progress, key, value);
        }
        debug_assert!(self.committed_sequence <= self.last_sequence, "committed <= assigned");
    }

    /// Nothing that is pending will be committed: gives who is to be told.
    pub(crate) fn fail(&mut self, error: &Error) -> Vec<Done> {
        self.failure.get_or_insert_with(|| error.clone());
        self.pending.drain(..).filter_map(|pending| pending.done).collect()
    }

    /// The first sequence that holds a message; one above the last where none does. What readers see.
    pub(crate) fn first_sequence(&self) -> u64 {
        match self.contents.entries.first() {
            Some((first, _)) if first <= self.committed_sequence => first,
            _ => self.committed_sequence + 1,
        }
    }

    /// Where a new state was written behind damage, segments go when more than what is assigned now is committed.
    pub(crate) fn doubt_ends(&mut self) {
        if self.doubt_until.is_some_and(|until| until <= self.assigned) {
            self.doubt_until = Some(self.assigned);
        }
    }

    /// Whether damage may have taken the state that the segments before it left, and no other one is durable yet.
    fn is_doubtful(&mut self) -> bool {
        self.doubt_until = self.doubt_until.filter(|until| self.log.committed() <= *until);
        self.doubt_until.is_some()
    }

    /// The number of the first segment that has to stay, where segments before it can go.
    pub(crate) fn trim(&mut self, now: Timestamp) -> Option<SegmentNumber> {
        let first =
            self.contents.entries.first().map_or(self.committed_sequence + 1, |(first, _)| first);
        let pause = i64::try_from(TRIM_PAUSE.as_nanos()).unwrap_or(i64::MAX);
        // A clock that was set back does not make the pause longer.
        let left = self.trim_after.0.saturating_sub(now.0);
        if first < self.next_segment || (1..=pause).contains(&left) || self.is_in_memory() {
            return None;
        }
        if self.is_doubtful() {
            return None;
        }
        let segments = self.log.segments();
        let window_start = now.saturating_sub(self.dedup.window());
        // A segment goes when the next one begins at or below the first message and no id of it is in the window.
        let removable = segments
            .iter()
            .zip(segments.iter().skip(1))
            .take_while(|(segment, next)| {
                next.base_sequence <= first && segment.last_time < window_start
            })
            .count();
        let stays = segments.get(removable)?;
        self.next_segment =
            segments.get(removable + 1).map_or(u64::MAX, |segment| segment.base_sequence);
        if self.next_segment <= first {
            self.trim_after = Timestamp(now.0.saturating_add(pause));
        }
        self.compacted.retain(|number, _| *number >= stays.number);
        if removable == 0 {
            return None;
        }
        self.lost.sequences.retain(|(_, last)| *last >= stays.base_sequence);
        if self.lost.sequences.is_empty() {
            self.lost.bytes = 0;
        }
        Some(stays.number)
    }
}

/// Sets a progress entry, or takes it away where the value is empty.
pub(crate) fn set_progress(map: &mut BTreeMap<String, Vec<u8>>, key: String, value: Vec<u8>) {
    if value.is_empty() {
        map.remove(&key);
    } else {
        map.insert(key, value);
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("log", &self.log)
            .field("committed_sequence", &self.committed_sequence)
            .field("last_sequence", &self.last_sequence)
            .field("pending", &self.pending.len())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
