//! What all connections of a run share: when to stop, and how far they are.
//! Not here: how far they are on the screen (`progress`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Tells the connections of one run when to stop.
#[derive(Debug, Default)]
pub(super) struct Control {
    deadline: Option<Instant>,
    is_stopped: AtomicBool,
    settled: AtomicU64,
    published: AtomicU64,
    publishers_left: AtomicU64,
}

impl Control {
    /// For a run that ends at the deadline, if there is one, with so many connections that publish.
    pub(super) fn new(deadline: Option<Instant>, publishers: u64) -> Self {
        Self { deadline, publishers_left: AtomicU64::new(publishers), ..Self::default() }
    }
    /// Nothing more is sent from now on.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }
    /// Whether nothing more is sent.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
            || self.is_stopped.load(Ordering::Relaxed)
    }
    /// Counts messages that are settled.
    pub(super) fn settle(&self, count: u64) {
        self.settled.fetch_add(count, Ordering::Relaxed);
    }
    /// Messages that are settled.
    pub(super) fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }
    /// A connection has published all it will, and the server has it.
    pub(super) fn finish_publisher(&self, published: u64) {
        self.published.fetch_add(published, Ordering::Relaxed);
        self.publishers_left.fetch_sub(1, Ordering::Release);
    }
    /// How many messages were published; none while some connection still publishes.
    pub(super) fn published(&self) -> Option<u64> {
        let is_final = self.publishers_left.load(Ordering::Acquire) == 0;
        is_final.then(|| self.published.load(Ordering::Relaxed))
    }
}
