//! Core publishes, which nobody acknowledges, and subscriptions that receive them.
//!
//! The first eight bytes of a payload say when the message was put into the buffer, so that a subscriber knows how long it
//! took. A publisher ends with a PING: once the PONG is there the server has everything.
//! Not here: streams (`publisher`).

use super::client::Connection;
use super::control::Control;
use super::error::{BenchError, Result};
use super::incoming::Incoming;
use super::load::Load;
use super::tally::Tally;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The buffer is written once it holds this much.
const BUFFER_BYTES: usize = 64 * 1024;
/// How often a subscriber that receives nothing looks whether the publishers are done.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// After so many looks with nothing, what has not come is missing.
const EMPTY_LOOKS_MAX: u32 = 50;
/// Where the publishes go.
const SUBJECT_START: &str = "bench.core.";

/// A connection that publishes.
#[derive(Debug)]
pub(super) struct CorePublisher {
    connection: Connection,
    control: Arc<Control>,
    line: Vec<u8>,
    payload: Vec<u8>,
    client: usize,
    silence_max: Duration,
    left: u64,
    epoch: Instant,
    /// Whether a payload has room for the time.
    is_stamped: bool,
    /// Whether it counts messages as settled itself, because nobody receives them.
    is_alone: bool,
    tally: Tally,
}

impl CorePublisher {
    /// Prepares a connection. Times in payloads count from the epoch.
    pub(super) fn new(
        connection: Connection,
        load: &Load,
        client: usize,
        payload: &[u8],
        control: Arc<Control>,
        epoch: Instant,
    ) -> Self {
        Self {
            connection,
            control,
            line: format!("PUB {SUBJECT_START}{client} {}\r\n", payload.len()).into(),
            payload: [payload, b"\r\n"].concat(),
            client,
            silence_max: load.silence_max,
            left: load.share(client),
            epoch,
            is_stamped: payload.len() >= 8,
            is_alone: load.subscribers == 0,
            tally: Tally::new(0),
        }
    }

    /// Publishes until the load or the time is used up and the server has everything.
    pub(super) async fn run(mut self) -> Tally {
        if let Err(error) = self.drive().await {
            self.tally.failures.push(format!("client {}: {error}", self.client + 1));
        }
        self.control.finish_publisher(self.tally.sent);
        self.tally
    }

    async fn drive(&mut self) -> Result<()> {
        loop {
            let now = Instant::now();
            let is_over = self.control.is_over(now) || self.left == 0;
            let before = self.tally.sent;
            if !is_over {
                self.fill(now);
            }
            self.connection.flush()?;
            self.connection.receive()?;
            while self.connection.next()?.is_some() {}
            if self.is_alone {
                self.control.settle(self.tally.sent - before);
            }
            if self.connection.unwritten_bytes() == 0 {
                if is_over {
                    break;
                }
                tokio::task::yield_now().await;
            } else if !self.connection.ready(self.silence_max).await? {
                let time = self.silence_max;
                return Err(BenchError::Silence { what: "room to write".into(), time });
            }
        }
        self.connection.synchronise().await?;
        if self.is_alone {
            self.tally.arrived = self.tally.sent;
            self.tally.last = Some(Instant::now());
        }
        Ok(())
    }

    fn fill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.epoch).as_nanos() as u64;
        if let Some(start) = self.payload.first_chunk_mut::<8>()
            && self.is_stamped
        {
            *start = since.to_le_bytes();
        }
        while self.left > 0 && self.connection.unwritten_bytes() < BUFFER_BYTES {
            self.connection.push(&self.line);
            self.connection.push(&self.payload);
            self.tally.sent += 1;
            self.left -= 1;
        }
    }
}

/// A connection that receives everything.
#[derive(Debug)]
pub(super) struct CoreSubscriber {
    connection: Connection,
    control: Arc<Control>,
    number: usize,
    epoch: Instant,
    tally: Tally,
}

impl CoreSubscriber {
    /// Subscribes; once this returns, the server knows of it.
    pub(super) async fn prepare(
        mut connection: Connection,
        number: usize,
        control: Arc<Control>,
        epoch: Instant,
    ) -> Result<Self> {
        connection.push(format!("SUB {SUBJECT_START}> 1\r\n").as_bytes());
        connection.synchronise().await?;
        Ok(Self { connection, control, number, epoch, tally: Tally::new(0) })
    }

    /// Receives until everything that was published is there, or nothing comes any more.
    pub(super) async fn run(mut self) -> Tally {
        if let Err(error) = self.drive().await {
            self.tally.failures.push(format!("subscriber {}: {error}", self.number + 1));
        }
        if let Some(published) = self.control.published() {
            self.tally.missing += published.saturating_sub(self.tally.arrived);
            self.tally.repeated += self.tally.arrived.saturating_sub(published);
        }
        self.tally
    }

    async fn drive(&mut self) -> Result<()> {
        let mut empty_looks = 0;
        loop {
            self.connection.flush()?;
            if self.connection.receive()? {
                empty_looks = 0;
                self.take()?;
                tokio::task::yield_now().await;
            }
            let published = self.control.published();
            if published.is_some_and(|published| self.tally.arrived >= published) {
                return Ok(());
            }
            if !self.connection.ready(LOOK_INTERVAL).await? && published.is_some() {
                empty_looks += 1;
                if empty_looks >= EMPTY_LOOKS_MAX {
                    return Ok(());
                }
            }
        }
    }

    fn take(&mut self) -> Result<()> {
        let now = Instant::now();
        let before = self.tally.arrived;
        while let Some(operation) = self.connection.next()? {
            let Incoming::Message { payload, .. } = operation else { continue };
            self.tally.arrived += 1;
            let since = payload.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
            if let Some(since) =
                since.and_then(|since| self.epoch.checked_add(Duration::from_nanos(since)))
            {
                self.tally.record(now.saturating_duration_since(since));
            }
        }
        if self.tally.arrived > before {
            self.control.settle(self.tally.arrived - before);
            self.tally.last = Some(now);
        }
        Ok(())
    }
}
