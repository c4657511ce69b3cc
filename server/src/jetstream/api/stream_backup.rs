//! `STREAM.SNAPSHOT`, `STREAM.RESTORE`. The answer comes first, the archive follows on subjects of its own.
//! Not here: the archive (`backup`).

use super::endpoint::object;
use super::{Reply, Request};
use crate::jetstream::backup::{Restore, Snapshot, SnapshotRequest};
use crate::jetstream::config::{ConfigRequest, parse_restore};
use crate::jetstream::info::config_json;
use crate::jetstream::{advisory, errors, json, lifecycle};
use headwater_storage::{Timestamp, subject};
use serde_json::json;

/// Sends a stream as an archive.
pub(super) fn snapshot(request: &Request<'_>) -> Reply {
    if json::is_empty(request.body) {
        return Err(errors::BAD_REQUEST);
    }
    let entry = request.entry()?;
    let asked = request.required(|fields| {
        // Messages are checked when they are read, whatever is asked for.
        fields.flag("jsck")?;
        let bytes =
            |size: Option<u64>| size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
        Ok(SnapshotRequest {
            deliver_subject: fields.text("deliver_subject")?,
            no_consumers: fields.flag("no_consumers")?,
            chunk_bytes: bytes(fields.count("chunk_size")?),
            window_bytes: bytes(fields.count("window_size")?),
        })
    })?;
    if !subject::is_literal(&asked.deliver_subject) {
        return Err(errors::SNAPSHOT_DELIVER_SUBJECT);
    }
    let tenant = request.tenant.clone();
    let slot = tenant.backups.take().ok_or(errors::TOO_MANY_REQUESTS)?;
    let snapshot = Snapshot::new(&tenant.account, &entry, asked, slot)?;
    let config = entry.config();
    let reply = object(json!({"config": config_json(&*config, false), "state": snapshot.state}));
    let origin = request.origin.clone();
    request.afterwards(async move {
        let (client, stream, started) =
            ((&*tenant, &*origin), config.name.as_str(), Timestamp::now());
        advisory::snapshot_create(client, stream, &snapshot.state);
        let result = snapshot.send().await;
        if let Err(error) = &result {
            tracing::warn!(stream, error, "snapshot failed");
        }
        let detail = result.map_or_else(|error| json!({"error": error}), |()| json!({}));
        advisory::backup_complete(client, "snapshot", stream, started, detail);
    });
    Ok(reply)
}

/// Takes a stream as an archive.
pub(super) async fn restore(request: &Request<'_>) -> Reply {
    if json::is_empty(request.body) {
        return Err(errors::BAD_REQUEST);
    }
    let tenant = request.tenant;
    let mut asked: ConfigRequest = parse_restore(request.body, tenant.context.options.is_strict)?;
    if asked.config.name.is_empty() {
        request.stream.clone_into(&mut asked.config.name);
    }
    let config = {
        let _changing = tenant.changing.lock().await;
        lifecycle::check_restore(tenant, request.stream, &asked)?
    };
    let slot = tenant.backups.take().ok_or(errors::TOO_MANY_REQUESTS)?;
    advisory::restore_create((tenant, request.origin), request.stream);
    let restore = Restore::new(tenant, request.origin, asked, config, slot);
    let reply = object(json!({"deliver_subject": restore.subject()}));
    request.afterwards(restore.run());
    Ok(reply)
}
