//! Another server as a receiver: it is told who listens here, and sent what it listens to.
//!
//! Invariant: what is told is counted under one lock and queued under it, so that the last word on a subject is right.
//! Not here: what the peer sends (`session`).

use crate::network::Link;
use crate::protocol::leaf;
use crate::routing::{Observer, Parts, Receipt, Sink, Subscription, Target};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// What never crosses a link: each server's own API, and what is stored through it.
const LOCAL: [&[u8]; 3] = [b"$JS.API.", b"$KV.", b"$OBJ."];
/// Interest that is not told: services of one server.
const SYSTEM: &[u8] = b"$SYS.";
/// The name that subscriptions of accepted links have.
pub(super) const OF_LEAF: &[u8] = b"leaf";
/// The name that subscriptions of the dialed link have.
pub(super) const OF_HUB: &[u8] = b"hub";

/// Another server.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) link: Arc<Link>,
    /// Whether this side dialed, and so is the leaf.
    pub(super) is_dialed: bool,
    /// How the API here is reached from elsewhere, which must not leave; empty for not at all.
    domain_prefix: String,
    told: Mutex<HashMap<(Bytes, Bytes), u64>>,
}

/// Whether a subject, perhaps with wildcards, stays on its side.
pub(super) fn is_local(subject: &[u8]) -> bool {
    LOCAL.iter().any(|prefix| subject.starts_with(prefix))
}

impl Peer {
    pub(super) fn new(link: Arc<Link>, is_dialed: bool, domain: &str) -> Arc<Self> {
        let domain_prefix = match domain {
            "" => String::new(),
            domain => format!("$JS.{domain}.API."),
        };
        let told = Mutex::default();
        Arc::new(Self { link, is_dialed, domain_prefix, told })
    }

    /// Whether the peer is told of a subscription.
    fn is_told(&self, subscription: &Subscription) -> bool {
        if is_local(&subscription.subject) || subscription.subject.starts_with(SYSTEM) {
            return false;
        }
        match &subscription.target {
            Target::Peer(sink) if sink.id() == self.link.id => false,
            Target::Peer(_) => !self.is_dialed || subscription.sid == OF_LEAF,
            Target::Sink(_) | Target::Service(_) => true,
        }
    }
}

impl Observer for Peer {
    fn changed(&self, subscription: &Subscription, is_there: bool) {
        if !self.is_told(subscription) {
            return;
        }
        let key = (subscription.subject.clone(), subscription.queue.clone());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.get(&key).copied().unwrap_or(0);
        let count = if is_there { before + 1 } else { before.saturating_sub(1) };
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let (subject, queue) = (text(&key.0), text(&key.1));
        let is_changed = (before == 0) != (count == 0) || !queue.is_empty();
        match count {
            0 => drop(told.remove(&key)),
            _ => drop(told.insert(key, count)),
        }
        if is_changed {
            self.link.send(leaf::interest_line(&subject, &queue, count).as_bytes());
        }
    }
}

impl Sink for Peer {
    fn id(&self) -> u64 {
        self.link.id
    }

    fn deliver(&self, _subscription: &Subscription, message: &Parts<'_>) -> Receipt {
        let (mut subject, mut reply) = (message.subject, Bytes::copy_from_slice(message.reply));
        if !message.deliver.is_empty() {
            // Who receives it stands in the subject's place, and the subject behind the reply.
            if !reply.is_empty() && message.deliver != subject {
                reply = [message.reply, b"@", subject].concat().into();
            }
            subject = message.deliver;
        }
        let prefix = self.domain_prefix.as_bytes();
        let stays = is_local(subject) || (!prefix.is_empty() && subject.starts_with(prefix));
        if stays || self.link.reason().is_some() {
            return Receipt::default();
        }
        let mut out = BytesMut::new();
        let Parts { queues, headers, payload, .. } = *message;
        leaf::message(&mut out, subject, &reply, queues, headers, payload);
        self.link.send(&out);
        let counters = &self.link.counters;
        counters.out_messages.fetch_add(1, Ordering::Relaxed);
        counters.out_bytes.fetch_add((headers.len() + payload.len()) as u64, Ordering::Relaxed);
        let is_congested = self.is_congested();
        Receipt { is_taken: true, is_congested, ..Receipt::default() }
    }

    fn wake(&self) {}

    fn is_congested(&self) -> bool {
        self.link.is_congested()
    }

    fn retire(&self, _subscription: &Subscription) {}
}
