//! Batches of one session on their way into the target: planned from events, bounded, several at a time.
//!
//! Invariants: a batch says the progress that the one before it left, so that none is applied behind one that failed; the progress of a
//! batch is stored with its messages; nothing more is read while `BATCHES_IN_FLIGHT_MAX` are not answered.
//! Not here: reading the origin, waiting and retrying (`driver`).

use crate::{
    Error, Result,
    limits::{BATCH_BYTES_TARGET, BATCHES_IN_FLIGHT_MAX},
    plugin::{Actions, Event, Plugin},
    target::Target,
};
use headwater_storage::{
    Error as StorageError, Message,
    stream::{Batch, BatchOutcome, Item, Step},
};
use tokio::sync::mpsc;

/// A batch that was handed to the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// Everything up to this origin sequence is in it or before it.
    pub(crate) position: u64,
    /// Messages in it.
    pub(crate) messages: u64,
}

/// What became of a batch.
pub(crate) struct Landing {
    flight: Flight,
    /// Origin sequence at which each step begins.
    steps: Vec<u64>,
    result: headwater_storage::Result<BatchOutcome>,
}

/// Makes sure that every batch is answered: a target that forgets one counts as closed.
struct Answer {
    sender: mpsc::UnboundedSender<Landing>,
    flight: Flight,
    steps: Vec<u64>,
    is_given: bool,
}

impl Answer {
    fn give(&mut self, result: headwater_storage::Result<BatchOutcome>) {
        if !std::mem::replace(&mut self.is_given, true) {
            let steps = std::mem::take(&mut self.steps);
            let landing = Landing { flight: self.flight, steps, result };
            // The receiver is gone only together with the driver, which nobody waits for then.
            let _ = self.sender.send(landing);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.give(Err(StorageError::Closed));
    }
}

/// How a session hands its messages to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// One step a batch, several batches in flight.
    Fast,
    /// After a refusal: one step a message and one batch in flight, so that all before the refused message is applied.
    Careful,
}

/// See the top of the file.
pub(crate) struct Pipeline<'a> {
    target: &'a dyn Target,
    plugin: &'a mut dyn Plugin,
    pace: Pace,
    /// Progress of the last batch handed over, or as stored.
    submitted: Vec<u8>,
    /// Progress of the plugin before the event at hand.
    progress: Vec<u8>,
    steps: Vec<Step>,
    /// Origin sequence at which each of `steps` begins.
    step_starts: Vec<u64>,
    /// Origin sequence at which the step being made begins.
    step_start: Option<u64>,
    actions: Actions,
    open: Option<Flight>,
    open_bytes: usize,
    /// The sequence of the last event.
    previous: u64,
    in_flight: usize,
    /// A refused batch was applied in part.
    is_partly_applied: bool,
    sender: mpsc::UnboundedSender<Landing>,
    receiver: mpsc::UnboundedReceiver<Landing>,
}

impl<'a> Pipeline<'a> {
    pub(crate) fn new(
        target: &'a dyn Target,
        plugin: &'a mut dyn Plugin,
        stored: Vec<u8>,
        pace: Pace,
    ) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            target,
            plugin,
            pace,
            submitted: stored,
            progress: Vec::new(),
            steps: Vec::new(),
            step_starts: Vec::new(),
            step_start: None,
            actions: Actions::default(),
            open: None,
            open_bytes: 0,
            previous: 0,
            in_flight: 0,
            is_partly_applied: false,
            sender,
            receiver,
        }
    }

    /// Takes the event that opens a session. What it changes, if only the progress, is handed over at once.
    pub(crate) fn started(&mut self, sequence: u64) -> Result<()> {
        self.previous = sequence.saturating_sub(1);
        self.plugin.decide(Event::Started { sequence }, &mut self.actions)?;
        self.plugin.progress(&mut self.progress);
        if !self.actions.items.is_empty() || self.progress != self.submitted {
            self.note(sequence, 0);
            self.close_step();
            self.flush();
        }
        Ok(())
    }

    /// Takes messages that were read, and hands over full batches.
    pub(crate) fn messages(&mut self, messages: Vec<Message>) -> Result<()> {
        for message in messages {
            let sequence = message.sequence;
            let event = Event::Message { message, previous: self.previous };
            let before = self.actions.items.len();
            self.plugin.progress(&mut self.progress);
            let position = self.plugin.position();
            self.plugin.decide(event, &mut self.actions)?;
            self.previous = sequence;
            let decided = self.actions.items.get(before..).unwrap_or_default();
            let bytes: usize = decided.iter().map(item_bytes).sum();
            if self.open.is_some() && self.open_bytes + bytes > BATCH_BYTES_TARGET {
                let rest = self.actions.items.split_off(before);
                self.close_step_as(self.progress.clone());
                if let Some(open) = &mut self.open {
                    open.position = position;
                }
                self.submit();
                self.actions.items = rest;
            }
            if bytes > 0 || !self.actions.items.is_empty() {
                self.note(sequence, 1);
                self.open_bytes += bytes;
            }
            if self.pace == Pace::Careful {
                self.plugin.progress(&mut self.progress);
                self.close_step();
            }
        }
        Ok(())
    }

    /// Takes note of the end of a read.
    pub(crate) fn examined(&mut self, through: u64) {
        self.previous = self.previous.max(through);
    }

    /// Tells the plugin that there is nothing more to read now.
    pub(crate) fn caught_up(&mut self) -> Result<()> {
        self.plugin.decide(Event::CaughtUp { through: self.previous }, &mut self.actions)?;
        if !self.actions.items.is_empty() {
            self.note(self.previous, 0);
        }
        self.flush();
        Ok(())
    }

    /// Hands over what is planned.
    pub(crate) fn flush(&mut self) {
        if self.open.is_none() {
            return;
        }
        self.plugin.progress(&mut self.progress);
        self.close_step();
        self.submit();
    }

    /// Whether another read may be planned.
    pub(crate) fn has_room(&self) -> bool {
        let max = if self.pace == Pace::Careful { 1 } else { BATCHES_IN_FLIGHT_MAX };
        self.in_flight < max
    }

    /// Every origin sequence up to this one was decided.
    pub(crate) fn examined_through(&self) -> u64 {
        self.previous
    }

    pub(crate) fn is_partly_applied(&self) -> bool {
        self.is_partly_applied
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight == 0
    }

    /// The next answer; waits for ever where nothing is in flight.
    pub(crate) async fn landing(&mut self) -> Landing {
        match self.receiver.recv().await {
            Some(landing) => landing,
            None => std::future::pending().await,
        }
    }

    /// An answer that is there already.
    pub(crate) fn landing_now(&mut self) -> Option<Landing> {
        self.receiver.try_recv().ok()
    }

    /// Counts an answer: what is durable now, or why not, with the first origin sequence that was not copied.
    pub(crate) fn landed(&mut self, landing: Landing) -> Result<Flight> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Landing { flight, steps, result } = landing;
        let applied = result.as_ref().map_or(0, |outcome| outcome.applied);
        self.is_partly_applied |= applied > 0 && applied < steps.len();
        let reason = match result {
            Err(StorageError::Closed) => return Err(Error::TargetClosed),
            Err(error) => error,
            Ok(BatchOutcome { refused: Some(StorageError::Closed), .. }) => {
                return Err(Error::TargetClosed);
            }
            Ok(BatchOutcome { refused: Some(error), .. }) => error,
            Ok(outcome) if outcome.applied < steps.len() => StorageError::Busy,
            Ok(_) => return Ok(flight),
        };
        let sequence = steps.get(applied).or(steps.first()).copied().unwrap_or(flight.position);
        Err(Error::Refused { sequence, reason })
    }

    fn note(&mut self, sequence: u64, messages: u64) {
        self.step_start.get_or_insert(sequence);
        let flight = self.open.get_or_insert(Flight { position: sequence, messages: 0 });
        flight.messages += messages;
    }

    fn close_step(&mut self) {
        let progress = self.progress.clone();
        self.close_step_as(progress);
        if let Some(open) = &mut self.open {
            open.position = self.plugin.position();
        }
    }

    fn close_step_as(&mut self, progress: Vec<u8>) {
        let items = std::mem::take(&mut self.actions.items);
        let start = self.step_start.take();
        let last = self.steps.last().and_then(|step| step.progress.as_ref());
        let is_new = progress != *last.map_or(&self.submitted, |(_, progress)| progress);
        if items.is_empty() && !is_new {
            return;
        }
        let progress = Some((self.plugin.key().to_owned(), progress));
        self.steps.push(Step { items, progress });
        self.step_starts.push(start.unwrap_or(self.previous));
    }

    fn submit(&mut self) {
        let steps = std::mem::take(&mut self.steps);
        let starts = std::mem::take(&mut self.step_starts);
        self.open_bytes = 0;
        let Some(flight) = self.open.take() else {
            return;
        };
        let Some((_, after)) = steps.last().and_then(|step| step.progress.clone()) else {
            return;
        };
        let before = std::mem::replace(&mut self.submitted, after);
        let expect_progress = Some((self.plugin.key().to_owned(), before));
        let sender = self.sender.clone();
        let mut answer = Answer { sender, flight, steps: starts, is_given: false };
        self.in_flight += 1;
        let done = Box::new(move |result| answer.give(result));
        self.target.apply(Batch { expect_progress, steps }, done);
    }
}

/// Bytes of subject, headers and payload that an item brings.
fn item_bytes(item: &Item) -> usize {
    match item {
        Item::Append(message) | Item::Copy { message, .. } => {
            message.subject.len() + message.headers.len() + message.payload.len()
        }
        Item::Skip { .. } => 0,
    }
}
