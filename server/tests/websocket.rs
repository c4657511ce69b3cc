//! Clients over WebSocket: upgrades that are refused, frames cut in every way, bounds, and what is said of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use futures_util::{SinkExt, StreamExt};
use headwater_server::config::options::{
    AuthOptions, UserOptions, WebSocketAuth, WebSocketOptions,
};
use headwater_server::config::web_origin::WebOrigin;
use headwater_server::{Options, RunningServer};
use serde_json::Value;
use std::time::{Duration, Instant};
use support::{DEADLINE, Wire, eventually, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const HEAD: &str = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

fn with(websocket: WebSocketOptions) -> Options {
    let websocket = WebSocketOptions { host: "127.0.0.1".into(), ..websocket };
    Options { websocket: Some(websocket), ..support::options() }
}

fn options() -> Options {
    with(WebSocketOptions::default())
}

async fn dial(server: &RunningServer) -> TcpStream {
    TcpStream::connect(server.websocket_address().unwrap()).await.unwrap()
}

/// What the server answers to bytes, up to its end.
async fn answer(server: &RunningServer, bytes: &[u8]) -> String {
    let mut socket = dial(server).await;
    let _ = socket.write_all(bytes).await;
    let mut found = Vec::new();
    let read = tokio::time::timeout(DEADLINE, socket.read_to_end(&mut found));
    let _ = read.await.expect("it ends in time");
    String::from_utf8_lossy(&found).into_owned()
}

/// A client of a library, and the bytes it received that are not looked at.
struct Client {
    socket: WebSocketStream<TcpStream>,
    pending: Vec<u8>,
    last: Option<CloseFrame>,
}

impl Client {
    async fn connect(server: &RunningServer) -> Self {
        let (socket, _) = client_async("ws://localhost/", dial(server).await).await.unwrap();
        Self { socket, pending: Vec::new(), last: None }
    }
    /// Connects, takes the INFO and says CONNECT.
    async fn quiet(server: &RunningServer) -> Self {
        let mut client = Self::connect(server).await;
        client.info().await;
        client.binary("CONNECT {\"verbose\":false}\r\n").await;
        client
    }
    async fn send(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }
    async fn binary(&mut self, text: &str) {
        self.send(Message::Binary(Bytes::copy_from_slice(text.as_bytes()))).await;
    }
    /// The next message; none where the server ended.
    async fn next(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(DEADLINE, self.socket.next());
        next.await.expect("a message in time")?.ok()
    }
    /// Takes what the next message brings; false where the server ended.
    async fn fill(&mut self) -> bool {
        match self.next().await {
            Some(Message::Binary(bytes)) => self.pending.extend_from_slice(&bytes),
            Some(Message::Close(last)) => self.last = last,
            Some(Message::Pong(_)) => {}
            Some(other) => panic!("binary messages, not {other:?}"),
            None => return false,
        }
        true
    }
    async fn read_to(&mut self, end: &str) -> String {
        loop {
            let found = self.pending.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(at) = found {
                let text: Vec<u8> = self.pending.drain(..at + end.len()).collect();
                return String::from_utf8_lossy(&text).into_owned();
            }
            let so_far = String::from_utf8_lossy(&self.pending).into_owned();
            assert!(self.fill().await, "closed after {so_far:?}");
        }
    }
    async fn info(&mut self) -> Value {
        let line = self.read_to("\r\n").await;
        serde_json::from_str(line.strip_prefix("INFO ").unwrap().trim()).unwrap()
    }
    async fn flush(&mut self) -> String {
        self.binary("PING\r\n").await;
        self.read_to("PONG\r\n").await
    }
    /// What is received up to the end, and the status and text of the last word.
    async fn read_to_close(&mut self) -> (String, Option<(u16, String)>) {
        while self.fill().await {}
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        let last = self.last.as_ref();
        (text, last.map(|last| (last.code.into(), last.reason.to_string())))
    }
}

#[tokio::test]
async fn refused_upgrades() {
    let server = start(options()).await;
    for (request, expected) in [
        (format!("POST / HTTP/1.1\r\n{HEAD}\r\n"), "405 Method Not Allowed"),
        (format!("GET /mqtt HTTP/1.1\r\n{HEAD}\r\n"), "404 Not Found"),
        (format!("GET /leafnode HTTP/1.1\r\n{HEAD}\r\n"), "404 Not Found"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".into(), "400 Bad Request"),
        (format!("GET / HTTP/1.1\r\n{HEAD}\r\nPING\r\n"), "400 Bad Request"),
        ("CONNECT {}\r\nPING\r\n\r\n".into(), "400 Bad Request"),
        (
            format!("GET / HTTP/1.1\r\n{HEAD}Cookie: {}\r\n\r\n", "x".repeat(100_000)),
            "431 Request Header Fields Too Large",
        ),
    ] {
        let found = answer(&server, request.as_bytes()).await;
        assert!(found.starts_with(&format!("HTTP/1.1 {expected}\r\n")), "{request:.40}: {found}");
        assert!(found.contains("Sec-WebSocket-Version: 13\r\n"), "{found}");
    }
    assert_eq!(server.shared().registry.accepted(), 0);
    server.shutdown().await;
}

#[tokio::test]
async fn slow_heads() {
    let timeout = Duration::from_millis(100);
    let websocket = WebSocketOptions { handshake_timeout: Some(timeout), ..Default::default() };
    let server = start(with(websocket)).await;
    let started = Instant::now();
    assert_eq!(answer(&server, b"GET / HTTP/1.1\r\n").await, "");
    assert!(started.elapsed() >= timeout);
    // A byte now and then does not put it off.
    let mut socket = dial(&server).await;
    let started = Instant::now();
    while socket.write_all(b"G").await.is_ok() {
        assert!(started.elapsed() < DEADLINE, "it ends in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.shutdown().await;
    // Who is upgraded has no such bound. The upgrade itself has, also on a busy machine.
    let timeout = Duration::from_secs(2);
    let websocket = WebSocketOptions { handshake_timeout: Some(timeout), ..Default::default() };
    let server = start(with(websocket)).await;
    let mut client = Client::quiet(&server).await;
    tokio::time::sleep(timeout + Duration::from_millis(200)).await;
    client.flush().await;
    server.shutdown().await;
}

#[tokio::test]
async fn origins_and_headers() {
    let server = start(with(WebSocketOptions {
        allowed_origins: vec![WebOrigin::parse("http://good.example").unwrap()],
        headers: vec![("X-Own".into(), "yes".into())],
        ..Default::default()
    }))
    .await;
    let bad = format!("GET / HTTP/1.1\r\n{HEAD}Origin: http://bad.example\r\n\r\n");
    assert!(answer(&server, bad.as_bytes()).await.starts_with("HTTP/1.1 403 Forbidden\r\n"));
    let request = tungstenite::http::Request::builder()
        .uri("ws://localhost/any/path")
        .header("Host", "localhost")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Origin", "http://good.example:80")
        .body(());
    let (_, response) = client_async(request.unwrap(), dial(&server).await).await.unwrap();
    assert_eq!(response.headers()["X-Own"], "yes");
    server.shutdown().await;
}

#[tokio::test]
async fn greetings() {
    let server = start(options()).await;
    let mut client = Client::connect(&server).await;
    let info = client.info().await;
    let port = server.websocket_address().unwrap().port();
    assert_eq!((&info["host"], &info["port"]), (&"127.0.0.1".into(), &port.into()));
    assert_eq!(info["client_ip"], "127.0.0.1");
    // The plain port says what it always said.
    let plain = Wire::connect(&server).await.info;
    assert_eq!(plain["port"], server.client_address().port());
    server.shutdown().await;
}

#[tokio::test]
async fn operations_in_any_frames() {
    let server = start(options()).await;
    let (mut client, mut plain) = (Client::quiet(&server).await, Wire::quiet(&server).await);
    plain.send("SUB a 1\r\n").await;
    assert_eq!(plain.flush().await, "");
    // One operation in many frames, with a ping between them, and as text.
    let piece = |text: &str, kind, is_final| {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Message::Frame(Frame::message(bytes, OpCode::Data(kind), is_final))
    };
    client.send(piece("PU", Data::Text, false)).await;
    client.send(Message::Ping(Bytes::from_static(b"between"))).await;
    client.send(piece("B a 5\r", Data::Continue, false)).await;
    client.send(piece("", Data::Continue, false)).await;
    client.send(piece("\nhel", Data::Continue, true)).await;
    client.send(Message::text("lo\r")).await;
    // Many operations in one frame.
    client.binary("\nPUB a 1\r\nx\r\nSUB b 7\r\nPUB b 2\r\nhi\r\nPUB a 0\r\n\r\nPIN").await;
    assert_eq!(client.next().await, Some(Message::Pong(Bytes::from_static(b"between"))));
    client.binary("G\r\n").await;
    assert_eq!(client.read_to("PONG\r\n").await, "MSG b 7 2\r\nhi\r\nPONG\r\n");
    let expected = "MSG a 1 5\r\nhello\r\nMSG a 1 1\r\nx\r\nMSG a 1 0\r\n\r\n";
    assert_eq!(plain.flush().await, expected);
    // A large message, both ways.
    let large = "x".repeat(1_000_000);
    client.binary(&format!("PUB b {}\r\n{large}\r\n", large.len())).await;
    assert!(client.flush().await.contains(&large));
    server.shutdown().await;
}

#[tokio::test]
async fn last_words() {
    let server = start(options()).await;
    let shared = server.shared().clone();
    // The client's own is answered, and what it sent before is done.
    let (mut client, mut plain) = (Client::quiet(&server).await, Wire::quiet(&server).await);
    plain.send("SUB a 1\r\n").await;
    assert_eq!(plain.flush().await, "");
    client.binary("PUB a 0\r\n\r\n").await;
    let own = CloseFrame { code: 4000.into(), reason: "bye".into() };
    client.send(Message::Close(Some(own))).await;
    assert_eq!(client.read_to_close().await, (String::new(), Some((4000, "bye".into()))));
    assert_eq!(plain.read_bytes("MSG a 1 0\r\n\r\n".len()).await, "MSG a 1 0\r\n\r\n");
    eventually("it is gone", || shared.registry.len() == 1).await;
    let reason = shared.registry.closed().last().unwrap().link.reason().unwrap().to_string();
    assert_eq!(reason, "Client Closed");
    // A frame that breaks the rules.
    let mut client = Client::quiet(&server).await;
    client.socket.get_mut().write_all(&[0x82, 6]).await.unwrap();
    client.socket.get_mut().write_all(b"PING\r\n").await.unwrap();
    let (text, last) = client.read_to_close().await;
    assert_eq!((text.as_str(), last.unwrap().0), ("", 1002));
    eventually("it is gone", || shared.registry.len() == 1).await;
    let reason = shared.registry.closed().last().unwrap().link.reason().unwrap().to_string();
    assert_eq!(reason, "Read Error");
    // Operations that break the rules, and a server that stops.
    let mut client = Client::quiet(&server).await;
    client.binary(&format!("PUB a {}\r\n", 2 << 20)).await;
    let (text, last) = client.read_to_close().await;
    assert_eq!((text.as_str(), last.unwrap().0), ("-ERR 'Maximum Payload Violation'\r\n", 1009));
    let mut client = Client::quiet(&server).await;
    assert_eq!(client.flush().await, "PONG\r\n");
    server.shutdown().await;
    let expected = Some((1001, "Server Shutdown".to_owned()));
    assert_eq!(client.read_to_close().await, (String::new(), expected));
}

#[tokio::test]
async fn logins() {
    let user =
        |name: &str| UserOptions { name: name.into(), password: "p".into(), is_system: false };
    let timeout = Some(Duration::from_millis(200));
    let all = AuthOptions { users: vec![user("u")], ..AuthOptions::default() };
    let connect = |name: &str| {
        format!("CONNECT {{\"user\":\"{name}\",\"pass\":\"p\",\"verbose\":false}}\r\n")
    };
    let nobody = "CONNECT {\"verbose\":false}\r\n".to_owned();
    let violation = "-ERR 'Authorization Violation'\r\n";
    for (own, input, is_let_in) in [
        (WebSocketAuth { timeout, ..Default::default() }, connect("u"), true),
        (WebSocketAuth { timeout, ..Default::default() }, nobody.clone(), false),
        (
            WebSocketAuth { user: Some(user("w")), timeout, ..Default::default() },
            connect("w"),
            true,
        ),
        (
            WebSocketAuth { user: Some(user("w")), timeout, ..Default::default() },
            connect("u"),
            false,
        ),
        (
            WebSocketAuth { no_auth_user: Some("u".into()), timeout, ..Default::default() },
            nobody.clone(),
            true,
        ),
        (
            WebSocketAuth { no_auth_user: Some("u".into()), timeout, ..Default::default() },
            "PING\r\n".into(),
            false,
        ),
    ] {
        let websocket = WebSocketOptions { auth: own, ..Default::default() };
        let server = start(Options { auth: all.clone(), ..with(websocket) }).await;
        let mut client = Client::connect(&server).await;
        assert_eq!(client.info().await["auth_required"], true);
        client.binary(&input).await;
        if is_let_in {
            assert_eq!(client.flush().await, "PONG\r\n", "{input}");
        } else {
            let (text, last) = client.read_to_close().await;
            assert_eq!((text.as_str(), last.unwrap().0), (violation, 1008), "{input}");
        }
        // Who says nothing is let go, whatever else it sends.
        let mut client = Client::connect(&server).await;
        client.info().await;
        client.send(Message::Ping(Bytes::new())).await;
        let (text, last) = client.read_to_close().await;
        assert_eq!((text.as_str(), last.unwrap().0), ("-ERR 'Authentication Timeout'\r\n", 1008));
        server.shutdown().await;
    }
}

#[tokio::test]
async fn connections() {
    let mut options = options();
    options.limits.connections_max = 1;
    let server = start(options).await;
    let mut first = Client::quiet(&server).await;
    let mut second = Client::connect(&server).await;
    second.info().await;
    let (text, last) = second.read_to_close().await;
    assert_eq!((text.as_str(), last.unwrap().0), ("-ERR 'maximum connections exceeded'\r\n", 1008));
    assert_eq!(first.flush().await, "PONG\r\n");
    server.shutdown().await;
}

/// Nobody who has not logged in makes the server keep what a frame announces.
#[tokio::test]
async fn large_frames_before_the_login() {
    let user = UserOptions { name: "u".into(), password: "p".into(), is_system: false };
    let auth = AuthOptions { users: vec![user], ..AuthOptions::default() };
    let server = start(Options { auth, ..options() }).await;
    let mut client = Client::connect(&server).await;
    client.info().await;
    let huge = [&[0x82, 0xff][..], &(1u64 << 40).to_be_bytes(), &[0; 4], b"CONNECT {"].concat();
    client.socket.get_mut().write_all(&huge).await.unwrap();
    let filler = [b' '; 8192];
    while client.socket.get_mut().write_all(&filler).await.is_ok() {}
    let closed = || server.shared().registry.closed().last().map(|one| one.link.reason());
    eventually("it is closed", || closed().is_some()).await;
    assert_eq!(closed().flatten().unwrap().to_string(), "Maximum Control Line Exceeded");
    server.shutdown().await;
}

#[tokio::test]
async fn slow_consumers() {
    let mut options = options();
    options.limits.pending_bytes_max = 256 * 1024;
    options.limits.payload_bytes_max = 128 * 1024;
    let server = start(options).await;
    let (mut slow, mut sender) = (Client::quiet(&server).await, Wire::quiet(&server).await);
    slow.binary("SUB a 1\r\n").await;
    assert_eq!(slow.flush().await, "PONG\r\n");
    let payload = "x".repeat(64 * 1024);
    let message = format!("PUB a {}\r\n{payload}\r\n", payload.len());
    let shared = server.shared().clone();
    let started = Instant::now();
    while shared.registry.totals().slow_consumers == 0 {
        assert!(started.elapsed() < DEADLINE, "cut off in time");
        sender.send(&message).await;
        sender.flush().await;
    }
    server.shutdown().await;
}

/// Answers to pings that nobody reads are not kept.
#[tokio::test]
async fn floods_of_pings() {
    let server = start(options()).await;
    let mut client = Client::quiet(&server).await;
    for _ in 0..100_000 {
        client.socket.feed(Message::Ping(Bytes::from_static(&[b'p'; 125]))).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    assert_eq!(client.flush().await, "PONG\r\n");
    assert_eq!(server.shared().registry.open()[0].pending_bytes(), 0);
    server.shutdown().await;
}

#[tokio::test]
async fn events() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options();
    options.storage.store_dir = Some(directory.path().to_owned());
    options.jetstream_mut();
    let user = UserOptions { name: "s".into(), password: "p".into(), is_system: true };
    options.auth = AuthOptions { users: vec![user], ..AuthOptions::default() };
    let server = start(options).await;
    let (mut system, mut plain) = (Wire::connect(&server).await, Wire::quiet(&server).await);
    system.send("CONNECT {\"verbose\":false,\"user\":\"s\",\"pass\":\"p\"}\r\n").await;
    system.send("SUB $SYS.ACCOUNT.$G.CONNECT 1\r\n").await;
    system.flush().await;
    plain.send("SUB $JS.EVENT.ADVISORY.API 1\r\n").await;
    plain.flush().await;
    let mut client = Client::quiet(&server).await;
    client.binary("PUB $JS.API.INFO answer 0\r\n\r\n").await;
    for wire in [&mut system, &mut plain] {
        assert!(wire.read_line().await.starts_with("MSG "));
        let told: Value = serde_json::from_str(&wire.read_line().await).unwrap();
        assert_eq!(told["client"]["client_type"], "websocket", "{told}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn monitoring() {
    let websocket = WebSocketOptions {
        handshake_timeout: Some(Duration::from_secs(3)),
        same_origin: true,
        compression: true,
        ..Default::default()
    };
    let server = start(with(websocket)).await;
    let client = Client::quiet(&server).await;
    let query = headwater_server::monitoring::Query::default();
    let connz = headwater_server::monitoring::connections::view(server.shared(), &query).unwrap();
    let connection = &connz["connections"][0];
    assert_eq!((&connection["type"], &connection["kind"]), (&"websocket".into(), &"Client".into()));
    let varz = headwater_server::monitoring::variables::view(server.shared());
    let port = server.websocket_address().unwrap().port();
    let expected = serde_json::json!({
        "host": "127.0.0.1", "port": port, "no_tls": true, "same_origin": true, "compression": true,
        "handshake_timeout": 3_000_000_000u64,
    });
    assert_eq!(varz["websocket"], expected);
    drop(client);
    server.shutdown().await;
}
