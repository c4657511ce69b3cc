//! Placeholder of the memory log until the real one is merged.
use super::{CommitListener, FrameBody, Group, Log, Position, SegmentInfo, SegmentNumber};
use crate::{Error, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicU64, Ordering},
};
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    used: AtomicU64,
    max: u64,
}
impl MemoryBudget {
    pub(crate) fn new(max: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), max })
    }
}
#[derive(Debug)]
pub(crate) struct MemoryLog {
    budget: Arc<MemoryBudget>,
    groups: Mutex<BTreeMap<u64, FrameBody>>,
    committed: AtomicU64,
}
impl MemoryLog {
    pub(crate) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { budget, groups: Mutex::default(), committed: AtomicU64::new(0) }
    }
}
impl Log for MemoryLog {
    fn listen(&self, _listener: Weak<dyn CommitListener>) {}
    fn append(&self, group: &Group<'_>) -> Result<Position> {
        let n = group.records.len() as u64;
        if self.budget.used.fetch_add(n, Ordering::Relaxed) + n > self.budget.max {
            self.budget.used.fetch_sub(n, Ordering::Relaxed);
            return Err(Error::NoSpace);
        }
        let base = self.committed.load(Ordering::Relaxed);
        self.groups.lock().unwrap().insert(
            group.base_sequence,
            FrameBody {
                base_position: Position(base),
                base_sequence: group.base_sequence,
                count: group.count,
                records: Bytes::copy_from_slice(group.records),
            },
        );
        self.committed.store(base + u64::from(group.count), Ordering::Release);
        Ok(Position(base + u64::from(group.count)))
    }
    fn wants_segment(&self) -> bool {
        false
    }
    fn frame_for_sequence(&self, sequence: u64) -> Result<Option<FrameBody>> {
        Ok(self.groups.lock().unwrap().range(..=sequence).next_back().map(|e| e.1.clone()))
    }
    #[cfg(test)]
    fn frame_at(&self, _position: Position) -> Result<Option<FrameBody>> {
        Ok(None)
    }
    fn segments(&self) -> Vec<SegmentInfo> {
        Vec::new()
    }
    fn remove_segments_before(&self, _number: SegmentNumber) -> Result<()> {
        Ok(())
    }
    fn committed(&self) -> Position {
        Position(self.committed.load(Ordering::Acquire))
    }
}
