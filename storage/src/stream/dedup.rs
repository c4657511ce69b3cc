//! The dedup window: message ids of the recent past, with the sequence each got.
//!
//! Invariants: an id is held for at least the window, by the wall clock; ids are not shared with the buffers that they
//! arrived in.
//! Not here: where the ids come from after a restart (`replay` reads them from the records).

use crate::Timestamp;
use hashbrown::HashMap;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Ids and their sequences.
#[derive(Debug, Default)]
pub(crate) struct DedupWindow {
    window: Duration,
    ids: HashMap<Arc<[u8]>, Seen, foldhash::fast::RandomState>,
    order: VecDeque<(Timestamp, Arc<[u8]>)>,
}

/// What became of the message with an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The sequence it got.
    pub(crate) sequence: u64,
    /// When it was stored.
    pub(crate) time: Timestamp,
}

impl DedupWindow {
    /// A window of this length; zero remembers nothing.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, ..Self::default() }
    }

    /// Changes the length.
    pub(crate) fn set_window(&mut self, window: Duration, now: Timestamp) {
        self.window = window;
        self.expire(now);
    }

    /// How long ids are held.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// What had this id, if it is in the window.
    pub(crate) fn seen(&mut self, id: &[u8], now: Timestamp) -> Option<Seen> {
        if self.window.is_zero() {
            return None;
        }
        self.expire(now);
        self.ids.get(id).copied()
    }

    /// Remembers an id.
    pub(crate) fn insert(&mut self, id: &[u8], seen: Seen, now: Timestamp) {
        if self.window.is_zero() || self.is_over(seen.time, now) {
            return;
        }
        let id: Arc<[u8]> = id.into();
        self.order.push_back((seen.time, Arc::clone(&id)));
        self.ids.insert(id, seen);
    }

    /// Forgets what is older than the window.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some((time, _)) = self.order.front()
            && self.is_over(*time, now)
        {
            let Some((time, id)) = self.order.pop_front() else { break };
            // The same id may have come again after its time.
            if self.ids.get(&id).is_some_and(|seen| seen.time == time) {
                self.ids.remove(&id);
            }
        }
    }

    fn is_over(&self, time: Timestamp, now: Timestamp) -> bool {
        self.window.is_zero() || time < now.saturating_sub(self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_held_for_the_window() {
        let mut window = DedupWindow::new(Duration::from_nanos(100));
        let seen = |sequence, time| Seen { sequence, time: Timestamp(time) };
        window.insert(b"a", seen(1, 1000), Timestamp(1000));
        window.insert(b"b", seen(2, 1050), Timestamp(1050));
        assert_eq!(window.seen(b"a", Timestamp(1100)), Some(seen(1, 1000)));
        assert_eq!(window.seen(b"a", Timestamp(1101)), None);
        assert_eq!(window.seen(b"b", Timestamp(1101)), Some(seen(2, 1050)));
        window.insert(b"a", seen(3, 1110), Timestamp(1110));
        assert_eq!(window.seen(b"a", Timestamp(1200)), Some(seen(3, 1110)));
        // A clock that jumps back forgets nothing.
        assert_eq!(window.seen(b"a", Timestamp(5)), Some(seen(3, 1110)));
        window.set_window(Duration::ZERO, Timestamp(1200));
        assert_eq!(window.seen(b"a", Timestamp(1200)), None);
        assert!(window.ids.is_empty() && window.order.is_empty());
    }
}
