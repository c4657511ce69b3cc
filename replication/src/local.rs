//! An origin in the same process: a tail over its log. No consumer, no acknowledgements, no encoding in between.
//! Not here: which streams there are (`directory`).

use crate::{
    Error, Result,
    directory::Directory,
    identity::OriginIdentity,
    origin::{BoxFuture, Frontier, Origin, OriginBatch, OriginFacts, Session, Start},
};
use headwater_storage::{Error as StorageError, Stream, Tail};
use std::sync::Arc;

/// A stream found by name each time it is opened.
pub struct LocalOrigin {
    name: String,
    directory: Arc<dyn Directory>,
}

impl std::fmt::Debug for LocalOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalOrigin").field("name", &self.name).finish_non_exhaustive()
    }
}

impl LocalOrigin {
    /// The stream of that name in that directory, whenever there is one.
    pub fn new(name: impl Into<String>, directory: Arc<dyn Directory>) -> Self {
        Self { name: name.into(), directory }
    }
}

impl Origin for LocalOrigin {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>>> {
        Box::pin(async {
            let stream = self.directory.stream(&self.name);
            let Some(stream) = stream else {
                return Err(Error::OriginNotFound(self.name.clone()));
            };
            let session: Box<dyn Session> = Box::new(LocalSession {
                name: self.name.clone(),
                facts: facts(&stream),
                stream,
                tail: None,
                filters: Vec::new(),
            });
            Ok(session)
        })
    }

    fn changed(&self) -> BoxFuture<'static, ()> {
        let mut changes = self.directory.changes();
        Box::pin(async move {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

fn facts(stream: &Stream) -> OriginFacts {
    let state = stream.state();
    let next = state.last_sequence.saturating_add(1);
    let first_sequence = match state.first_sequence {
        0 => next.max(stream.config().first_sequence),
        first => first,
    };
    let last_sequence = state.last_sequence.max(first_sequence.saturating_sub(1));
    OriginFacts { identity: OriginIdentity::of(stream), first_sequence, last_sequence }
}

struct LocalSession {
    name: String,
    stream: Arc<Stream>,
    facts: OriginFacts,
    tail: Option<Tail>,
    filters: Vec<String>,
}

impl LocalSession {
    fn failed(&self, error: StorageError) -> Error {
        match error {
            StorageError::Closed => Error::OriginNotFound(self.name.clone()),
            error => Error::OriginUnreadable(error),
        }
    }
}

impl Session for LocalSession {
    fn facts(&self) -> OriginFacts {
        self.facts.clone()
    }

    fn start(&mut self, start: Start, filters: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let wanted = match start {
                Start::Sequence(sequence) => sequence,
                Start::Time(time) => {
                    self.stream.sequence_at_time(time).map_err(|error| self.failed(error))?
                }
            };
            let now = facts(&self.stream);
            let sequence = wanted.min(now.last_sequence.saturating_add(1)).max(now.first_sequence);
            self.tail = Some(self.stream.tail(sequence, filters.clone()));
            self.filters = filters;
            Ok(sequence)
        })
    }

    fn next(
        &mut self,
        messages_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<OriginBatch>> {
        Box::pin(async move {
            let Some(tail) = &mut self.tail else {
                return Err(Error::Halted("the origin was read before a start was set".into()));
            };
            match tail.next(messages_max, bytes_max).await {
                Ok(batch) => Ok(OriginBatch { messages: batch.messages, examined: batch.examined }),
                Err(error) => Err(self.failed(error)),
            }
        })
    }

    fn frontier(&self) -> Arc<dyn Frontier> {
        Arc::new(LocalFrontier { stream: self.stream.clone(), filters: self.filters.clone() })
    }
}

struct LocalFrontier {
    stream: Arc<Stream>,
    filters: Vec<String>,
}

impl Frontier for LocalFrontier {
    fn pending(&self, sequence: u64) -> Option<u64> {
        Some(self.stream.count_from(sequence.saturating_add(1), &self.filters))
    }
}
