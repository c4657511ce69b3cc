//! One connection to any NATS server, for high rates: operations are put into a buffer that is written as a whole, and what
//! comes is parsed in place. No task, no channel and no allocation per message.
//!
//! Not here: what the load is (`publisher`, `core`), requests to the JetStream API (`streams`).

use super::address::Address;
use super::error::{BenchError, Result};
use super::incoming::{self, Incoming};
use bytes::{Buf, BytesMut};
use serde::Deserialize;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the server gets for what it does at once: the handshake, a PONG, an answer of the API.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Room made before each read.
const READ_BYTES: usize = 256 * 1024;

/// What the server said of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Greeting {
    /// Version of nats-server, or the one whose behaviour a Headwater server has.
    pub(super) version: String,
    /// Version of Headwater; empty on other servers.
    pub(super) headwater_version: String,
    /// When Headwater acknowledges a publish; empty where it does not say.
    pub(super) headwater_sync: String,
    /// Largest payload, in bytes.
    pub(super) max_payload: usize,
    /// Whether the server insists on TLS.
    pub(super) tls_required: bool,
    /// Whether it has JetStream.
    pub(super) jetstream: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    /// Bytes to be written; those before `written` are.
    outgoing: Vec<u8>,
    written: usize,
    incoming: BytesMut,
    /// Bytes of `incoming` that have been given out as operations.
    consumed: usize,
    greeting: Greeting,
}

impl Connection {
    /// Connects and waits until the server has accepted the credentials.
    pub(super) async fn open(address: &Address) -> Result<Self> {
        let refuse = |source| BenchError::Connect { address: address.host_port.clone(), source };
        let socket = TcpStream::connect(&address.host_port).await.map_err(refuse)?;
        socket.set_nodelay(true)?;
        let mut connection = Self {
            socket,
            outgoing: Vec::new(),
            written: 0,
            incoming: BytesMut::new(),
            consumed: 0,
            greeting: Greeting::default(),
        };
        connection.wait_for("INFO", |operation| matches!(operation, Incoming::Info(_))).await?;
        if connection.greeting.tls_required {
            let why = "the server insists on TLS, which the load generator does not speak";
            return Err(BenchError::Invalid(why.into()));
        }
        let (user, password, token) = match (&address.user, &address.password) {
            (Some(user), Some(password)) => (Some(user), Some(password), None),
            (token, _) => (None, None, token.as_ref()),
        };
        let options = serde_json::json!({
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true, "protocol": 1,
            "echo": true, "lang": "rust", "version": env!("CARGO_PKG_VERSION"), "name": "headwater bench",
            "user": user, "pass": password, "auth_token": token,
        });
        connection.push(format!("CONNECT {options}\r\n").as_bytes());
        connection.synchronise().await?;
        Ok(connection)
    }

    /// What the server said of itself.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Puts bytes of an operation into the buffer.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
    }

    /// Bytes in the buffer that are not written.
    pub(super) fn unwritten_bytes(&self) -> usize {
        self.outgoing.len() - self.written
    }

    /// Writes as much as the socket takes now.
    pub(super) fn flush(&mut self) -> Result<()> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.socket.try_write(rest) {
                Ok(0) => return Err(BenchError::Closed),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.outgoing.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what is there; false where that is nothing.
    pub(super) fn receive(&mut self) -> Result<bool> {
        self.incoming.advance(self.consumed.min(self.incoming.len()));
        self.consumed = 0;
        self.incoming.reserve(READ_BYTES);
        match self.socket.try_read_buf(&mut self.incoming) {
            Ok(0) => Err(BenchError::Closed),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The next operation of what was read. Pings are answered here, and `-ERR` is an error.
    pub(super) fn next(&mut self) -> Result<Option<Incoming<'_>>> {
        let rest = self.incoming.get(self.consumed..).unwrap_or_default();
        let Some((operation, bytes)) = incoming::parse(rest)? else { return Ok(None) };
        self.consumed += bytes;
        match operation {
            Incoming::Error(text) => {
                return Err(BenchError::Refused(String::from_utf8_lossy(text).into_owned()));
            }
            Incoming::Ping => self.outgoing.extend_from_slice(b"PONG\r\n"),
            Incoming::Info(json) => {
                self.greeting = serde_json::from_slice(json)
                    .map_err(|_| BenchError::Protocol("an INFO that is no JSON object"))?;
            }
            _ => {}
        }
        Ok(Some(operation))
    }

    /// Waits until there is something to read, or room to write where something is to be written; false after `limit`.
    pub(super) async fn ready(&self, limit: Duration) -> Result<bool> {
        let interest = if self.unwritten_bytes() > 0 {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        match timeout(limit, self.socket.ready(interest)).await {
            Ok(ready) => ready.map(|_| true).map_err(BenchError::from),
            Err(_) => Ok(false),
        }
    }

    /// Waits until the server has dealt with everything that was sent. Messages that come meanwhile are dropped.
    pub(super) async fn synchronise(&mut self) -> Result<()> {
        self.push(b"PING\r\n");
        self.wait_for("PONG", |operation| operation == Incoming::Pong).await
    }

    /// Writes what is in the buffer and drops what comes up to an operation that is `wanted`.
    pub(super) async fn wait_for(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(Incoming<'_>) -> bool,
    ) -> Result<()> {
        loop {
            self.flush()?;
            while let Some(operation) = self.next()? {
                if wanted(operation) {
                    return Ok(());
                }
            }
            if self.receive()? {
                continue;
            }
            if !self.ready(ANSWER_TIMEOUT).await? {
                let time = ANSWER_TIMEOUT;
                return Err(BenchError::Silence { what: what.to_owned(), time });
            }
        }
    }
}
