//! A log in memory: each group is a frame of its own, kept until all of its messages were forgotten.
//!
//! A group is committed when it is appended. The log does not know what a record means, but has to know when no message
//! of a group is left: a range that covers all sequences up to the next group's says so without a look at the records;
//! only where a range takes a part of a group are the sequences of its messages read, once.
//! Invariants: groups are in order of sequence and of position alike; the budget holds what the groups count for.
//! Not here: which messages are forgotten, and when (`stream`); the bytes of a group with one message left stay whole.

use super::{
    CommitListener, FrameBody, Group, Log, MemoryBudget, Position, SegmentInfo, SegmentNumber,
};
use crate::{Error, Result, Timestamp, limits::FRAME_BYTES_MAX, stream::index::SequenceSet};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// What a group counts for beside its records: a slot in a tree whose leaves are half full (107 bytes measured), and
/// what its allocation takes more.
const GROUP_BYTES: u64 = 136;

/// Reads the sequences of the messages of a frame.
type ReadSequences = fn(&FrameBody) -> SequenceSet;

/// One group, kept under its base sequence.
#[derive(Debug)]
struct Stored {
    records: Arc<[u8]>,
    base_position: Position,
    count: u32,
    /// Sequences from its base up to the base of the next group; 0 where that is not known (the last one) or too many.
    span: u32,
    /// The messages that are left, once some are not.
    live: Option<Box<SequenceSet>>,
}

impl Stored {
    fn bytes(&self) -> u64 {
        self.records.len() as u64 + GROUP_BYTES
    }

    fn body(&self, base_sequence: u64) -> FrameBody {
        FrameBody {
            base_position: self.base_position,
            base_sequence,
            count: self.count,
            records: Bytes::from_owner(Arc::clone(&self.records)),
        }
    }

    /// Forgets messages; tells whether none is left. `first` or the group's base is below or at `last`.
    fn forget(&mut self, base: u64, first: u64, last: u64, read: ReadSequences) -> bool {
        if let Some(wide) = self.span.checked_sub(1) {
            let end = base.saturating_add(u64::from(wide));
            if first > end {
                return false;
            }
            if first <= base && end <= last {
                return true;
            }
        }
        let body = self.body(base);
        let live = self.live.get_or_insert_with(|| Box::new(read(&body)));
        while let Some(next) = live.at_or_after(first)
            && next <= last
        {
            live.remove(next);
        }
        live.is_empty()
    }
}

/// What the log holds.
#[derive(Debug)]
struct Groups {
    by_sequence: BTreeMap<u64, Stored>,
    /// What they count for together.
    bytes: u64,
    /// Highest time of a group ever appended.
    last_time: Timestamp,
}

/// A log in memory.
pub(crate) struct MemoryLog {
    budget: Arc<MemoryBudget>,
    read: ReadSequences,
    groups: RwLock<Groups>,
    committed: AtomicU64,
}

impl MemoryLog {
    /// An empty log. `read` gives the sequences of the messages in a frame.
    pub(crate) fn new(budget: Arc<MemoryBudget>, read: ReadSequences) -> Self {
        let last_time = Timestamp(i64::MIN);
        let groups = Groups { by_sequence: BTreeMap::new(), bytes: 0, last_time };
        Self { budget, read, groups: RwLock::new(groups), committed: AtomicU64::new(0) }
    }

    fn groups(&self) -> RwLockReadGuard<'_, Groups> {
        self.groups.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn groups_mut(&self) -> RwLockWriteGuard<'_, Groups> {
        self.groups.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    /// Nobody: what is appended is committed, and the owner knows.
    fn listen(&self, _listener: Weak<dyn CommitListener>) {}

    fn append(&self, group: &Group<'_>) -> Result<Position> {
        let len = group.records.len();
        if len > FRAME_BYTES_MAX {
            return Err(Error::MessageTooLarge { bytes: len, max: FRAME_BYTES_MAX });
        }
        assert!(group.count > 0, "a group has a record");
        let base_position = self.committed();
        let stored = Stored {
            records: group.records.into(),
            base_position,
            count: group.count,
            span: 0,
            live: None,
        };
        self.budget.take(stored.bytes())?;
        let mut groups = self.groups_mut();
        groups.bytes += stored.bytes();
        groups.last_time = groups.last_time.max(group.time);
        if let Some(mut before) = groups.by_sequence.last_entry() {
            assert!(*before.key() <= group.base_sequence, "sequences of groups rise");
            if before.get().span == 0 {
                let span = group.base_sequence - before.key();
                before.get_mut().span = u32::try_from(span).unwrap_or(0);
            }
        }
        // A group in whose place the next one begins has no message.
        if let Some(empty) = groups.by_sequence.insert(group.base_sequence, stored) {
            groups.bytes -= empty.bytes();
            self.budget.give(empty.bytes());
        }
        let end = Position(base_position.0 + u64::from(group.count));
        self.committed.store(end.0, Ordering::Release);
        Ok(end)
    }

    fn wants_segment(&self) -> bool {
        false
    }

    fn frame_for_sequence(&self, sequence: u64) -> Result<Option<FrameBody>> {
        let groups = self.groups();
        let found = groups.by_sequence.range(..=sequence).next_back();
        Ok(found.map(|(base, stored)| stored.body(*base)))
    }

    #[cfg(test)]
    fn frame_at(&self, position: Position) -> Result<Option<FrameBody>> {
        let groups = self.groups();
        let found = groups.by_sequence.iter().find(|(_, stored)| stored.base_position == position);
        Ok(found.map(|(base, stored)| stored.body(*base)))
    }

    fn segments(&self) -> Vec<SegmentInfo> {
        let groups = self.groups();
        let first = groups.by_sequence.first_key_value();
        let segment = first.map(|first| SegmentInfo {
            number: SegmentNumber(0),
            base_position: first.1.base_position,
            base_sequence: *first.0,
            last_time: groups.last_time,
            bytes: 0,
        });
        segment.into_iter().collect()
    }

    fn remove_segments_before(&self, _number: SegmentNumber) -> Result<()> {
        Ok(())
    }

    fn forget(&self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let mut groups = self.groups_mut();
        let holds_first = groups.by_sequence.range(..=first).next_back();
        let start = holds_first.map_or(first, |(base, _)| *base);
        let gone = groups
            .by_sequence
            .extract_if(start..=last, |base, stored| stored.forget(*base, first, last, self.read));
        let bytes = gone.map(|(_, stored)| stored.bytes()).sum::<u64>();
        groups.bytes -= bytes;
        self.budget.give(bytes);
    }

    fn committed(&self) -> Position {
        Position(self.committed.load(Ordering::Acquire))
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        self.budget.give(self.groups().bytes);
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryLog(committed {})", self.committed().0)
    }
}

#[cfg(test)]
#[path = "memory_log_test.rs"]
mod tests;
