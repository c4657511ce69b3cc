//! Sinks that have something to send, collected over a batch of messages so that each is woken once.
//! Dropping the collection wakes them, so that no message can be left lying.
//! Not here: the sinks.

use super::Sink;
use smallvec::SmallVec;
use std::sync::Arc;

/// Sinks to wake.
#[derive(Default)]
pub struct Wakeups {
    sinks: SmallVec<[Arc<dyn Sink>; 4]>,
}

impl Wakeups {
    /// Adds a sink.
    pub fn push(&mut self, sink: Arc<dyn Sink>) {
        self.sinks.push(sink);
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
