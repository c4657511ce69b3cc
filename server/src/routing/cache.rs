//! Match results of one publisher, kept by subject until anybody subscribes or unsubscribes in the account.
//! Not here: the matching.

use super::{Account, Matched};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// Subjects remembered by a publisher; more of them start over.
const SUBJECTS_MAX: usize = 1024;
/// Longest subject worth remembering, in bytes.
const SUBJECT_BYTES_MAX: usize = 256;

/// Match results by subject.
#[derive(Debug, Default)]
pub struct MatchCache {
    generation: u64,
    by_subject: HashMap<Box<[u8]>, Arc<Matched>, RandomState>,
}

impl MatchCache {
    /// Who listens to a literal subject.
    pub fn matches(&mut self, account: &Account, subject: &[u8]) -> Arc<Matched> {
        let generation = account.generation();
        if generation != self.generation {
            self.by_subject.clear();
            self.generation = generation;
        }
        if let Some(matched) = self.by_subject.get(subject) {
            return matched.clone();
        }
        let matched = Arc::new(account.matches(subject));
        if subject.len() <= SUBJECT_BYTES_MAX {
            if self.by_subject.len() >= SUBJECTS_MAX {
                self.by_subject.clear();
            }
            self.by_subject.insert(subject.into(), matched.clone());
        }
        matched
    }
}
