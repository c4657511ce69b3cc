//! Messages that build on the last one of their subject: what is stored is made of both, under the stream's lock.
//!
//! The last messages of subjects are kept in memory once they are made or read, so that one need not be read for the next,
//! and because what is not committed cannot be read at all.
//! Invariants: what is kept is the content of the message with that sequence; what is not committed is never let go.
//! Not here: what the messages are made of (whoever gives the stream a `Combine`).

use super::{Core, Stream, apply::Plan, read::FrameReader};
use crate::{Error, NewMessage, Result};
use bytes::Bytes;
use hashbrown::HashMap;
use std::{fmt::Debug, sync::Arc};

/// Bytes of last messages that are kept; those that wait to be committed are kept beyond that.
const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// What a last message is taken to cost beside its content, in bytes.
const KEPT_BYTES_EACH: usize = 128;

/// The last message of a subject.
#[derive(Clone, Debug, Default)]
pub struct Last {
    /// Its headers.
    pub headers: Bytes,
    /// Its payload.
    pub payload: Bytes,
}

/// Makes the message that is stored of one that is appended and the last one of its subject. Called under the stream's
/// lock: it must not block. An error refuses the message (`Error::NotCombined`).
pub trait Combine: Debug + Send + Sync {
    /// Changes the message into what is to be stored; its subject stays.
    fn combine(&self, last: Option<&Last>, message: &mut NewMessage) -> Result<()>;
}

/// Last messages of subjects.
#[derive(Debug, Default)]
pub(crate) struct Lasts {
    of: HashMap<Bytes, (u64, Last)>,
    bytes: usize,
}

fn cost(subject: &Bytes, last: &Last) -> usize {
    subject.len() + last.headers.len() + last.payload.len() + KEPT_BYTES_EACH
}

impl Lasts {
    /// Keeps a message. `committed` is the highest committed sequence.
    fn insert(&mut self, subject: &Bytes, sequence: u64, last: Last, committed: u64) {
        self.bytes += cost(subject, &last);
        if let Some((_, old)) = self.of.insert(subject.clone(), (sequence, last)) {
            self.bytes -= cost(subject, &old);
        }
        if self.bytes > KEPT_BYTES_MAX {
            self.of.retain(|_, (at, _)| *at > committed);
            self.bytes = self.of.iter().map(|(subject, (_, last))| cost(subject, last)).sum();
        }
    }
}

impl Core {
    /// What is to be stored of a message, where it builds on others. `plan` has the messages right before it.
    pub(super) fn combined(
        &mut self,
        message: &NewMessage,
        plan: Option<&Plan>,
    ) -> Result<Option<NewMessage>> {
        let Some(combine) = self.combine.clone() else { return Ok(None) };
        let last = match plan.and_then(|plan| plan.last_of(&message.subject)) {
            Some(last) => Some(last),
            None => self.last_of(&message.subject)?,
        };
        let mut message = message.clone();
        combine.combine(last.as_ref(), &mut message)?;
        if let Some(told) = &message.combined {
            let _ = told.set(message.payload.clone());
        }
        Ok(Some(message))
    }

    fn last_of(&mut self, subject: &Bytes) -> Result<Option<Last>> {
        let contents = &self.contents;
        let id = contents.subjects.find(subject);
        let Some(sequence) = id.and_then(|id| contents.newest_live_of(id)) else { return Ok(None) };
        if let Some((at, last)) = self.lasts.of.get(subject)
            && *at == sequence
        {
            return Ok(Some(last.clone()));
        }
        if sequence > self.committed_sequence {
            // The one above it was taken out before this one is committed.
            return Err(Error::Busy);
        }
        let found = FrameReader::new(self.log.clone()).read(sequence)?;
        let found = found.ok_or(Error::MessageNotFound(sequence))?;
        let last = Last { headers: found.headers, payload: found.payload };
        self.lasts.insert(subject, sequence, last.clone(), self.committed_sequence);
        Ok(Some(last))
    }

    /// A message was stored: the next one of its subject builds on it.
    pub(crate) fn keep_last(&mut self, message: &NewMessage, sequence: u64) {
        if self.combine.is_some() {
            let last = Last { headers: message.headers.clone(), payload: message.payload.clone() };
            self.lasts.insert(&message.subject, sequence, last, self.committed_sequence);
        }
    }
}

impl Stream {
    /// From now on each message that is appended, alone, in a batch or as a copy of a source, is made of what is given and
    /// the last one of its subject. It does not outlast the process: whoever opens the volume says so again.
    pub fn combine_with(&self, combine: Arc<dyn Combine>) {
        self.core().combine = Some(combine);
    }
}
