//! Which peers one message goes to: each once, with the queue groups that it serves there.
//! Not here: finding subscriptions (`tree`), bytes between servers (`leaf`).

use super::{Subscription, Target};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Peers of one message.
#[derive(Debug, Default)]
pub(super) struct Served {
    peers: BTreeMap<u64, (Arc<Subscription>, Vec<Bytes>)>,
}

impl Served {
    /// Takes a subscription without a queue group, if it is one of a peer.
    pub(super) fn add_plain(&mut self, subscription: &Arc<Subscription>) -> bool {
        let is_peer = matches!(subscription.target, Target::Peer(_));
        if is_peer {
            self.entry(subscription);
        }
        is_peer
    }
    /// Has a peer serve a queue group.
    pub(super) fn add_queue(&mut self, member: &Arc<Subscription>, name: &Bytes) {
        self.entry(member).push(name.clone());
    }
    /// A subscription of each peer, and the groups it serves.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Subscription>, &[Bytes])> {
        self.peers.values().map(|(subscription, queues)| (subscription, queues.as_slice()))
    }

    fn entry(&mut self, subscription: &Arc<Subscription>) -> &mut Vec<Bytes> {
        let id = subscription.sink_id().unwrap_or(0);
        let fresh = || (subscription.clone(), Vec::new());
        &mut self.peers.entry(id).or_insert_with(fresh).1
    }
}
