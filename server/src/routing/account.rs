//! An account: one isolated space of subjects. Clients and the server's own services subscribe and publish in it.

use bytes::Bytes;
use std::sync::Arc;

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

/// Who published: a client connection or the server itself.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Connection id; 0 for the server itself.
    pub client_id: u64,
    /// Name the client gave; empty for none.
    pub name: Arc<str>,
    /// Address of the client, as text.
    pub host: Arc<str>,
    /// Language and version the client gave.
    pub language: Arc<str>,
    /// Version the client gave.
    pub version: Arc<str>,
}

/// A service of the server that receives messages. Called on the publisher's task: must not block.
pub trait Handler: Send + Sync + 'static {
    /// Takes one message.
    fn deliver(&self, account: &Arc<Account>, message: &Message, origin: &Arc<Origin>);
}

/// Keeps an internal subscription; dropping it unsubscribes.
#[derive(Debug)]
pub struct InternalSubscription {}

/// One isolated space of subjects.
#[derive(Debug)]
pub struct Account {}

impl Account {
    /// Its name; `$G` for the global one.
    pub fn name(&self) -> &str {
        todo!()
    }
    /// Subscribes a service to a subject (wildcards allowed).
    pub fn subscribe(
        self: &Arc<Self>,
        _subject: &str,
        _handler: Arc<dyn Handler>,
    ) -> InternalSubscription {
        todo!()
    }
    /// Delivers a message to whoever listens; gives how many (a queue group counts once). Never waits.
    pub fn publish(self: &Arc<Self>, _message: &Message, _origin: &Arc<Origin>) -> usize {
        todo!()
    }
    /// Delivers the server's own message. May be called from any thread, the commit thread included.
    pub fn send(self: &Arc<Self>, _message: &Message) -> usize {
        todo!()
    }
    /// Whether anybody listens to this literal subject.
    pub fn has_interest(&self, _subject: &str) -> bool {
        todo!()
    }
}
