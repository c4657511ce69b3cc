//! Placeholder of the subject index until the real one is merged.
use std::collections::{BTreeMap, BTreeSet};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SubjectId(pub(crate) u32);
#[derive(Clone, Debug, Default)]
pub(crate) struct SequenceSet(BTreeSet<u64>);
impl SequenceSet {
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.first().copied()
    }
    pub(crate) fn last(&self) -> Option<u64> {
        self.0.last().copied()
    }
    pub(crate) fn at_or_after(&self, s: u64) -> Option<u64> {
        self.0.range(s..).next().copied()
    }
    pub(crate) fn at_or_before(&self, s: u64) -> Option<u64> {
        self.0.range(..=s).next_back().copied()
    }
    pub(crate) fn count_range(&self, a: u64, b: u64) -> u64 {
        if a > b { 0 } else { self.0.range(a..=b).count() as u64 }
    }
    pub(crate) fn iter_from(&self, s: u64) -> impl Iterator<Item = u64> + '_ {
        self.0.range(s..).copied()
    }
}
#[derive(Debug, Default)]
pub(crate) struct SubjectIndex {
    ids: BTreeMap<Vec<u8>, u32>,
    by_id: BTreeMap<u32, (Vec<u8>, SequenceSet)>,
    next: u32,
}
impl SubjectIndex {
    pub(crate) fn insert(&mut self, subject: &[u8], sequence: u64) -> SubjectId {
        let id = match self.ids.get(subject) {
            Some(id) => *id,
            None => {
                let id = self.next;
                self.next += 1;
                self.ids.insert(subject.to_vec(), id);
                self.by_id.insert(id, (subject.to_vec(), SequenceSet::default()));
                id
            }
        };
        if let Some(e) = self.by_id.get_mut(&id) {
            e.1.0.insert(sequence);
        }
        SubjectId(id)
    }
    pub(crate) fn remove(&mut self, id: SubjectId, sequence: u64) {
        let Some(e) = self.by_id.get_mut(&id.0) else { return };
        e.1.0.remove(&sequence);
        if e.1.0.is_empty() {
            if let Some(e) = self.by_id.remove(&id.0) {
                self.ids.remove(&e.0);
            }
        }
    }
    pub(crate) fn find(&self, subject: &[u8]) -> Option<SubjectId> {
        self.ids.get(subject).map(|id| SubjectId(*id))
    }
    pub(crate) fn subject(&self, id: SubjectId) -> &[u8] {
        self.by_id.get(&id.0).map(|e| &e.0[..]).unwrap_or_default()
    }
    pub(crate) fn sequences(&self, id: SubjectId) -> Option<&SequenceSet> {
        self.by_id.get(&id.0).map(|e| &e.1)
    }
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
    pub(crate) fn for_each_match(&self, filter: &str, visit: &mut dyn FnMut(SubjectId)) {
        for (s, id) in &self.ids {
            if filter == ">"
                || std::str::from_utf8(s).is_ok_and(|s| crate::subject::matches(filter, s))
            {
                visit(SubjectId(*id));
            }
        }
    }
}
