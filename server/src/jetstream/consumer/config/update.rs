//! What an update of a consumer may change.
//! Not here: the checks that a new configuration passes as well (`check`).

use super::ConsumerConfig;
use crate::jetstream::errors::{self, ApiError};

/// Checks a new, already checked configuration against the old one. `is_bound`: somebody listens where the old one
/// delivers.
pub(crate) fn updated(
    old: &ConsumerConfig,
    new: &ConsumerConfig,
    is_bound: bool,
) -> Result<(), ApiError> {
    let text = if new.deliver_policy != old.deliver_policy {
        "deliver policy can not be updated"
    } else if new.mem_storage != old.mem_storage {
        "storage type can not be updated"
    } else if new.direct != old.direct {
        "direct can not be updated"
    } else if new.sourcing != old.sourcing {
        "sourcing can not be updated"
    } else if new.opt_start_seq != old.opt_start_seq {
        "start sequence can not be updated"
    } else if new.opt_start_time != old.opt_start_time {
        "start time can not be updated"
    } else if new.ack_policy != old.ack_policy {
        "ack policy can not be updated"
    } else if new.replay_policy != old.replay_policy {
        "replay policy can not be updated"
    } else if new.idle_heartbeat != old.idle_heartbeat {
        "heart beats can not be updated"
    } else if new.flow_control != old.flow_control {
        "flow control can not be updated"
    } else if new.is_push() && !old.is_push() {
        "can not update pull consumer to push based"
    } else if !new.is_push() && old.is_push() {
        "can not update push consumer to pull based"
    } else if new.deliver_subject != old.deliver_subject && is_bound {
        return Err(errors::CONSUMER_NAME_EXISTS);
    } else if new.max_waiting != old.max_waiting {
        "max waiting can not be updated"
    } else {
        return Ok(());
    };
    Err(ApiError::with(500, 10012, text.into()))
}
