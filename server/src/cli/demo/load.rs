//! What a demo publishes, and what of it was acknowledged.
//! Every message is another, so that it can be told later which is missing or there twice.
//! Not here: looking for them (`verdict`).

use crate::cli::api;
use crate::cli::connection::{Connection, request_failure};
use crate::cli::error::{ClientError, Result};
use async_nats::Request;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use std::sync::{Mutex, PoisonError};

/// Publishes under way at a time of each subject, while there is no waiting for one before the next.
const IN_FLIGHT: usize = 16;

/// A message that the server acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) stream: String,
    pub(super) sequence: u64,
    pub(super) body: String,
}

/// What is published on a subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) subject: &'static str,
    pub(super) word: &'static str,
}

/// What was acknowledged, in the order of the acknowledgements.
#[derive(Debug, Default)]
pub(super) struct Load(Mutex<Vec<Acknowledged>>);

#[derive(Debug, Deserialize)]
struct Acknowledgement {
    stream: String,
    seq: u64,
}

impl Load {
    /// Publishes messages one after the other, as `headwater req SUBJECT "WORD {{Count}}" --count LAST` does.
    pub(super) async fn publish_in_turn(
        &self,
        connection: &Connection,
        kind: Kind,
        last: u64,
    ) -> Result<()> {
        for number in 1..=last {
            self.publish(connection, kind, number).await?;
        }
        Ok(())
    }

    /// Publishes messages with many under way. Those that fail are not acknowledged, which is no error here.
    pub(super) async fn publish_at_once(
        &self,
        connection: &Connection,
        kind: Kind,
        numbers: impl Iterator<Item = u64>,
    ) {
        let publishes = stream::iter(numbers).map(|number| self.publish(connection, kind, number));
        publishes.buffer_unordered(IN_FLIGHT).for_each(|_| std::future::ready(())).await;
    }

    async fn publish(&self, connection: &Connection, kind: Kind, number: u64) -> Result<()> {
        let action = "publish";
        let body = format!("{} {number}", kind.word);
        let request = Request::new().payload(body.clone().into()).timeout(Some(connection.timeout));
        let reply =
            connection.client.send_request(kind.subject, request).await.map_err(|error| {
                ClientError::unanswered(action, request_failure(error.kind(), connection.timeout))
            })?;
        let answer = api::accept(action, &reply.payload)?;
        let Acknowledgement { stream, seq } = api::read(action, &answer)?;
        let acknowledged = Acknowledged { stream, sequence: seq, body };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(acknowledged);
        Ok(())
    }

    /// How many were acknowledged.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Those of a stream.
    pub(super) fn of_stream(&self, name: &str) -> Vec<Acknowledged> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|one| one.stream == name).cloned().collect()
    }
}
