//! Why the model refuses a message.
//! Not here: what it does with one that it takes (`model`).

use crate::model::{Model, Refusal};
use headwater_storage::{NewMessage, stream::Discard};

impl Model {
    pub(crate) fn check_message(&self, new: &NewMessage) -> Result<(), Refusal> {
        let bytes = new.headers.len() + new.payload.len();
        if self.config.limits.message_bytes.is_some_and(|max| bytes > max as usize) {
            return Err("MessageTooLarge");
        }
        Ok(())
    }

    pub(crate) fn expected(&self, new: &NewMessage) -> Result<(), Refusal> {
        if let Some((filter, expected)) = &new.expect.last_subject_sequence {
            let filter = String::from_utf8_lossy(filter);
            if self.of(&filter).next_back().unwrap_or(0) != *expected {
                return Err("WrongLastSequence");
            }
        }
        match new.expect.last_sequence {
            Some(expected) if expected != self.last => Err("WrongLastSequence"),
            _ => Ok(()),
        }
    }

    /// Whether the limits let a message in that comes behind these of the same group.
    pub(crate) fn admit(&self, new: &NewMessage, before: &[NewMessage]) -> Result<(), Refusal> {
        let config = &self.config;
        if config.discard == Discard::Old {
            return Ok(());
        }
        let subject = String::from_utf8_lossy(&new.subject).into_owned();
        let size = |new: &NewMessage| {
            let subject = String::from_utf8_lossy(&new.subject);
            self.bytes_of(&subject, new.headers.len(), new.payload.len())
        };
        let held =
            self.of(&subject).count() + before.iter().filter(|b| b.subject == new.subject).count();
        let is_full = config.limits.messages_per_subject.is_some_and(|max| held as u64 >= max);
        if is_full && config.discard_new_per_subject && new.rollup.is_none() {
            return Err("MaximumMessagesPerSubject");
        }
        let count = (self.messages.len() + before.len()) as u64;
        if config.limits.messages.is_some_and(|max| count >= max) && !is_full {
            return Err("MaximumMessages");
        }
        let bytes = self.bytes() + before.iter().map(size).sum::<u64>() + size(new);
        if config.limits.bytes.is_some_and(|max| bytes > max) {
            let oldest = self.of(&subject).next().and_then(|at| self.messages.get(&at));
            let replaced = oldest.filter(|_| is_full && before.is_empty());
            if replaced.is_none_or(|old| self.bytes_held(old) < size(new)) {
                return Err("MaximumBytes");
            }
        }
        Ok(())
    }
}
