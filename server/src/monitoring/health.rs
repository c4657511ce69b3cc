//! `/healthz`: whether the server works, and an account, a stream or a consumer is there.
//! Not here: HTTP, what JetStream knows of its failures (`JetStreamView`).

use super::Missing;
use super::query::{Query, QueryError};
use crate::shared::Shared;
use serde_json::{Value, json};

/// The answer, with the status that HTTP has for it.
pub(super) fn view(shared: &Shared, query: &Query) -> Result<(Value, u16), QueryError> {
    let server_only = query.switch("js-enabled-only")? || query.switch("js-server-only")?;
    let is_detailed = query.switch("details")?;
    let [account, stream, consumer] = ["acc", "stream", "consumer"].map(|name| query.text(name));
    for (name, needed, of) in [(stream, account, "account"), (consumer, stream, "stream")] {
        if !name.is_empty() && needed.is_empty() {
            let what = if of == "account" { "stream" } else { "consumer" };
            let text = format!("{of:?} must not be empty when checking {what} health");
            return Ok((json!({ "status": "error", "error": text }), 400));
        }
    }
    if shared.options.jetstream.is_none() {
        return Ok(well());
    }
    let Some(view) = shared.jetstream_view() else {
        let text = "JetStream is not current with its state";
        return Ok((json!({ "status": "unavailable", "error": text }), 503));
    };
    if server_only {
        return Ok(well());
    }
    if let Some(missing) = view.missing(account, stream, consumer) {
        return Ok((unfound(missing, [account, stream, consumer], is_detailed), 404));
    }
    Ok(match view.failure() {
        Some(error) => (json!({ "status": "unavailable", "error": error }), 503),
        None => well(),
    })
}

fn well() -> (Value, u16) {
    (json!({ "status": "ok" }), 200)
}

fn unfound(missing: Missing, [account, stream, consumer]: [&str; 3], is_detailed: bool) -> Value {
    let (kind, text) = match missing {
        Missing::Account => ("ACCOUNT", format!("JetStream account {account:?} not found")),
        Missing::Stream => {
            ("STREAM", format!("JetStream stream {stream:?} not found on account {account:?}"))
        }
        Missing::Consumer => (
            "CONSUMER",
            format!(
                "JetStream consumer {consumer:?} not found for stream {stream:?} on account {account:?}"
            ),
        ),
    };
    if !is_detailed {
        return json!({ "status": "unavailable", "error": text });
    }
    let mut detail = json!({ "type": kind, "account": account, "error": text });
    if let Some(fields) = detail.as_object_mut() {
        if missing != Missing::Account {
            fields.insert("stream".into(), stream.into());
        }
        if missing == Missing::Consumer {
            fields.insert("consumer".into(), consumer.into());
        }
    }
    json!({ "status": "error", "errors": [detail] })
}
