//! Endpoints of what this server does not have: consumers, snapshots, and everything that needs a cluster.
//! Not here: settings that are not built (`validate`).

use super::endpoint::{Endpoint, object};
use super::{Reply, Request};
use crate::jetstream::errors;
use serde_json::json;

const NAMES_MAX: usize = 1024;
const LIST_MAX: usize = 256;

/// Consumers cannot be made.
pub(super) fn consumers() -> Reply {
    Err(errors::CONSUMERS_NOT_BUILT)
}

/// The consumers of a stream: none.
pub(super) fn no_consumers(endpoint: Endpoint, request: &Request<'_>) -> Reply {
    request.optional(|fields| Ok((fields.integer("offset")?, fields.text("subject")?)))?;
    request.entry()?;
    let limit = if endpoint == Endpoint::ConsumerNames { NAMES_MAX } else { LIST_MAX };
    Ok(object(json!({"total": 0, "offset": 0, "limit": limit, "consumers": []})))
}

/// Snapshots cannot be made.
pub(super) fn snapshots() -> Reply {
    Err(errors::SNAPSHOTS_NOT_BUILT)
}

/// A single server has no leaders and peers.
pub(super) fn clusters() -> Reply {
    Err(errors::CLUSTER_REQUIRED)
}
