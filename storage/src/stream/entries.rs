//! What a stream knows of each message without reading it: subject, size, time. Sixteen bytes a message, in chunks of
//! consecutive sequences, so that gaps of any width cost nothing.
//!
//! Invariants: a chunk holds at least one message; sequences are added in rising order.
//! Not here: which messages count and which are on their way out (`contents`).

use super::index::SubjectId;
use crate::Timestamp;
use std::collections::BTreeMap;

/// Sequences in a chunk.
const CHUNK_SEQUENCES: u64 = 1024;
/// Subject of a sequence that holds nothing.
const NOTHING: SubjectId = SubjectId(u32::MAX);

/// What is known of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When it was stored.
    pub(crate) time: Timestamp,
    /// Its subject.
    pub(crate) subject: SubjectId,
    /// What it counts for (`accounting`).
    pub(crate) bytes: u32,
}

const _: () = assert!(size_of::<Entry>() == 16);

#[derive(Debug)]
struct Chunk {
    /// By sequence within the chunk; shorter than the chunk where the rest was never given out.
    slots: Vec<Entry>,
    messages: u32,
    /// What its messages count for.
    bytes: u64,
    /// No message in it is later.
    time_max: Timestamp,
}

impl Chunk {
    fn push(&mut self, at: usize, entry: Entry) {
        debug_assert!(self.slots.len() <= at, "sequences rise");
        let nothing = Entry { time: Timestamp(0), subject: NOTHING, bytes: 0 };
        self.slots.resize(at, nothing);
        self.slots.push(entry);
        self.messages += 1;
        self.bytes += u64::from(entry.bytes);
        self.time_max = self.time_max.max(entry.time);
    }
}

/// The entries of a stream.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    chunks: BTreeMap<u64, Chunk>,
}

fn place(sequence: u64) -> (u64, usize) {
    (sequence / CHUNK_SEQUENCES, (sequence % CHUNK_SEQUENCES) as usize)
}

impl Entries {
    /// Adds a message above all others.
    pub(crate) fn push(&mut self, sequence: u64, entry: Entry) {
        let (number, at) = place(sequence);
        let chunk = self.chunks.entry(number).or_insert_with(|| Chunk {
            slots: Vec::new(),
            messages: 0,
            bytes: 0,
            time_max: Timestamp(i64::MIN),
        });
        chunk.push(at, entry);
    }

    /// Adds messages above all others, in rising order.
    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = (u64, Entry)>) {
        let mut entries = entries.into_iter().peekable();
        while let Some((sequence, entry)) = entries.next() {
            self.push(sequence, entry);
            let (number, _) = place(sequence);
            let Some(chunk) = self.chunks.get_mut(&number) else { return };
            while let Some((sequence, entry)) = entries.next_if(|(at, _)| place(*at).0 == number) {
                chunk.push(place(sequence).1, entry);
            }
        }
    }

    /// The message with this sequence.
    pub(crate) fn get(&self, sequence: u64) -> Option<Entry> {
        let (number, at) = place(sequence);
        let entry = self.chunks.get(&number)?.slots.get(at)?;
        (entry.subject != NOTHING).then_some(*entry)
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Entry> {
        let (number, at) = place(sequence);
        let chunk = self.chunks.get_mut(&number)?;
        let slot = chunk.slots.get_mut(at)?;
        if slot.subject == NOTHING {
            return None;
        }
        let entry = std::mem::replace(slot, Entry { subject: NOTHING, ..*slot });
        chunk.messages -= 1;
        chunk.bytes -= u64::from(entry.bytes);
        if chunk.messages == 0 {
            self.chunks.remove(&number);
        }
        Some(entry)
    }

    /// The messages from a sequence on, in order.
    pub(crate) fn iter_from(&self, sequence: u64) -> impl Iterator<Item = (u64, Entry)> + '_ {
        let (first, at) = place(sequence);
        self.chunks.range(first..).flat_map(move |(number, chunk)| {
            let skip = if *number == first { at } else { 0 };
            let base = number * CHUNK_SEQUENCES;
            let slots = chunk.slots.iter().enumerate().skip(skip);
            slots
                .filter(|(_, entry)| entry.subject != NOTHING)
                .map(move |(at, entry)| (base + at as u64, *entry))
        })
    }

    /// The first message.
    pub(crate) fn first(&self) -> Option<(u64, Entry)> {
        self.iter_from(0).next()
    }

    /// How many messages have sequences in this inclusive range. Cost: by chunks.
    pub(crate) fn count_range(&self, from: u64, through: u64) -> u64 {
        self.sum_range(from, through, |chunk| u64::from(chunk.messages), |_| 1)
    }

    /// What the messages with sequences in this inclusive range count for. Cost: by chunks.
    pub(crate) fn bytes_range(&self, from: u64, through: u64) -> u64 {
        self.sum_range(from, through, |chunk| chunk.bytes, |entry| entry.bytes.into())
    }

    fn sum_range(
        &self,
        from: u64,
        through: u64,
        of_chunk: impl Fn(&Chunk) -> u64,
        of_entry: impl Fn(&Entry) -> u64,
    ) -> u64 {
        if from > through {
            return 0;
        }
        let ((first, _), (last, _)) = (place(from), place(through));
        let within = |number: u64, chunk: &Chunk| {
            let slots = (number * CHUNK_SEQUENCES..).zip(&chunk.slots);
            slots
                .filter(|(at, entry)| (from..=through).contains(at) && entry.subject != NOTHING)
                .map(|(_, entry)| of_entry(entry))
                .sum::<u64>()
        };
        self.chunks
            .range(first..=last)
            .map(|(number, chunk)| match *number {
                number if number == first || number == last => within(number, chunk),
                _ => of_chunk(chunk),
            })
            .sum()
    }

    /// The first message at or after a time.
    pub(crate) fn at_time(&self, time: Timestamp) -> Option<u64> {
        let (number, chunk) = self.chunks.iter().find(|(_, chunk)| chunk.time_max >= time)?;
        let base = number * CHUNK_SEQUENCES;
        // A message that is gone may have been the latest of its chunk.
        (base..)
            .zip(&chunk.slots)
            .find(|(_, entry)| entry.subject != NOTHING && entry.time >= time)
            .map(|(sequence, _)| sequence)
            .or_else(|| {
                let rest = self.iter_from(base + CHUNK_SEQUENCES);
                rest.into_iter().find(|(_, entry)| entry.time >= time).map(|(at, _)| at)
            })
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_are_a_sorted_map(
            gaps in proptest::collection::vec(prop_oneof![4 => 1_u64..3, 1 => 1_u64..3000], 1..300),
            removed in proptest::collection::vec(0_usize..300, 0..200),
            from in 0_u64..4000, width in 0_u64..4000,
        ) {
            let (mut entries, mut model) = (Entries::default(), BTreeMap::new());
            let mut sequence = 0;
            for gap in gaps {
                sequence += gap;
                let time = Timestamp((sequence * 7 % 1000) as i64);
                let entry = Entry { time, subject: SubjectId(sequence as u32), bytes: 3 };
                entries.push(sequence, entry);
                model.insert(sequence, entry);
            }
            for index in removed {
                let Some(sequence) = model.keys().nth(index).copied() else { continue };
                prop_assert_eq!(entries.remove(sequence), model.remove(&sequence));
                prop_assert_eq!(entries.remove(sequence), None);
            }
            let found: Vec<_> = entries.iter_from(from).collect();
            let expected: Vec<_> = model.range(from..).map(|(at, entry)| (*at, *entry)).collect();
            prop_assert_eq!(found, expected);
            let through = from + width;
            prop_assert_eq!(
                entries.count_range(from, through),
                model.range(from..=through).count() as u64
            );
            prop_assert_eq!(
                entries.bytes_range(from, through),
                3 * model.range(from..=through).count() as u64
            );
            prop_assert_eq!(entries.get(from), model.get(&from).copied());
            let time = Timestamp((width % 1000) as i64);
            let expected = model.iter().find(|(_, entry)| entry.time >= time).map(|(at, _)| *at);
            prop_assert_eq!(entries.at_time(time), expected);
        }
    }
}
