//! A subscription and the two kinds of receivers: services of the server and sinks, which stand for connections.
//! A sink is told the subscription with each message; counting deliveries towards its limit is the sink's work, under
//! the lock that orders the deliveries.
//! Not here: finding subscriptions (`tree`).

use super::{Account, Message, Origin, Parts};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A service of the server that receives messages. Called on the publisher's task: must not block.
pub trait Handler: Send + Sync + 'static {
    /// Takes one message.
    fn deliver(&self, account: &Arc<Account>, message: &Message, origin: &Arc<Origin>);
}

/// What became of a delivery to a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Whether the message was taken.
    pub is_taken: bool,
    /// Whether the sink must be woken to send it on.
    pub needs_wake: bool,
    /// Whether the subscription has had all it asked for and must go.
    pub is_exhausted: bool,
    /// Whether so much waits that the publisher should hold back.
    pub is_congested: bool,
}

/// A connection as a receiver of messages. None of its methods may wait.
pub trait Sink: Send + Sync + 'static {
    /// Id of the connection.
    fn id(&self) -> u64;
    /// Takes one message.
    fn deliver(&self, subscription: &Subscription, message: &Parts<'_>) -> Receipt;
    /// Sends on what was taken.
    fn wake(&self);
    /// Whether still so much waits that publishers should hold back.
    fn is_congested(&self) -> bool;
    /// Forgets a subscription that had all it asked for.
    fn retire(&self, subscription: &Subscription);
}

/// Who receives.
pub enum Target {
    /// A connection.
    Sink(Arc<dyn Sink>),
    /// Another server, which is given a message once, whatever matched, and distributes it itself.
    Peer(Arc<dyn Sink>),
    /// A service of the server.
    Service(Arc<dyn Handler>),
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    /// Subject, perhaps with wildcards.
    pub subject: Bytes,
    /// Queue group; empty for none.
    pub queue: Bytes,
    /// The client's name for it; empty for a service.
    pub sid: Bytes,
    /// Who receives.
    pub target: Target,
    delivered: AtomicU64,
    deliveries_max: AtomicU64,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sink(sink) => write!(f, "connection {}", sink.id()),
            Self::Peer(sink) => write!(f, "peer {}", sink.id()),
            Self::Service(_) => f.write_str("service"),
        }
    }
}

impl Subscription {
    /// A subscription without a limit.
    pub fn new(subject: Bytes, queue: Bytes, sid: Bytes, target: Target) -> Self {
        let (delivered, deliveries_max) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { subject, queue, sid, target, delivered, deliveries_max }
    }
    /// How many messages it has had.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
    /// How many it may have; 0 for any number.
    pub fn deliveries_max(&self) -> u64 {
        self.deliveries_max.load(Ordering::Relaxed)
    }
    /// Sets the limit; says whether it is reached already.
    pub fn limit(&self, deliveries_max: u64) -> bool {
        self.deliveries_max.store(deliveries_max, Ordering::Relaxed);
        self.delivered() >= deliveries_max
    }
    /// Counts one delivery, unless the limit is reached: then none. Gives whether it is the last one.
    /// The caller holds the lock that orders the deliveries, so a load and a store are enough.
    pub fn count(&self) -> Option<bool> {
        let (delivered, max) = (self.delivered() + 1, self.deliveries_max());
        if max > 0 && delivered > max {
            return None;
        }
        self.delivered.store(delivered, Ordering::Relaxed);
        Some(max > 0 && delivered == max)
    }
    /// The connection it belongs to, if any.
    pub fn sink_id(&self) -> Option<u64> {
        match &self.target {
            Target::Sink(sink) | Target::Peer(sink) => Some(sink.id()),
            Target::Service(_) => None,
        }
    }
}
