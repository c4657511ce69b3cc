//! A message on its way from publisher to subscribers, owned or borrowed, and who published it.
//! Not here: stored messages (the engine has its own type).

use bytes::Bytes;
use std::sync::Arc;
use std::time::SystemTime;

/// A message between publisher and subscribers. Cloning copies no bytes.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Subject (valid UTF-8).
    pub subject: Bytes,
    /// Reply subject; empty for none.
    pub reply: Bytes,
    /// The whole header block, `NATS/1.0` line and closing empty line included; empty for none.
    pub headers: Bytes,
    /// Payload.
    pub payload: Bytes,
}

/// A message by reference: what a connection reads is delivered to other connections without owning it.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Subject.
    pub subject: &'a [u8],
    /// Reply subject; empty for none.
    pub reply: &'a [u8],
    /// Header block; empty for none.
    pub headers: &'a [u8],
    /// Payload.
    pub payload: &'a [u8],
    /// Who is to receive it, where that is not its subject: how consumers deliver stored messages. Empty else.
    pub deliver: &'a [u8],
    /// Queue groups that a peer serves with it; empty for none, and for all other receivers.
    pub queues: &'a [Bytes],
    /// The same message with shared ownership, where there is one.
    pub owned: Option<&'a Message>,
}

impl<'a> From<&'a Message> for Parts<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            subject: &message.subject,
            reply: &message.reply,
            headers: &message.headers,
            payload: &message.payload,
            deliver: &[],
            queues: &[],
            owned: Some(message),
        }
    }
}

impl Parts<'_> {
    /// The message with shared ownership, copied if need be.
    pub fn to_message(&self) -> Message {
        self.owned.cloned().unwrap_or_else(|| Message {
            subject: Bytes::copy_from_slice(self.subject),
            reply: Bytes::copy_from_slice(self.reply),
            headers: Bytes::copy_from_slice(self.headers),
            payload: Bytes::copy_from_slice(self.payload),
        })
    }
}

/// Who published: a client connection or the server itself.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Connection id; 0 for the server itself.
    pub client_id: u64,
    /// Name the client gave; empty for none.
    pub name: Arc<str>,
    /// User the client logged in as; empty for none.
    pub user: Arc<str>,
    /// Address of the client, as text.
    pub host: Arc<str>,
    /// Language the client gave.
    pub language: Arc<str>,
    /// Version the client gave.
    pub version: Arc<str>,
    /// How the client's bytes travel, as events name it; empty for the server itself.
    pub client_type: &'static str,
    /// When the client connected; none for the server itself.
    pub started: Option<SystemTime>,
    /// Whether the connection does not want what it publishes itself.
    pub no_echo: bool,
}
