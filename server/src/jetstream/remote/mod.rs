//! Origins that are read over the consumer API: of other servers, and of this one through a consumer made beforehand.
//! Requests and deliveries go through the account, and over whatever links it with the other server.
//!
//! Life of a session: it asks what the stream is, has a consumer made that delivers to a subject of its own (`ask`), and listens
//! there (`session`). Deliveries are numbered; a number that is missing, a heartbeat that tells of more than came, a consumer that
//! delivers nothing although something is left (`pulse`), or silence ends the session, and the driver opens another one behind
//! what is stored. So nothing is left out, and nothing hangs without a word.
//! Where messages go when they were acknowledged, the consumer stays, and what it is answered waits for the disk (`answers`).
//! Not here: what is done with the messages (crate `headwater-replication`), the link (`leaf`).

mod answers;
mod ask;
mod delivery;
mod inbox;
mod pulse;
mod request;
mod session;

use super::config::{OriginConfig, OriginConsumer};
use crate::routing::Account;
use ask::Terms;
use headwater_replication::Error;
use headwater_replication::Result;
use headwater_replication::identity::{OriginIdentity, hash8};
use headwater_replication::origin::{BoxFuture, Origin, OriginFacts, Session};
use request::Api;
use serde_json::{Value, json};
use session::RemoteSession;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked for an origin that is not there, or that cannot be copied as it is.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The API of this server.
const OWN_API: &str = "$JS.API";

/// The stream that copies, by what other servers are told of it.
#[derive(Clone, Debug)]
pub(crate) struct Copier {
    /// Its name.
    pub(crate) stream: String,
    /// What tells it from streams of the same name on other servers: the domain of its server, or which creation it is.
    pub(crate) place: String,
    /// It is a mirror.
    pub(crate) is_mirror: bool,
}

impl Copier {
    fn kind(&self) -> &'static str {
        if self.is_mirror { "MIRROR" } else { "SRC" }
    }
    /// The name of its consumers, the same each time. Sources of one stream differ by their index names.
    fn consumer(&self, account: &str, origin: &OriginConfig) -> String {
        let mut id = hash8(&format!("{} {account} {}", self.stream, self.place));
        if !self.is_mirror {
            id = hash8(&format!("{id} {}", origin.index_name()));
        }
        format!("JS_{}_{id}", self.kind())
    }
    /// What the consumer that stays says of whose it is.
    fn metadata(&self, account: &str) -> Value {
        let kind = if self.is_mirror { "mirror" } else { "src" };
        json!({format!("_nats.{kind}.stream"): self.stream, format!("_nats.{kind}.acc"): account})
    }
}

/// A stream that is read over the consumer API.
pub(crate) struct RemoteOrigin {
    name: String,
    api: Api,
    deliver_prefix: String,
    kind: &'static str,
    /// A consumer made beforehand.
    own: Option<OriginConsumer>,
    /// The consumer that stays where messages go.
    durable: String,
    metadata: Value,
}

impl std::fmt::Debug for RemoteOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteOrigin").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The prefix of the API behind which an origin is.
fn prefix(origin: &OriginConfig) -> &str {
    origin.external.as_ref().map_or(OWN_API, |external| external.api.trim_end_matches('.'))
}

/// Whether an origin is read over the consumer API.
pub(crate) fn is_read_by_consumer(origin: &OriginConfig) -> bool {
    origin.external.is_some() || origin.consumer.is_some()
}

/// Tells the other server once that a copy is gone: a consumer that stayed for it goes too. One made beforehand is not ours.
pub(crate) fn forget(account: &Arc<Account>, origin: &OriginConfig, copier: &Copier) {
    if origin.external.is_some() && origin.consumer.is_none() {
        let name = copier.consumer(account.name(), origin);
        let api = Api::new(account.clone(), prefix(origin));
        api.tell(&format!("CONSUMER.DELETE.{}.{name}", origin.name), &Value::Null);
    }
}

impl RemoteOrigin {
    /// An origin as configured for a copy.
    pub(crate) fn new(account: Arc<Account>, origin: &OriginConfig, copier: &Copier) -> Self {
        let letter = if copier.is_mirror { "M" } else { "S" };
        let external = origin.external.as_ref();
        let deliver = external.map_or("", |external| external.deliver.trim_end_matches('.'));
        let deliver = if deliver.is_empty() { "$JS" } else { deliver };
        Self {
            name: origin.name.clone(),
            deliver_prefix: format!("{deliver}.{letter}"),
            kind: copier.kind(),
            own: origin.consumer.clone(),
            durable: copier.consumer(account.name(), origin),
            metadata: copier.metadata(account.name()),
            api: Api::new(account, prefix(origin)),
        }
    }
    /// How the consumer is to be had, for a stream that is kept so.
    fn terms(&self, is_kept: bool) -> Terms {
        let deliver = format!("{}.{}", self.deliver_prefix, nuid::next());
        match (&self.own, is_kept) {
            (Some(own), _) => {
                Terms::Own { name: own.name.clone(), deliver: own.deliver_subject.clone() }
            }
            (None, true) => {
                Terms::Passing { name: format!("JS_{}_{}", self.kind, nuid::next()), deliver }
            }
            (None, false) => {
                let (name, metadata) = (self.durable.clone(), self.metadata.clone());
                Terms::Durable { name, deliver, metadata }
            }
        }
    }
}

impl Origin for RemoteOrigin {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>>> {
        Box::pin(async {
            let info = self.api.ask(&format!("STREAM.INFO.{}", self.name), &Value::Null).await?;
            let facts = facts(&info)?;
            let terms = self.terms(is_kept(&info));
            let session = RemoteSession::new(&self.name, self.api.clone(), facts, terms);
            let session: Box<dyn Session> = Box::new(session);
            Ok(session)
        })
    }

    /// Nothing tells: it may have changed after a while. The while begins when it is waited for.
    fn changed(&self) -> BoxFuture<'static, ()> {
        Box::pin(async { tokio::time::sleep(LOOK_AGAIN).await })
    }
}

/// Whether messages of a stream stay when they were acknowledged.
fn is_kept(info: &Value) -> bool {
    let retention = info.pointer("/config/retention").and_then(Value::as_str);
    retention.is_none_or(|retention| retention == "limits")
}

/// What a stream says of itself.
fn facts(info: &Value) -> Result<OriginFacts> {
    let number = |key: &str| info.get("state")?.get(key)?.as_u64();
    let (created, messages) = (info.get("created").and_then(Value::as_str), number("messages"));
    let (first, last) = (number("first_seq"), number("last_seq"));
    let (Some(created), Some(messages), Some(first), Some(last)) = (created, messages, first, last)
    else {
        let text = "the answer about the origin says nothing of its state";
        return Err(Error::OriginUnreachable(text.to_owned()));
    };
    let next = last.saturating_add(1);
    let first_sequence = if messages == 0 { next } else { first.min(next) };
    let identity = OriginIdentity { incarnation: None, hash: hash8(created) };
    Ok(OriginFacts { identity, first_sequence, last_sequence: last })
}

#[cfg(test)]
#[path = "durable_test.rs"]
mod durable_test;

#[cfg(test)]
#[path = "remote_test.rs"]
mod remote_test;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_says() {
        let info = |messages: u64, first: u64, last: u64, retention: &str| {
            json!({"created": "2026-11-24T10:58:47.314636631Z", "config": {"retention": retention},
                "state": {"messages": messages, "first_seq": first, "last_seq": last}})
        };
        for (messages, first, last, expected) in
            [(0, 0, 0, 1), (3, 5, 9, 5), (0, 10, 9, 10), (0, 1, 9, 10), (1, 7, 7, 7)]
        {
            let facts = facts(&info(messages, first, last, "limits")).unwrap();
            assert_eq!((facts.first_sequence, facts.last_sequence), (expected, last));
            assert_eq!(facts.identity.hash, "d71u5aS5");
        }
        for (retention, is_it) in [("limits", true), ("interest", false), ("workqueue", false)] {
            assert_eq!(is_kept(&info(0, 0, 0, retention)), is_it, "{retention}");
        }
        assert!(is_kept(&json!({})));
        assert!(matches!(facts(&json!({})), Err(Error::OriginUnreachable(_))));
    }

    #[test]
    fn consumers_that_stay_are_told_apart() {
        let origin = |name: &str, filter: &str| OriginConfig {
            name: name.into(),
            filter_subject: filter.into(),
            ..OriginConfig::default()
        };
        let name = |place: &str, is_mirror, origin: &OriginConfig| {
            let copier = Copier { stream: "M".into(), place: place.into(), is_mirror };
            copier.consumer("$G", origin)
        };
        let names = [
            name("d", true, &origin("A", "")),
            name("e", true, &origin("A", "")),
            name("d", false, &origin("A", "")),
            name("d", false, &origin("A", "a")),
            name("d", false, &origin("B", "")),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert_eq!(names[0], name("d", true, &origin("A", "")));
        assert_eq!(names[0], format!("JS_MIRROR_{}", hash8("M $G d")));
    }
}
