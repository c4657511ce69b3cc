//! One connection that publishes to streams, with a bounded number of publishes under way, and reads the acknowledgements.
//!
//! A message is three copies into the connection's buffer (the line up to the token, the token, the rest), so that one
//! core makes some million messages a second. The clock is read once for each filling of the buffer and once for each
//! reading: a latency counts from the moment at which the message was ready to be sent.
//! Not here: what an acknowledgement must look like (`acknowledgement`), who is under way (`window`).

use super::acknowledgement::{self, Acknowledgement};
use super::client::Connection;
use super::control::Control;
use super::error::{BenchError, Result};
use super::incoming::{self, Incoming};
use super::load::Load;
use super::streams;
use super::tally::Tally;
use super::window::{UnderWay, Window};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The buffer is written once it holds this much.
const BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of a malformed answer that are shown.
const SAMPLE_BYTES: usize = 120;

/// What goes to one stream.
#[derive(Debug)]
struct Target {
    name: String,
    /// The line up to the token.
    line_start: Vec<u8>,
}

/// A connection that publishes to streams.
#[derive(Debug)]
pub(super) struct Publisher {
    connection: Connection,
    control: Arc<Control>,
    window: Window,
    targets: Vec<Target>,
    /// The line after the token, and the payload.
    line_end: Vec<u8>,
    inbox: Vec<u8>,
    client: usize,
    silence_max: Duration,
    /// Messages still to be sent.
    left: u64,
    tally: Tally,
}

impl Publisher {
    /// Prepares a connection: once this returns the server knows where to send the acknowledgements.
    pub(super) async fn prepare(
        mut connection: Connection,
        load: &Load,
        client: usize,
        payload: &[u8],
        control: Arc<Control>,
    ) -> Result<Self> {
        let inbox = format!("_INBOX.{}.", nuid::next());
        connection.push(format!("SUB {inbox}* 1\r\n").as_bytes());
        connection.synchronise().await?;
        let target = |index| {
            let line_start = format!("PUB {} {inbox}", streams::subject(index, client)).into();
            Target { name: streams::name(index), line_start }
        };
        let mut line_end = format!(" {}\r\n", payload.len()).into_bytes();
        line_end.extend_from_slice(payload);
        line_end.extend_from_slice(b"\r\n");
        Ok(Self {
            connection,
            control,
            window: Window::new(load.inflight),
            targets: (0..load.streams).map(target).collect(),
            line_end,
            inbox: inbox.into_bytes(),
            client,
            silence_max: load.silence_max,
            left: load.share(client),
            tally: Tally::new(load.streams),
        })
    }

    /// Publishes until the load or the time is used up and everything is settled.
    pub(super) async fn run(mut self) -> Tally {
        if let Err(error) = self.drive().await {
            self.tally.failures.push(format!("client {}: {error}", self.client + 1));
        }
        self.tally.missing += self.window.len() as u64;
        self.tally
    }

    async fn drive(&mut self) -> Result<()> {
        loop {
            let now = Instant::now();
            let is_over = self.control.is_over(now) || self.left == 0;
            if !is_over {
                self.fill(now);
            }
            self.connection.flush()?;
            if is_over && self.window.len() == 0 {
                return Ok(());
            }
            if self.connection.receive()? {
                self.settle()?;
                // Other connections of this thread get their turn; a socket that always has something would keep it.
                tokio::task::yield_now().await;
            } else if !self.connection.ready(self.silence_max).await? {
                let time = self.silence_max;
                return Err(BenchError::Silence { what: "acknowledgements".into(), time });
            }
        }
    }

    /// Puts messages into the buffer until it, the window or the load is used up.
    fn fill(&mut self, now: Instant) {
        while self.left > 0 && self.connection.unwritten_bytes() < BUFFER_BYTES {
            let turn = self.tally.sent + self.client as u64;
            let stream = turn.rem_euclid(self.targets.len().max(1) as u64) as usize;
            let Some(target) = self.targets.get(stream) else { return };
            let Some(token) = self.window.enter(UnderWay { since: now, stream }) else { return };
            self.connection.push(&target.line_start);
            self.connection.push(itoa::Buffer::new().format(token).as_bytes());
            self.connection.push(&self.line_end);
            self.tally.sent += 1;
            self.left -= 1;
        }
    }

    /// Takes all acknowledgements that were read.
    fn settle(&mut self) -> Result<()> {
        let now = Instant::now();
        let before = self.window.len();
        while let Some(operation) = self.connection.next()? {
            let Incoming::Message { subject, headers, payload } = operation else { continue };
            let token = subject.strip_prefix(self.inbox.as_slice()).and_then(incoming::number);
            let Some(publish) = token.and_then(|token| self.window.settle(token)) else {
                self.tally.repeated += 1;
                continue;
            };
            self.tally.record(now.saturating_duration_since(publish.since));
            let expected = self.targets.get(publish.stream).map(|target| target.name.as_str());
            match acknowledgement::read(headers, payload) {
                Acknowledgement::Stored { stream, sequence } if Some(stream) == expected => {
                    self.tally.stored(publish.stream, sequence);
                }
                Acknowledgement::Duplicate => self.tally.duplicates += 1,
                Acknowledgement::Refused { code, description } => {
                    self.tally.refuse(code, description);
                }
                Acknowledgement::Stored { .. } | Acknowledgement::Malformed => {
                    self.tally.malformed += 1;
                    self.tally.malformed_sample.get_or_insert_with(|| {
                        let shown = payload.get(..SAMPLE_BYTES).unwrap_or(payload);
                        String::from_utf8_lossy(shown).into_owned()
                    });
                }
            }
        }
        let settled = before - self.window.len();
        if settled > 0 {
            self.control.settle(settled as u64);
            self.tally.last = Some(now);
        }
        Ok(())
    }
}
