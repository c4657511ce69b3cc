//! The task that reads one connection: it parses in place and does each operation at once, so that the order in which
//! a client sends is the order in which everything happens.
//!
//! Receivers are woken once for all that one read brought. Only messages for a service, or large ones, take shared
//! ownership of the read buffer; all others are copied from it straight into their receivers' outboxes.
//! Not here: writing (`writer`), finding receivers (`routing`).

use super::link::{Close, Link};
use super::outbox::SHARE_BYTES_MIN;
use super::publisher::Publisher;
use super::trace;
use crate::monitoring::events;
use crate::protocol::{
    ConnectOptions, Limits, Operation, Parsed, ProtocolError, Span, encode, parse,
};
use crate::routing::{
    Account, MatchCache, Message, Origin, Parts, Sink, Subscription, Target, Wakeups,
};
use crate::shared::Shared;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use headwater_storage::subject;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes a read has room for: it doubles when reads fill it, and halves when they leave most of it empty.
const READ_BYTES_MIN: usize = 1024;
const READ_BYTES_MAX: usize = 128 * 1024;
/// A buffer this many times larger than a read needs is given back.
const IDLE_CAPACITY_FACTOR: usize = 4;
/// When a connection is pinged for the first time, to learn its round trip time.
const FIRST_PING: Duration = Duration::from_secs(2);
/// How often a publisher looks again whether a slow receiver has caught up, and how often at most per read.
const HOLD_BACK: Duration = Duration::from_millis(2);
const HOLD_BACKS_MAX: usize = 5;

/// How an operation ends: go on, or close for a reason.
type Step = Result<(), ProtocolError>;

/// One connection's reading side.
pub(super) struct Session {
    shared: Arc<Shared>,
    link: Arc<Link>,
    sink: Arc<dyn Sink>,
    account: Arc<Account>,
    options: Arc<ConnectOptions>,
    origin: Arc<Origin>,
    limits: Limits,
    is_logged_in: bool,
    is_greeted: bool,
    has_connected: bool,
    cache: MatchCache,
    wakeups: Wakeups,
    pings: Pings,
    in_messages: u64,
    in_bytes: u64,
}

/// Pings sent and not answered.
#[derive(Debug, Default)]
struct Pings {
    outstanding: u32,
    sent_at: Option<Instant>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, link: Arc<Link>) -> Self {
        let options = link.options();
        let limits = Limits {
            control_line_bytes_max: shared.options.limits.control_line_bytes_max,
            payload_bytes_max: shared.options.limits.payload_bytes_max,
        };
        let is_logged_in = !shared.auth_of(&link).is_required();
        let account = shared.accounts.global.clone();
        let origin = origin(&link, &options);
        link.set_account(&account);
        Self {
            sink: link.clone(),
            shared,
            link,
            account,
            options,
            origin,
            limits,
            is_logged_in,
            is_greeted: false,
            has_connected: false,
            cache: MatchCache::default(),
            wakeups: Wakeups::default(),
            pings: Pings::default(),
            in_messages: 0,
            in_bytes: 0,
        }
    }

    /// Reads until the connection ends, then takes back its subscriptions.
    pub(super) async fn run(mut self, mut socket: impl AsyncRead + Unpin) {
        // A fault of ours ends this connection as any other end does: nothing of it stays behind.
        let reading = AssertUnwindSafe(self.read_all(&mut socket)).catch_unwind();
        let reason = reading.await.unwrap_or(Close::Fault);
        self.wakeups.flush();
        self.link.close(reason);
        self.remove_subscriptions();
    }

    fn remove_subscriptions(&self) {
        for subscription in self.link.drain_subscriptions() {
            self.account.remove(&subscription);
        }
    }

    async fn read_all(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> Close {
        let mut buffer = BytesMut::new();
        let (mut read_bytes, mut bytes_needed) = (READ_BYTES_MIN, 0usize);
        let closing = self.link.closing.clone();
        let mut timer = std::pin::pin!(tokio::time::sleep(self.first_timer()));
        loop {
            if buffer.is_empty() && buffer.capacity() > IDLE_CAPACITY_FACTOR * read_bytes {
                buffer = BytesMut::new();
            }
            buffer.reserve(read_bytes.max(bytes_needed.saturating_sub(buffer.len())));
            let room = buffer.capacity() - buffer.len();
            tokio::select! {
                biased;
                () = closing.cancelled() => return self.link.reason().unwrap_or(Close::Client),
                read = socket.read_buf(&mut buffer) => match read {
                    Ok(0) | Err(_) => return Close::Client,
                    Ok(bytes) if bytes == room => {
                        read_bytes = (read_bytes * 2).min(READ_BYTES_MAX);
                    }
                    Ok(bytes) if bytes < read_bytes / 4 => {
                        read_bytes = (read_bytes / 2).max(READ_BYTES_MIN);
                    }
                    Ok(_) => {}
                },
                () = timer.as_mut() => {
                    if let Err(error) = self.on_timer() {
                        return Close::Violation(error);
                    }
                    let next = tokio::time::Instant::now() + self.shared.ping_interval(&self.link);
                    timer.as_mut().reset(next);
                    continue;
                }
            }
            if buffer.len() < bytes_needed {
                continue;
            }
            bytes_needed = match self.take_operations(&mut buffer) {
                Ok(bytes_needed) => bytes_needed,
                Err(error) => return Close::Violation(error),
            };
            self.end_batch().await;
        }
    }

    /// Does every whole operation in the buffer; gives how many bytes the next one needs.
    fn take_operations(&mut self, buffer: &mut BytesMut) -> Result<usize, ProtocolError> {
        let mut at = 0;
        loop {
            let input = buffer.get(at..).unwrap_or_default();
            if !self.is_logged_in && !matches!(input, [] | [b'C' | b'c', ..]) {
                return Err(ProtocolError::Authorization);
            }
            match parse(input, self.limits)? {
                Parsed::Incomplete { bytes_needed } => {
                    buffer.advance(at);
                    return Ok(bytes_needed);
                }
                Parsed::Complete { bytes, operation } => {
                    if trace::is_on() {
                        trace::received(&self.link, input, operation);
                    }
                    let Operation::Publish { subject, reply, headers, payload, .. } = operation
                    else {
                        self.operate(operation, input)?;
                        at += bytes;
                        continue;
                    };
                    let places = [subject, reply, headers, payload];
                    at = self.publish(buffer, at, bytes, places)?;
                }
            }
        }
    }

    fn operate(&mut self, operation: Operation, input: &[u8]) -> Step {
        match operation {
            Operation::Connect(json) => self.connect(json.of(input))?,
            Operation::Subscribe { subject, queue, sid } => {
                self.subscribe(subject.of(input), queue.of(input), sid.of(input));
            }
            Operation::Unsubscribe { sid, deliveries_max } => {
                self.unsubscribe(sid.of(input), deliveries_max);
            }
            Operation::Ping => self.ping(),
            Operation::Pong => self.pong(),
            Operation::ClientError => return Err(ProtocolError::Malformed),
            Operation::Ignored | Operation::Publish { .. } => {}
        }
        Ok(())
    }

    fn connect(&mut self, json: &[u8]) -> Step {
        let options = ConnectOptions::from_json(json)?;
        let account = self.shared.auth_of(&self.link).check(&options).cloned();
        self.options = Arc::new(options);
        self.link.set_options(self.options.clone());
        let is_first = !std::mem::replace(&mut self.has_connected, true);
        if is_first {
            self.link.measured(self.link.started_at.elapsed());
        }
        let Some(account) = account else {
            let user = &self.options.user;
            tracing::warn!(client = self.link.id, user, "wrong credentials");
            return Err(ProtocolError::Authorization);
        };
        self.enter(account, is_first);
        self.is_logged_in = true;
        self.origin = origin(&self.link, &self.options);
        if is_first {
            events::connected(&self.shared, &self.link);
        }
        self.accept();
        Ok(())
    }

    /// Enters an account. What was listened to before ends, as in nats-server with every CONNECT but the first.
    fn enter(&mut self, account: Arc<Account>, is_first: bool) {
        let is_another = !Arc::ptr_eq(&self.account, &account);
        if is_another || !is_first {
            self.remove_subscriptions();
        }
        if is_another {
            self.cache = MatchCache::default();
        }
        self.link.set_account(&account);
        self.account = account;
    }

    fn subscribe(&mut self, subject_bytes: &[u8], queue: &[u8], sid: &[u8]) {
        if self.link.subscription(sid).is_some() {
            return self.accept();
        }
        if !subject::is_valid(&String::from_utf8_lossy(subject_bytes)) {
            return self.complain(ProtocolError::Subject);
        }
        let subscriptions_max = self.shared.options.limits.subscriptions_max;
        if subscriptions_max > 0 && self.link.subscriptions_count() >= subscriptions_max {
            return self.complain(ProtocolError::Subscriptions);
        }
        let copy = Bytes::copy_from_slice;
        let target = Target::Sink(self.sink.clone());
        let subscription =
            Arc::new(Subscription::new(copy(subject_bytes), copy(queue), copy(sid), target));
        self.link.insert_subscription(subscription.clone());
        self.account.add(subscription);
        self.accept();
    }

    fn unsubscribe(&mut self, sid: &[u8], deliveries_max: u64) {
        if let Some(subscription) = self.link.subscription(sid)
            && (subscription.limit(deliveries_max) || deliveries_max == 0)
        {
            self.account.remove(&subscription);
            self.link.remove_subscription(sid);
        }
        self.accept();
    }

    fn ping(&mut self) {
        self.link.send(encode::PONG);
        if !std::mem::replace(&mut self.is_greeted, true) && self.options.protocol >= 1 {
            let mut info = self.shared.info_for(&self.link);
            info.connect_info = true;
            info.acc_is_sys = Arc::ptr_eq(&self.account, &self.shared.accounts.system);
            info.remote_account = self.account.name().to_owned();
            self.link.send(info.line().as_bytes());
        }
    }

    fn pong(&mut self) {
        self.pings.outstanding = 0;
        if let Some(sent_at) = self.pings.sent_at.take() {
            self.link.measured(sent_at.elapsed());
        }
    }

    /// Delivers one message that starts at `at`; gives where the next operation starts.
    fn publish(
        &mut self,
        buffer: &mut BytesMut,
        at: usize,
        bytes: usize,
        [subject, reply, headers, payload]: [Span; 4],
    ) -> Result<usize, ProtocolError> {
        let frame = buffer.get(at..).unwrap_or_default();
        self.in_messages += 1;
        self.in_bytes += (headers.len() + payload.len()) as u64;
        if !headers.is_empty() && !self.options.headers {
            return Err(ProtocolError::Malformed);
        }
        let target = subject.of(frame);
        if self.options.pedantic && !subject::is_literal(&String::from_utf8_lossy(target)) {
            self.complain(ProtocolError::PublishSubject);
        }
        self.accept();
        let matched = self.cache.matches(&self.account, target);
        let publisher = Publisher {
            account: &self.account,
            origin: &self.origin,
            options: &self.options,
            link: &self.link,
            sink: &self.sink,
        };
        if !matched.has_services && payload.len() < SHARE_BYTES_MIN {
            let parts = Parts {
                subject: target,
                reply: reply.of(frame),
                headers: headers.of(frame),
                payload: payload.of(frame),
                deliver: &[],
                queues: &[],
                owned: None,
            };
            publisher.deliver(matched, &parts, &mut self.wakeups);
            return Ok(at + bytes);
        }
        buffer.advance(at);
        let frame = buffer.split_to(bytes).freeze();
        let slice = |span: Span| frame.slice(span.start..span.end);
        let message = Message {
            subject: slice(subject),
            reply: slice(reply),
            headers: slice(headers),
            payload: slice(payload),
        };
        if matched.has_services && std::str::from_utf8(&message.subject).is_err() {
            return Ok(0);
        }
        let parts = Parts::from(&message);
        publisher.deliver(matched, &parts, &mut self.wakeups);
        Ok(0)
    }

    /// `+OK` in verbose mode.
    fn accept(&self) {
        if self.options.verbose {
            self.link.send(encode::OK);
        }
    }

    /// An error after which the connection stays.
    fn complain(&self, error: ProtocolError) {
        self.link.send(encode::error(&error.to_string()).as_bytes());
    }

    /// Wakes all receivers, and holds back while one of them cannot keep up, for a short while.
    async fn end_batch(&mut self) {
        self.wakeups.flush();
        let counters = &self.link.counters;
        counters.in_messages.fetch_add(std::mem::take(&mut self.in_messages), Ordering::Relaxed);
        counters.in_bytes.fetch_add(std::mem::take(&mut self.in_bytes), Ordering::Relaxed);
        self.link.touch();
        for _ in 0..HOLD_BACKS_MAX {
            if !self.wakeups.is_congested() {
                return;
            }
            tokio::time::sleep(HOLD_BACK).await;
        }
        self.wakeups.forget_congested();
    }

    fn first_timer(&self) -> Duration {
        if self.is_logged_in {
            FIRST_PING.min(self.shared.ping_interval(&self.link))
        } else {
            self.shared.auth_of(&self.link).timeout()
        }
    }

    /// Pings, unless the client is late with its CONNECT or with too many answers.
    fn on_timer(&mut self) -> Step {
        if !self.is_logged_in {
            return Err(ProtocolError::AuthenticationTimeout);
        }
        if self.pings.outstanding >= self.shared.options.limits.pings_outstanding_max {
            return Err(ProtocolError::Stale);
        }
        self.pings.outstanding += 1;
        self.pings.sent_at = Some(Instant::now());
        self.link.send(encode::PING);
        Ok(())
    }
}

fn origin(link: &Link, options: &ConnectOptions) -> Arc<Origin> {
    Arc::new(Origin {
        client_id: link.id,
        name: options.name.as_str().into(),
        user: options.user.as_str().into(),
        host: link.peer.ip().to_string().into(),
        language: options.lang.as_str().into(),
        version: options.version.as_str().into(),
        client_type: link.transport.name(),
        started: Some(link.started),
        no_echo: !options.echo,
    })
}
