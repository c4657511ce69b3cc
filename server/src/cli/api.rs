//! Requests to the JetStream API as JSON, so that fields this program does not know pass through unharmed.
//! Not here: which requests there are (`stream`).

use super::connection::{Connection, request_failure};
use super::error::{ClientError, Result};
use async_nats::{HeaderMap, Request, RequestErrorKind};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Says which level of the API the server must have for the fields of a request.
const REQUIRED_LEVEL_HEADER: &str = "Nats-Required-Api-Level";

/// Fields of a configuration that need a level of the API.
const LEVELS: &[(&str, u8)] = &[
    ("allow_msg_ttl", 1),
    ("subject_delete_marker_ttl", 1),
    ("allow_atomic", 2),
    ("allow_msg_counter", 2),
    ("allow_msg_schedules", 2),
    ("persist_mode", 2),
    ("allow_batched", 3),
];

/// Most pages that are asked for; a server that counts on and on is not followed.
const PAGES_MAX: usize = 10_000;

/// Level that a mirror or source with a consumer of its own needs.
const DURABLE_COPY_LEVEL: u8 = 4;

impl Connection {
    /// Sends a request to `$JS.API.` and gives the answer. `action` says what it is for, as in "could not `action`".
    pub(super) async fn call(&self, action: &str, name: &str, body: &Value) -> Result<Value> {
        let payload = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let mut request = Request::new().payload(payload.into()).timeout(Some(self.timeout));
        if let Some(level) = body.as_object().and_then(required_level) {
            let mut headers = HeaderMap::new();
            headers.insert(REQUIRED_LEVEL_HEADER, level.to_string().as_str());
            request = request.headers(headers);
        }
        let sent = self.client.send_request(format!("$JS.API.{name}"), request).await;
        let reply = sent.map_err(|error| {
            let reason = match error.kind() {
                RequestErrorKind::NoResponders => "JetStream is not enabled".to_owned(),
                kind => request_failure(kind, self.timeout),
            };
            ClientError::unanswered(action, reason)
        })?;
        accept(action, &reply.payload)
    }

    /// Everything of a list that is answered page by page; the entries stand in a field of each answer.
    pub(super) async fn pages(
        &self,
        action: &str,
        name: &str,
        field: &str,
        mut body: Map<String, Value>,
    ) -> Result<Vec<Value>> {
        let number = |answer: &Value, field: &str| answer.get(field).and_then(Value::as_u64);
        let mut entries = Vec::new();
        let mut offset: u64 = 0;
        for _ in 0..PAGES_MAX {
            body.insert("offset".to_owned(), offset.into());
            let mut answer = self.call(action, name, &Value::Object(body.clone())).await?;
            let page = match answer.get_mut(field).map(Value::take) {
                Some(Value::Array(page)) => page,
                _ => Vec::new(),
            };
            let shown = number(&answer, "limit").unwrap_or(0).max(page.len() as u64);
            offset = offset.saturating_add(shown);
            let is_last = page.is_empty() || offset >= number(&answer, "total").unwrap_or(0);
            entries.extend(page);
            if is_last {
                break;
            }
        }
        Ok(entries)
    }
}

/// Reads an answer, which may be a refusal.
pub(super) fn accept(action: &str, payload: &[u8]) -> Result<Value> {
    let mut answer: Value = serde_json::from_slice(payload)
        .map_err(|error| ClientError::unanswered(action, format_args!("the answer: {error}")))?;
    match answer.get_mut("error").map(Value::take) {
        Some(error) if !error.is_null() => {
            Err(ClientError::Refused { action: action.to_owned(), error: read(action, &error)? })
        }
        _ => Ok(answer),
    }
}

/// Reads what is used of an answer.
pub(super) fn read<T: DeserializeOwned>(action: &str, answer: &Value) -> Result<T> {
    T::deserialize(answer)
        .map_err(|error| ClientError::unanswered(action, format_args!("the answer: {error}")))
}

/// The level of the API that a configuration needs, if it needs any.
fn required_level(config: &Map<String, Value>) -> Option<u8> {
    let is_used = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_i64() != Some(0),
        _ => true,
    };
    let used = |name: &str| config.get(name).is_some_and(is_used);
    let fields = LEVELS.iter().filter(|(name, _)| used(name)).map(|(_, level)| *level);
    let sources = config.get("sources").and_then(Value::as_array).into_iter().flatten();
    let mut copies = sources.chain(config.get("mirror"));
    let is_durable = copies.any(|copy| copy.get("consumer").is_some_and(|value| !value.is_null()));
    fields.chain(is_durable.then_some(DURABLE_COPY_LEVEL)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn refusals_read_as_in_the_command_line_of_nats() {
        let reply = json!({"type": "io.nats.jetstream.api.v1.stream_create_response",
            "error": {"code": 500, "err_code": 10052, "description": "detected cycle"}});
        let refused = accept("create Stream", reply.to_string().as_bytes()).unwrap_err();
        assert_eq!(refused.to_string(), "could not create Stream: detected cycle (10052)");
        for (payload, expected) in [
            (r#"{"error":null,"a":1}"#, Some(json!(1))),
            (r#"{"a":1}"#, Some(json!(1))),
            ("", None),
            ("{", None),
        ] {
            let answer = accept("look", payload.as_bytes()).ok();
            assert_eq!(answer.map(|answer| answer["a"].clone()), expected, "{payload}");
        }
    }

    #[test]
    fn levels() {
        for (config, expected) in [
            (json!({"name": "A", "mirror": {"name": "B"}}), None),
            (json!({"allow_msg_ttl": false, "subject_delete_marker_ttl": 0}), None),
            (json!({"allow_msg_ttl": true}), Some(1)),
            (json!({"allow_msg_ttl": true, "allow_msg_counter": true}), Some(2)),
            (json!({"sources": [{"name": "B", "consumer": {"name": "C"}}]}), Some(4)),
        ] {
            assert_eq!(required_level(config.as_object().unwrap()), expected, "{config}");
        }
    }
}
