//! Clients over WebSocket: upgrades, frames, last words and what monitoring says of them.
//!
//! What is done is data: requests for an upgrade, and frames byte for byte. Each answer is shown as JSON.
//! Not here: bounds that nats-server does not have.

use crate::difference::differences;
use crate::kept::Kept;
use crate::side::{self, Settings, Side};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// How long a server may take to say something.
const ANSWER: Duration = Duration::from_secs(10);
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const CONNECT: &[u8] =
    b"CONNECT {\"verbose\":false,\"user\":\"u\",\"pass\":\"p\",\"name\":\"n\",\"lang\":\"l\",\"version\":\"1\"}\r\n";

/// A request for an upgrade, with headers changed (`Name: value`) or taken away (`Name`).
fn request(line: &str, changes: &[&str]) -> String {
    let mut headers = vec![
        ("Host", "h:80"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ];
    for change in changes {
        let (name, value) = change.split_once(": ").unwrap_or((change, ""));
        headers.retain(|(old, _)| *old != name);
        if !value.is_empty() {
            headers.push((name, value));
        }
    }
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{line} HTTP/1.1\r\n{lines}\r\n")
}

/// A connection, and what was read of it and not looked at.
struct Wire {
    socket: TcpStream,
    pending: Vec<u8>,
}

impl Wire {
    fn ask(side: &Side, request: &str) -> Self {
        let mut socket = TcpStream::connect(side.address_of("websocket")).unwrap();
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        Self { socket, pending: Vec::new() }
    }
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let bytes = self.socket.read(&mut buffer).unwrap_or(0);
        self.pending.extend_from_slice(&buffer[..bytes]);
        bytes > 0
    }
    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        while self.pending.len() < bytes {
            if !self.fill() {
                return None;
            }
        }
        Some(self.pending.drain(..bytes).collect())
    }
    /// The status and the headers of the answer that matter.
    fn head(&mut self) -> Value {
        let end = loop {
            let end = self.pending.windows(4).position(|part| part == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            if !self.fill() {
                return json!("closed");
            }
        };
        let head = String::from_utf8(self.take(end).unwrap()).unwrap();
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers: Vec<_> = lines.map(str::to_ascii_lowercase).collect();
        headers.retain(|line| line.starts_with("sec-websocket-") || line.starts_with("x-own"));
        headers.sort();
        json!({"status": status, "headers": headers})
    }
    /// The next frame; for a last word its status, and its text where the client gave it.
    fn frame(&mut self, last_text: bool) -> Value {
        let Some(head) = self.take(2) else { return json!("end") };
        let length = match head[1] {
            126 => self.take(2).unwrap().iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            127 => self.take(8).unwrap().iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        let payload = self.take(length).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match (head[0], payload.as_slice()) {
            (0x88, [high, low, reason @ ..]) => {
                let reason = if last_text { text(reason) } else { String::new() };
                json!({"last": u16::from_be_bytes([*high, *low]), "reason": reason})
            }
            (first, payload) => json!({"first": first, "payload": text(payload)}),
        }
    }
}

/// A frame with a mask.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    assert!(payload.len() < 126);
    let masked = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    [first, 0x80 | payload.len() as u8].into_iter().chain(key).chain(masked).collect()
}

fn start(program: &Path, websocket: &str, more: &str) -> Side {
    let more = format!(
        "http: '127.0.0.1:-1'\nwebsocket {{ listen: '127.0.0.1:-1', no_tls: true {websocket} }}\n{more}"
    );
    Side::start_with(program.into(), Settings { more, ..Settings::default() })
}

/// Does the same on both sides and compares what they show, step by step.
fn compare(name: &str, websocket: &str, more: &str, act: impl Fn(&Side) -> Vec<(String, Value)>) {
    let Some(peer) = side::nats_server() else { return };
    let own = if side::is_self_test() { peer.clone() } else { side::headwater() };
    let [left, right] = [own, peer].map(|program| act(&start(&program, websocket, more)));
    assert_eq!(left.len(), right.len());
    let (mut kept, mut findings) = (Kept::of(name), Vec::new());
    for ((step, left), (_, right)) in left.iter().zip(&right) {
        for difference in differences(left, right) {
            if !kept.covers(step, &difference) {
                findings.push(format!(
                    "{step}\n  {difference}\n  headwater: {left}\n  nats-server: {right}"
                ));
            }
        }
    }
    if !side::is_self_test() {
        findings.extend(kept.unused());
    }
    assert!(findings.is_empty(), "{name}: {}", findings.join("\n"));
}

#[test]
fn upgrades() {
    let rows: Vec<(&str, Vec<&str>)> = vec![
        ("GET /", vec![]),
        ("GET /any/path?q=/mqtt", vec![]),
        ("GET /mqtt", vec![]),
        ("POST /x/mqtt?q", vec![]),
        ("GET /leafnode", vec![]),
        ("POST /", vec![]),
        ("HEAD /", vec![]),
        ("GET /", vec!["Host"]),
        ("GET /", vec!["Upgrade"]),
        ("GET /", vec!["Upgrade: h2c"]),
        ("GET /", vec!["Upgrade: h2c, WebSocket"]),
        ("GET /", vec!["Connection: close"]),
        ("GET /", vec!["Connection: keep-alive,UPGRADE"]),
        ("GET /", vec!["Sec-WebSocket-Key"]),
        ("GET /", vec!["Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="]),
        ("GET /", vec!["Sec-WebSocket-Key: ??"]),
        ("GET /", vec!["Sec-WebSocket-Version"]),
        ("GET /", vec!["Sec-WebSocket-Version: 8, 13"]),
        ("GET /", vec!["Sec-WebSocket-Version: 8"]),
        ("GET /", vec!["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]),
        ("GET /", vec!["Sec-WebSocket-Extensions: x, Permessage-Deflate;q"]),
        ("GET /", vec!["Sec-WebSocket-Protocol: x"]),
        ("GET /", vec!["Origin: null"]),
        ("GET /", vec!["Origin: http://a"]),
        ("GET /", vec!["Origin: http://a:81"]),
        ("GET /", vec!["Origin: https://b.c:443/x?y"]),
        ("GET /", vec!["Origin: HTTPS://B.c"]),
        ("GET /", vec!["Origin: http://h"]),
        ("GET /", vec!["Origin: https://h:80"]),
        ("GET /", vec!["Sec-WebSocket-Origin: http://d"]),
        ("GET /", vec!["Host: b.c:443", "Origin: http://b.c:443"]),
    ];
    let act = |side: &Side| {
        rows.iter()
            .map(|(line, changes)| {
                let mut shown = Wire::ask(side, &request(line, changes)).head();
                if changes == &["Host"] {
                    // Go's HTTP server answers that itself.
                    shown["headers"].take();
                }
                (format!("{line} {changes:?}"), shown)
            })
            .collect()
    };
    let list = "allowed_origins: ['http://a', 'https://b.c']";
    compare("websocket/upgrades", ", compression: true, headers { X-Own: 'yes' }", "", act);
    compare("websocket/origins_list", &format!(", {list}"), "", act);
    compare("websocket/origins_same", ", same_origin: true", "", act);
    compare("websocket/origins_both", &format!(", same_origin: true, {list}"), "", act);
}

/// Frames for one connection, and how many are read after.
type Row = (&'static str, Vec<Vec<u8>>, usize);

fn rows() -> Vec<Row> {
    let ping = || frame(0x82, b"PING\r\n");
    vec![
        ("binary", vec![ping()], 1),
        ("text", vec![frame(0x81, b"PING\r\n")], 1),
        ("split", vec![frame(0x82, b"PI"), frame(0x01, b"N"), frame(0x80, b"G\r\n")], 1),
        ("ping", vec![frame(0x89, b"hello")], 1),
        ("ping between", vec![frame(0x02, b"PI"), frame(0x89, b""), frame(0x80, b"NG\r\n")], 2),
        ("pong", vec![frame(0x8a, b"x"), ping()], 1),
        ("publish", vec![frame(0x82, b"SUB a 1\r\nPUB a 2\r\nhi\r\n")], 1),
        ("close", vec![frame(0x88, b"\x03\xe8bye")], 2),
        ("close of one's own", vec![frame(0x88, b"\x0f\xa0")], 2),
        ("close without status", vec![frame(0x88, b"")], 2),
        ("broken close of one byte", vec![frame(0x88, b"\x03")], 2),
        ("close, no text", vec![frame(0x88, b"\x03\xe8\xff")], 2),
        ("broken close, no status", vec![frame(0x88, b"\x03\xed")], 2),
        ("broken no mask", vec![vec![0x82, 1, b'P']], 2),
        ("broken opcode", vec![frame(0x83, b"")], 2),
        ("broken reserved bit", vec![frame(0xa2, b"")], 2),
        ("broken compressed", vec![frame(0xc2, b"")], 2),
        ("broken continuation", vec![frame(0x80, b"")], 2),
        ("broken within", vec![frame(0x02, b""), frame(0x82, b"")], 2),
        ("broken control in pieces", vec![frame(0x09, b"")], 2),
        ("broken large control", vec![vec![0x89, 0xfe, 0, 126, 1, 2, 3, 4]], 2),
        ("broken unknown operation", vec![frame(0x82, b"FOO\r\n")], 3),
        ("broken payload", vec![frame(0x82, b"PUB a 9999999\r\n")], 3),
        ("broken arguments", vec![frame(0x82, b"PUB a b c d e\r\n")], 3),
    ]
}

#[test]
fn frames() {
    compare("websocket/frames", "", "", |side| {
        let shown = rows().into_iter().map(|(name, frames, count)| {
            let mut wire = Wire::ask(side, &request("GET /", &["X-Forwarded-For: 1.2.3.4"]));
            wire.head();
            let mut greeting = wire.frame(false);
            let text = greeting["payload"].as_str().unwrap();
            let info: Value = serde_json::from_str(text.strip_prefix("INFO ").unwrap()).unwrap();
            let port = side.address_of("websocket").rsplit_once(':').unwrap().1.to_owned();
            assert_eq!(info["port"].to_string(), port);
            let same = [
                "host",
                "headers",
                "max_payload",
                "client_ip",
                "proto",
                "auth_required",
                "api_lvl",
            ];
            greeting = same.iter().map(|name| ((*name).to_owned(), info[*name].clone())).collect();
            wire.socket.write_all(&frame(0x82, CONNECT)).unwrap();
            frames.iter().for_each(|frame| wire.socket.write_all(frame).unwrap());
            let is_own = name.starts_with("close");
            let found: Vec<_> = (0..count).map(|_| wire.frame(is_own)).collect();
            (name.to_owned(), json!({"greeting": greeting, "found": found}))
        });
        shown.collect()
    });
}

fn get(side: &Side, path: &str) -> Value {
    let mut socket = TcpStream::connect(side.address_of("monitoring")).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\nHost: h\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A connection of `/connz`, without what differs in every run.
fn shown(mut connection: Value) -> Value {
    let fields = connection.as_object_mut().unwrap();
    // What waits is counted in another way, and tags of accounts are not there.
    for name in [
        "cid",
        "port",
        "start",
        "stop",
        "last_activity",
        "rtt",
        "uptime",
        "idle",
        "pending_bytes",
        "name_tag",
    ] {
        fields.remove(name);
    }
    connection
}

#[test]
fn monitoring() {
    let more = "authorization { users: [ {user: u, password: p} ] }\nno_auth_user: u";
    let own = ", no_auth_user: u, handshake_timeout: '5s', same_origin: true, ping_interval: '1m', \
        allowed_origins: 'http://a', authorization { timeout: 3 }";
    compare("websocket/monitoring", own, more, |side| {
        let connect = |last: &[u8]| {
            let mut wire = Wire::ask(side, &request("GET /", &["X-Forwarded-For: 1.2.3.4"]));
            wire.head();
            wire.frame(false);
            wire.socket.write_all(&frame(0x82, CONNECT)).unwrap();
            wire.socket.write_all(&frame(0x82, b"PING\r\n")).unwrap();
            wire.frame(false);
            wire.socket.write_all(last).unwrap();
            wire
        };
        let mut found = Vec::new();
        let mut varz = get(side, "/varz")["websocket"].take();
        varz.as_object_mut().unwrap().remove("port");
        varz["auth_timeout"] = varz["auth_timeout"].as_f64().into();
        found.push(("varz".to_owned(), varz));
        let wire = connect(b"");
        let mut connz = get(side, "/connz");
        let mut open = connz["connections"].take();
        let open = open.as_array_mut().unwrap().pop().unwrap();
        found.push(("open".to_owned(), shown(open)));
        drop(wire);
        for (name, last) in [
            ("closed", frame(0x88, b"\x03\xe8")),
            ("broken", frame(0xa2, b"")),
            ("unknown", frame(0x82, b"FOO\r\n")),
        ] {
            let mut wire = connect(&last);
            while wire.frame(false) != "end" {}
            let closed = loop {
                let mut connz = get(side, "/connz?state=closed&sort=stop");
                let mut list = connz["connections"].take();
                let list = list.as_array_mut().unwrap();
                let is_own = |one: &Value| {
                    one["type"] == "websocket"
                        && one["port"] == wire.socket.local_addr().unwrap().port()
                };
                if let Some(closed) = list.iter().find(|one| is_own(one)) {
                    break closed.clone();
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            found.push((name.to_owned(), shown(closed)));
        }
        found
    });
}
