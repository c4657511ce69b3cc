//! All open connections of a server, and what the closed ones left behind: totals and a short list for monitoring.
//! Not here: one connection (`link`).

use super::{Close, Link};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Closed connections kept for monitoring.
const CLOSED_MAX: usize = 1000;

/// Sums over connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Messages clients published.
    pub in_messages: u64,
    /// Their bytes.
    pub in_bytes: u64,
    /// Messages delivered to clients.
    pub out_messages: u64,
    /// Their bytes.
    pub out_bytes: u64,
    /// Connections closed because they read too slowly.
    pub slow_consumers: u64,
    /// Connections closed because pings were not answered.
    pub stale_connections: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.in_messages += other.in_messages;
        self.in_bytes += other.in_bytes;
        self.out_messages += other.out_messages;
        self.out_bytes += other.out_bytes;
        self.slow_consumers += other.slow_consumers;
        self.stale_connections += other.stale_connections;
    }
}

impl Totals {
    fn add(&mut self, link: &Link) {
        let counters = &link.counters;
        self.in_messages += counters.in_messages.load(Ordering::Relaxed);
        self.in_bytes += counters.in_bytes.load(Ordering::Relaxed);
        self.out_messages += counters.out_messages.load(Ordering::Relaxed);
        self.out_bytes += counters.out_bytes.load(Ordering::Relaxed);
    }
}

/// A connection that is gone.
#[derive(Clone, Debug)]
pub struct Closed {
    /// The connection.
    pub link: Arc<Link>,
    /// When it ended.
    pub stopped: SystemTime,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Arc<Link>, RandomState>,
    closed: VecDeque<Closed>,
    /// Sums over those that are closed, by account.
    closed_totals: BTreeMap<String, Totals>,
}

/// All connections of a server.
#[derive(Debug, Default)]
pub struct Registry {
    state: Mutex<State>,
    last_id: AtomicU64,
    accepted: AtomicU64,
    #[cfg(test)]
    walks: AtomicU64,
}

impl Registry {
    /// A fresh connection id, never used before in this run.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }
    /// How many connections there ever were.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
    /// How many are open.
    pub fn len(&self) -> usize {
        self.lock().open.len()
    }
    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The open ones.
    pub fn open(&self) -> Vec<Arc<Link>> {
        self.lock().open.values().cloned().collect()
    }
    /// The ones closed last, oldest first.
    pub fn closed(&self) -> Vec<Closed> {
        self.lock().closed.iter().cloned().collect()
    }
    /// Sums over all connections, open and closed.
    pub fn totals(&self) -> Totals {
        let state = self.lock();
        let mut totals = Totals::default();
        state.closed_totals.values().for_each(|closed| totals += *closed);
        state.open.values().for_each(|link| totals.add(link));
        totals
    }
    /// The same over those of each of these accounts, and how many of them are open. The open ones are walked once,
    /// however many accounts there are.
    pub fn totals_of<const ACCOUNTS: usize>(
        &self,
        accounts: [&str; ACCOUNTS],
    ) -> [(Totals, usize); ACCOUNTS] {
        let state = self.lock();
        #[cfg(test)]
        self.walks.fetch_add(1, Ordering::Relaxed);
        let of_closed = |name| state.closed_totals.get(name).copied().unwrap_or_default();
        let mut of_accounts = accounts.map(|name| (of_closed(name), 0));
        for link in state.open.values() {
            let place = link.place_among(&accounts);
            if let Some((totals, open)) = place.and_then(|place| of_accounts.get_mut(place)) {
                totals.add(link);
                *open += 1;
            }
        }
        of_accounts
    }
    /// How often the open ones were walked for the sums of accounts.
    #[cfg(test)]
    pub(crate) fn walks(&self) -> u64 {
        self.walks.load(Ordering::Relaxed)
    }
    /// Enters a connection unless there are `connections_max` already.
    pub fn enter(&self, link: &Arc<Link>, connections_max: usize) -> bool {
        let mut state = self.lock();
        if state.open.len() >= connections_max {
            return false;
        }
        state.open.insert(link.id, link.clone());
        self.accepted.fetch_add(1, Ordering::Relaxed);
        true
    }
    /// Takes a connection out.
    pub fn leave(&self, link: &Arc<Link>) {
        let mut state = self.lock();
        if state.open.remove(&link.id).is_none() {
            return;
        }
        let account = link.account().map(|account| account.name().to_owned());
        let totals = state.closed_totals.entry(account.unwrap_or_default()).or_default();
        totals.add(link);
        match link.reason() {
            Some(Close::SlowPending | Close::SlowWrite) => totals.slow_consumers += 1,
            Some(Close::Violation(crate::protocol::ProtocolError::Stale)) => {
                totals.stale_connections += 1;
            }
            _ => {}
        }
        if state.closed.len() >= CLOSED_MAX {
            state.closed.pop_front();
        }
        state.closed.push_back(Closed { link: link.clone(), stopped: SystemTime::now() });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
