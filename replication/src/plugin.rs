//! A plugin decides what becomes of the messages of one origin: an event in, changes of the target out.
//!
//! A plugin is pure: it does no I/O, has no clock, and the same calls give the same answers. The driver calls `search` and `found`
//! where no progress is stored, then `attach`, then `decide` for one event after the other; after a failure it begins
//! again with `attach` and the progress that the target holds. So whatever a plugin keeps besides, it must be able to rebuild
//! from its progress.
//! Not here: the loop (`driver`), the two plugins that ship (`mirror`, `source`), finding one by name (`registry`).

use crate::{
    Result,
    origin::{OriginFacts, Start},
    target::TargetFacts,
};
use headwater_storage::{Message, NewMessage, Timestamp, stream::Item};

/// What a plugin is told when an origin was opened.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The stream that takes the copies, as it is now.
    pub target: &'a TargetFacts,
    /// The origin as it was opened.
    pub origin: &'a OriginFacts,
    /// What the target holds as this plugin's progress.
    pub progress: Option<&'a [u8]>,
}

/// What a plugin wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where reading begins.
    pub start: Start,
    /// Subjects wanted; none for all.
    pub filters: Vec<String>,
}

/// Something that happened at the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Reading begins at this sequence; what is wanted and lies before it does not exist (any more).
    Started {
        /// The first sequence that will be looked at.
        sequence: u64,
    },
    /// The next message. Sequences between `previous` and its own hold nothing that matches.
    Message {
        /// The message.
        message: Message,
        /// The sequence of the event before.
        previous: u64,
    },
    /// All there is has been read, for now.
    CaughtUp {
        /// The last sequence that was looked at.
        through: u64,
    },
}

/// Changes of the target, in order. An event that adds none is dropped.
#[derive(Debug, Default)]
pub struct Actions {
    pub(crate) items: Vec<Item>,
}

impl Actions {
    /// Stores a message with the target's next sequence and its time.
    pub fn append(&mut self, message: NewMessage) {
        self.items.push(Item::Append(message));
    }

    /// Stores a message under a given sequence and time. Sequences left out become gaps.
    pub fn copy(&mut self, sequence: u64, time: Timestamp, message: NewMessage) {
        self.items.push(Item::Copy { sequence, time, message });
    }

    /// Makes everything up to `through` that was not given out a gap.
    pub fn skip_to(&mut self, through: u64) {
        self.items.push(Item::Skip { through });
    }

    /// The changes so far.
    pub fn items(&self) -> &[Item] {
        &self.items
    }
}

/// A decision about what is copied, and how.
pub trait Plugin: Send {
    /// The key under which its progress is stored; no other plugin on the target has it.
    fn key(&self) -> &str;
    /// Whether its position has to be looked for in the target's messages, given the stored progress.
    fn search(&self, _progress: Option<&[u8]>) -> bool {
        false
    }
    /// A message of the target, while a position is looked for: windows from the newest backward, in rising order within
    /// one. Returns whether it tells the position; the search ends with the window in which one did.
    fn found(&mut self, _message: &Message) -> bool {
        false
    }
    /// Takes up the work on an opened origin: says what to read, or why it must not go on.
    fn attach(&mut self, situation: &Situation<'_>) -> Result<Request>;
    /// Decides about one event.
    fn decide(&mut self, event: Event, actions: &mut Actions) -> Result<()>;
    /// Writes the progress after all events so far over what `out` holds; at most `PROGRESS_BYTES_MAX` bytes.
    fn progress(&self, out: &mut Vec<u8>);
    /// Everything at the origin up to this sequence has been decided.
    fn position(&self) -> u64;
}
