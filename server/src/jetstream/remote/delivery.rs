//! What a consumer on another server sends: messages, of which the reply says which they are, and statuses.
//! Not here: whether something is missing (`session`).

use crate::protocol::headers;
use crate::routing::Message as Sent;
use bytes::Bytes;
use headwater_storage::{Message, Timestamp};

const ACKNOWLEDGEMENT: &str = "$JS.ACK.";

/// Something that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// A message.
    Message {
        /// As it is stored there.
        message: Message,
        /// The how manieth of its consumer.
        number: u64,
        /// How many messages are left behind it.
        pending: u64,
    },
    /// The consumer asks whether all that it sent came.
    Flow(Bytes),
    /// The consumer is there.
    Heartbeat {
        /// How many messages it sent; none where it does not say.
        number: Option<u64>,
        /// It waits for an answer to this question; empty where it does not.
        stalled: Bytes,
    },
    /// The consumer ends.
    End(String),
}

impl Delivery {
    /// Reads what came; none for what no consumer sends.
    pub(super) fn read(sent: &Sent) -> Option<Self> {
        let reply = std::str::from_utf8(&sent.reply).ok()?;
        if let Some(rest) = reply.strip_prefix(ACKNOWLEDGEMENT) {
            return Self::message(rest, sent);
        }
        let (code, text) = headers::status(&sent.headers)?;
        let field = |name| headers::get(&sent.headers, name).unwrap_or_default();
        match (code, sent.reply.is_empty()) {
            (b"100", false) => Some(Self::Flow(sent.reply.clone())),
            (b"100", true) => Some(Self::Heartbeat {
                number: number(std::str::from_utf8(field("Nats-Last-Consumer")).ok()?),
                stalled: Bytes::copy_from_slice(field("Nats-Consumer-Stalled")),
            }),
            _ => {
                let said = [code, text].join(&b' ');
                Some(Self::End(String::from_utf8_lossy(&said).into_owned()))
            }
        }
    }

    /// `<stream>.<consumer>.<times>.<sequence>.<number>.<time>.<pending>`, perhaps behind a domain and a hash of the account,
    /// and then perhaps with more words at the end.
    fn message(rest: &str, sent: &Sent) -> Option<Self> {
        let words: Vec<&str> = rest.split('.').take(16).collect();
        let from = if words.len() > 7 { 2 } else { 0 };
        let [_, _, _times, sequence, count, time, pending] = words.get(from..from + 7)? else {
            return None;
        };
        let message = Message {
            sequence: number(sequence)?,
            time: Timestamp(i64::try_from(number(time)?).ok()?),
            subject: sent.subject.clone(),
            headers: sent.headers.clone(),
            payload: sent.payload.clone(),
        };
        Some(Self::Message { message, number: number(count)?, pending: number(pending)? })
    }
    /// What it takes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let content = match self {
            Self::Message { message, .. } => {
                message.subject.len() + message.headers.len() + message.payload.len()
            }
            _ => 0,
        };
        content + size_of::<Self>()
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(reply: &str, headers: &str) -> Sent {
        Sent {
            subject: "a".into(),
            reply: reply.to_owned().into(),
            headers: headers.to_owned().into(),
            payload: Bytes::new(),
        }
    }

    #[test]
    fn what_a_consumer_sends() {
        let heartbeat = |number, stalled: &'static str| Delivery::Heartbeat {
            number,
            stalled: Bytes::from(stalled),
        };
        for (reply, headers, expected) in [
            (
                "$JS.FC.x",
                "NATS/1.0 100 FlowControl Request\r\n\r\n",
                Delivery::Flow("$JS.FC.x".into()),
            ),
            ("", "NATS/1.0 100 Idle Heartbeat\r\n\r\n", heartbeat(None, "")),
            (
                "",
                "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 7\r\nNats-Consumer-Stalled: f\r\n\r\n",
                heartbeat(Some(7), "f"),
            ),
            (
                "",
                "NATS/1.0 409 Consumer Deleted\r\n\r\n",
                Delivery::End("409 Consumer Deleted".into()),
            ),
        ] {
            assert_eq!(Delivery::read(&sent(reply, headers)), Some(expected));
        }
        for reply in [
            "$JS.ACK.S.C.1.5.3.1000.9",
            "$JS.ACK.hub.hash.S.C.1.5.3.1000.9",
            "$JS.ACK.hub.hash.S.C.1.5.3.1000.9.x",
        ] {
            let Some(Delivery::Message { message, number, pending }) =
                Delivery::read(&sent(reply, ""))
            else {
                panic!("{reply} is of a message");
            };
            assert_eq!((message.sequence, number, message.time.0, pending), (5, 3, 1000, 9));
        }
        for reply in ["", "x", "$JS.ACK.S.C.1.5.3.1000", "$JS.ACK.S.C.1.x.3.1000.9", "$JS.ACK."] {
            assert_eq!(Delivery::read(&sent(reply, "")), None, "{reply}");
        }
    }
}
