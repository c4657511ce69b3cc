//! Where messages come from: a stream that can be opened, read from a position on, and asked how far it reaches.
//! Implementations: `local` (same process); others may be registered by name (`registry`).
//! Invariants: messages come in rising sequence, each at most once in a session; a session belongs to one creation of the
//! stream and ends when that is deleted.
//! Not here: what is done with the messages (`plugin`), retries (`driver`).

use crate::{Result, identity::OriginIdentity};
use headwater_storage::{Message, Timestamp};
use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc};

/// A future in a box, so that the traits can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stream to copy from.
pub trait Origin: Send + Sync + Debug {
    /// Its name, for status and messages.
    fn name(&self) -> &str;
    /// Opens it as it is now. `OriginNotFound` where there is none.
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>>>;
    /// Resolves when opening may give something else than at the time of the call: the stream appeared, went away, or
    /// was replaced. May resolve too often; never resolving is right where nothing can be known.
    fn changed(&self) -> BoxFuture<'static, ()>;
}

/// What an origin says of itself when it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginFacts {
    /// Which creation of the stream it is.
    pub identity: OriginIdentity,
    /// Sequence of its first message; `last_sequence + 1` where it holds none.
    pub first_sequence: u64,
    /// Highest sequence it gave out.
    pub last_sequence: u64,
}

/// Where to begin reading. Positions outside of what the origin holds are moved to its first message, or behind its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this sequence.
    Sequence(u64),
    /// At the first message stored at or after this time.
    Time(Timestamp),
}

/// Messages of an origin, in order.
#[derive(Clone, Debug, Default)]
pub struct OriginBatch {
    /// The messages that match; may be empty.
    pub messages: Vec<Message>,
    /// Every sequence up to this one has been looked at.
    pub examined: u64,
}

/// One opened origin.
pub trait Session: Send {
    /// The origin as it was when opened.
    fn facts(&self) -> OriginFacts;
    /// Sets where reading begins and which subjects are wanted (none given: all). Called once, before `next`. Gives the
    /// sequence at which it begins.
    fn start(&mut self, start: Start, filters: Vec<String>) -> BoxFuture<'_, Result<u64>>;
    /// Waits for the next messages: at most `messages_max` and, but for a single larger one, `bytes_max` bytes. Fails once
    /// the stream is gone. Dropping the future loses nothing.
    fn next(&mut self, messages_max: usize, bytes_max: usize)
    -> BoxFuture<'_, Result<OriginBatch>>;
    /// Something that tells how much is left, at any time, while the session lives and after.
    fn frontier(&self) -> Arc<dyn Frontier>;
    /// Who is to be told what is durable at the target; asked once, when the session is started. Nobody, where the origin
    /// keeps its messages anyway.
    fn acknowledge(&self) -> Option<Arc<dyn Acknowledge>> {
        None
    }
}

/// An origin that lets messages go when they were copied.
pub trait Acknowledge: Send + Sync {
    /// Everything up to this sequence is durable at the target, or not wanted there. Rises while the session lives.
    fn durable(&self, sequence: u64);
}

/// How far an origin reaches.
pub trait Frontier: Send + Sync {
    /// Messages behind `sequence` that match; `None` where that is not known now.
    fn pending(&self, sequence: u64) -> Option<u64>;
}
