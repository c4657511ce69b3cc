//! Telling those who deliver to a subject when interest in it may have begun or ended.
//!
//! A subscription without wildcards costs a look-up of those who watch its subject; one with wildcards a walk over all
//! that are watched. Where nothing is watched neither costs anything.
//! Invariant: a watch that was dropped is forgotten with the next change or watch of its subject.
//! Not here: whether there is interest (`account`).

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use headwater_storage::subject as subjects;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Notify;

/// Waits for changes of interest in one subject.
#[derive(Clone, Debug)]
pub struct InterestWatch(Arc<Notify>);

impl InterestWatch {
    /// Waits for the next change. One that came before and was not waited for counts.
    pub async fn changed(&self) {
        self.0.notified().await;
    }
}

/// Who watches what.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    by_subject: Mutex<HashMap<Bytes, Vec<Weak<Notify>>, RandomState>>,
    /// Subjects that are watched, so that subscribing takes no lock where there are none.
    count: AtomicUsize,
}

impl Watchers {
    /// Watches a literal subject.
    pub(super) fn watch(&self, subject: &str) -> InterestWatch {
        let notify = Arc::new(Notify::new());
        let mut by_subject = self.by_subject.lock().unwrap_or_else(PoisonError::into_inner);
        let watchers = by_subject.entry(Bytes::copy_from_slice(subject.as_bytes())).or_default();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(&notify));
        self.count.store(by_subject.len(), Ordering::Release);
        InterestWatch(notify)
    }
    /// Somebody subscribed to `pattern`, or does not any more.
    pub(super) fn changed(&self, pattern: &[u8]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let Ok(text) = std::str::from_utf8(pattern) else { return };
        let mut by_subject = self.by_subject.lock().unwrap_or_else(PoisonError::into_inner);
        let tell = |watchers: &mut Vec<Weak<Notify>>| {
            watchers.retain(|watcher| {
                let watcher = watcher.upgrade();
                watcher.is_some_and(|watcher| {
                    watcher.notify_one();
                    true
                })
            });
            !watchers.is_empty()
        };
        if subjects::has_wildcard(text) {
            by_subject.retain(|subject, watchers| {
                let subject = std::str::from_utf8(subject).unwrap_or_default();
                !subjects::matches(text, subject) || tell(watchers)
            });
        } else if by_subject.get_mut(pattern).is_some_and(|watchers| !tell(watchers)) {
            by_subject.remove(pattern);
        }
        self.count.store(by_subject.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a change was told.
    async fn is_told(watch: &InterestWatch) -> bool {
        tokio::select! {
            biased;
            () = watch.changed() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn those_who_watch_are_told() {
        let watchers = Watchers::default();
        let (one, other) = (watchers.watch("a.b"), watchers.watch("c"));
        for (pattern, expected) in [
            ("a.b", (true, false)),
            ("a.*", (true, false)),
            (">", (true, true)),
            ("b", (false, false)),
            ("c", (false, true)),
        ] {
            watchers.changed(pattern.as_bytes());
            assert_eq!((is_told(&one).await, is_told(&other).await), expected, "{pattern}");
        }
        drop(one);
        watchers.changed(b"a.b");
        assert_eq!(watchers.count.load(Ordering::Acquire), 1);
    }
}
