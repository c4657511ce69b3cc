//! What a stream holds: entries and subjects, with three views of them.
//!
//! *Held* is what readers see: committed and not removed. *Live* is what the next append is checked against: everything
//! that was given a sequence, but for what is on its way out. A message is *doomed* between the moment its removal is
//! appended to the log and the moment that removal is committed.
//! Invariants: everything below `live_first` is doomed or gone.
//! Not here: the log (`core`), limits (`limit`).

use super::{
    entries::{Entries, Entry},
    expiries::Expiries,
    fate::Fate,
    index::{SubjectId, SubjectIndex},
};
use super::{record::Ranges, summary::Noted};
use crate::Timestamp;
use hashbrown::{HashMap, HashSet};

/// Removing more messages than this times those that stay is done by building the rest anew.
const REBUILD_FACTOR: u64 = 4;

/// What a stream holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) entries: Entries,
    pub(crate) subjects: SubjectIndex,
    pub(crate) expiries: Expiries,
    /// Messages that are live, and what they count for.
    pub(crate) live_messages: u64,
    pub(crate) live_bytes: u64,
    /// No live message is below.
    pub(crate) live_first: u64,
    /// Messages that are held, and what they count for.
    pub(crate) held_messages: u64,
    pub(crate) held_bytes: u64,
    /// Doomed messages at or above `live_first`.
    doomed: HashSet<u64, foldhash::fast::RandomState>,
    doomed_of: HashMap<SubjectId, u64, foldhash::fast::RandomState>,
    /// No live message below it is one that the limit on age takes.
    mortal_first: u64,
}

impl Contents {
    /// Adds a message above all others: live, not held yet.
    pub(crate) fn insert(
        &mut self,
        sequence: u64,
        subject: &[u8],
        bytes: u32,
        time: Timestamp,
        fate: Fate,
    ) {
        self.expiries.insert(sequence, fate);
        let subject = self.subjects.insert(subject, sequence);
        self.entries.push(sequence, Entry { time, subject, bytes });
        self.live_messages += 1;
        self.live_bytes += u64::from(bytes);
    }

    /// Adds messages above all others, held. Their subjects are given by their place in `subjects`.
    pub(crate) fn load(&mut self, messages: &[Noted], subjects: &[Vec<u8>]) {
        let mut ids: Vec<Option<SubjectId>> = vec![None; subjects.len()];
        let mut total = 0;
        let index = &mut self.subjects;
        for noted in messages {
            self.expiries.insert(noted.sequence, noted.fate);
        }
        self.entries.extend(messages.iter().filter_map(|noted| {
            let subject = match ids.get_mut(noted.subject as usize)? {
                Some(id) => {
                    index.push(*id, noted.sequence);
                    *id
                }
                id => {
                    let subject = subjects.get(noted.subject as usize)?;
                    *id.insert(index.insert(subject, noted.sequence))
                }
            };
            total += u64::from(noted.bytes);
            Some((noted.sequence, Entry { time: noted.time, subject, bytes: noted.bytes }))
        }));
        let count = messages.len() as u64;
        self.live_messages += count;
        self.live_bytes += total;
        self.hold(total, count);
    }

    /// Whether a message is there and not on its way out.
    pub(crate) fn is_live(&self, sequence: u64) -> bool {
        sequence >= self.live_first
            && !self.doomed.contains(&sequence)
            && self.entries.get(sequence).is_some()
    }

    /// The oldest live message.
    pub(crate) fn oldest_live(&mut self) -> Option<(u64, Entry)> {
        let doomed = &self.doomed;
        let oldest =
            self.entries.iter_from(self.live_first).find(|(at, _)| !doomed.contains(at))?;
        self.move_first(oldest.0);
        Some(oldest)
    }

    /// The oldest live message that the limit on age takes.
    pub(crate) fn oldest_mortal(&mut self) -> Option<(u64, Entry)> {
        if !self.expiries.has_forever() {
            return self.oldest_live();
        }
        let (doomed, expiries) = (&self.doomed, &self.expiries);
        let mut passed = self.mortal_first.max(self.live_first);
        let oldest = self.entries.iter_from(passed).find(|(at, _)| {
            passed = *at;
            !doomed.contains(at) && !expiries.get(*at).is_forever()
        });
        self.mortal_first = passed;
        oldest
    }

    /// Live messages whose lifetime is over, at most so many, the earliest first.
    pub(crate) fn lifetime_over(&self, now: Timestamp, count_max: usize) -> Vec<u64> {
        self.expiries.over(now.0).filter(|at| self.is_live(*at)).take(count_max).collect()
    }

    /// Live messages that the limit on age takes and that are not later than a time, at most so many.
    pub(crate) fn older_than(&mut self, time: Timestamp, count_max: usize) -> Vec<u64> {
        let Some((first, _)) = self.oldest_mortal() else { return Vec::new() };
        let mortal = self
            .entries
            .iter_from(first)
            .filter(|(at, _)| !self.doomed.contains(at) && !self.expiries.get(*at).is_forever());
        mortal
            .take_while(|(_, entry)| entry.time <= time)
            .take(count_max)
            .map(|(at, _)| at)
            .collect()
    }

    /// Live messages of a subject.
    pub(crate) fn live_count_of(&self, id: SubjectId) -> u64 {
        let count =
            self.subjects.sequences(id).map_or(0, |all| all.count_range(self.live_first, u64::MAX));
        count.saturating_sub(self.doomed_of.get(&id).copied().unwrap_or(0))
    }

    /// The oldest live message of a subject.
    pub(crate) fn oldest_live_of(&self, id: SubjectId) -> Option<u64> {
        let all = self.subjects.sequences(id)?;
        all.iter_from(self.live_first).find(|at| !self.doomed.contains(at))
    }

    /// The newest live message of a subject.
    pub(crate) fn newest_live_of(&self, id: SubjectId) -> Option<u64> {
        let all = self.subjects.sequences(id)?;
        let mut newest = all.last()?;
        while self.doomed.contains(&newest) {
            newest = all.at_or_before(newest.checked_sub(1)?)?;
        }
        (newest >= self.live_first).then_some(newest)
    }

    /// Dooms one live message.
    pub(crate) fn doom(&mut self, sequence: u64) {
        if !self.is_live(sequence) {
            return;
        }
        let Some(entry) = self.entries.get(sequence) else { return };
        self.doomed.insert(sequence);
        *self.doomed_of.entry(entry.subject).or_insert(0) += 1;
        self.live_messages -= 1;
        self.live_bytes -= u64::from(entry.bytes);
    }

    /// Dooms all live messages up to a sequence.
    pub(crate) fn doom_through(&mut self, through: u64) {
        let (mut messages, mut bytes) = (0, 0);
        let entries = self.entries.iter_from(self.live_first);
        for (at, entry) in entries.take_while(|(at, _)| *at <= through) {
            if !self.doomed.contains(&at) {
                messages += 1;
                bytes += u64::from(entry.bytes);
            }
        }
        self.live_messages -= messages;
        self.live_bytes -= bytes;
        self.move_first(through.saturating_add(1));
    }

    /// Dooms the live messages in these ranges.
    pub(crate) fn doom_ranges(&mut self, ranges: &Ranges) {
        for (first, last) in ranges {
            let oldest = self.oldest_live().map(|(at, _)| at);
            if oldest.is_none_or(|oldest| *first <= oldest) {
                self.doom_through(*last);
                continue;
            }
            let within = self.entries.iter_from(*first).map(|(at, _)| at);
            let doomed: Vec<u64> = within.take_while(|at| at <= last).collect();
            doomed.into_iter().for_each(|at| self.doom(at));
        }
    }

    /// Nothing below is live: doomed messages below need no mark.
    fn move_first(&mut self, first: u64) {
        if first <= self.live_first {
            return;
        }
        let old = std::mem::replace(&mut self.live_first, first);
        if self.doomed.is_empty() {
            return;
        }
        let passed: Vec<u64> = match self.doomed.len() as u64 > first - old {
            true => (old..first).filter(|at| self.doomed.contains(at)).collect(),
            false => self.doomed.iter().copied().filter(|at| *at < first).collect(),
        };
        for at in passed {
            self.unmark(at);
        }
    }

    fn unmark(&mut self, sequence: u64) {
        if !self.doomed.remove(&sequence) {
            return;
        }
        let Some(entry) = self.entries.get(sequence) else { return };
        if let Some(count) = self.doomed_of.get_mut(&entry.subject) {
            *count -= 1;
            if *count == 0 {
                self.doomed_of.remove(&entry.subject);
            }
        }
    }

    /// A message is committed: readers see it.
    pub(crate) fn hold(&mut self, bytes: u64, messages: u64) {
        self.held_messages += messages;
        self.held_bytes += bytes;
    }

    /// The removal of these messages, all doomed or held only, is committed. `committed` is the highest committed
    /// sequence.
    pub(crate) fn remove(&mut self, ranges: &Ranges, committed: u64) {
        for (first, last) in ranges {
            let starts = self.entries.first().is_none_or(|(at, _)| at >= *first);
            if starts && self.remove_most(*last, committed) {
                continue;
            }
            let sequences: Vec<u64> = match first == last {
                true => vec![*first],
                false => {
                    let within = self.entries.iter_from(*first).map(|(at, _)| at);
                    within.take_while(|at| at <= last).collect()
                }
            };
            for sequence in sequences {
                self.remove_one(sequence);
            }
        }
    }

    fn remove_one(&mut self, sequence: u64) {
        self.unmark(sequence);
        let Some(entry) = self.entries.remove(sequence) else { return };
        self.expiries.remove(sequence);
        self.subjects.remove(entry.subject, sequence);
        self.held_messages = self.held_messages.saturating_sub(1);
        self.held_bytes = self.held_bytes.saturating_sub(u64::from(entry.bytes));
    }

    /// Removes all messages up to a sequence by keeping the others, where those are few. False where they are many.
    fn remove_most(&mut self, through: u64, committed: u64) -> bool {
        let all = self.entries.count_range(0, u64::MAX);
        let stay = self.entries.count_range(through.saturating_add(1), u64::MAX);
        if all < 1024 || stay.saturating_mul(REBUILD_FACTOR) > all {
            return false;
        }
        let kept: Vec<_> = self
            .entries
            .iter_from(through.saturating_add(1))
            .map(|(at, entry)| (at, entry, self.subjects.subject(entry.subject).to_vec()))
            .collect();
        let doomed = std::mem::take(&mut self.doomed);
        self.doomed_of.clear();
        self.entries.clear();
        self.expiries.remove_through(through);
        self.subjects = SubjectIndex::default();
        (self.held_messages, self.held_bytes) = (0, 0);
        for (at, entry, subject) in kept {
            let subject = self.subjects.insert(&subject, at);
            self.entries.push(at, Entry { subject, ..entry });
            if at <= committed {
                self.hold(u64::from(entry.bytes), 1);
            }
            if at >= self.live_first && doomed.contains(&at) {
                self.doomed.insert(at);
                *self.doomed_of.entry(subject).or_insert(0) += 1;
            }
        }
        true
    }

    /// Takes out what was lost to damage after it was held: no record says so.
    pub(crate) fn lose(&mut self, sequence: u64) -> Option<Entry> {
        let entry = self.entries.get(sequence)?;
        if self.is_live(sequence) {
            self.live_messages -= 1;
            self.live_bytes -= u64::from(entry.bytes);
        }
        self.remove_one(sequence);
        Some(entry)
    }
}
