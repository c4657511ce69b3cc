//! Differences from nats-server that are kept on purpose. Each stands in docs/LIMITATIONS.md under 'Differences from
//! nats-server' in the same words, and each is seen by a script: one that is gone must leave the list.

use crate::difference::Difference;
use crate::script::Step;

/// A difference: the script, a part of the step's name, a place in the answer, and the reason as the page has it.
type Entry = (&'static str, &'static str, &'static str, &'static str);

const KEPT: &[Entry] = &[];

/// The differences that one script may show.
pub(crate) struct Kept {
    entries: Vec<(Entry, bool)>,
}

impl Kept {
    /// Those of a script.
    pub(crate) fn of(script: &str) -> Self {
        let entries = KEPT.iter().filter(|(name, ..)| *name == script);
        Self { entries: entries.map(|entry| (*entry, false)).collect() }
    }
    /// Whether a difference is one of them.
    pub(crate) fn covers(&mut self, step: &Step, difference: &Difference) -> bool {
        let mut is_covered = false;
        for ((_, name, place, _), is_seen) in &mut self.entries {
            if step.name.contains(*name) && difference.place.starts_with(*place) {
                *is_seen = true;
                is_covered = true;
            }
        }
        is_covered
    }
    /// Those that were not seen.
    pub(crate) fn unused(&self) -> Vec<String> {
        let unseen = self.entries.iter().filter(|(_, is_seen)| !is_seen);
        unseen.map(|(entry, _)| format!("a difference is gone, take it off: {entry:?}")).collect()
    }
}
