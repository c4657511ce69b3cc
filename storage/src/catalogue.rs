//! The catalogue: which streams a volume has, in a log of its own that is like any other.
//!
//! Records are whole entries (`Put`), removals, and, at the start of each segment, everything there is.
//! Invariants: a stream is acknowledged when its entry is durable; a log without an entry is never removed unless the
//! catalogue says that its stream was; a segment goes only before one that was read, or is durable, with all entries in it.
//! Not here: the streams' own logs (`volume`).

use crate::{
    DamagedBytes, Error, Result, Timestamp,
    log::{CommitListener, FrameBody, Group, LogId, LogRef, Position, Replay},
    segment::log_directory,
    store::{LogOptions, LogStore},
    stream::{
        Compression, SyncPolicy,
        environment::Environment,
        stored::{StoredConfig, decode, encode},
    },
};
use bincode::{Decode, Encode};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::oneshot;

/// The log of the catalogue. Streams have random ids, which are never 0.
pub(crate) const CATALOGUE_LOG: LogId = LogId(0);
/// Size at which the catalogue begins a segment with all its entries and drops the ones before, in bytes.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of an entry that are decoded at most.
pub(crate) const ENTRY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A change of the catalogue.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Change {
    /// A stream is there, with this configuration.
    Put(StoredConfig),
    /// A stream is gone; its files may still be there.
    Remove(u128),
    /// These are all.
    All { streams: Vec<StoredConfig>, removed: Vec<u128> },
}

#[derive(Debug, Default)]
struct Entries {
    streams: BTreeMap<u128, StoredConfig>,
    removed: BTreeSet<u128>,
    /// The last change that named all, where one was read or written: a position in the segment that has it.
    all_at: Option<Position>,
    /// Its bytes, and those of the changes since.
    all_bytes: usize,
    since_bytes: usize,
}

impl Entries {
    fn apply(&mut self, change: Change, at: Position, bytes: usize) {
        match &change {
            Change::All { .. } => {
                (self.all_at, self.all_bytes, self.since_bytes) = (Some(at), bytes, 0);
            }
            Change::Put(_) | Change::Remove(_) => self.since_bytes += bytes,
        }
        match change {
            Change::Put(config) => {
                self.streams.insert(config.incarnation().0, config);
            }
            Change::Remove(id) => {
                self.streams.remove(&id);
                self.removed.insert(id);
            }
            Change::All { streams, removed } => {
                self.streams =
                    streams.into_iter().map(|config| (config.incarnation().0, config)).collect();
                self.removed = removed.into_iter().collect();
            }
        }
    }
}

type Answer = oneshot::Sender<Option<Error>>;

struct State {
    log: LogRef,
    entries: Entries,
    waiting: VecDeque<(Position, Answer)>,
    failed: Option<Error>,
}

/// See the top of the file.
pub(crate) struct Catalogue {
    options: LogOptions,
    state: Mutex<State>,
}

/// A change that is not durable yet.
#[derive(Debug)]
pub(crate) struct Submitted {
    answer: oneshot::Receiver<Option<Error>>,
}

impl Submitted {
    /// Waits until it is durable, blocking the thread.
    pub(crate) fn wait_blocking(self) -> Result<()> {
        match self.answer.blocking_recv().map_err(|_| Error::Closed)? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Waits until it is durable.
    pub(crate) async fn wait(self, environment: &Environment) -> Result<()> {
        match environment.wait(self.answer).await? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Catalogue {
    /// Opens the catalogue, making it where there is none. Gives what damage took.
    pub(crate) fn open(
        store: &LogStore,
        segment_bytes: u64,
    ) -> Result<(Arc<Self>, Vec<DamagedBytes>)> {
        let options = LogOptions {
            compression: Compression::None,
            sync: SyncPolicy::Always,
            segment_bytes: segment_bytes.min(SEGMENT_BYTES),
        };
        let mut entries = Entries::default();
        let mut damage = Vec::new();
        let logs = store.list_logs()?;
        let log = if logs.contains(&CATALOGUE_LOG) {
            store.open_log(CATALOGUE_LOG, options, &mut |event| {
                rebuild(event, &mut entries, &mut damage).map(|()| None)
            })?
        } else {
            if !logs.is_empty() {
                let path = log_directory(CATALOGUE_LOG);
                damage.push(DamagedBytes::file(&path, "the directory of the catalogue is missing"));
            }
            store.create_log(CATALOGUE_LOG, options)?
        };
        let state = State { log: log.clone(), entries, waiting: VecDeque::new(), failed: None };
        let catalogue = Arc::new(Self { options, state: Mutex::new(state) });
        catalogue.listen(&log);
        Ok((catalogue, damage))
    }

    fn listen(self: &Arc<Self>, log: &LogRef) {
        let listener: Weak<Self> = Arc::downgrade(self);
        log.listen(listener);
    }

    /// After the disk was full: goes on from what is committed. What failed meanwhile is taken back.
    pub(crate) fn recover(self: &Arc<Self>, store: &LogStore) -> Result<()> {
        if !matches!(self.state().failed, Some(Error::NoSpace)) {
            return Ok(());
        }
        let (mut entries, mut damage) = (Entries::default(), Vec::new());
        let log = store.reopen_log(CATALOGUE_LOG, self.options, &mut |event| {
            rebuild(event, &mut entries, &mut damage).map(|()| None)
        })?;
        if let Some(what) = damage.pop() {
            return Err(Error::Damaged { place: "catalogue".into(), what: what.to_string() });
        }
        let logs = store.list_logs()?;
        entries.removed.retain(|id| logs.contains(&LogId(*id)));
        self.listen(&log);
        let mut state = self.state();
        (state.log, state.entries, state.failed) = (log, entries, None);
        Ok(())
    }

    /// What is stored of a stream. `None` also while a failure keeps the catalogue from knowing.
    pub(crate) fn stored(&self, id: LogId) -> Option<StoredConfig> {
        let state = self.state();
        state.entries.streams.get(&id.0).filter(|_| state.failed.is_none()).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All streams.
    pub(crate) fn streams(&self) -> Vec<StoredConfig> {
        self.state().entries.streams.values().cloned().collect()
    }

    /// Whether the stream with this id was removed.
    pub(crate) fn was_removed(&self, id: LogId) -> bool {
        self.state().entries.removed.contains(&id.0)
    }

    /// The files of a removed stream are gone: it need not be remembered.
    pub(crate) fn forget(&self, id: LogId) {
        self.state().entries.removed.remove(&id.0);
    }

    /// Of the streams that were removed, only those whose logs are still there need to be remembered.
    pub(crate) fn forget_all_but(&self, logs: &[LogId]) {
        self.state().entries.removed.retain(|id| logs.contains(&LogId(*id)));
    }

    /// Adds a stream, or changes its configuration.
    pub(crate) fn put(&self, config: StoredConfig) -> Result<Submitted> {
        self.submit(Change::Put(config))
    }

    /// Removes a stream.
    pub(crate) fn remove(&self, id: LogId) -> Result<Submitted> {
        self.submit(Change::Remove(id.0))
    }

    fn submit(&self, change: Change) -> Result<Submitted> {
        let mut state = self.state();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        // A catalogue larger than a segment is not written again for every change.
        let is_due = state.entries.since_bytes >= state.entries.all_bytes;
        if is_due && state.log.wants_segment() {
            let entries = &state.entries;
            let all = Change::All {
                streams: entries.streams.values().cloned().collect(),
                removed: entries.removed.iter().copied().collect(),
            };
            let (end, bytes) = append(&state.log, &all, true)?;
            state.entries.apply(all, Position(end.0.saturating_sub(1)), bytes);
        }
        let (position, bytes) = append(&state.log, &change, false)?;
        state.entries.apply(change, position, bytes);
        let (sender, answer) = oneshot::channel();
        state.waiting.push_back((position, sender));
        Ok(Submitted { answer })
    }

    /// Drops segments before the one that has everything there is. Where damage took that, the ones before it are all that
    /// is left to say whose the logs are.
    fn drop_old_segments(&self, committed: Position) {
        let (log, all_at) = {
            let state = self.state();
            (state.log.clone(), state.entries.all_at)
        };
        let Some(all_at) = all_at.filter(|at| *at < committed) else { return };
        let segments = log.segments();
        let has_all = segments.iter().rfind(|segment| segment.base_position <= all_at);
        let Some(has_all) = has_all.filter(|_| segments.len() > 1) else { return };
        if let Err(error) = log.remove_segments_before(has_all.number) {
            tracing::warn!(%error, "old segments of the catalogue stay");
        }
    }
}

impl CommitListener for Catalogue {
    fn committed(&self, through: Position) {
        let mut answers = Vec::new();
        {
            let mut state = self.state();
            while state.waiting.front().is_some_and(|(position, _)| *position <= through) {
                answers.extend(state.waiting.pop_front());
            }
        }
        self.drop_old_segments(through);
        for (_, answer) in answers {
            // Who asked may have gone.
            let _ = answer.send(None);
        }
    }

    fn failed(&self, error: &Error) {
        let waiting = {
            let mut state = self.state();
            state.failed = Some(error.clone());
            std::mem::take(&mut state.waiting)
        };
        for (_, answer) in waiting {
            let _ = answer.send(Some(error.clone()));
        }
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").field("log", &self.state().log).finish_non_exhaustive()
    }
}

/// The changes of a frame, each with its size in bytes; what is wrong with one otherwise.
pub(crate) fn changes(
    frame: &FrameBody,
) -> impl Iterator<Item = Result<(Change, usize), &'static str>> {
    let mut rest = frame.records.clone();
    std::iter::from_fn(move || {
        let len = u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize;
        let _ = rest.split_to(4);
        if len > rest.len() {
            rest.clear();
            return Some(Err("an entry is cut short"));
        }
        let change = rest.split_to(len);
        Some(decode(&change, ENTRY_BYTES_MAX).map(|decoded| (decoded, len)))
    })
}

/// Appends a change; gives where it ends, and its size in bytes.
fn append(log: &LogRef, change: &Change, starts_segment: bool) -> Result<(Position, usize)> {
    let change = encode(change);
    let mut records = u32::try_from(change.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    records.extend_from_slice(&change);
    let position = log.append(&Group {
        records: &records,
        count: 1,
        base_sequence: 0,
        time: Timestamp(0),
        starts_segment,
        follows: false,
    })?;
    Ok((position, records.len()))
}

/// Takes in what is read of the log.
fn rebuild(event: Replay, entries: &mut Entries, damage: &mut Vec<DamagedBytes>) -> Result<()> {
    match event {
        Replay::Frame(found, frame) => {
            replay(&frame, entries, &mut |what| damage.push(found.damaged(what)));
        }
        // The catalogue makes no index.
        Replay::Summary(_) => return Err(Error::Closed),
        Replay::Damage { places, .. } => damage.extend(places),
        Replay::Torn(_) => {}
    }
    Ok(())
}

/// Applies the changes of a frame.
fn replay(frame: &FrameBody, entries: &mut Entries, damaged: &mut dyn FnMut(&str)) {
    for change in changes(frame) {
        match change {
            Ok((change, bytes)) => entries.apply(change, frame.base_position, bytes),
            Err(what) => damaged(what),
        }
    }
}

#[cfg(test)]
#[path = "catalogue_test.rs"]
mod tests;
