//! The origin of a copy on another server, read over its consumer API: requests and deliveries go through the account, and over
//! whatever links it with the other server.
//!
//! Life of a session: it asks what the stream is, has a consumer made that delivers to a subject of its own, and listens there.
//! Deliveries are numbered; a number that is missing, a heartbeat that tells of more than came, or silence ends the session, and
//! the driver opens another one behind what is stored. So nothing is left out, and nothing hangs without a word.
//! Not here: what is done with the messages (crate `headwater-replication`), the link (`leaf`).

mod delivery;
mod inbox;
mod request;
mod session;

use super::config::External;
use crate::routing::Account;
use headwater_replication::Error;
use headwater_replication::Result;
use headwater_replication::identity::{OriginIdentity, hash8};
use headwater_replication::origin::{BoxFuture, Origin, OriginFacts, Session};
use request::Api;
use serde_json::Value;
use session::RemoteSession;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked for an origin that is not there, or that cannot be copied as it is.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A stream on another server.
pub(crate) struct RemoteOrigin {
    name: String,
    api: Api,
    deliver_prefix: String,
    kind: &'static str,
}

impl std::fmt::Debug for RemoteOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteOrigin").field("name", &self.name).finish_non_exhaustive()
    }
}

impl RemoteOrigin {
    /// The stream `name` behind an API with another prefix.
    pub(crate) fn new(
        account: Arc<Account>,
        name: &str,
        external: &External,
        is_mirror: bool,
    ) -> Self {
        let (kind, letter) = if is_mirror { ("MIRROR", "M") } else { ("SRC", "S") };
        let deliver = external.deliver.trim_end_matches('.');
        let deliver = if deliver.is_empty() { "$JS" } else { deliver };
        Self {
            name: name.to_owned(),
            api: Api::new(account, external.api.trim_end_matches('.')),
            deliver_prefix: format!("{deliver}.{letter}"),
            kind,
        }
    }
}

impl Origin for RemoteOrigin {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>>> {
        Box::pin(async {
            let info = self.api.ask(&format!("STREAM.INFO.{}", self.name), &Value::Null).await;
            let facts = facts(&self.name, &info?)?;
            let session = RemoteSession::new(
                &self.name,
                self.api.clone(),
                facts,
                format!("{}.{}", self.deliver_prefix, nuid::next()),
                format!("JS_{}_{}", self.kind, nuid::next()),
            );
            let session: Box<dyn Session> = Box::new(session);
            Ok(session)
        })
    }

    /// Nothing tells: it may have changed after a while. The while begins when it is waited for.
    fn changed(&self) -> BoxFuture<'static, ()> {
        Box::pin(async { tokio::time::sleep(LOOK_AGAIN).await })
    }
}

/// What a stream says of itself.
fn facts(name: &str, info: &Value) -> Result<OriginFacts> {
    let number = |key: &str| info.get("state")?.get(key)?.as_u64();
    let (created, messages) = (info.get("created").and_then(Value::as_str), number("messages"));
    let (first, last) = (number("first_seq"), number("last_seq"));
    let (Some(created), Some(messages), Some(first), Some(last)) = (created, messages, first, last)
    else {
        let text = "the answer about the origin says nothing of its state";
        return Err(Error::OriginUnreachable(text.to_owned()));
    };
    let retention = info.pointer("/config/retention").and_then(Value::as_str);
    let retention = retention.unwrap_or("limits");
    if retention != "limits" {
        return Err(Error::Halted(format!(
            "origin {name} has retention {retention}: over the consumer API only streams with limits are copied"
        )));
    }
    let next = last.saturating_add(1);
    let first_sequence = if messages == 0 { next } else { first.min(next) };
    let identity = OriginIdentity { incarnation: None, hash: hash8(created) };
    Ok(OriginFacts { identity, first_sequence, last_sequence: last })
}

#[cfg(test)]
#[path = "remote_test.rs"]
mod remote_test;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_stream_says() {
        let info = |messages: u64, first: u64, last: u64, retention: &str| {
            json!({"created": "2026-11-24T10:58:47.314636631Z", "config": {"retention": retention},
                "state": {"messages": messages, "first_seq": first, "last_seq": last}})
        };
        for (messages, first, last, expected) in
            [(0, 0, 0, 1), (3, 5, 9, 5), (0, 10, 9, 10), (0, 1, 9, 10), (1, 7, 7, 7)]
        {
            let facts = facts("A", &info(messages, first, last, "limits")).unwrap();
            assert_eq!((facts.first_sequence, facts.last_sequence), (expected, last));
            assert_eq!(facts.identity.hash, "d71u5aS5");
        }
        assert!(matches!(facts("A", &info(0, 0, 0, "workqueue")), Err(Error::Halted(_))));
        assert!(matches!(facts("A", &json!({})), Err(Error::OriginUnreachable(_))));
    }
}
