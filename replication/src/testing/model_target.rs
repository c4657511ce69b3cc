//! A target in memory with the rules of a stream written down as plainly as possible, which refuses what it is told to refuse.
//! Not here: limits, dedup (the engine's streams have them).

use crate::target::{Done, Target, TargetFacts};
use headwater_storage::{
    Error, Message, NewMessage, Result, Timestamp,
    stream::{Batch, BatchOutcome, Item, Step},
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Decides whether a message is refused.
type Refusal = Box<dyn FnMut(&NewMessage) -> Option<Error> + Send>;

/// See the top of the file.
#[derive(Default)]
pub struct ModelTarget {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    messages: Vec<Message>,
    first_sequence: u64,
    last_sequence: u64,
    progress: BTreeMap<String, Vec<u8>>,
    clock: i64,
    refusal: Option<Refusal>,
    held: Option<Held>,
    batches: u64,
}

/// Answers kept back, and what the target held before the first of them.
struct Held {
    answers: Vec<(Done, Result<BatchOutcome>)>,
    messages: Vec<Message>,
    first_sequence: u64,
    last_sequence: u64,
    progress: BTreeMap<String, Vec<u8>>,
}

impl ModelTarget {
    /// What it holds, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.content().messages.clone()
    }

    /// Batches it was handed so far.
    pub fn batches(&self) -> u64 {
        self.content().batches
    }

    /// Refuses what `refusal` says, from now on.
    pub fn refuse(&self, refusal: impl FnMut(&NewMessage) -> Option<Error> + Send + 'static) {
        self.content().refusal = Some(Box::new(refusal));
    }

    /// Appends a message that did not come through replication; gives its sequence.
    pub fn publish(&self, message: NewMessage) -> u64 {
        let mut content = self.content();
        content.store(None, message);
        content.last_sequence
    }

    /// Removes all messages.
    pub fn purge(&self) {
        let mut content = self.content();
        content.messages.clear();
        content.first_sequence = content.last_sequence + 1;
    }

    /// From now on answers are kept back, until `release` or `fail`.
    pub fn hold(&self) {
        let mut content = self.content();
        content.held = Some(Held {
            answers: Vec::new(),
            messages: content.messages.clone(),
            first_sequence: content.first_sequence,
            last_sequence: content.last_sequence,
            progress: content.progress.clone(),
        });
    }

    /// Batches whose answers are kept back.
    pub fn held(&self) -> usize {
        self.content().held.as_ref().map_or(0, |held| held.answers.len())
    }

    /// Gives the answers that were kept back.
    pub fn release(&self) {
        let held = self.content().held.take();
        for (done, result) in held.into_iter().flat_map(|held| held.answers) {
            done(result);
        }
    }

    /// Takes back all that was applied since `hold`, and answers it with an error, as a log does after a failed write.
    pub fn fail(&self, error: &Error) {
        let Some(held) = self.content().held.take() else {
            return;
        };
        {
            let mut content = self.content();
            content.messages = held.messages;
            content.first_sequence = held.first_sequence;
            content.last_sequence = held.last_sequence;
            content.progress = held.progress;
        }
        for (done, _) in held.answers {
            done(Err(error.clone()));
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn store(&mut self, copy: Option<(u64, Timestamp)>, message: NewMessage) {
        self.clock += 1;
        let (sequence, time) = copy.unwrap_or((self.last_sequence + 1, Timestamp(self.clock)));
        let NewMessage { subject, headers, payload, .. } = message;
        if self.messages.is_empty() {
            self.first_sequence = sequence;
        }
        self.last_sequence = sequence;
        self.messages.push(Message { sequence, time, subject, headers, payload });
    }

    fn refused(&mut self, step: &Step) -> Option<Error> {
        let refusal = self.refusal.as_mut()?;
        step.items.iter().find_map(|item| match item {
            Item::Append(message) | Item::Copy { message, .. } => refusal(message),
            Item::Skip { .. } => None,
        })
    }

    fn apply(&mut self, batch: Batch) -> BatchOutcome {
        self.batches += 1;
        let mut outcome =
            BatchOutcome { applied: 0, refused: None, last_sequence: self.last_sequence };
        if let Some((key, expected)) = batch.expect_progress
            && self.progress.get(&key).cloned().unwrap_or_default() != expected
        {
            outcome.refused = Some(Error::WrongProgress { key });
            return outcome;
        }
        for step in batch.steps {
            outcome.refused = self.refused(&step);
            if outcome.refused.is_some() {
                break;
            }
            for item in step.items {
                self.apply_item(item);
            }
            match step.progress {
                Some((key, value)) if value.is_empty() => drop(self.progress.remove(&key)),
                Some((key, value)) => drop(self.progress.insert(key, value)),
                None => {}
            }
            outcome.applied += 1;
        }
        outcome.last_sequence = self.last_sequence;
        outcome
    }

    fn apply_item(&mut self, item: Item) {
        match item {
            Item::Append(message) => self.store(None, message),
            Item::Copy { sequence, time, message } if sequence > self.last_sequence => {
                self.store(Some((sequence, time)), message);
            }
            Item::Skip { through } if through > self.last_sequence => {
                self.last_sequence = through;
                if self.messages.is_empty() {
                    self.first_sequence = through + 1;
                }
            }
            Item::Copy { .. } | Item::Skip { .. } => {}
        }
    }
}

impl Target for ModelTarget {
    fn facts(&self) -> TargetFacts {
        let content = self.content();
        TargetFacts {
            messages: content.messages.len() as u64,
            first_sequence: content.first_sequence,
            last_sequence: content.last_sequence,
            last_time: content.messages.last().map(|message| message.time),
            allow_rollup: false,
            has_markers: false,
            lifetime_seconds_min: 0,
        }
    }

    fn progress(&self, key: &str) -> Option<Vec<u8>> {
        self.content().progress.get(key).cloned()
    }

    fn apply(&self, batch: Batch, done: Done) {
        let outcome = {
            let mut content = self.content();
            let outcome = Ok(content.apply(batch));
            if let Some(held) = &mut content.held {
                held.answers.push((done, outcome));
                return;
            }
            outcome
        };
        done(outcome);
    }

    fn visit(&self, from: u64, before: u64, visitor: &mut dyn FnMut(&Message)) -> Result<()> {
        let messages = self.messages();
        messages.iter().filter(|m| (from..before).contains(&m.sequence)).for_each(visitor);
        Ok(())
    }
}
