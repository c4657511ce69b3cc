//! An account: one isolated space of subjects. Clients and the server's own services subscribe and publish in it.
//!
//! Nothing here waits, and no lock is held while a receiver is called, so a receiver may publish or subscribe itself.
//! Not here: who may log in to the account (`server`), bytes of the protocol.

use super::interest::{InterestWatch, Watchers};
use super::peers::Served;
use super::{Handler, Matched, Message, Origin, Parts, Subscription, Target, Wakeups};
use bytes::Bytes;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::tree::Tree;

/// Keeps an internal subscription; dropping it unsubscribes.
pub struct InternalSubscription {
    account: Weak<Account>,
    subscription: Arc<Subscription>,
}

impl Drop for InternalSubscription {
    fn drop(&mut self) {
        if let Some(account) = self.account.upgrade() {
            account.remove(&self.subscription);
        }
    }
}

impl fmt::Debug for InternalSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InternalSubscription({:?})", self.subscription.subject)
    }
}

/// One isolated space of subjects.
#[derive(Debug)]
pub struct Account {
    name: String,
    tree: RwLock<Tree>,
    generation: AtomicU64,
    server_origin: Arc<Origin>,
    watchers: Watchers,
    observers: Mutex<Vec<Weak<dyn Observer>>>,
}

/// Hears of every subscription, as it comes and goes. Called under the account's lock: must not use the account.
pub trait Observer: Send + Sync + fmt::Debug + 'static {
    /// A subscription came, or went.
    fn changed(&self, subscription: &Subscription, is_there: bool);
}

impl Account {
    /// An account nobody listens in.
    pub fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            tree: RwLock::default(),
            generation: AtomicU64::new(1),
            server_origin: Arc::default(),
            watchers: Watchers::default(),
            observers: Mutex::default(),
        })
    }
    /// Its name; `$G` for the global one.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Changes whenever interest does: a match result is good as long as this stays.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
    /// How many subscriptions there are, services included.
    pub fn subscriptions(&self) -> usize {
        self.read().len()
    }
    /// All subscriptions, services included, in no order.
    pub fn all_subscriptions(&self) -> Vec<Arc<Subscription>> {
        self.read().all()
    }
    /// Subscribes a service to a subject (wildcards allowed).
    pub fn subscribe(
        self: &Arc<Self>,
        subject: &str,
        handler: Arc<dyn Handler>,
    ) -> InternalSubscription {
        self.subscribe_queue(subject, "", handler)
    }
    /// Subscribes a service to a subject as a member of a queue group.
    pub fn subscribe_queue(
        self: &Arc<Self>,
        subject: &str,
        queue: &str,
        handler: Arc<dyn Handler>,
    ) -> InternalSubscription {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let target = Target::Service(handler);
        let subscription =
            Arc::new(Subscription::new(bytes(subject), bytes(queue), Bytes::new(), target));
        self.add(subscription.clone());
        InternalSubscription { account: Arc::downgrade(self), subscription }
    }
    /// Adds a subscription; the caller checked its subject.
    pub fn add(&self, subscription: Arc<Subscription>) {
        let subject = subscription.subject.clone();
        let mut tree = self.write();
        tree.insert(subscription.clone());
        self.tell(&subscription, true);
        drop(tree);
        self.generation.fetch_add(1, Ordering::Release);
        self.watchers.changed(&subject);
    }
    /// Removes a subscription; says whether it was there.
    pub fn remove(&self, subscription: &Arc<Subscription>) -> bool {
        let mut tree = self.write();
        let removed = tree.remove(subscription);
        if removed {
            self.tell(subscription, false);
        }
        drop(tree);
        self.generation.fetch_add(1, Ordering::Release);
        self.watchers.changed(&subscription.subject);
        removed
    }
    /// Tells an observer of all subscriptions there are, and of all changes from then on, as long as it lives.
    pub fn observe(&self, observer: &Arc<impl Observer>) {
        let tree = self.write();
        for subscription in tree.all() {
            observer.changed(&subscription, true);
        }
        let observer: Weak<dyn Observer> = Arc::downgrade(observer) as Weak<dyn Observer>;
        let mut observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        observers.retain(|each| each.strong_count() > 0);
        observers.push(observer);
        drop(observers);
        drop(tree);
    }
    /// Tells when interest in a literal subject may have begun or ended.
    pub fn watch_interest(&self, subject: &str) -> InterestWatch {
        self.watchers.watch(subject)
    }
    /// Who listens to a literal subject.
    pub fn matches(&self, subject: &[u8]) -> Matched {
        self.read().matches(subject)
    }
    /// Whether anybody listens to this literal subject.
    pub fn has_interest(&self, subject: &str) -> bool {
        self.read().has_match(subject.as_bytes())
    }
    /// Whether anybody listens to this literal subject by its own name, without wildcards.
    pub fn has_literal_interest(&self, subject: &str) -> bool {
        let matched = self.matches(subject.as_bytes());
        let queued = matched.queues.iter().flat_map(|(_, members)| members);
        matched.plain.iter().chain(queued).any(|each| each.subject == subject.as_bytes())
    }
    /// Delivers a message to whoever listens; gives how many (a queue group counts once). Never waits.
    pub fn publish(self: &Arc<Self>, message: &Message, origin: &Arc<Origin>) -> usize {
        let matched = self.matches(&message.subject);
        self.deliver(&matched, &Parts::from(message), origin, &mut Wakeups::default())
    }
    /// Delivers the server's own message. May be called from any thread, the commit thread included.
    pub fn send(self: &Arc<Self>, message: &Message) -> usize {
        self.send_corked(message, &mut Wakeups::default())
    }
    /// As `send`, but receivers send it on only when `wakeups` is flushed or dropped: for many messages at once.
    pub fn send_corked(self: &Arc<Self>, message: &Message, wakeups: &mut Wakeups) -> usize {
        let matched = self.matches(&message.subject);
        self.deliver(&matched, &Parts::from(message), &self.server_origin, wakeups)
    }
    /// Delivers a message to whoever listens to `route_subject`, while it carries its own subject: how consumers
    /// deliver stored messages.
    pub fn deliver_to(
        self: &Arc<Self>,
        route_subject: &str,
        message: &Message,
        wakeups: &mut Wakeups,
    ) -> usize {
        let matched = self.matches(route_subject.as_bytes());
        let parts = Parts { deliver: route_subject.as_bytes(), ..Parts::from(message) };
        self.deliver(&matched, &parts, &self.server_origin, wakeups)
    }
    /// Delivers to those who matched; gives how many took it (a queue group counts once).
    pub fn deliver(
        self: &Arc<Self>,
        matched: &Matched,
        message: &Parts<'_>,
        origin: &Arc<Origin>,
        wakeups: &mut Wakeups,
    ) -> usize {
        if matched.has_peers {
            return self.deliver_with_peers(matched, message, origin, wakeups);
        }
        let plain = matched.plain.iter();
        let mut taken = plain.filter(|one| self.deliver_one(one, message, origin, wakeups)).count();
        for (_, members) in &matched.queues {
            let (before, from) = members.split_at(pick(members.len()));
            let mut order = from.iter().chain(before);
            taken += usize::from(order.any(|one| self.deliver_one(one, message, origin, wakeups)));
        }
        taken
    }

    /// As `deliver`, with each peer given the message once. Members of a queue group that are here go before those of peers.
    fn deliver_with_peers(
        self: &Arc<Self>,
        matched: &Matched,
        message: &Parts<'_>,
        origin: &Arc<Origin>,
        wakeups: &mut Wakeups,
    ) -> usize {
        let mut served = Served::default();
        let mut taken = 0;
        for one in &matched.plain {
            if !served.add_plain(one) {
                taken += usize::from(self.deliver_one(one, message, origin, wakeups));
            }
        }
        for (name, members) in &matched.queues {
            let (before, from) = members.split_at(pick(members.len()));
            let order = || from.iter().chain(before);
            let mut here = order().filter(|one| !matches!(one.target, Target::Peer(_)));
            if here.any(|one| self.deliver_one(one, message, origin, wakeups)) {
                taken += 1;
            } else if let Some(peer) =
                order().find(|one| one.sink_id().is_some_and(|id| id != origin.client_id))
            {
                served.add_queue(peer, name);
            }
        }
        for (subscription, queues) in served.iter() {
            let message = Parts { queues, ..*message };
            taken += usize::from(self.deliver_one(subscription, &message, origin, wakeups));
        }
        taken
    }

    fn tell(&self, subscription: &Subscription, is_there: bool) {
        let observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        for observer in observers.iter().filter_map(Weak::upgrade) {
            observer.changed(subscription, is_there);
        }
    }
    fn deliver_one(
        self: &Arc<Self>,
        subscription: &Arc<Subscription>,
        message: &Parts<'_>,
        origin: &Arc<Origin>,
        wakeups: &mut Wakeups,
    ) -> bool {
        let sink = match &subscription.target {
            Target::Sink(sink) | Target::Peer(sink) => sink,
            Target::Service(handler) => {
                match message.owned {
                    Some(owned) => handler.deliver(self, owned, origin),
                    None => handler.deliver(self, &message.to_message(), origin),
                }
                return true;
            }
        };
        if origin.no_echo && sink.id() == origin.client_id {
            return false;
        }
        let receipt = sink.deliver(subscription, message);
        if receipt.needs_wake {
            wakeups.push(sink.clone());
        }
        if receipt.is_congested {
            wakeups.push_congested(sink);
        }
        if receipt.is_exhausted {
            self.remove(subscription);
            sink.retire(subscription);
        }
        receipt.is_taken
    }

    fn read(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, Tree> {
        self.tree.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A random member of a queue group of this size: cheap, and good enough to spread load.
fn pick(members: usize) -> usize {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(rand::random::<u64>() | 1);
    }
    if members < 2 {
        return 0;
    }
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        usize::try_from(x % (members as u64)).unwrap_or(0)
    })
}

#[cfg(test)]
#[path = "account_test.rs"]
mod tests;
