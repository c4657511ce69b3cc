//! What a consumer has to tell others than its clients: advisories, and one metric.
//! Not here: who listens to them (`advisory`).

use super::ack::Delivered;
use super::machine::Exhausted;
use crate::jetstream::{advisory, text_time};
use crate::routing::Account;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Reason of a message that left the stream before it was acknowledged.
pub(crate) const REMOVED: &str = "Unacknowledged message was deleted";

/// See the top of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A message was delivered as often as it may be.
    MaxDeliveries(Exhausted),
    /// A client wants a message again.
    Naked(Delivered),
    /// A message is never delivered again.
    Terminated(Delivered, String),
    /// A message was acknowledged after so many nanoseconds.
    Acknowledged(Delivered, i64),
    /// A client is served before all others of its group.
    Pinned { group: String, id: String },
    /// It is not any more.
    Unpinned { group: String, reason: &'static str },
    /// Nothing is delivered until then; `None` where it goes on.
    Paused(Option<jiff::Timestamp>),
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
}

impl Event {
    /// Tells whoever listens.
    pub(crate) fn publish(&self, account: &Arc<Account>, stream: &str, consumer: &str) {
        let (subject, kind) = self.names();
        let subject = format!("{subject}.{stream}.{consumer}");
        let body = || {
            let mut body = self.body();
            body.insert("stream".into(), stream.into());
            body.insert("consumer".into(), consumer.into());
            if matches!(self, Self::Pinned { .. } | Self::Unpinned { .. }) {
                body.insert("account".into(), account.name().into());
            }
            Value::Object(body)
        };
        advisory::publish_kind(account, subject, kind, body);
    }

    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::MaxDeliveries(_) => (
                "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES",
                "io.nats.jetstream.advisory.v1.max_deliver",
            ),
            Self::Naked(_) => {
                ("$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED", "io.nats.jetstream.advisory.v1.nak")
            }
            Self::Terminated(..) => (
                "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED",
                "io.nats.jetstream.advisory.v1.terminated",
            ),
            Self::Acknowledged(..) => {
                ("$JS.EVENT.METRIC.CONSUMER.ACK", "io.nats.jetstream.metric.v1.consumer_ack")
            }
            Self::Pinned { .. } => (
                "$JS.EVENT.ADVISORY.CONSUMER.PINNED",
                "io.nats.jetstream.advisory.v1.consumer_group_pinned",
            ),
            Self::Unpinned { .. } => (
                "$JS.EVENT.ADVISORY.CONSUMER.UNPINNED",
                "io.nats.jetstream.advisory.v1.consumer_group_unpinned",
            ),
            Self::Paused(_) => (
                "$JS.EVENT.ADVISORY.CONSUMER.PAUSE",
                "io.nats.jetstream.advisory.v1.consumer_pause",
            ),
            Self::Created => (
                "$JS.EVENT.ADVISORY.CONSUMER.CREATED",
                "io.nats.jetstream.advisory.v1.consumer_action",
            ),
            Self::Deleted => (
                "$JS.EVENT.ADVISORY.CONSUMER.DELETED",
                "io.nats.jetstream.advisory.v1.consumer_action",
            ),
        }
    }

    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        match self {
            Self::MaxDeliveries(Exhausted { sequence, deliveries }) => {
                set("stream_seq", (*sequence).into());
                set("deliveries", (*deliveries).into());
            }
            Self::Naked(delivered)
            | Self::Terminated(delivered, _)
            | Self::Acknowledged(delivered, _) => {
                set("consumer_seq", delivered.delivery.into());
                set("stream_seq", delivered.sequence.into());
                set("deliveries", delivered.deliveries.into());
            }
            Self::Pinned { group, id } => {
                set("group", group.as_str().into());
                set("pinned_id", id.as_str().into());
            }
            Self::Unpinned { group, reason } => {
                set("group", group.as_str().into());
                set("reason", (*reason).into());
            }
            Self::Paused(until) => {
                let text = until.map_or(text_time::ZERO.to_owned(), |until| until.to_string());
                set("paused", until.is_some().into());
                set("pause_until", text.into());
            }
            Self::Created => set("action", "create".into()),
            Self::Deleted => set("action", "delete".into()),
        }
        match self {
            Self::Terminated(_, reason) if !reason.is_empty() => {
                set("reason", reason.as_str().into());
            }
            Self::Acknowledged(_, span) => set("ack_time", (*span).into()),
            _ => {}
        }
        body
    }
}
