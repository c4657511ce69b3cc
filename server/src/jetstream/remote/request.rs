//! Requests to the JetStream API of another server.
//! Not here: what is asked.

use crate::protocol::headers;
use crate::routing::{Account, Handler, Message, Origin};
use bytes::Bytes;
use headwater_replication::{Error, Result};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Error code of a stream that is not there.
const STREAM_NOT_FOUND: u64 = 10059;

/// The API of another server, under the prefix that it has here.
#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) account: Arc<Account>,
    prefix: String,
}

/// Takes the first answer.
struct Answer(Mutex<Option<oneshot::Sender<Message>>>);

impl Handler for Answer {
    fn deliver(&self, _account: &Arc<Account>, message: &Message, _origin: &Arc<Origin>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Who asked may have given up.
            let _ = sender.send(message.clone());
        }
    }
}

impl Api {
    pub(super) fn new(account: Arc<Account>, prefix: &str) -> Self {
        Self { account, prefix: prefix.to_owned() }
    }
    /// Asks, and gives what is answered.
    pub(super) async fn ask(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask_with(path, body, Bytes::new()).await.map(|(answer, _)| answer)
    }
    /// As `ask`, with headers; gives those of the answer too.
    pub(super) async fn ask_with(
        &self,
        path: &str,
        body: &Value,
        headers: Bytes,
    ) -> Result<(Value, Bytes)> {
        let unreachable = |reason: &str| {
            let text = format!("{}.{path}: {reason}", self.prefix);
            Err(Error::OriginUnreachable(text))
        };
        let (sender, receiver) = oneshot::channel();
        let reply = format!("_INBOX.{}", nuid::next());
        let handler = Arc::new(Answer(Mutex::new(Some(sender))));
        let _subscription = self.account.subscribe(&reply, handler);
        if self.send(path, body, &reply, headers) == 0 {
            return unreachable("nobody listens; is the link to the other server up?");
        }
        let Ok(Ok(answer)) = tokio::time::timeout(ANSWER_TIMEOUT, receiver).await else {
            return unreachable("no answer");
        };
        if headers::status(&answer.headers).is_some() {
            return unreachable("nobody listens there");
        }
        let (answer, told): (Value, _) =
            (serde_json::from_slice(&answer.payload).unwrap_or_default(), answer.headers);
        let number = answer.pointer("/error/err_code").and_then(Value::as_u64);
        if number == Some(STREAM_NOT_FOUND) {
            let name = path.split('.').nth(2).unwrap_or_default();
            return Err(Error::OriginNotFound(name.to_owned()));
        }
        match answer.pointer("/error/description").and_then(Value::as_str) {
            Some(text) => unreachable(text),
            None if answer.is_object() && answer.get("error").is_none() => Ok((answer, told)),
            None => unreachable("the answer cannot be read"),
        }
    }
    /// Sends a request that needs no answer.
    pub(super) fn tell(&self, path: &str, body: &Value) {
        self.send(path, body, "", Bytes::new());
    }
    /// Sends a request; gives how many took it.
    fn send(&self, path: &str, body: &Value, reply: &str, headers: Bytes) -> usize {
        let payload = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.account.send(&Message {
            subject: format!("{}.{path}", self.prefix).into(),
            reply: reply.to_owned().into(),
            headers,
            payload,
        })
    }
    /// Answers a question of the consumer.
    pub(super) fn answer(&self, subject: Bytes, headers: Bytes) {
        self.account.send(&Message { subject, headers, ..Message::default() });
    }
}
