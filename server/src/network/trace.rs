//! Lines of the log that show each protocol operation, for `--trace`. Secrets are not shown.
//! Not here: whether they are wanted is the log's filter, asked before any text is made.

use super::Link;
use crate::log::WIRE;
use crate::protocol::{Operation, Span};
use crate::routing::{Parts, Subscription};

/// Whether operations are shown at all.
pub(super) fn is_on() -> bool {
    tracing::enabled!(target: WIRE, tracing::Level::TRACE)
}

/// Shows an operation that was read; `frame` is all of it.
pub(super) fn received(link: &Link, frame: &[u8], operation: Operation) {
    let line_end = memchr::memchr(b'\n', frame).unwrap_or(frame.len());
    let line = frame.get(..line_end).unwrap_or_default().trim_ascii_end();
    match operation {
        Operation::Connect(json) => show(link, "<<-", &connect(json.of(frame))),
        Operation::Publish { headers, payload, .. } => {
            show(link, "<<-", &String::from_utf8_lossy(line));
            let body = Span { start: headers.start, end: payload.end };
            body_line(link, "<<-", body.of(frame));
        }
        _ => show(link, "<<-", &String::from_utf8_lossy(line)),
    }
}

/// Shows bytes that are no delivery.
pub(super) fn sent(link: &Link, bytes: &[u8]) {
    show(link, "->>", String::from_utf8_lossy(bytes).trim_end());
}

/// Shows a delivery.
pub(super) fn delivered(link: &Link, to: &Subscription, message: &Parts<'_>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let verb = if message.headers.is_empty() { "MSG" } else { "HMSG" };
    let bytes = message.headers.len() + message.payload.len();
    let parts = [verb, &text(message.subject), &text(&to.sid), &text(message.reply)];
    let words: Vec<_> = parts.into_iter().filter(|word| !word.is_empty()).collect();
    show(link, "->>", &format!("{} {bytes}", words.join(" ")));
    body_line(link, "->>", message.payload);
}

fn show(link: &Link, direction: &str, line: &str) {
    tracing::trace!(target: WIRE, "{link} - {direction} [{line}]");
}

fn body_line(link: &Link, direction: &str, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    tracing::trace!(target: WIRE, "{link} - {direction} MSG_PAYLOAD: [{text:?}]");
}

/// CONNECT without its secrets.
fn connect(json: &[u8]) -> String {
    const SECRETS: [&str; 4] = ["pass", "auth_token", "jwt", "sig"];
    let Ok(serde_json::Value::Object(mut object)) = serde_json::from_slice(json) else {
        return "CONNECT".to_owned();
    };
    for (name, value) in &mut object {
        if SECRETS.contains(&name.as_str()) {
            *value = "[REDACTED]".into();
        }
    }
    format!("CONNECT {}", serde_json::Value::Object(object))
}
