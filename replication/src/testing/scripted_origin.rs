//! An origin in memory that a test fills, empties, deletes and creates again.
//! Not here: durability.

use crate::{
    Error, Result,
    identity::OriginIdentity,
    origin::{Acknowledge, BoxFuture, Frontier, Origin, OriginBatch, OriginFacts, Session, Start},
};
use headwater_storage::{Message, Timestamp, stream::Incarnation, subject};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// See the top of the file. Clones are the same origin.
#[derive(Clone, Debug)]
pub struct ScriptedOrigin {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    content: Mutex<Option<Content>>,
    changes: watch::Sender<u64>,
    acknowledged: Mutex<Vec<u64>>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    identity: OriginIdentity,
    messages: Vec<Message>,
    last_sequence: u64,
}

impl Default for ScriptedOrigin {
    fn default() -> Self {
        let (content, changes) = (Mutex::default(), watch::Sender::new(0));
        let shared = Shared { content, changes, acknowledged: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }
}

impl ScriptedOrigin {
    /// Creates the stream, in the place of one that is there. `number` tells this creation from others.
    pub fn create(&self, number: u128) {
        let identity =
            OriginIdentity { incarnation: Some(Incarnation(number)), hash: format!("{number:08}") };
        *self.content() = Some(Content { identity, ..Content::default() });
        self.tell();
    }

    /// Deletes the stream.
    pub fn delete(&self) {
        *self.content() = None;
        self.tell();
    }

    /// Adds a message behind `gap` sequences that hold nothing; gives its sequence. Its time is its sequence.
    pub fn publish(&self, subject: &str, headers: &str, gap: u64) -> u64 {
        let mut sequence = 0;
        if let Some(content) = self.content().as_mut() {
            content.last_sequence += gap + 1;
            sequence = content.last_sequence;
            content.messages.push(Message {
                sequence,
                time: Timestamp(i64::try_from(sequence).unwrap_or(i64::MAX)),
                subject: subject.to_owned().into(),
                headers: headers.to_owned().into(),
                payload: format!("payload {sequence}").into(),
            });
        }
        self.tell();
        sequence
    }

    /// Removes all messages up to a sequence.
    pub fn purge_through(&self, sequence: u64) {
        if let Some(content) = self.content().as_mut() {
            content.messages.retain(|message| message.sequence > sequence);
        }
        self.tell();
    }

    /// Loses all messages from a sequence on, as a crash takes what was not synced.
    pub fn lose_from(&self, sequence: u64) {
        if let Some(content) = self.content().as_mut() {
            content.messages.retain(|message| message.sequence < sequence);
            content.last_sequence = sequence.saturating_sub(1);
        }
        self.tell();
    }

    /// The messages it holds.
    pub fn messages(&self) -> Vec<Message> {
        self.content().as_ref().map(|content| content.messages.clone()).unwrap_or_default()
    }

    /// What sessions were told is durable at the target.
    pub fn acknowledged(&self) -> Vec<u64> {
        self.shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn content(&self) -> MutexGuard<'_, Option<Content>> {
        self.shared.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.shared.changes.send_modify(|count| *count += 1);
    }
}

impl Content {
    fn facts(&self) -> OriginFacts {
        let first = self.messages.first().map_or(self.last_sequence + 1, |first| first.sequence);
        let identity = self.identity.clone();
        OriginFacts { identity, first_sequence: first, last_sequence: self.last_sequence }
    }
}

impl Origin for ScriptedOrigin {
    fn name(&self) -> &str {
        "SCRIPTED"
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>>> {
        Box::pin(async {
            let facts = self.content().as_ref().map(Content::facts);
            let facts = facts.ok_or_else(|| Error::OriginNotFound("SCRIPTED".into()))?;
            let changes = self.shared.changes.subscribe();
            let (origin, filters) = (self.clone(), Vec::new());
            let session = ScriptedSession { origin, facts, changes, filters, next: 1 };
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn changed(&self) -> BoxFuture<'static, ()> {
        let mut changes = self.shared.changes.subscribe();
        Box::pin(async move {
            let _ = changes.changed().await;
        })
    }
}

struct ScriptedSession {
    origin: ScriptedOrigin,
    facts: OriginFacts,
    changes: watch::Receiver<u64>,
    filters: Vec<String>,
    next: u64,
}

impl ScriptedSession {
    fn take(&mut self, messages_max: usize) -> Result<Option<OriginBatch>> {
        let content = self.origin.content().clone();
        let content = content
            .filter(|content| content.identity == self.facts.identity)
            .ok_or_else(|| Error::OriginNotFound("SCRIPTED".into()))?;
        if content.last_sequence < self.next {
            return Ok(None);
        }
        let wanted = |message: &&Message| {
            message.sequence >= self.next && matches_any(&self.filters, message.subject_str())
        };
        let messages: Vec<Message> =
            content.messages.iter().filter(wanted).take(messages_max).cloned().collect();
        let examined = match messages.last() {
            Some(last) if messages.len() == messages_max => last.sequence,
            _ => content.last_sequence,
        };
        self.next = examined + 1;
        Ok(Some(OriginBatch { messages, examined }))
    }
}

fn matches_any(filters: &[String], text: &str) -> bool {
    filters.is_empty() || filters.iter().any(|filter| subject::matches(filter, text))
}

impl Session for ScriptedSession {
    fn facts(&self) -> OriginFacts {
        self.facts.clone()
    }

    fn start(&mut self, start: Start, filters: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let now = self.origin.content().as_ref().map(Content::facts).unwrap_or_default();
            let messages = self.origin.messages();
            let wanted = match start {
                Start::Sequence(sequence) => sequence,
                Start::Time(time) => messages
                    .iter()
                    .find(|message| message.time >= time)
                    .map_or(now.last_sequence + 1, |message| message.sequence),
            };
            self.filters = filters;
            self.next = wanted.min(now.last_sequence + 1).max(now.first_sequence);
            Ok(self.next)
        })
    }

    fn next(&mut self, messages_max: usize, _: usize) -> BoxFuture<'_, Result<OriginBatch>> {
        Box::pin(async move {
            loop {
                self.changes.borrow_and_update();
                if let Some(batch) = self.take(messages_max)? {
                    return Ok(batch);
                }
                let _ = self.changes.changed().await;
            }
        })
    }

    fn frontier(&self) -> Arc<dyn Frontier> {
        Arc::new(ScriptedFrontier { origin: self.origin.clone(), filters: self.filters.clone() })
    }

    fn acknowledge(&self) -> Option<Arc<dyn Acknowledge>> {
        Some(self.origin.shared.clone())
    }
}

struct ScriptedFrontier {
    origin: ScriptedOrigin,
    filters: Vec<String>,
}

impl Frontier for ScriptedFrontier {
    fn pending(&self, sequence: u64) -> Option<u64> {
        let content = self.origin.content();
        let messages = &content.as_ref()?.messages;
        let wanted = messages.iter().filter(|message| {
            message.sequence > sequence && matches_any(&self.filters, message.subject_str())
        });
        Some(wanted.count() as u64)
    }
}

impl Acknowledge for Shared {
    fn durable(&self, sequence: u64) {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(sequence);
    }
}
