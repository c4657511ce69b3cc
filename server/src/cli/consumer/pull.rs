//! Requests to a pull consumer, and what comes back: messages, or why there are none.
//! Not here: what is done with messages (`delivery`).

use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use serde_json::json;
use std::time::Duration;

const ACTION: &str = "fetch messages";

/// Ends of a request after which the next one may go well; all others are for the user.
const PASSING_ENDS: &[&str] = &["leadership change", "server shutdown", "batch completed"];

/// What comes back.
#[derive(Debug)]
pub(super) enum Answer {
    Message(Box<Message>),
    /// The request ended.
    Over,
    /// Nothing came, not even a sign of life.
    Silence,
}

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) batch: u64,
    /// How long to wait for messages; zero for only what is there.
    pub(super) expires: Duration,
    /// How often to hear that there is nothing.
    pub(super) heartbeat: Option<Duration>,
}

/// A place that answers come to.
#[derive(Debug)]
pub(super) struct Requests<'a> {
    connection: &'a Connection,
    subject: String,
    inbox: String,
    subscriber: Subscriber,
}

impl<'a> Requests<'a> {
    /// Opens it.
    pub(super) async fn open(
        connection: &'a Connection,
        stream: &str,
        consumer: &str,
    ) -> Result<Self> {
        let inbox = connection.client.new_inbox();
        let subscribed = connection.client.subscribe(inbox.clone()).await;
        let subscriber = subscribed.map_err(|error| ClientError::unanswered(ACTION, error))?;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        Ok(Self { connection, subject, inbox, subscriber })
    }

    /// Sends a request.
    pub(super) async fn ask(&self, order: Order) -> Result<()> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut body = json!({ "batch": order.batch });
        if let Some(fields) = body.as_object_mut() {
            match order.expires.is_zero() {
                true => fields.insert("no_wait".to_owned(), true.into()),
                false => fields.insert("expires".to_owned(), nanoseconds(order.expires).into()),
            };
            if let Some(heartbeat) = order.heartbeat {
                fields.insert("idle_heartbeat".to_owned(), nanoseconds(heartbeat).into());
            }
        }
        let (client, body) = (&self.connection.client, body.to_string());
        let (subject, inbox) = (self.subject.clone(), self.inbox.clone());
        let sent = client.publish_with_reply(subject, inbox, body.into()).await;
        sent.map_err(|error| ClientError::unanswered(ACTION, error))
    }

    /// What comes next, if something comes in time.
    pub(super) async fn next(&mut self, within: Duration) -> Result<Answer> {
        loop {
            let received = match tokio::time::timeout(within, self.subscriber.next()).await {
                Ok(Some(received)) => received,
                Ok(None) => {
                    return Err(ClientError::Ended("the connection was closed".to_owned()));
                }
                Err(_) => return Ok(Answer::Silence),
            };
            let description = received.description.as_deref().unwrap_or_default();
            match received.status {
                None => return Ok(Answer::Message(Box::new(received))),
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(status) if is_passing(status, description) => return Ok(Answer::Over),
                Some(StatusCode::NO_RESPONDERS) => {
                    return Err(ClientError::unanswered(ACTION, "the consumer does not answer"));
                }
                Some(status) => {
                    let reason = format!("{description} ({})", status.as_u16());
                    return Err(ClientError::unanswered(ACTION, reason));
                }
            }
        }
    }
}

/// Whether a request ended for a reason that says nothing about the next one.
fn is_passing(status: StatusCode, description: &str) -> bool {
    match status {
        StatusCode::NOT_FOUND | StatusCode::TIMEOUT => true,
        StatusCode::REQUEST_TERMINATED => {
            let description = description.to_ascii_lowercase();
            PASSING_ENDS.iter().any(|end| description.contains(end))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_requests() {
        for (status, description, expected) in [
            (404, "No Messages", true),
            (408, "Request Timeout", true),
            (409, "Leadership Change", true),
            (409, "Server Shutdown", true),
            (409, "Consumer Deleted", false),
            (409, "Exceeded MaxRequestBatch of 1", false),
            (400, "Bad Request", false),
            (503, "", false),
        ] {
            let code = StatusCode::from_u16(status).unwrap();
            assert_eq!(is_passing(code, description), expected, "{status} {description}");
        }
    }
}
