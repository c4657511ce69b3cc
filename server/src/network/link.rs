//! One connection as the rest of the server sees it: a bounded outbox, its subscriptions, its counters and a way to
//! close it. The session (reading) and the writer hold the same link.
//!
//! A link whose outbox is full is closed as a slow consumer; the bytes that wait are dropped with it.
//! Not here: reading operations (`session`), the socket (`writer`).

use super::outbox::Outbox;
use super::trace;
use super::transport::Transport;
use crate::protocol::{ConnectOptions, ProtocolError};
use crate::routing::{Account, Parts, Receipt, Sink, Subscription};
use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client closed it, or the network did.
    Client,
    /// The client did something it must not.
    Violation(ProtocolError),
    /// What the client sent cannot be taken apart into frames.
    Framing,
    /// More bytes waited than may wait.
    SlowPending,
    /// A write took longer than it may.
    SlowWrite,
    /// The server stops.
    Shutdown,
    /// An operator closed it.
    Kicked,
    /// What it asked for met a fault of the server.
    Fault,
}

impl std::fmt::Display for Close {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client => f.write_str("Client Closed"),
            Self::Violation(error) => f.write_str(violation(*error)),
            Self::Framing => f.write_str("Read Error"),
            Self::SlowPending => f.write_str("Slow Consumer (Pending Bytes)"),
            Self::SlowWrite => f.write_str("Slow Consumer (Write Deadline)"),
            Self::Shutdown => f.write_str("Server Shutdown"),
            Self::Kicked => f.write_str("Kicked"),
            Self::Fault => f.write_str("Internal Error"),
        }
    }
}

impl std::fmt::Display for Link {
    /// Its address and id, as they stand in the log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.transport.forwarded_for() {
            Some(IpAddr::V4(client)) => write!(f, "{client}/")?,
            Some(IpAddr::V6(client)) => write!(f, "[{client}]/")?,
            None => {}
        }
        write!(f, "{} - {}:{}", self.peer, self.transport.id_prefix(), self.id)
    }
}

/// A violation as monitoring names it, which is not what the client is told.
fn violation(error: ProtocolError) -> &'static str {
    match error {
        ProtocolError::Authorization => "Authentication Failure",
        ProtocolError::AuthenticationTimeout => "Authentication Timeout",
        ProtocolError::ControlLine => "Maximum Control Line Exceeded",
        ProtocolError::Payload => "Maximum Message Payload Exceeded",
        ProtocolError::Connections => "Maximum Connections Exceeded",
        ProtocolError::Subscriptions => "Maximum Subscriptions Exceeded",
        ProtocolError::ClientProtocol => "Bad Client Protocol Version",
        ProtocolError::NoRespondersNeedHeaders => "No Responders Requires Headers",
        ProtocolError::Stale => "Stale Connection",
        ProtocolError::Shutdown => "Server Shutdown",
        ProtocolError::UnknownOperation
        | ProtocolError::Malformed
        | ProtocolError::PublishSubject
        | ProtocolError::Subject => "Protocol Violation",
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client.
    Client,
    /// Another server, joined as leaf node or as hub.
    Leaf {
        /// Whether this server dialed, and so is the leaf.
        is_dialed: bool,
    },
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Client { "Client" } else { "Leafnode" })
    }
}

/// Counters of one connection.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages the client published.
    pub in_messages: AtomicU64,
    /// Their bytes.
    pub in_bytes: AtomicU64,
    /// Messages delivered to the client.
    pub out_messages: AtomicU64,
    /// Their bytes.
    pub out_bytes: AtomicU64,
    /// Round trip time measured last, in nanoseconds; 0 for never.
    pub rtt_ns: AtomicU64,
    /// Milliseconds since the start of the connection at which the client was last heard.
    pub last_activity_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct Out {
    bytes: Outbox,
    in_flight: usize,
    is_woken: bool,
    is_nudged: bool,
    is_closed: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// Id, unique in this run of the server.
    pub id: u64,
    /// Who is at the other end.
    pub kind: Kind,
    /// Address of the client.
    pub peer: SocketAddr,
    /// How its bytes travel.
    pub transport: Transport,
    /// When it was accepted.
    pub started: SystemTime,
    /// When it was accepted, on the clock that never goes back.
    pub started_at: Instant,
    /// Counters.
    pub counters: Counters,
    /// Cancelled when the connection is to end.
    pub closing: CancellationToken,
    pending_bytes_max: usize,
    with_headers: AtomicBool,
    out: Mutex<Out>,
    wakeup: Notify,
    reason: Mutex<Option<Close>>,
    subscriptions: Mutex<HashMap<Bytes, Arc<Subscription>, RandomState>>,
    options: Mutex<Arc<ConnectOptions>>,
    account: Mutex<Option<Arc<Account>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// A fresh connection of a client over TCP.
    pub fn new(id: u64, peer: SocketAddr, pending_bytes_max: usize) -> Arc<Self> {
        Self::over(Transport::Tcp, id, peer, pending_bytes_max)
    }
    /// A fresh connection of a client.
    pub fn over(
        transport: Transport,
        id: u64,
        peer: SocketAddr,
        pending_bytes_max: usize,
    ) -> Arc<Self> {
        Self::make((Kind::Client, transport), id, peer, pending_bytes_max)
    }
    /// A fresh link to another server.
    pub fn of_leaf(
        is_dialed: bool,
        id: u64,
        peer: SocketAddr,
        pending_bytes_max: usize,
    ) -> Arc<Self> {
        let kind = Kind::Leaf { is_dialed };
        Self::make((kind, Transport::Tcp), id, peer, pending_bytes_max)
    }
    fn make(
        (kind, transport): (Kind, Transport),
        id: u64,
        peer: SocketAddr,
        pending_bytes_max: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            kind,
            peer,
            transport,
            started: SystemTime::now(),
            started_at: Instant::now(),
            counters: Counters::default(),
            closing: CancellationToken::new(),
            pending_bytes_max,
            with_headers: AtomicBool::new(false),
            out: Mutex::default(),
            wakeup: Notify::new(),
            reason: Mutex::default(),
            subscriptions: Mutex::default(),
            options: Mutex::default(),
            account: Mutex::default(),
        })
    }
    /// The account it is in; none before it is known.
    pub fn account(&self) -> Option<Arc<Account>> {
        lock(&self.account).clone()
    }
    /// Enters the account.
    pub fn set_account(&self, account: &Arc<Account>) {
        *lock(&self.account) = Some(account.clone());
    }
    /// Whether it is in the account of this name.
    pub fn is_of(&self, account: &str) -> bool {
        lock(&self.account).as_ref().is_some_and(|one| one.name() == account)
    }
    /// Which of these accounts it is in.
    pub(super) fn place_among(&self, accounts: &[&str]) -> Option<usize> {
        let own = lock(&self.account);
        let name = own.as_ref()?.name();
        accounts.iter().position(|account| *account == name)
    }
    /// What the client said of itself.
    pub fn options(&self) -> Arc<ConnectOptions> {
        lock(&self.options).clone()
    }
    /// Takes over what the client said of itself.
    pub fn set_options(&self, options: Arc<ConnectOptions>) {
        self.with_headers.store(options.headers, Ordering::Relaxed);
        *lock(&self.options) = options;
    }
    /// Why the connection ended; none while it is open.
    pub fn reason(&self) -> Option<Close> {
        *lock(&self.reason)
    }
    /// Queues bytes and has them sent. A receiver that does not take them is slow, whatever they are.
    pub fn send(&self, bytes: &[u8]) {
        if trace::is_on() {
            trace::sent(self, bytes);
        }
        let mut out = lock(&self.out);
        if out.is_closed {
            return;
        }
        out.bytes.push(bytes);
        out.is_woken = true;
        let pending = out.bytes.len() + out.in_flight;
        drop(out);
        self.wakeup.notify_one();
        self.bound(pending, bytes.len());
    }
    /// Ends the connection: nothing more is taken, and what waits is still written if that goes quickly.
    pub fn close(&self, reason: Close) {
        let mut out = lock(&self.out);
        if out.is_closed {
            return;
        }
        out.is_closed = true;
        if matches!(reason, Close::SlowPending | Close::SlowWrite) {
            out.bytes.clear();
        } else if let Close::Violation(error) = reason
            && error.is_said()
        {
            out.bytes.push(crate::protocol::encode::error(&error.to_string()).as_bytes());
        }
        *lock(&self.reason) = Some(reason);
        drop(out);
        self.closing.cancel();
        self.wakeup.notify_one();
    }
    /// Bytes that wait or are being written.
    pub fn pending_bytes(&self) -> usize {
        let out = lock(&self.out);
        out.bytes.len() + out.in_flight
    }

    /// Waits for something to write, or a nudge, and takes all that waits: gives whether the connection is still open.
    pub(super) async fn take(&self, into: &mut Vec<Bytes>) -> bool {
        loop {
            {
                let mut out = lock(&self.out);
                out.is_woken = false;
                out.in_flight = out.bytes.take(into);
                let is_nudged = std::mem::take(&mut out.is_nudged);
                if !into.is_empty() || out.is_closed || is_nudged {
                    return !out.is_closed;
                }
            }
            self.wakeup.notified().await;
        }
    }
    /// Has the writer look after what it sends of its own accord, though nothing waits.
    pub(super) fn nudge(&self) {
        lock(&self.out).is_nudged = true;
        self.wakeup.notify_one();
    }
    /// Says that what was taken is written, and gives the chunks back.
    pub(super) fn release(&self, chunks: &mut Vec<Bytes>) {
        let mut out = lock(&self.out);
        out.in_flight = 0;
        for chunk in chunks.drain(..) {
            out.bytes.recycle(chunk);
        }
    }

    /// Queues one message for a subscription; one that is not counted does not bring it nearer to its limit.
    pub(super) fn push(
        &self,
        subscription: &Subscription,
        message: &Parts<'_>,
        is_counted: bool,
    ) -> Receipt {
        let mut out = lock(&self.out);
        if out.is_closed {
            return Receipt::default();
        }
        let is_exhausted = match is_counted.then(|| subscription.count()) {
            None => false,
            Some(Some(is_last)) => is_last,
            Some(None) => return Receipt::default(),
        };
        let with_headers = self.with_headers.load(Ordering::Relaxed);
        let bytes = out.bytes.push_message(subscription, message, with_headers);
        let counters = &self.counters;
        let add = |counter: &AtomicU64, more: usize| {
            counter.store(counter.load(Ordering::Relaxed) + more as u64, Ordering::Relaxed);
        };
        add(&counters.out_messages, 1);
        add(&counters.out_bytes, message.headers.len() + message.payload.len());
        let pending = out.bytes.len() + out.in_flight;
        let needs_wake = !std::mem::replace(&mut out.is_woken, true);
        drop(out);
        if trace::is_on() {
            trace::delivered(self, subscription, message);
        }
        self.bound(pending, bytes);
        let is_congested = pending > self.pending_bytes_max / 4 * 3;
        Receipt { is_taken: true, needs_wake, is_exhausted, is_congested }
    }

    /// Closes the connection where more waits than may; one piece alone always may.
    fn bound(&self, pending: usize, newest: usize) {
        if pending > self.pending_bytes_max && pending > newest {
            self.close(Close::SlowPending);
        }
    }

    /// How many subscriptions it has.
    pub fn subscriptions_count(&self) -> usize {
        lock(&self.subscriptions).len()
    }
    /// Its subscriptions.
    pub fn subscriptions(&self) -> Vec<Arc<Subscription>> {
        lock(&self.subscriptions).values().cloned().collect()
    }
    /// The subscription of this name.
    pub(super) fn subscription(&self, sid: &[u8]) -> Option<Arc<Subscription>> {
        lock(&self.subscriptions).get(sid).cloned()
    }
    pub(super) fn insert_subscription(&self, subscription: Arc<Subscription>) {
        lock(&self.subscriptions).insert(subscription.sid.clone(), subscription);
    }
    pub(super) fn remove_subscription(&self, sid: &[u8]) {
        lock(&self.subscriptions).remove(sid);
    }
    pub(super) fn drain_subscriptions(&self) -> Vec<Arc<Subscription>> {
        lock(&self.subscriptions).drain().map(|(_, one)| one).collect()
    }
    /// Notes how long an answer took.
    pub(crate) fn measured(&self, round_trip: Duration) {
        let rtt = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        self.counters.rtt_ns.store(rtt, Ordering::Relaxed);
    }
    /// Notes that the client was heard.
    pub(super) fn touch(&self) {
        let ms = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.counters.last_activity_ms.store(ms, Ordering::Relaxed);
    }
}

impl Sink for Link {
    fn id(&self) -> u64 {
        self.id
    }

    fn deliver(&self, subscription: &Subscription, message: &Parts<'_>) -> Receipt {
        self.push(subscription, message, true)
    }

    fn wake(&self) {
        self.wakeup.notify_one();
    }

    fn is_congested(&self) -> bool {
        self.pending_bytes() > self.pending_bytes_max / 4 * 3
    }

    fn retire(&self, subscription: &Subscription) {
        self.remove_subscription(&subscription.sid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_nobody_takes_are_bounded_too() {
        let link = Link::new(1, SocketAddr::from(([127, 0, 0, 1], 1)), 100);
        link.send(&[b'x'; 200]);
        assert_eq!(link.reason(), None, "one piece may be larger");
        link.send(b"PONG\r\n");
        assert_eq!((link.reason(), link.pending_bytes()), (Some(Close::SlowPending), 0));
    }
}
