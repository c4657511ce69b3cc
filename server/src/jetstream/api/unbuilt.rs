//! Endpoints of what this server does not have: everything that needs a cluster.
//! Not here: settings that are not built (`validate`).

use super::Reply;
use crate::jetstream::errors;

/// A single server has no leaders and peers.
pub(super) fn clusters() -> Reply {
    Err(errors::CLUSTER_REQUIRED)
}
