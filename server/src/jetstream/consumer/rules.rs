//! What of a consumer's configuration the machine goes by, in the units it counts in.
//! Not here: the configuration itself (`config`).

use super::config::{AckPolicy, ConsumerConfig};

/// See the top of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// What has to be acknowledged.
    pub(crate) ack_policy: AckPolicy,
    /// How long the acknowledgement of the first, second, ... delivery may take, in nanoseconds; empty for any time.
    waits: Vec<i64>,
    /// Most deliveries of a message.
    pub(crate) deliveries_max: Option<u64>,
    /// Most messages that wait for acknowledgement.
    pub(crate) pending_max: Option<usize>,
}

impl Rules {
    /// The rules of a configuration.
    pub(crate) fn new(config: &ConsumerConfig) -> Self {
        let waits = match (config.backoff.is_empty(), config.ack_wait) {
            (false, _) => config.backoff.clone(),
            (true, 0) => Vec::new(),
            (true, wait) => vec![wait],
        };
        let is_acknowledged = config.ack_policy != AckPolicy::None;
        let pending_max = usize::try_from(config.max_ack_pending).ok();
        Self {
            ack_policy: config.ack_policy,
            waits,
            deliveries_max: u64::try_from(config.max_deliver).ok().filter(|max| *max > 0),
            pending_max: pending_max.filter(|max| is_acknowledged && *max > 0),
        }
    }
    /// When a message is to be delivered again that was delivered so often, the last time at `now`.
    pub(crate) fn deadline(&self, now: i64, deliveries: u64) -> i64 {
        let step = usize::try_from(deliveries.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = self.waits.get(step).or(self.waits.last());
        wait.map_or(i64::MAX, |wait| now.saturating_add(*wait))
    }
    /// Whether acknowledgements may take as long by other rules.
    pub(crate) fn has_same_waits(&self, other: &Self) -> bool {
        self.waits == other.waits
    }
    /// Whether a message that was delivered so often may be delivered again.
    pub(crate) fn may_deliver_again(&self, deliveries: u64) -> bool {
        self.deliveries_max.is_none_or(|max| deliveries < max)
    }
}
