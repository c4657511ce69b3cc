//! The subjects of a stream and the sequences that each of them has.
//!
//! A hash table finds a literal subject with one lookup; a tree of tokens answers filters with wildcards, and is
//! touched only when a subject appears or disappears. Both hold numbers: the subject itself is stored once, in its entry.
//! Invariants: a subject is in the entries, the table and the tree, or in none; one that is there has a sequence.
//! Not here: what a wildcard means (`crate::subject`), messages, and limits per subject (`stream`).

mod block;
mod blocks;
mod sequences;
mod slab;
mod table;
mod tree;
mod walk;

pub(crate) use sequences::SequenceSet;

use crate::subject::has_wildcard;
use foldhash::fast::RandomState;
use slab::Slab;
use table::HashedNumbers;
use tree::{Place, TokenTree};

/// Number of a subject in the index; reused after the subject's last message is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SubjectId(pub(crate) u32);

/// What the index keeps of one subject.
#[derive(Debug)]
struct Entry {
    subject: Box<[u8]>,
    sequences: SequenceSet,
    /// Where the tree has it.
    place: Place,
}

/// The subjects of a stream, each with its sequences.
#[derive(Debug, Default)]
pub(crate) struct SubjectIndex {
    entries: Slab<Entry>,
    by_subject: HashedNumbers,
    tree: TokenTree,
    hashing: RandomState,
}

impl SubjectIndex {
    /// Notes that the message with this sequence has this subject. The sequence is above all that the subject has.
    pub(crate) fn insert(&mut self, subject: &[u8], sequence: u64) -> SubjectId {
        let hash = table::hash(&self.hashing, 0, subject);
        if let Some(id) = self.find_hashed(hash, subject)
            && let Some(entry) = self.entries.get_mut(id.0)
        {
            entry.sequences.push(sequence);
            return id;
        }
        let mut sequences = SequenceSet::default();
        sequences.push(sequence);
        // The tree wants the number, and the entry what the tree says.
        let entry = Entry { subject: subject.into(), sequences, place: Place::default() };
        let id = SubjectId(self.entries.insert(entry));
        self.by_subject.insert(hash, id.0);
        let place = self.tree.insert(subject, id);
        self.set_place(id, place);
        id
    }

    /// Same, for a subject that is there.
    pub(crate) fn push(&mut self, id: SubjectId, sequence: u64) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.sequences.push(sequence);
        }
    }

    /// Takes a sequence off a subject, if it is there, and forgets the subject with its last one.
    pub(crate) fn remove(&mut self, id: SubjectId, sequence: u64) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        entry.sequences.remove(sequence);
        if !entry.sequences.is_empty() {
            return;
        }
        let Some(entry) = self.entries.remove(id.0) else { return };
        if self.entries.len() == 0 {
            // What a large index grew to is given back when it has emptied.
            *self = Self { hashing: self.hashing.clone(), ..Self::default() };
            return;
        }
        self.by_subject.remove(table::hash(&self.hashing, 0, &entry.subject), id.0);
        if let Some((moved, place)) = self.tree.remove(entry.place) {
            self.set_place(moved, place);
        }
    }

    /// The number of a literal subject.
    pub(crate) fn find(&self, subject: &[u8]) -> Option<SubjectId> {
        self.find_hashed(table::hash(&self.hashing, 0, subject), subject)
    }

    /// The subject with this number; empty where there is none.
    pub(crate) fn subject(&self, id: SubjectId) -> &[u8] {
        self.entries.get(id.0).map_or(&[], |entry| &entry.subject)
    }

    /// The sequences of a subject.
    pub(crate) fn sequences(&self, id: SubjectId) -> Option<&SequenceSet> {
        self.entries.get(id.0).map(|entry| &entry.sequences)
    }

    /// Distinct subjects.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Visits each subject that matches `filter` once, in no order. Costs what the matching part of the tree has.
    pub(crate) fn for_each_match(&self, filter: &str, visit: &mut dyn FnMut(SubjectId)) {
        if has_wildcard(filter) {
            self.tree.walk(filter, &|subject| self.find(subject), visit);
        } else if let Some(id) = self.find(filter.as_bytes()) {
            visit(id);
        }
    }

    fn find_hashed(&self, hash: u32, subject: &[u8]) -> Option<SubjectId> {
        let is_it = |id| self.entries.get(id).is_some_and(|entry| *entry.subject == *subject);
        self.by_subject.find(hash, is_it).map(SubjectId)
    }

    fn set_place(&mut self, id: SubjectId, place: Place) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.place = place;
        }
    }
}

#[cfg(test)]
#[path = "index_test.rs"]
mod tests;
