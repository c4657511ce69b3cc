//! A hash table of numbers whose keys are kept elsewhere, by whoever knows what a number stands for.
//!
//! The 32-bit hash is kept with the number: a growing table does not have to go to a million keys, and a different key
//! is nearly always told apart without looking at it.
//! Not here: the keys.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    number: u32,
}

/// The hash of a key that is a number and bytes.
pub(super) fn hash(hashing: &RandomState, number: u32, bytes: &[u8]) -> u32 {
    let mut hasher = hashing.build_hasher();
    hasher.write_u32(number);
    hasher.write(bytes);
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

/// The table takes its bucket from the low bits and seven more from the top, so that all bits have to be good.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Numbers, found by the hash of their keys.
#[derive(Debug, Default)]
pub(super) struct HashedNumbers {
    table: HashTable<Slot>,
}

impl HashedNumbers {
    /// The number with this hash that `is_it` says has the key.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let found = self.table.find(spread(hash), |slot| slot.hash == hash && is_it(slot.number));
        found.map(|slot| slot.number)
    }

    /// Adds a number whose key is not there.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        self.table.insert_unique(spread(hash), Slot { hash, number }, |slot| spread(slot.hash));
    }

    /// Removes a number that was added with this hash.
    pub(super) fn remove(&mut self, hash: u32, number: u32) {
        if let Ok(found) = self.table.find_entry(spread(hash), |slot| slot.number == number) {
            found.remove();
        }
    }
}
