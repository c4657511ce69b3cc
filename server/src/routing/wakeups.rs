//! Sinks that have something to send, collected over a batch of messages so that each is woken once, and those
//! that cannot keep up.
//! Dropping the collection wakes them, so that no message can be left lying.
//! Not here: the sinks.

use super::Sink;
use smallvec::SmallVec;
use std::sync::Arc;

/// Sinks to wake.
#[derive(Default)]
pub struct Wakeups {
    sinks: SmallVec<[Arc<dyn Sink>; 4]>,
    congested: SmallVec<[Arc<dyn Sink>; 1]>,
}

impl Wakeups {
    /// Adds a sink.
    pub fn push(&mut self, sink: Arc<dyn Sink>) {
        self.sinks.push(sink);
    }
    /// Notes a sink that has so much to send that the publisher should hold back.
    pub fn push_congested(&mut self, sink: &Arc<dyn Sink>) {
        if !self.congested.iter().any(|known| known.id() == sink.id()) {
            self.congested.push(sink.clone());
        }
    }
    /// Whether the publisher should still hold back.
    pub fn is_congested(&mut self) -> bool {
        self.congested.retain(|sink| sink.is_congested());
        !self.congested.is_empty()
    }
    /// Forgets who is congested.
    pub fn forget_congested(&mut self) {
        self.congested.clear();
    }
    /// Wakes all of them.
    pub fn flush(&mut self) {
        for sink in self.sinks.drain(..) {
            sink.wake();
        }
    }
}

impl Drop for Wakeups {
    fn drop(&mut self) {
        self.flush();
    }
}
