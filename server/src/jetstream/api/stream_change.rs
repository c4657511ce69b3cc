//! `STREAM.CREATE`, `STREAM.UPDATE`, `STREAM.DELETE`.
//! Not here: verdicts (`validate`) and what they lead to (`lifecycle`).

use super::endpoint::object;
use super::{Reply, Request};
use crate::jetstream::advisory::{self, StreamAction};
use crate::jetstream::config::parse;
use crate::jetstream::entry::Entry;
use crate::jetstream::info::{self, Details};
use crate::jetstream::{errors, json, lifecycle};
use serde_json::json;

/// Creates a stream, or finds it there with the same configuration. The reply shows it as it was before anybody was
/// told of it: it may capture the advisory itself.
pub(super) async fn create(request: &Request<'_>) -> Reply {
    let config = parse(request.body, request.tenant.context.options.is_strict)?;
    let details = Details { has_dynamic_metadata: true, ..Details::default() };
    let show = |entry: &Entry| info::stream(entry, &details);
    let (mut reply, is_created) =
        lifecycle::create(request.tenant, request.stream, &config, show).await?;
    reply.insert("did_create".into(), true.into());
    if is_created {
        advisory::stream_action(request.tenant, request.stream, StreamAction::Create);
    }
    Ok(reply)
}

/// Changes a stream's configuration.
pub(super) async fn update(request: &Request<'_>) -> Reply {
    let config = parse(request.body, request.tenant.context.options.is_strict)?;
    let details = Details { has_dynamic_metadata: true, ..Details::default() };
    let show = |entry: &Entry| info::stream(entry, &details);
    let reply = lifecycle::update(request.tenant, request.stream, &config, show).await?;
    advisory::stream_action(request.tenant, request.stream, StreamAction::Modify);
    Ok(reply)
}

/// Deletes a stream.
pub(super) async fn delete(request: &Request<'_>) -> Reply {
    if !json::is_empty(request.body) {
        return Err(errors::NOT_EMPTY_REQUEST);
    }
    lifecycle::delete(request.tenant, request.stream).await?;
    advisory::stream_action(request.tenant, request.stream, StreamAction::Delete);
    Ok(object(json!({"success": true})))
}
