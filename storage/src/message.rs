//! A message on its way into a stream, and one that is stored.

use crate::Timestamp;
use bytes::Bytes;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// A stored message. The byte fields are slices of shared frames: cloning one copies no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Sequence in its stream; the first is 1.
    pub sequence: u64,
    /// When it was stored, or, in a mirror, when its origin stored it.
    pub time: Timestamp,
    /// Literal subject (valid UTF-8).
    pub subject: Bytes,
    /// Opaque header block; empty for none.
    pub headers: Bytes,
    /// Payload.
    pub payload: Bytes,
}

impl Message {
    /// The subject as text.
    pub fn subject_str(&self) -> &str {
        std::str::from_utf8(&self.subject).unwrap_or_default()
    }
}

/// A message to append.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    /// Literal subject.
    pub subject: Bytes,
    /// Opaque header block; empty for none.
    pub headers: Bytes,
    /// Payload.
    pub payload: Bytes,
    /// Id for the dedup window.
    pub message_id: Option<Bytes>,
    /// Remove older messages together with this append.
    pub rollup: Option<Rollup>,
    /// What must hold for the append to happen.
    pub expect: Expect,
    /// How long it stays, whatever the limits.
    pub lifetime: Lifetime,
    /// It stands for a subject whose last message went: when it goes itself, no other marker takes its place.
    pub is_marker: bool,
    /// It asks for something to be done at this time: `Stream::due` gives it then.
    pub due: Option<Timestamp>,
    /// Remove the messages of this subject together with this append; with `fires`, those up to the message that was due.
    pub purge: Option<Bytes>,
    /// It is what another message asked for that was due.
    pub fires: Option<Fires>,
    /// Told the payload that is stored, where the stream makes it (`stream::Combine`).
    pub combined: Option<Arc<OnceLock<Bytes>>>,
}

/// What is done for a message that was due, in one step with the append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fires {
    /// The message that was due: where it is gone or not due any more, nothing is appended.
    pub sequence: u64,
    /// When it is due again; `None` where it is taken away (`NewMessage::purge`).
    pub next: Option<Timestamp>,
}

/// How long a message stays. Acted on by streams that say so (`StreamConfig::lifetimes`), counted from the time at which
/// the message was stored; a mirror has that of its origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As the limits of its stream say.
    #[default]
    Unset,
    /// The limit on age does not take it; other limits do.
    Forever,
    /// So long at most; the limit on age takes it where that is shorter.
    For(Duration),
}

/// What a rollup removes: everything older than the message that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollup {
    /// Older messages of the same subject.
    Subject,
    /// All older messages.
    All,
}

/// Preconditions of an append, checked in this order, before the dedup window except for the last one.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The last sequence of these subjects (a literal subject or a filter); 0 for none.
    pub last_subject_sequence: Option<(Bytes, u64)>,
    /// The last sequence of the stream.
    pub last_sequence: Option<u64>,
    /// The id of the last message; checked after the dedup window.
    pub last_message_id: Option<Bytes>,
}
