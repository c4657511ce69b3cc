//! `INFO`: what the account uses and may use.
//! Not here: bounds of the server.

use super::endpoint::object;
use super::{Reply, Request};
use crate::protocol;
use serde_json::json;
use std::sync::atomic::Ordering;

/// Answers with usage and limits. There are no limits of accounts.
pub(super) fn handle(request: &Request<'_>) -> Reply {
    let tenant = request.tenant;
    let usage = tenant.usage();
    let mut info = object(json!({
        "memory": usage.memory,
        "storage": usage.file,
        "reserved_memory": usage.reserved_memory,
        "reserved_storage": usage.reserved_file,
        "streams": tenant.entries().len(),
        "consumers": usage.consumers,
        "limits": {
            "max_memory": -1,
            "max_storage": -1,
            "max_streams": -1,
            "max_consumers": -1,
            "max_ack_pending": -1,
            "memory_max_stream_bytes": -1,
            "storage_max_stream_bytes": -1,
            "max_bytes_required": false,
        },
        "api": {
            "level": protocol::API_LEVEL,
            "total": tenant.requests.load(Ordering::Relaxed),
            "errors": tenant.errors.load(Ordering::Relaxed),
        },
    }));
    let domain = &tenant.context.options.domain;
    if !domain.is_empty() {
        info.insert("domain".into(), domain.as_str().into());
    }
    Ok(info)
}
