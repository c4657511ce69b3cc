//! Endpoints of what this server does not have: snapshots, and everything that needs a cluster.
//! Not here: settings that are not built (`validate`).

use super::Reply;
use crate::jetstream::errors;

/// Snapshots cannot be made.
pub(super) fn snapshots() -> Reply {
    Err(errors::SNAPSHOTS_NOT_BUILT)
}

/// A single server has no leaders and peers.
pub(super) fn clusters() -> Reply {
    Err(errors::CLUSTER_REQUIRED)
}
