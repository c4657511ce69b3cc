//! A server on a free port and raw sockets to it, for tests that look at bytes.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use headwater_server::{Options, RunningServer, Server};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Options for a server on a free port of the loopback address.
pub(crate) fn options() -> Options {
    Options { host: "127.0.0.1".into(), port: 0, ..Options::default() }
}

/// Starts a server.
pub(crate) async fn start(options: Options) -> RunningServer {
    Server::start(options).await.expect("the server starts")
}

/// A raw connection.
pub(crate) struct Wire {
    socket: TcpStream,
    pending: Vec<u8>,
    /// The INFO that greeted it.
    pub(crate) info: serde_json::Value,
}

impl Wire {
    /// Connects and reads INFO.
    pub(crate) async fn connect(server: &RunningServer) -> Self {
        let socket = TcpStream::connect(server.client_address()).await.unwrap();
        let mut wire = Self { socket, pending: Vec::new(), info: serde_json::Value::Null };
        wire.info = wire.read_info().await;
        wire
    }
    /// Connects, and says CONNECT without verbose or pedantic.
    pub(crate) async fn quiet(server: &RunningServer) -> Self {
        let mut wire = Self::connect(server).await;
        let options =
            "\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true";
        wire.send(&format!("CONNECT {{{options}}}\r\n")).await;
        wire
    }
    /// Reads an INFO line.
    pub(crate) async fn read_info(&mut self) -> serde_json::Value {
        let line = self.read_line().await;
        let json = line.strip_prefix("INFO ").unwrap_or_else(|| panic!("INFO, not {line:?}"));
        serde_json::from_str(json.trim_end()).unwrap()
    }
    /// Sends bytes.
    pub(crate) async fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }
    /// Sends bytes; the server may have closed already.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
    }
    async fn fill(&mut self) -> bool {
        let read = tokio::time::timeout(DEADLINE, self.socket.read_buf(&mut self.pending));
        read.await.expect("an answer in time").unwrap_or(0) > 0
    }
    /// Reads a line, without its end.
    pub(crate) async fn read_line(&mut self) -> String {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            assert!(self.fill().await, "closed after {:?}", String::from_utf8_lossy(&self.pending));
        }
    }
    /// Sends PING and reads up to the PONG: everything the server had to say before.
    pub(crate) async fn flush(&mut self) -> String {
        self.send("PING\r\n").await;
        self.read_to("PONG\r\n").await
    }
    /// Reads up to `end`, which is not given back.
    pub(crate) async fn read_to(&mut self, end: &str) -> String {
        loop {
            let found = self.pending.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(at) = found {
                let text = self.pending.drain(..at + end.len()).take(at).collect::<Vec<_>>();
                return String::from_utf8_lossy(&text).into_owned();
            }
            assert!(self.fill().await, "closed after {:?}", String::from_utf8_lossy(&self.pending));
        }
    }
    /// Reads exactly so many bytes.
    pub(crate) async fn read_bytes(&mut self, bytes: usize) -> String {
        while self.pending.len() < bytes {
            let so_far = String::from_utf8_lossy(&self.pending).into_owned();
            let is_open = self.fill().await;
            assert!(is_open, "closed after {so_far:?}");
        }
        let text: Vec<u8> = self.pending.drain(..bytes).collect();
        String::from_utf8_lossy(&text).into_owned()
    }
    /// Reads until the server closes.
    pub(crate) async fn read_to_close(&mut self) -> String {
        while self.fill().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{what} in time"));
}
