//! `STREAM.CREATE`, `STREAM.UPDATE`, `STREAM.DELETE`.
//! Not here: verdicts (`validate`) and what they lead to (`lifecycle`).

use super::endpoint::object;
use super::{Reply, Request};
use crate::jetstream::config::parse;
use crate::jetstream::info::{self, Details};
use crate::jetstream::{errors, json, lifecycle};
use serde_json::json;

/// Creates a stream, or finds it there with the same configuration.
pub(super) async fn create(request: &Request<'_>) -> Reply {
    let config = parse(request.body, request.tenant.context.options.is_strict)?;
    let entry = lifecycle::create(request.tenant, request.stream, &config).await?;
    let details = Details { is_new: true, has_dynamic_metadata: true, ..Details::default() };
    let mut reply = info::stream(&entry, &details);
    reply.insert("did_create".into(), true.into());
    Ok(reply)
}

/// Changes a stream's configuration.
pub(super) async fn update(request: &Request<'_>) -> Reply {
    let config = parse(request.body, request.tenant.context.options.is_strict)?;
    let entry = lifecycle::update(request.tenant, request.stream, &config).await?;
    let details = Details { has_dynamic_metadata: true, ..Details::default() };
    Ok(info::stream(&entry, &details))
}

/// Deletes a stream.
pub(super) async fn delete(request: &Request<'_>) -> Reply {
    if !json::is_empty(request.body) {
        return Err(errors::NOT_EMPTY_REQUEST);
    }
    lifecycle::delete(request.tenant, request.stream).await?;
    Ok(object(json!({"success": true})))
}
