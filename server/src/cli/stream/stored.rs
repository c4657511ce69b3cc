//! A message as a stream holds it, fetched through the API.
//! Not here: how it is printed (`get`).

use crate::cli::api;
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

/// What it is fetched for, as in "could not ...".
const ACTION: &str = "retrieve the message";

/// A stored message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct StoredMessage {
    pub(in crate::cli) sequence: u64,
    pub(in crate::cli) subject: String,
    /// The lines of its headers, without the line that says it has some.
    pub(in crate::cli) headers: Vec<String>,
    pub(in crate::cli) body: Vec<u8>,
    pub(in crate::cli) time: String,
}

/// The same on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Encoded {
    subject: String,
    seq: u64,
    data: String,
    hdrs: String,
    time: String,
}

/// Fetches a message as JSON; the body of the request says which.
pub(super) async fn fetch_json(
    connection: &Connection,
    stream: &str,
    body: &Value,
) -> Result<Value> {
    let mut answer = connection.call(ACTION, &format!("STREAM.MSG.GET.{stream}"), body).await?;
    match answer.get_mut("message").map(Value::take) {
        Some(message) => Ok(message),
        None => Err(ClientError::unanswered(ACTION, "the answer holds none")),
    }
}

/// Fetches a message by its sequence.
pub(in crate::cli) async fn fetch(
    connection: &Connection,
    stream: &str,
    sequence: u64,
) -> Result<StoredMessage> {
    let message = fetch_json(connection, stream, &json!({ "seq": sequence })).await?;
    StoredMessage::read(&message)
}

impl StoredMessage {
    /// Reads one.
    pub(super) fn read(message: &Value) -> Result<Self> {
        let Encoded { subject, seq, data, hdrs, time } = api::read(ACTION, message)?;
        let decode = |text: &str| {
            let decoded = BASE64.decode(text.as_bytes());
            decoded.map_err(|error| ClientError::unanswered(ACTION, error))
        };
        let headers = decode(&hdrs)?;
        let lines = String::from_utf8_lossy(&headers);
        let lines = lines.lines().skip(1).filter(|line| !line.is_empty()).map(str::to_owned);
        let headers = lines.collect();
        Ok(Self { sequence: seq, subject, headers, body: decode(&data)?, time })
    }

    /// The value of a header.
    pub(in crate::cli) fn header(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ String| line.split_once(':').is_some_and(|(given, _)| given == name);
        let line = self.headers.iter().find(|line| value(line))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_decoded() {
        let headers =
            "NATS/1.0\r\nNats-Stream-Source: ORDERS 50 > > ORDERS.new x\r\nA: b: c\r\n\r\n";
        let message = json!({"subject": "ORDERS.new", "seq": 7, "data": BASE64.encode(b"ORDER 1"),
            "hdrs": BASE64.encode(headers.as_bytes()), "time": "2022-01-21T11:49:52Z"});
        let message = StoredMessage::read(&message).unwrap();
        assert_eq!((message.sequence, message.body.as_slice()), (7, b"ORDER 1".as_slice()));
        assert_eq!(message.header("Nats-Stream-Source"), Some("ORDERS 50 > > ORDERS.new x"));
        assert_eq!(message.header("A"), Some("b: c"));
        assert_eq!(message.header("B"), None);
        assert!(StoredMessage::read(&json!({"data": "!"})).is_err());
        assert_eq!(StoredMessage::read(&json!({})).unwrap(), StoredMessage::default());
    }
}
