//! Requests for an upgrade to WebSocket: any bytes get one answer that is HTTP, in bounded memory; what it says does not depend on how
//! the network cuts them; and who is let in asked for it as RFC 6455 says.
#![no_main]

use headwater_fuzz::{
    wire::{Wire, soon},
    within_memory,
};
use headwater_server::{config::options::WebSocketOptions, network::websocket_testing::hand_shake};
use libfuzzer_sys::fuzz_target;

/// Bytes of a head, after which nothing more of it is read.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes held for a request: the head as it grows, and its parts as text, of which each byte may become three.
const MEMORY_BYTES_MAX: usize = 8 * HEAD_BYTES_MAX;
/// Bytes of a request.
const REQUEST_BYTES_MAX: usize = 3 * HEAD_BYTES_MAX;
/// Headers of an answer.
const ANSWER_HEADERS: [&str; 8] = [
    "Connection",
    "Content-Length",
    "Content-Type",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Version",
    "Upgrade",
    "X-Own",
];

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// Bytes of the request that were read before the answer.
    used: usize,
    /// The answer; empty where the connection ends without one.
    answer: String,
    is_compressed: Option<bool>,
}

fn run(bytes: &[u8], sizes: &[u8], options: &WebSocketOptions) -> Verdict {
    let mut wire = Wire::new(bytes, sizes, sizes);
    let result = within_memory(MEMORY_BYTES_MAX, || soon(hand_shake(&mut wire, options)));
    let answer = String::from_utf8(wire.outgoing).expect("an answer in ASCII");
    assert_eq!(
        result.is_err(),
        answer.is_empty(),
        "an answer, or the end of the request: {answer}"
    );
    let is_compressed = result.ok().flatten().map(|granted| granted.is_compressed());
    let used = bytes.len() - wire.unread_at_answer.unwrap_or(0);
    Verdict { used, answer, is_compressed }
}

/// Checks that an answer is HTTP and says what it has to; gives its status.
fn check_answer(verdict: &Verdict) -> Option<u16> {
    let text = &verdict.answer;
    if text.is_empty() {
        return None;
    }
    let mut lines = [httparse::EMPTY_HEADER; ANSWER_HEADERS.len()];
    let mut response = httparse::Response::new(&mut lines);
    let parsed = response.parse(text.as_bytes());
    let Ok(httparse::Status::Complete(used)) = parsed else { panic!("{parsed:?}: {text:?}") };
    let value = |name: &str| {
        let line = response.headers.iter().find(|line| line.name == name);
        line.map(|line| std::str::from_utf8(line.value).expect("text"))
    };
    for line in response.headers.iter() {
        assert!(ANSWER_HEADERS.contains(&line.name), "{text:?}");
    }
    let (status, body) = (response.code.unwrap_or(0), &text[used..]);
    assert_eq!((verdict.is_compressed.is_some(), response.version), (status == 101, Some(1)));
    if status == 101 {
        assert_eq!((body, value("Upgrade")), ("", Some("websocket")), "{text:?}");
        assert_eq!(value("Connection"), Some("Upgrade"));
        let accept = value("Sec-WebSocket-Accept")
            .and_then(|accept| data_encoding::BASE64.decode(accept.as_bytes()).ok());
        assert_eq!(accept.map(|accept| accept.len()), Some(20), "{text:?}");
        let extensions = value("Sec-WebSocket-Extensions");
        assert_eq!(extensions.is_some(), verdict.is_compressed == Some(true), "{text:?}");
        assert_eq!(value("X-Own"), Some("a b"));
    } else {
        assert!(matches!(status, 400 | 403 | 404 | 405 | 431 | 505), "{text:?}");
        assert_eq!(value("Connection"), Some("close"));
        assert_eq!(value("Content-Length"), Some(body.len().to_string().as_str()), "{text:?}");
    }
    Some(status)
}

/// Whether a request asks for an upgrade, by a plain reading of its lines.
fn asks(head: &[u8], verdict: &Verdict) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines =
        text.split('\n').map(|line| line.trim_end_matches('\r')).skip_while(|line| line.is_empty());
    let is_get =
        lines.next().is_some_and(|line| line.starts_with("GET ") && line.contains(" HTTP/1."));
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let values = |name: &str| {
        let found = headers.iter().filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).collect::<Vec<_>>()
    };
    let has = |name: &str, word: &str| {
        let is_word = |item: &str| item.trim().eq_ignore_ascii_case(word);
        values(name).iter().any(|value| value.split(',').any(is_word))
    };
    let key = values("Sec-WebSocket-Key").first().map(|key| (key.len(), key.ends_with("==")));
    let offers = values("Sec-WebSocket-Extensions").join(",").to_ascii_lowercase();
    is_get
        && values("Host").len() == 1
        && has("Upgrade", "websocket")
        && has("Connection", "upgrade")
        && has("Sec-WebSocket-Version", "13")
        && key == Some((24, true))
        && (verdict.is_compressed != Some(true) || offers.contains("permessage-deflate"))
}

/// A request with a few bytes made long: 1 stands for a long word, 2 for many header lines.
fn long(bytes: &[u8], times: u8) -> Vec<u8> {
    let times = usize::from(times);
    let mut request = Vec::new();
    for byte in bytes {
        match byte {
            1 => request.extend(b"x".repeat(times * 80)),
            2 => request.extend(b"A: b\r\n".repeat(times)),
            byte => request.push(*byte),
        }
    }
    request.truncate(REQUEST_BYTES_MAX);
    request
}

fuzz_target!(|input: (u8, u8, &[u8], &[u8])| {
    let (choices, times, sizes, bytes) = input;
    let options = WebSocketOptions {
        compression: choices & 1 == 0,
        same_origin: choices & 2 != 0,
        headers: vec![("X-Own".to_owned(), "a b".to_owned())],
        ..WebSocketOptions::default()
    };
    let request = long(bytes, times);
    let slow = run(&request, &[0], &options);
    let status = check_answer(&slow);
    assert!(slow.used <= HEAD_BYTES_MAX);
    if status == Some(101) {
        let head = &request[..slow.used];
        assert!(asks(head, &slow), "let in: {:?}", String::from_utf8_lossy(head));
    }
    for sizes in [sizes, &[]] {
        let found = run(&request, sizes, &options);
        check_answer(&found);
        assert!(found.used <= HEAD_BYTES_MAX, "{found:?}");
        // Nobody was asked yet for what came with the head.
        let is_early = found.used > slow.used && found.answer.contains("data before the upgrade");
        // Empty lines before a request may bring what is wrong with it to light before its end.
        let is_sooner = found.used < slow.used || slow.answer.is_empty();
        let is_bad = is_sooner && slow.is_compressed.is_none() && found.is_compressed.is_none();
        let is_same = (&found.answer, found.is_compressed) == (&slow.answer, slow.is_compressed);
        assert!(is_same || is_early || is_bad, "{found:?} {slow:?}");
    }
});
