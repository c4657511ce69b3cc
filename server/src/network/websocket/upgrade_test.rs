//! Verdicts on requests for an upgrade.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// A request that is granted, with headers changed (`Name: value`) or taken away (`Name`).
fn request(line: &str, changes: &[&str]) -> Head {
    let mut headers = vec![
        ("Host", "h:80"),
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
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
    Head::parse(format!("{line} HTTP/1.1\r\n{lines}\r\n").as_bytes()).unwrap().unwrap().0
}

fn status(line: &str, changes: &[&str], options: &WebSocketOptions) -> u16 {
    let verdict = Upgrade::check(&request(line, changes), options);
    verdict.map_or_else(|refusal| refusal.status, |_| 101)
}

#[test]
fn verdicts() {
    let options = WebSocketOptions::default();
    for (line, changes, expected) in [
        ("GET /", vec![], 101),
        ("GET /any/path?q=/mqtt", vec![], 101),
        ("GET /mqtt", vec![], 404),
        ("POST /x/mqtt?q", vec![], 404),
        ("GET /x/leafnode", vec![], 404),
        ("GET /leafnodes", vec![], 101),
        ("POST /", vec![], 405),
        ("GET /", vec!["Host"], 400),
        ("GET /", vec!["Upgrade"], 400),
        ("GET /", vec!["Upgrade: h2c"], 400),
        ("GET /", vec!["Upgrade: h2c, WebSocket"], 101),
        ("GET /", vec!["Connection: close"], 400),
        ("GET /", vec!["Sec-WebSocket-Key"], 400),
        ("GET /", vec!["Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="], 400),
        ("GET /", vec!["Sec-WebSocket-Key: ??"], 400),
        ("GET /", vec!["Sec-WebSocket-Version: 8"], 400),
        ("GET /", vec!["Origin: null"], 101),
    ] {
        assert_eq!(status(line, &changes, &options), expected, "{line} {changes:?}");
    }
}

#[test]
fn origins() {
    let list = ["https://a.b", "http://c:81"].map(|text| WebOrigin::parse(text).unwrap());
    let listed = WebSocketOptions { allowed_origins: list.to_vec(), ..Default::default() };
    let same = WebSocketOptions { same_origin: true, ..Default::default() };
    let both = WebSocketOptions { same_origin: true, ..listed.clone() };
    for (origin, expected) in [
        ("", [101, 101, 101]),
        ("https://A.b:443/x", [101, 403, 403]),
        ("http://a.b:443", [403, 403, 403]),
        ("http://c:81", [101, 403, 403]),
        ("http://c", [403, 403, 403]),
        ("http://H", [403, 101, 403]),
        ("https://h:80", [403, 403, 403]),
        ("null", [403, 403, 403]),
    ] {
        for name in ["Origin", "Sec-WebSocket-Origin"] {
            let header = format!("{name}: {origin}");
            let found = [&listed, &same, &both].map(|options| status("GET /", &[&header], options));
            assert_eq!(found, expected, "{header}");
        }
    }
}

#[test]
fn granted() {
    let options = WebSocketOptions { compression: true, ..Default::default() };
    let upgrade = |changes: &[&str]| Upgrade::check(&request("GET /", changes), &options).unwrap();
    let plain = upgrade(&["X-Forwarded-For: 1.2.3.4, 5.6.7.8", "Sec-WebSocket-Extensions: x"]);
    assert_eq!((plain.forwarded_for, plain.is_browser, plain.is_compressed), (None, false, false));
    let headers = [("A".to_owned(), "b".to_owned())];
    assert_eq!(
        plain.answer(&headers),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nA: b\r\n\r\n"
    );
    let browser = upgrade(&[
        "X-Forwarded-For: ::1",
        "User-Agent: Mozilla/5.0",
        "Sec-WebSocket-Extensions: x, Permessage-Deflate; client_max_window_bits",
    ]);
    assert_eq!(browser.forwarded_for, "::1".parse().ok());
    assert!(browser.is_browser && browser.is_compressed);
    assert!(browser.answer(&[]).contains("\r\nSec-WebSocket-Extensions: permessage-deflate;"));
}
