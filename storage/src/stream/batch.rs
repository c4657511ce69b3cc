//! Atomic groups of changes that replication applies to a stream.

use crate::{Error, NewMessage, Timestamp};

/// One change of a step.
#[derive(Clone, Debug)]
pub enum Item {
    /// A message with the next sequence and the time of storing (a source). Dropped silently when its id is in the dedup window.
    Append(NewMessage),
    /// A message that keeps its sequence and time (a mirror). Sequences in between become gaps; a sequence at or below the last one is dropped silently.
    Copy {
        /// Sequence at the origin, kept.
        sequence: u64,
        /// Time at the origin, kept.
        time: Timestamp,
        /// The message; its `expect`, `message_id` are not looked at.
        message: NewMessage,
    },
    /// All sequences up to this one (inclusive) that were not given out hold nothing. On a stream that holds no message the first sequence moves with it.
    Skip {
        /// New last sequence.
        through: u64,
    },
}

/// The consequence of one origin message: changes, and the progress that goes with them.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Changes in order; none when the message is dropped and only progress moves.
    pub items: Vec<Item>,
    /// Progress after the step: key and opaque value. An empty value removes the key.
    pub progress: Option<(String, Vec<u8>)>,
}

/// Steps to apply in order. At most `FRAME_BYTES_TARGET` of message bytes, or one larger step.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What the progress under this key has to be right before the first step, with an empty value for no entry.
    /// Batches that were accepted before but are not durable yet count. Where it is something else, nothing is applied
    /// and the refusal is `Error::WrongProgress`. So a batch never follows one that failed, and of two writers
    /// of the same copy only one gets on.
    pub expect_progress: Option<(String, Vec<u8>)>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// How far a batch got.
#[derive(Clone, Debug)]
pub struct BatchOutcome {
    /// Steps applied, from the first on; all of them are durable.
    pub applied: usize,
    /// Why the next one was refused; `None` when all were applied. Nothing of the refused step was stored.
    pub refused: Option<Error>,
    /// Last sequence of the stream after the batch.
    pub last_sequence: u64,
}
