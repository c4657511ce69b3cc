//! Match results of one publisher, kept by subject until anybody subscribes or unsubscribes in the account.
//! Not here: the matching.

use super::{Account, Matched};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Subjects remembered by a publisher; more of them start over.
const SUBJECTS_MAX: usize = 1024;
/// Bytes of subjects remembered by a publisher; more of them start over.
const SUBJECT_BYTES_MAX: usize = 64 * 1024;

/// Match results by subject.
#[derive(Debug, Default)]
pub struct MatchCache {
    generation: u64,
    subject_bytes: usize,
    by_subject: HashMap<Vec<u8>, Matched, RandomState>,
}

impl MatchCache {
    /// Who listens to a literal subject.
    pub fn matches(&mut self, account: &Account, subject: &[u8]) -> &Matched {
        let generation = account.generation();
        let is_full =
            self.by_subject.len() >= SUBJECTS_MAX || self.subject_bytes >= SUBJECT_BYTES_MAX;
        if generation != self.generation || is_full {
            self.by_subject.clear();
            self.subject_bytes = 0;
            self.generation = generation;
        }
        self.by_subject.entry_ref(subject).or_insert_with(|| {
            self.subject_bytes += subject.len();
            account.matches(subject)
        })
    }
}
