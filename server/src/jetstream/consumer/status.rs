//! Statuses: messages without a body that tell a client how its request or its subscription goes.
//! Not here: when they are sent.

use crate::routing::Message;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt::Write;

/// A status line, and fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: u16,
    pub(crate) text: Cow<'static, str>,
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Status {
    /// A status without fields.
    pub(crate) fn new(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into(), fields: Vec::new() }
    }
    /// A pull request that ends, with what it did not get.
    pub(crate) fn ended(code: u16, text: &'static str, messages: i64, bytes: i64) -> Self {
        let fields = vec![
            ("Nats-Pending-Messages", messages.to_string()),
            ("Nats-Pending-Bytes", bytes.to_string()),
        ];
        Self { fields, ..Self::new(code, text) }
    }
    /// Nothing happens, and this is how far the consumer is. `stalled`: the subject that flow control waits for.
    pub(crate) fn idle(delivery: u64, sequence: u64, stalled: Option<&str>) -> Self {
        let mut fields = vec![
            ("Nats-Last-Consumer", delivery.to_string()),
            ("Nats-Last-Stream", sequence.to_string()),
        ];
        fields.extend(stalled.map(|subject| ("Nats-Consumer-Stalled", subject.to_owned())));
        Self { fields, ..Self::new(100, "Idle Heartbeat") }
    }
    /// As a message; `reply` is empty where no answer is wanted.
    pub(crate) fn message(&self, subject: &str, reply: &str) -> Message {
        let mut block = format!("NATS/1.0 {} {}\r\n", self.code, self.text);
        for (name, value) in &self.fields {
            // Writing to a string does not fail.
            let _ = write!(block, "{name}: {value}\r\n");
        }
        block.push_str("\r\n");
        Message {
            subject: Bytes::copy_from_slice(subject.as_bytes()),
            reply: Bytes::copy_from_slice(reply.as_bytes()),
            headers: Bytes::from(block),
            payload: Bytes::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        for (status, expected) in [
            (Status::new(404, "No Messages"), "NATS/1.0 404 No Messages\r\n\r\n"),
            (
                Status::ended(408, "Request Timeout", 3, 0),
                "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n\
                 Nats-Pending-Bytes: 0\r\n\r\n",
            ),
            (
                Status::idle(1, 2, Some("x")),
                "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\nNats-Last-Stream: 2\r\n\
                 Nats-Consumer-Stalled: x\r\n\r\n",
            ),
        ] {
            assert_eq!(status.message("s", "").headers, expected);
        }
    }
}
