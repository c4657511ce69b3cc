//! The half of a consumer that delivers unasked: whether anybody listens, flow control, and when it was heard last.
//! Not here: which message is next (`delivery`).

use super::config::ConsumerConfig;
use super::flow::Flow;

/// See the top of the file. Times are in nanoseconds since 1970.
#[derive(Debug)]
pub(crate) struct Push {
    /// Whether somebody listens.
    pub(crate) is_active: bool,
    /// None where the receiver is not asked to keep up.
    pub(crate) flow: Option<Flow>,
    heartbeat_ns: i64,
    next_heartbeat: i64,
}

impl Push {
    /// As configured.
    pub(crate) fn new(config: &ConsumerConfig, is_active: bool, now: i64) -> Self {
        Self {
            is_active,
            flow: config.flow_control.then(Flow::default),
            heartbeat_ns: config.idle_heartbeat,
            next_heartbeat: now.saturating_add(config.idle_heartbeat),
        }
    }
    /// Whether the receiver has to say first that it got what was sent.
    pub(crate) fn is_stalled(&self) -> bool {
        self.flow.as_ref().is_some_and(Flow::is_stalled)
    }
    /// Nothing is under way any more.
    pub(crate) fn begin_again(&mut self) {
        self.flow = self.flow.take().map(|_| Flow::default());
    }
    /// Something was sent.
    pub(crate) fn heard(&mut self, now: i64) {
        self.next_heartbeat = now.saturating_add(self.heartbeat_ns);
    }
    /// Whether it has been silent for so long that it must be heard. True once each time.
    pub(crate) fn beats(&mut self, now: i64) -> bool {
        if self.heartbeat_ns == 0 || now < self.next_heartbeat {
            return false;
        }
        self.heard(now);
        self.is_active
    }
    /// When it must be heard next.
    pub(crate) fn next_heartbeat(&self) -> Option<i64> {
        (self.heartbeat_ns > 0).then_some(self.next_heartbeat)
    }
}
