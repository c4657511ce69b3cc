//! Verdicts on requests for an upgrade, in nats-server's order, and the answer to one that is granted.
//! Not here: reading the request (`head`).

use super::head::{Head, Refusal};
use crate::config::options::WebSocketOptions;
use crate::config::web_origin::WebOrigin;
use std::net::IpAddr;
use tungstenite::handshake::derive_accept_key;

/// The version of the protocol.
const VERSION: &str = "13";
/// Bytes of a key.
const KEY_BYTES: usize = 16;
/// What is asked for when a message may be compressed.
const DEFLATE: &str = "permessage-deflate";
/// Each message is compressed for itself, on both sides: nothing is kept between messages.
const DEFLATE_ANSWER: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";

/// An upgrade that is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upgrade {
    accept: String,
    /// For whom a proxy says that it asks.
    pub(super) forwarded_for: Option<IpAddr>,
    /// Whether a browser asks.
    pub(super) is_browser: bool,
    /// Whether messages may be compressed.
    pub(super) is_compressed: bool,
}

impl Upgrade {
    /// The verdict on a request.
    pub(super) fn check(head: &Head, options: &WebSocketOptions) -> Result<Self, Refusal> {
        let bad = |reason: &str| Err(Refusal::new(400, reason));
        let path = head.target.split(['?', '#']).next().unwrap_or_default();
        if path.ends_with("/mqtt") {
            return Err(Refusal::new(404, "MQTT is not supported by Headwater"));
        }
        if head.method != "GET" {
            return Err(Refusal::new(405, "the method is not GET"));
        }
        if head.values("Host").count() != 1 || head.first("Host").is_empty() {
            return bad("one header Host expected");
        }
        if !head.has_word("Upgrade", "websocket") {
            return bad("no header Upgrade: websocket");
        }
        if !head.has_word("Connection", "Upgrade") {
            return bad("no header Connection: Upgrade");
        }
        let key = head.first("Sec-WebSocket-Key");
        let decoded = data_encoding::BASE64.decode(key.as_bytes());
        if !decoded.is_ok_and(|decoded| decoded.len() == KEY_BYTES) {
            return bad("no header Sec-WebSocket-Key, or not one of 16 bytes");
        }
        if !head.has_word("Sec-WebSocket-Version", VERSION) {
            return bad("no header Sec-WebSocket-Version: 13");
        }
        check_origin(head, options).map_err(|reason| Refusal::new(403, reason))?;
        if path.ends_with("/leafnode") {
            let reason = "leaf nodes over WebSocket are not supported by Headwater";
            return Err(Refusal::new(404, reason));
        }
        Ok(Self {
            accept: derive_accept_key(key.as_bytes()),
            forwarded_for: head.first("X-Forwarded-For").parse().ok(),
            is_browser: head.first("User-Agent").starts_with("Mozilla/"),
            is_compressed: options.compression && asks_for_compression(head),
        })
    }

    /// The answer.
    pub(super) fn answer(&self, headers: &[(String, String)]) -> String {
        let accept = &self.accept;
        let compression = if self.is_compressed { DEFLATE_ANSWER } else { "" };
        let own: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{compression}{own}\r\n"
        )
    }
}

fn asks_for_compression(head: &Head) -> bool {
    let mut offers = head.values("Sec-WebSocket-Extensions").flat_map(|value| value.split(','));
    offers.any(|offer| {
        let name = offer.split(';').next().unwrap_or_default();
        name.trim_matches([' ', '\t']).eq_ignore_ascii_case(DEFLATE)
    })
}

/// Browsers say where the page comes from; other clients say nothing, and could say anything.
fn check_origin(head: &Head, options: &WebSocketOptions) -> Result<(), String> {
    if !options.same_origin && options.allowed_origins.is_empty() {
        return Ok(());
    }
    let text = match head.first("Origin") {
        "" => head.first("Sec-WebSocket-Origin"),
        text => text,
    };
    if text.is_empty() {
        return Ok(());
    }
    let origin = WebOrigin::parse(text).ok_or("the origin cannot be read")?;
    if options.same_origin && WebOrigin::of_host(head.first("Host")).as_ref() != Some(&origin) {
        return Err("not the same origin".to_owned());
    }
    if !options.allowed_origins.is_empty() && !options.allowed_origins.contains(&origin) {
        return Err("the origin is not in the list".to_owned());
    }
    Ok(())
}

#[cfg(test)]
#[path = "upgrade_test.rs"]
mod tests;
