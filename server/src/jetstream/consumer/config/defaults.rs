//! What a consumer's configuration says where the request says nothing.
//! Not here: whether it makes sense (`check`).

use super::{AckPolicy, ConsumerConfig, PriorityPolicy};
use crate::jetstream::config::StreamConfig;
use crate::jetstream::errors::ApiError;

const SECOND: i64 = 1_000_000_000;
const ACK_WAIT: i64 = 30 * SECOND;
const ACK_PENDING_MAX: i64 = 1000;
const WAITING_MAX: i64 = 512;
const PINNED: i64 = 120 * SECOND;
/// Heartbeat of one that is acknowledged by flow control: the only one there is.
pub(super) const FLOW_CONTROL_HEARTBEAT: i64 = SECOND;

/// Fills in defaults; a pedantic request is refused where that would change what it says.
pub(crate) fn fill(
    config: &mut ConsumerConfig,
    stream: &StreamConfig,
    is_pedantic: bool,
) -> Result<(), ApiError> {
    let refuse = |is_wrong: bool, text: &str| match is_wrong && is_pedantic {
        true => Err(ApiError::pedantic(text)),
        false => Ok(()),
    };
    refuse(config.max_deliver < -1, "max_deliver must be set to -1")?;
    if config.max_deliver == 0 || config.max_deliver < -1 {
        config.max_deliver = -1;
    }
    refuse(config.max_ack_pending < -1, "max_ack_pending must be set to -1")?;
    config.max_ack_pending = config.max_ack_pending.max(-1);
    for (name, number) in [
        ("max_waiting", &mut config.max_waiting),
        ("max_batch", &mut config.max_batch),
        ("max_expires", &mut config.max_expires),
        ("max_bytes", &mut config.max_bytes),
        ("idle_heartbeat", &mut config.idle_heartbeat),
        ("inactive_threshold", &mut config.inactive_threshold),
        ("priority_timeout", &mut config.priority_timeout),
    ] {
        refuse(*number < 0, &format!("{name} must not be negative"))?;
        *number = (*number).max(0);
    }
    if !config.is_push() && config.max_waiting == 0 {
        config.max_waiting = WAITING_MAX;
    }
    let is_timed = matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::All);
    if config.ack_wait == 0 && is_timed {
        config.ack_wait = ACK_WAIT;
    }
    if let Some(first) = config.backoff.first() {
        refuse(config.ack_wait != *first, "first backoff value has to equal batch AckWait")?;
        config.ack_wait = *first;
    }
    let limits = &stream.consumer_limits;
    for (name, number, limit) in [
        ("max_ack_pending", &mut config.max_ack_pending, limits.max_ack_pending),
        ("inactive_threshold", &mut config.inactive_threshold, limits.inactive_threshold),
    ] {
        if *number == 0 {
            let text = format!("{name} must be set if it's configured in stream limits");
            refuse(limit > 0, &text)?;
            *number = limit;
        }
    }
    if config.max_ack_pending == 0 && config.ack_policy != AckPolicy::None {
        config.max_ack_pending = ACK_PENDING_MAX;
    }
    if config.priority_policy == PriorityPolicy::PinnedClient && config.priority_timeout == 0 {
        config.priority_timeout = PINNED;
    }
    if config.ack_policy == AckPolicy::FlowControl && !is_pedantic {
        config.flow_control = true;
        config.idle_heartbeat = FLOW_CONTROL_HEARTBEAT;
    }
    Ok(())
}
