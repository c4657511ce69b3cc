//! Where copies go: a stream of the engine, or anything else that applies batches in order and keeps progress with them.
//! Not here: what the batches hold (`plugin`), when they are made (`driver`).

use headwater_storage::{
    Error, Message, Result, Stream, StreamConfig, Timestamp,
    stream::{Batch, BatchOutcome},
};
use std::sync::Arc;

/// Bytes of messages read at a time while a position is looked for.
const SEARCH_BYTES: usize = 1024 * 1024;

/// A target at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// Messages held.
    pub messages: u64,
    /// Sequence of the first message; 0 where it never held one.
    pub first_sequence: u64,
    /// Highest sequence given out.
    pub last_sequence: u64,
    /// Time of the message with the highest sequence.
    pub last_time: Option<Timestamp>,
    /// It accepts rollups.
    pub allow_rollup: bool,
    /// Delete markers take the place of its last messages.
    pub has_markers: bool,
    /// The shortest lifetime of its messages, in seconds; 0 for any.
    pub lifetime_seconds_min: u64,
}

/// Told what became of a batch, once.
pub type Done = Box<dyn FnOnce(Result<BatchOutcome>) + Send>;

/// Takes copies.
pub trait Target: Send + Sync + 'static {
    /// As it is now.
    fn facts(&self) -> TargetFacts;
    /// The progress last stored under `key`.
    fn progress(&self, key: &str) -> Option<Vec<u8>>;
    /// Applies a batch, behind all earlier ones, or refuses it; tells `done` when it is durable or refused. Progress and
    /// changes of a step become durable together or not at all. Whether `Batch::expect_progress` holds is decided here.
    fn apply(&self, batch: Batch, done: Done);
    /// Shows the messages from `from` up to (not including) `before`, in order.
    fn visit(&self, from: u64, before: u64, visitor: &mut dyn FnMut(&Message)) -> Result<()>;
}

/// A stream that takes copies.
#[derive(Clone, Debug)]
pub struct StreamTarget(pub Arc<Stream>);

/// The shortest lifetime that messages of a stream have, in seconds: a marker must not be outlived by what it replaced, unless
/// a subject has one message at most.
pub fn lifetime_seconds_min(config: &StreamConfig) -> u64 {
    let marker = config.delete_marker.as_ref();
    let marker = marker.filter(|_| config.limits.messages_per_subject != Some(1));
    marker.map_or(0, |marker| marker.lifetime.as_secs())
}

impl Target for StreamTarget {
    fn facts(&self) -> TargetFacts {
        let (state, config) = (self.0.state(), self.0.config());
        TargetFacts {
            messages: state.messages,
            first_sequence: state.first_sequence,
            last_sequence: state.last_sequence,
            last_time: state.last_time,
            allow_rollup: config.allow_rollup,
            has_markers: config.delete_marker.is_some(),
            lifetime_seconds_min: lifetime_seconds_min(&config),
        }
    }

    fn progress(&self, key: &str) -> Option<Vec<u8>> {
        self.0.progress(key)
    }

    fn apply(&self, batch: Batch, done: Done) {
        self.0.apply_with(batch, done);
    }

    fn visit(&self, from: u64, before: u64, visitor: &mut dyn FnMut(&Message)) -> Result<()> {
        let mut tail = self.0.tail(from, Vec::new());
        while tail.next_sequence() < before {
            let count = usize::try_from(before - tail.next_sequence()).unwrap_or(usize::MAX);
            match tail.try_next(count.min(1024), SEARCH_BYTES) {
                Ok(Some(batch)) => batch
                    .messages
                    .iter()
                    .filter(|message| message.sequence < before)
                    .for_each(&mut *visitor),
                Ok(None) => return Ok(()),
                Err(Error::Closed) => return Err(Error::Closed),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
