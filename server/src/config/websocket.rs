//! The block `websocket`: where clients over WebSocket connect, which pages may, and who may log in there.
//! Not here: the listener (`network::websocket`).

use super::authorization;
use super::options::{Options, UserOptions, WebSocketAuth, WebSocketOptions};
use super::reader::Reader;
use super::tree::{Map, Node, Value};
use super::web_origin::WebOrigin;
use std::time::Duration;

/// Keys of nats-server in this block that are known and not built.
const UNSUPPORTED: &[&str] =
    &["advertise", "jwt_cookie", "pass_cookie", "tls", "token_cookie", "user_cookie"];

/// Headers that the answer to an upgrade has of its own.
const OWN_HEADERS: &[&str] =
    &["host", "content-length", "connection", "upgrade", "nats-no-masking"];

/// Reads the block.
pub(super) fn read(reader: &mut Reader, options: &mut Options, value: &Value) {
    let Some(map) = reader.map(value) else { return };
    let mut own = WebSocketOptions::default();
    let (mut has_port, mut is_plain) = (false, false);
    for entry in &map.entries {
        let (key, value) = (entry.key.to_ascii_lowercase(), &entry.value);
        match key.as_str() {
            "listen" => {
                if let Some((host, port)) = reader.address(value) {
                    own.host = host.unwrap_or(own.host);
                    (own.port, has_port) = (port, true);
                }
            }
            "host" | "net" => own.host = reader.string(value).unwrap_or_default(),
            "port" => {
                if let Some(port) = reader.port(value) {
                    (own.port, has_port) = (port, true);
                }
            }
            "no_tls" => is_plain = reader.boolean(value).unwrap_or(true),
            "same_origin" => own.same_origin = reader.boolean(value).unwrap_or_default(),
            "allowed_origins" | "allowed_origin" | "allow_origins" | "allow_origin" | "origins"
            | "origin" => origins(reader, &mut own, value),
            "handshake_timeout" => own.handshake_timeout = positive(reader, value),
            "ping_interval" => own.ping_interval = positive(reader, value),
            "compression" | "compress" => {
                own.compression = reader.boolean(value).unwrap_or_default();
            }
            "headers" => headers(reader, &mut own, value),
            "authorization" | "authentication" => authorize(reader, &mut own.auth, value),
            "no_auth_user" => own.auth.no_auth_user = reader.string(value),
            key => reader.refuse_key(entry, UNSUPPORTED.contains(&key)),
        }
    }
    if !has_port {
        reader.refuse(&value.place, "a listener for WebSocket without a port");
    }
    if !is_plain && map.find(&["tls"]).is_none() {
        let reason = "\"no_tls: true\" is needed, because TLS is not supported by Headwater";
        reader.refuse(&value.place, reason);
    }
    options.websocket = Some(own);
}

/// A duration, where 0 stands for the default.
fn positive(reader: &mut Reader, value: &Value) -> Option<Duration> {
    authorization::timeout(reader, value).filter(|duration| !duration.is_zero())
}

fn origins(reader: &mut Reader, own: &mut WebSocketOptions, value: &Value) {
    for text in reader.strings(value).unwrap_or_default() {
        match WebOrigin::parse(&text) {
            Some(origin) => own.allowed_origins.push(origin),
            None => reader.refuse(
                &value.place,
                format!(
                    "{text:?} is no origin: http://host[:port] or https://host[:port] expected"
                ),
            ),
        }
    }
}

fn headers(reader: &mut Reader, own: &mut WebSocketOptions, value: &Value) {
    let Some(map) = reader.map(value) else { return };
    for entry in &map.entries {
        let name = entry.key.to_ascii_lowercase();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_token) {
            reader.refuse(&entry.place, format!("{:?} cannot be a header", entry.key));
        } else if OWN_HEADERS.contains(&name.as_str()) || name.starts_with("sec-websocket-") {
            let reason = format!("header {:?} is the server's own", entry.key);
            reader.refuse(&entry.place, reason);
        }
        let Some(text) = reader.string(&entry.value) else { continue };
        if text.chars().any(|c| c.is_control() && c != '\t') {
            reader.refuse(&entry.value.place, "control characters in a header");
        }
        own.headers.push((entry.key.clone(), text));
    }
}

fn authorize(reader: &mut Reader, auth: &mut WebSocketAuth, value: &Value) {
    let Some(map) = reader.map(value) else { return };
    let (mut name, mut password) = (None, None);
    for entry in &map.entries {
        let value = &entry.value;
        match entry.key.to_ascii_lowercase().as_str() {
            "user" | "username" => name = reader.string(value),
            "pass" | "password" => password = reader.string(value),
            "token" => auth.token = reader.string(value),
            "timeout" => auth.timeout = positive(reader, value),
            _ => reader.refuse_key(entry, false),
        }
    }
    match (name, password) {
        (Some(_), _) if auth.token.is_some() => {
            reader.refuse(&value.place, "a user and a token exclude each other");
        }
        (Some(name), password) => {
            let password = password.unwrap_or_default();
            auth.user = Some(UserOptions { name, password, is_system: false });
        }
        (None, Some(_)) => reader.refuse(&value.place, "a password without a user"),
        (None, None) => {}
    }
}

/// What the block cannot say alone: a user or a token of its own, and the list of users, exclude each other.
pub(super) fn check(reader: &mut Reader, options: &Options, map: &Map) {
    let Some(own) = &options.websocket else { return };
    let Some(value) = map.find(&["websocket", "ws"]) else { return };
    let has_list = has_users(map);
    if has_list && (own.auth.user.is_some() || own.auth.token.is_some()) {
        let reason = "a user or a token for WebSocket, and a list of users, exclude each other";
        reader.refuse(&value.place, reason);
    }
    if let Some(name) = &own.auth.no_auth_user
        && !(has_list && options.auth.users.iter().any(|user| user.name == *name))
    {
        reader.refuse(&value.place, "the no_auth_user for WebSocket is not in a list of users");
    }
}

/// Whether a list of users is anywhere.
fn has_users(map: &Map) -> bool {
    let within = |value: &Value| match &value.node {
        Node::Map(map) => map.find(&["users"]).is_some(),
        _ => false,
    };
    let of_accounts = |value: &Value| match &value.node {
        Node::Map(map) => map.entries.iter().any(|entry| within(&entry.value)),
        _ => false,
    };
    map.find(&["authorization"]).is_some_and(within)
        || map.find(&["accounts"]).is_some_and(of_accounts)
}
