//! One link to another server: reading what it sends, after and during the handshake.
//! Not here: how the handshake goes (`remote`, `hub`), what is sent (`peer`).

use super::Links;
use super::error::LeafError;
use super::peer::{OF_HUB, OF_LEAF, Peer, is_local};
use crate::monitoring::events;
use crate::network::{Close, Link, writer};
use crate::protocol::leaf::{LeafMessage, LeafOperation, acknowledgement_end, parse};
use crate::protocol::{ConnectOptions, Limits, encode};
use crate::routing::{Message, Origin, Parts, Subscription, Target, Wakeups};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use headwater_storage::limits::SUBJECT_BYTES_MAX;
use headwater_storage::subject;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

/// How long the handshake may take.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a peer is asked whether it is there, and how often it may leave that open.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PINGS_OUTSTANDING_MAX: u32 = 2;
/// Longest line: INFO lists servers.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// What is added to the largest payload that a client may publish: answers of the API have it in other letters, a third longer,
/// and copies have more headers.
const ADDED_BYTES_MAX: usize = 128 * 1024;
/// Subjects a peer may listen to, and bytes of all of them together.
const SUBJECTS_MAX: usize = 1 << 20;
const LISTENED_BYTES_MAX: usize = 128 * 1024 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// A publisher holds back while a receiver here cannot keep up, for a short while.
const HOLD_BACK: Duration = Duration::from_millis(2);
const HOLD_BACKS_MAX: usize = 5;

/// One link.
pub(super) struct Session {
    pub(super) links: Arc<Links>,
    pub(super) peer: Arc<Peer>,
    reader: OwnedReadHalf,
    buffer: BytesMut,
    limits: Limits,
    origin: Arc<Origin>,
    listened: HashMap<(Bytes, Bytes), Arc<Subscription>>,
    listened_bytes: usize,
    wakeups: Wakeups,
    pings_outstanding: u32,
    pinged_at: Option<Instant>,
}

impl Session {
    /// A link over a fresh connection, with a task that writes to it.
    pub(super) fn new(
        links: &Arc<Links>,
        socket: TcpStream,
        address: SocketAddr,
        is_dialed: bool,
    ) -> Self {
        let shared = &links.shared;
        let limits = &shared.options.limits;
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, %address, "cannot set TCP_NODELAY");
        }
        let (reader, out) = socket.into_split();
        let id = shared.registry.next_id();
        let link = Link::of_leaf(is_dialed, id, address, limits.pending_bytes_max);
        shared.tasks.spawn(writer::run(link.clone(), out, limits.write_deadline));
        let origin = Origin { client_id: link.id, no_echo: true, ..Origin::default() };
        let domain = shared.options.domain();
        Self {
            links: links.clone(),
            peer: Peer::new(link, is_dialed, domain),
            reader,
            buffer: BytesMut::new(),
            limits: Limits {
                control_line_bytes_max: LINE_BYTES_MAX,
                payload_bytes_max: 2 * limits.payload_bytes_max + ADDED_BYTES_MAX,
            },
            origin: Arc::new(origin),
            listened: HashMap::new(),
            listened_bytes: 0,
            wakeups: Wakeups::default(),
            pings_outstanding: 0,
            pinged_at: None,
        }
    }

    /// The next operation of the handshake.
    pub(super) async fn next(&mut self) -> Result<LeafOperation, LeafError> {
        // Messages come later: nobody who has not logged in makes this server keep one.
        let limits = Limits { payload_bytes_max: 0, ..self.limits };
        let operation = async {
            loop {
                match parse(&mut self.buffer, limits)? {
                    Some(LeafOperation::Ping) => self.peer.link.send(encode::PONG),
                    Some(LeafOperation::Pong | LeafOperation::Ignored) => {}
                    Some(LeafOperation::Error(text)) => {
                        return Err(LeafError::Refused(String::from_utf8_lossy(&text).into()));
                    }
                    Some(operation) => return Ok(operation),
                    None => {
                        self.buffer.reserve(READ_BYTES);
                        if self.reader.read_buf(&mut self.buffer).await? == 0 {
                            return Err(LeafError::Ended);
                        }
                    }
                }
            }
        };
        let stopping = &self.links.shared.stopping;
        tokio::select! {
            () = stopping.cancelled() => Err(LeafError::Stopping),
            operation = tokio::time::timeout(HANDSHAKE_TIMEOUT, operation) => {
                operation.unwrap_or(Err(LeafError::Silent))
            }
        }
    }

    /// Works until the link ends, then takes back what the peer listened to.
    pub(super) async fn run(mut self, name: String) -> LeafError {
        let shared = self.links.shared.clone();
        let account = shared.accounts.global.clone();
        let link = self.peer.link.clone();
        link.set_options(Arc::new(ConnectOptions { name, ..ConnectOptions::default() }));
        link.set_account(&account);
        shared.leaf_links.enter(&link, usize::MAX);
        events::connected(&shared, &link);
        account.observe(&self.peer);
        // As with clients: a fault of ours leaves nothing of the link behind.
        let error = match AssertUnwindSafe(self.read()).catch_unwind().await {
            Ok(Ok(())) => LeafError::Stopping,
            Ok(Err(error)) => error,
            Err(_) => LeafError::Closed(Close::Fault),
        };
        self.wakeups.flush();
        if matches!(error, LeafError::Loop) {
            self.peer
                .link
                .send(encode::error("Loop detected for leafnode account=\"$G\"").as_bytes());
        }
        self.peer.link.close(error.close());
        for (_, subscription) in self.listened.drain() {
            account.remove(&subscription);
        }
        shared.leaf_links.leave(&link);
        events::disconnected(&shared, &link);
        error
    }

    async fn read(&mut self) -> Result<(), LeafError> {
        let stopping = self.links.shared.stopping.clone();
        let closing = self.peer.link.closing.clone();
        let mut pings = tokio::time::interval(PING_INTERVAL);
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.take().await?;
            self.buffer.reserve(READ_BYTES);
            tokio::select! {
                biased;
                () = stopping.cancelled() => return Ok(()),
                () = closing.cancelled() => {
                    return Err(LeafError::Closed(self.peer.link.reason().unwrap_or(Close::Client)));
                }
                read = self.reader.read_buf(&mut self.buffer) => {
                    if read? == 0 {
                        return Err(LeafError::Ended);
                    }
                }
                _ = pings.tick() => {
                    if self.pings_outstanding > PINGS_OUTSTANDING_MAX {
                        return Err(LeafError::Silent);
                    }
                    self.pings_outstanding += 1;
                    self.pinged_at = Some(Instant::now());
                    self.peer.link.send(encode::PING);
                }
            }
        }
    }

    /// Does every whole operation that was read.
    async fn take(&mut self) -> Result<(), LeafError> {
        while let Some(operation) = parse(&mut self.buffer, self.limits)? {
            self.operate(operation)?;
        }
        self.wakeups.flush();
        for _ in 0..HOLD_BACKS_MAX {
            if !self.wakeups.is_congested() {
                return Ok(());
            }
            tokio::time::sleep(HOLD_BACK).await;
        }
        self.wakeups.forget_congested();
        Ok(())
    }

    fn operate(&mut self, operation: LeafOperation) -> Result<(), LeafError> {
        match operation {
            LeafOperation::Subscribe { subject, queue } => self.subscribe(subject, queue)?,
            LeafOperation::Unsubscribe { subject, queue } => {
                let bytes = subject.len() + queue.len();
                if let Some(subscription) = self.listened.remove(&(subject, queue)) {
                    self.listened_bytes -= bytes;
                    self.links.shared.accounts.global.remove(&subscription);
                }
            }
            LeafOperation::Message(message) => self.message(message),
            LeafOperation::Ping => self.peer.link.send(encode::PONG),
            LeafOperation::Pong => {
                self.pings_outstanding = 0;
                if let Some(at) = self.pinged_at.take() {
                    self.peer.link.measured(at.elapsed());
                }
            }
            LeafOperation::Error(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                if text.contains("Loop detected") {
                    return Err(LeafError::Loop);
                }
                tracing::warn!("a leaf node link's peer complains: {text}");
            }
            LeafOperation::Info(_) | LeafOperation::Connect(_) | LeafOperation::Ignored => {}
        }
        Ok(())
    }

    fn subscribe(&mut self, subject: Bytes, queue: Bytes) -> Result<(), LeafError> {
        if subject == self.links.mark.as_bytes() {
            return Err(LeafError::Loop);
        }
        // Subjects are stored by their words: a longer one than a client may have would cost too much.
        let bytes = subject.len() + queue.len();
        let is_valid = bytes <= SUBJECT_BYTES_MAX
            && std::str::from_utf8(&subject).is_ok_and(subject::is_valid);
        let key = (subject.clone(), queue.clone());
        if !is_valid || is_local(&subject) || self.listened.contains_key(&key) {
            return Ok(());
        }
        self.listened_bytes += bytes;
        if self.listened.len() >= SUBJECTS_MAX || self.listened_bytes > LISTENED_BYTES_MAX {
            return Err(LeafError::Unsupported("more subjects than a peer may listen to"));
        }
        let name = if self.peer.is_dialed { OF_HUB } else { OF_LEAF };
        let target = Target::Peer(self.peer.clone());
        let subscription = Subscription::new(subject, queue, Bytes::from_static(name), target);
        let subscription = Arc::new(subscription);
        self.listened.insert(key, subscription.clone());
        self.links.shared.accounts.global.add(subscription);
        Ok(())
    }

    fn message(&mut self, message: LeafMessage) {
        let LeafMessage { subject: to, reply, queues, headers, payload } = message;
        let (counters, bytes) = (&self.peer.link.counters, headers.len() + payload.len());
        counters.in_messages.fetch_add(1, Ordering::Relaxed);
        counters.in_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let mut sent = Message { subject: to.clone(), reply, headers, payload };
        if let Some(at) = acknowledgement_end(&sent.reply) {
            sent.subject = sent.reply.slice(at + 1..);
            sent.reply.truncate(at);
        }
        let is_literal = |bytes: &[u8]| {
            bytes.len() <= SUBJECT_BYTES_MAX
                && std::str::from_utf8(bytes).is_ok_and(subject::is_literal)
        };
        if !is_literal(&to) || !is_literal(&sent.subject) || is_local(&to) {
            return;
        }
        let account = &self.links.shared.accounts.global;
        let mut matched = account.matches(&to);
        matched.queues.retain(|(name, _)| queues.contains(name));
        let mut parts = Parts::from(&sent);
        if sent.subject != to {
            parts.deliver = &to;
        }
        account.deliver(&matched, &parts, &self.origin, &mut self.wakeups);
    }
}
