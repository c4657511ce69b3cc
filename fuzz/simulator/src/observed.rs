//! What readers see of a stream, all of it, and how that differs from a model.
//! Not here: which model it has to be (`tracked`).

use crate::model::{Model, Stored};
use anyhow::{Result, ensure};
use headwater_storage::{Message, Stream, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// Everything that a reader sees.
#[derive(Debug)]
pub struct Observed {
    /// Messages by sequence.
    pub messages: BTreeMap<u64, Stored>,
    /// Highest sequence.
    pub last: u64,
}

/// A message as the model has it.
pub fn stored(message: &Message) -> Stored {
    Stored {
        time: message.time.0,
        subject: message.subject_str().to_owned(),
        headers: message.headers.clone(),
        payload: message.payload.clone(),
    }
}

/// Reads all of a stream.
pub fn observe(stream: &Arc<Stream>) -> Result<Observed> {
    let mut tail = stream.tail(0, Vec::new());
    let mut messages = BTreeMap::new();
    while let Some(batch) = tail.try_next(64, 1 << 20)? {
        for message in &batch.messages {
            let again = messages.insert(message.sequence, stored(message));
            ensure!(again.is_none(), "sequence {} is read twice", message.sequence);
        }
    }
    Ok(Observed { messages, last: tail.next_sequence() - 1 })
}

/// All messages that are due at some time, with when.
pub(crate) fn dues(stream: &Stream) -> Vec<(i64, u64)> {
    let all = stream.due(Timestamp(i64::MAX), usize::MAX);
    all.into_iter().map(|(at, due)| (due.0, at)).collect()
}

/// What differs between a model and what was read.
pub(crate) fn difference(model: &Model, observed: &Observed) -> Option<String> {
    for (at, expected) in &model.messages {
        match observed.messages.get(at) {
            None => return Some(format!("{at} is missing")),
            Some(found) if *found != **expected => return Some(format!("{at} is another message")),
            Some(_) => {}
        }
    }
    let extra = observed.messages.keys().find(|at| !model.messages.contains_key(at));
    if let Some(at) = extra {
        return Some(format!("{at} should not be there"));
    }
    (model.last != observed.last)
        .then(|| format!("last sequence {} instead of {}", observed.last, model.last))
}
