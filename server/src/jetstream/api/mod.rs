//! The API: a table of subjects, each with its handler in a file of its own, and lanes that answer requests in order.
//!
//! | subject under `$JS.API.` | file |
//! |---|---|
//! | `INFO` | `account_info` |
//! | `STREAM.CREATE.*`, `STREAM.UPDATE.*`, `STREAM.DELETE.*` | `stream_change` |
//! | `STREAM.NAMES`, `STREAM.LIST` | `stream_list` |
//! | `STREAM.INFO.*` | `stream_info` |
//! | `STREAM.PURGE.*` | `stream_purge` |
//! | `STREAM.MSG.GET.*`, `STREAM.MSG.DELETE.*` | `messages` |
//! | `DIRECT.GET.*`, `DIRECT.GET.*.>` | `direct_get`, `direct_batch` |
//! | `STREAM.SNAPSHOT.*`, `STREAM.RESTORE.*` | `stream_backup` |
//! | `CONSUMER.>` | `consumer_change`, `consumer_list` |
//! | what needs a cluster | `unbuilt` |
//!
//! A subject that is not in the table gets no answer, as with nats-server.
//! Not here: what changes streams (`lifecycle`), what a stream looks like (`info`).

mod account_info;
mod consumer_change;
mod consumer_list;
mod direct_batch;
mod direct_get;
mod endpoint;
mod messages;
mod queue;
mod stream_backup;
mod stream_change;
mod stream_info;
mod stream_list;
mod stream_purge;
mod unbuilt;

pub(crate) use queue::Queue;

use super::advisory;
use super::errors::{self, ApiError};
use super::json::{self, Fields};
use super::tenant::Tenant;
use crate::protocol::{self, headers};
use crate::routing::{Message, Origin};
use bytes::Bytes;
use endpoint::Endpoint;
use serde_json::{Map, Value};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const PREFIX: &str = "$JS.API.";
/// The header by which a request asks for a level of the API.
pub(crate) const LEVEL_HEADER: &str = "Nats-Required-Api-Level";

/// The header in which a copying server says which creation of a stream it knows, and is told which it is.
pub(in crate::jetstream) const IDENTITY_HEADER: &str = "Nats-Stream-Identity";

/// A request on its way to its handler.
pub(super) struct Request<'a> {
    /// The account's streams.
    pub(super) tenant: &'a Arc<Tenant>,
    /// The stream that the subject names; empty where it names none.
    pub(super) stream: &'a str,
    /// What follows the stream in the subject.
    pub(super) rest: &'a str,
    /// The body.
    pub(super) body: &'a [u8],
    /// The header block; empty without headers.
    pub(super) headers: &'a [u8],
    /// Set by a handler whose reply says which creation of the stream it speaks of.
    pub(super) identity: OnceLock<String>,
    /// Who asks.
    pub(super) origin: &'a Arc<Origin>,
    /// What goes on when it is answered.
    afterwards: Mutex<Option<Work>>,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The fields of a reply, but for its type.
pub(super) type Reply = Result<Map<String, Value>, ApiError>;

impl Request<'_> {
    /// Goes on with something when the request is answered, on a task of its own.
    pub(super) fn afterwards(&self, work: impl Future<Output = ()> + Send + 'static) {
        *self.afterwards.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(work));
    }
    /// Reads a body that may be left out: anything that is not JSON counts as nothing.
    pub(super) fn optional<T: Default>(
        &self,
        read: impl FnOnce(&Fields<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        if json::is_json(self.body) { self.required(read) } else { Ok(T::default()) }
    }
    /// Reads a body that has to be an object.
    pub(super) fn required<T>(
        &self,
        read: impl FnOnce(&Fields<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let value = json::parse(self.body)?;
        let fields = Fields::new("request", &value, self.tenant.context.options.is_strict)?;
        let result = read(&fields)?;
        fields.finish().map(|()| result)
    }
    /// The stream that the subject names.
    pub(super) fn entry(&self) -> Result<Arc<super::entry::Entry>, ApiError> {
        self.tenant.entry(self.stream).ok_or(errors::STREAM_NOT_FOUND)
    }
}

/// Answers one request.
pub(super) async fn answer(tenant: &Arc<Tenant>, message: &Message, origin: &Arc<Origin>) {
    let subject = std::str::from_utf8(&message.subject).unwrap_or_default();
    let Some(path) = subject.strip_prefix(PREFIX) else { return };
    if let Some(target) = path.strip_prefix("DIRECT.GET.") {
        return direct_get::answer(tenant, target, message);
    }
    let Some((endpoint, stream, rest)) = Endpoint::find(path) else { return };
    let (body, headers) = (&message.payload, &message.headers);
    let (identity, afterwards) = (OnceLock::new(), Mutex::default());
    let request = Request { tenant, stream, rest, body, headers, identity, origin, afterwards };
    let result = match is_level_supported(message) {
        true => endpoint.handle(&request).await,
        false => Err(errors::REQUIRED_API_LEVEL),
    };
    let (is_counted, is_error) = endpoint.counts(&result);
    let headers = match (&result, request.identity.get()) {
        (Ok(_), Some(identity)) => headers::block("", &[(IDENTITY_HEADER, identity.as_str())]),
        _ => Bytes::new(),
    };
    let payload = envelope(endpoint, result);
    if is_counted {
        tenant.count(is_error);
    }
    if !message.reply.is_empty() {
        let (subject, payload) = (message.reply.clone(), payload.clone());
        tenant.account.send(&Message { subject, headers, payload, ..Message::default() });
    }
    if is_counted {
        advisory::api_audit(tenant, message, origin, &payload);
    }
    let work = request.afterwards.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(work) = work {
        tenant.context.runtime.spawn(work);
    }
}

/// Whether this server has the level of the API that the request needs, if it says so.
pub(crate) fn is_level_supported(message: &Message) -> bool {
    let level = headers::get(&message.headers, LEVEL_HEADER).unwrap_or_default();
    if level.is_empty() {
        return true;
    }
    let level = std::str::from_utf8(level).ok().and_then(|text| text.parse::<i64>().ok());
    level.is_some_and(|level| level <= i64::from(protocol::API_LEVEL))
}

fn envelope(endpoint: Endpoint, result: Reply) -> Bytes {
    let mut reply = match result {
        Ok(reply) => reply,
        Err(error) => {
            let mut reply = endpoint.empty_reply();
            reply.insert("error".into(), serde_json::json!(error));
            reply
        }
    };
    let kind = format!("io.nats.jetstream.api.v1.{}", endpoint.kind());
    reply.insert("type".into(), kind.into());
    Bytes::from(Value::Object(reply).to_string())
}
