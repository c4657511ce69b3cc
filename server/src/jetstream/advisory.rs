//! Advisories: what happened, told to whoever listens under `$JS.EVENT.ADVISORY`.
//! Invariant: nothing is built where nobody listens, and no reply waits for an advisory.
//! Not here: what happened.

use super::tenant::Tenant;
use super::text_time;
use crate::routing::{Account, Message, Origin};
use bytes::Bytes;
use headwater_storage::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const API_SUBJECT: &str = "$JS.EVENT.ADVISORY.API";

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamAction {
    /// It was created.
    Create,
    /// Its configuration was changed.
    Modify,
    /// It was deleted.
    Delete,
}

/// Why a batch was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// Nothing came for too long.
    Timeout,
    /// It holds more than a batch may.
    Large,
    /// A member is missing.
    Incomplete,
    /// It needs what this server does not have.
    Unsupported,
}

/// Tells that an atomic batch will never be stored.
pub(crate) fn batch_abandoned(account: &Arc<Account>, stream: &str, id: &[u8], why: Abandoned) {
    let reason = match why {
        Abandoned::Timeout => "timeout",
        Abandoned::Large => "large",
        Abandoned::Incomplete => "incomplete",
        Abandoned::Unsupported => "unsupported",
    };
    let subject = format!("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.{stream}");
    publish(
        account,
        subject,
        "stream_batch_abandoned",
        || json!({"stream": stream, "batch": String::from_utf8_lossy(id), "reason": reason}),
    );
}

/// Tells that a stream was created, changed or deleted.
pub(crate) fn stream_action(tenant: &Tenant, stream: &str, action: StreamAction) {
    let (token, word) = match action {
        StreamAction::Create => ("CREATED", "create"),
        StreamAction::Modify => ("UPDATED", "modify"),
        StreamAction::Delete => ("DELETED", "delete"),
    };
    let subject = format!("$JS.EVENT.ADVISORY.STREAM.{token}.{stream}");
    publish(
        &tenant.account,
        subject,
        "stream_action",
        || json!({"stream": stream, "action": word}),
    );
}

/// A request that takes time: its account, and who asked.
type Asked<'a> = (&'a Tenant, &'a Origin);

/// Tells that a stream is sent as an archive.
pub(crate) fn snapshot_create(asked: Asked<'_>, stream: &str, state: &Value) {
    backup(asked, "snapshot_create", stream, || json!({"state": state}));
}

/// Tells that a stream is to come as an archive.
pub(crate) fn restore_create(asked: Asked<'_>, stream: &str) {
    backup(asked, "restore_create", stream, || json!({}));
}

/// Tells that a `snapshot` or a `restore` is over, and what more there is to say.
pub(crate) fn backup_complete(
    asked: Asked<'_>,
    what: &str,
    stream: &str,
    started: Timestamp,
    detail: Value,
) {
    backup(asked, &format!("{what}_complete"), stream, || {
        let mut event = detail;
        if let Value::Object(event) = &mut event {
            event.insert("start".into(), text_time::text(started).into());
            event.insert("end".into(), text_time::now().into());
        }
        event
    });
}

fn backup(asked: Asked<'_>, kind: &str, stream: &str, make: impl FnOnce() -> Value) {
    let (tenant, origin) = asked;
    let subject = format!("$JS.EVENT.ADVISORY.STREAM.{}.{stream}", kind.to_uppercase());
    publish(&tenant.account, subject, kind, || {
        let mut event = make();
        if let Value::Object(event) = &mut event {
            event.insert("stream".into(), stream.into());
            event.insert("client".into(), client(tenant, origin).into());
        }
        event
    });
}

/// Tells of a request to the API and its answer.
pub(crate) fn api_audit(tenant: &Tenant, request: &Message, origin: &Origin, response: &Bytes) {
    publish(&tenant.account, API_SUBJECT.to_owned(), "api_audit", || {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let client = client(tenant, origin);
        let mut event = json!({
            "server": tenant.context.identity.name,
            "client": client,
            "subject": text(&request.subject),
            "response": text(response),
        });
        if let (Value::Object(event), false) = (&mut event, request.payload.is_empty()) {
            event.insert("request".into(), text(&request.payload).into());
        }
        event
    });
}

/// Who asked for something, as advisories show it.
fn client(tenant: &Tenant, origin: &Origin) -> Map<String, Value> {
    let mut client = Map::new();
    client.insert("acc".into(), tenant.account.name().into());
    if origin.client_id != 0 {
        client.insert("id".into(), origin.client_id.into());
    }
    let fields = [
        ("host", &origin.host),
        ("user", &origin.user),
        ("name", &origin.name),
        ("lang", &origin.language),
        ("ver", &origin.version),
    ];
    for (key, value) in fields {
        if !value.is_empty() {
            client.insert(key.into(), Value::from(&**value));
        }
    }
    if let Some(started) = origin.started {
        client.insert("start".into(), text_time::text(Timestamp::from_system(started)).into());
        client.insert("kind".into(), "Client".into());
        client.insert("client_type".into(), origin.client_type.into());
        client.insert("server".into(), tenant.context.identity.name.as_str().into());
    }
    client
}

fn publish(account: &Arc<Account>, subject: String, kind: &str, make: impl FnOnce() -> Value) {
    publish_kind(account, subject, &format!("io.nats.jetstream.advisory.v1.{kind}"), make);
}

/// Tells what happened, with the whole name of its kind.
pub(crate) fn publish_kind(
    account: &Arc<Account>,
    subject: String,
    kind: &str,
    make: impl FnOnce() -> Value,
) {
    if !account.has_interest(&subject) {
        return;
    }
    let mut event = make();
    if let Value::Object(event) = &mut event {
        event.insert("type".into(), kind.into());
        event.insert("id".into(), nuid::next().as_str().into());
        event.insert("timestamp".into(), text_time::now().into());
    }
    let payload = Bytes::from(event.to_string());
    let subject = Bytes::from(subject);
    account.send(&Message { subject, payload, ..Message::default() });
}
