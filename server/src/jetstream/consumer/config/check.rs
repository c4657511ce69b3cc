//! Verdicts on consumer configurations, in nats-server's order, so that a doubly wrong one gets the same answer.
//! Not here: defaults (`defaults`), what depends on the other consumers of the stream (`lifecycle`).

use super::defaults::FLOW_CONTROL_HEARTBEAT;
use super::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy};
use crate::jetstream::config::{Retention, StreamConfig};
use crate::jetstream::errors::{self, ApiError};
use crate::jetstream::validate::is_name;
use crate::monitoring::text;
use headwater_storage::subject;
use std::time::Duration;

const DESCRIPTION_BYTES_MAX: usize = 4096;
const METADATA_BYTES_MAX: usize = 128 * 1024;
const MILLISECOND: i64 = 1_000_000;
const HEARTBEAT_MIN: i64 = 100 * MILLISECOND;
/// Longest name of a priority group.
const GROUP_BYTES_MAX: usize = 16;

/// Checks a configuration whose defaults are filled in.
pub(crate) fn check(config: &ConsumerConfig, stream: &StreamConfig) -> Result<(), ApiError> {
    names(config)?;
    replicas(config, stream)?;
    if config.backoff.iter().any(|each| *each < 0) {
        return Err(errors::CONSUMER_BACKOFF_NEGATIVE);
    }
    if config.ack_wait < 0 {
        return Err(errors::CONSUMER_ACK_WAIT_NEGATIVE);
    }
    if config.ack_policy == AckPolicy::FlowControl {
        flow_control(config)?;
    }
    let steps = i64::try_from(config.backoff.len()).unwrap_or(i64::MAX);
    if steps > 0 && config.max_deliver != -1 && steps > config.max_deliver {
        return Err(errors::CONSUMER_BACKOFF_LONGER);
    }
    if config.description.len() > DESCRIPTION_BYTES_MAX {
        return Err(ApiError::with(
            400,
            10107,
            format!("consumer description is too long, maximum allowed is {DESCRIPTION_BYTES_MAX}"),
        ));
    }
    match config.is_push() {
        true => push(config, stream)?,
        false => pull(config, stream)?,
    }
    stream_limits(config, stream)?;
    if config.direct && !config.is_push() {
        return Err(errors::CONSUMER_DIRECT_PUSH);
    }
    if config.direct && config.is_durable() {
        return Err(errors::CONSUMER_DIRECT_EPHEMERAL);
    }
    filters(config)?;
    start(config)?;
    sampling(config)?;
    if config.flow_control && config.idle_heartbeat == 0 {
        return Err(errors::CONSUMER_FLOW_CONTROL_HEARTBEAT);
    }
    let (durable, name) = (&config.durable_name, &config.name);
    if !durable.is_empty() && !name.is_empty() && name != durable {
        return Err(errors::CONSUMER_TWO_NAMES);
    }
    let metadata: usize = config.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if metadata > METADATA_BYTES_MAX {
        let text = "consumer metadata exceeds maximum size of 128KB";
        return Err(ApiError::with(400, 10135, text.into()));
    }
    priority(config)
}

fn sampling(config: &ConsumerConfig) -> Result<(), ApiError> {
    let text = config.sample_freq.strip_suffix('%').unwrap_or(&config.sample_freq);
    let why = match text.parse::<i32>() {
        _ if config.sample_freq.is_empty() => return Ok(()),
        Ok(0..) => return Ok(()),
        Ok(_) => "<nil>".to_owned(),
        Err(_) => format!("strconv.Atoi: parsing {text:?}: invalid syntax"),
    };
    let text = format!("failed to parse consumer sampling configuration: {why}");
    Err(ApiError::with(400, 10095, text))
}

fn names(config: &ConsumerConfig) -> Result<(), ApiError> {
    let what = if !config.name.is_empty() && !is_name(&config.name) {
        "consumer name"
    } else if !config.durable_name.is_empty() && !is_name(&config.durable_name) {
        "consumer durable name"
    } else {
        return Ok(());
    };
    Err(ApiError::config(format!("{what} can not contain '.', '*', '>', '\\', '/'")))
}

fn replicas(config: &ConsumerConfig, stream: &StreamConfig) -> Result<(), ApiError> {
    let (own, of_stream) = (config.num_replicas, stream.num_replicas);
    if own > of_stream {
        return Err(errors::CONSUMER_REPLICAS_EXCEED);
    }
    if own < 0 {
        return Err(errors::REPLICAS_NEGATIVE);
    }
    if stream.retention != Retention::Limits && own != 0 && own != of_stream {
        return Err(errors::CONSUMER_REPLICAS_DIFFER);
    }
    Ok(())
}

fn flow_control(config: &ConsumerConfig) -> Result<(), ApiError> {
    Err(if !config.is_push() {
        errors::CONSUMER_ACK_FLOW_PUSH
    } else if !config.flow_control {
        errors::CONSUMER_ACK_FLOW_CONTROL
    } else if config.idle_heartbeat != FLOW_CONTROL_HEARTBEAT {
        ApiError::config("flow control ack policy heartbeat needs to be 1s")
    } else if config.max_ack_pending <= 0 {
        errors::CONSUMER_ACK_FLOW_PENDING
    } else if config.ack_wait != 0 || !config.backoff.is_empty() {
        errors::CONSUMER_ACK_FLOW_WAIT
    } else if config.max_deliver > 0 {
        errors::CONSUMER_ACK_FLOW_DELIVER
    } else {
        return Ok(());
    })
}

fn push(config: &ConsumerConfig, stream: &StreamConfig) -> Result<(), ApiError> {
    let deliver = &config.deliver_subject;
    Err(if subject::has_wildcard(deliver) {
        errors::CONSUMER_DELIVER_WILDCARDS
    } else if !subject::is_valid(deliver) {
        errors::CONSUMER_DELIVER_INVALID
    } else if stream.subjects.iter().any(|each| subject::matches(each, deliver)) {
        errors::CONSUMER_DELIVER_CYCLE
    } else if config.max_waiting != 0 {
        errors::CONSUMER_PUSH_WAITING
    } else if config.max_ack_pending > 0 && config.ack_policy == AckPolicy::None {
        errors::CONSUMER_PENDING_POLICY
    } else if config.idle_heartbeat > 0 && config.idle_heartbeat < HEARTBEAT_MIN {
        errors::CONSUMER_HEARTBEAT_SMALL
    } else {
        return Ok(());
    })
}

fn pull(config: &ConsumerConfig, stream: &StreamConfig) -> Result<(), ApiError> {
    let is_queue = stream.retention == Retention::Workqueue;
    Err(if config.ack_policy == AckPolicy::None && is_queue {
        errors::CONSUMER_PULL_ACK
    } else if config.rate_limit_bps > 0 {
        errors::CONSUMER_PULL_RATE
    } else if config.idle_heartbeat > 0 {
        errors::CONSUMER_HEARTBEAT_PUSH
    } else if config.flow_control {
        errors::CONSUMER_FLOW_CONTROL_PUSH
    } else if config.max_expires != 0 && config.max_expires < MILLISECOND {
        errors::CONSUMER_EXPIRES_SMALL
    } else {
        return Ok(());
    })
}

fn stream_limits(config: &ConsumerConfig, stream: &StreamConfig) -> Result<(), ApiError> {
    let limits = &stream.consumer_limits;
    if limits.max_ack_pending > 0 && config.max_ack_pending > limits.max_ack_pending {
        let limit = limits.max_ack_pending;
        let text = format!("consumer max ack pending exceeds system limit of {limit}");
        return Err(ApiError::with(400, 10121, text));
    }
    if limits.inactive_threshold > 0 && config.inactive_threshold > limits.inactive_threshold {
        let limit = text::duration(Duration::from_nanos(limits.inactive_threshold.unsigned_abs()));
        let text = format!("consumer inactive threshold exceeds system limit of {limit}");
        return Err(ApiError::with(400, 10153, text));
    }
    Ok(())
}

fn filters(config: &ConsumerConfig) -> Result<(), ApiError> {
    if !config.filter_subject.is_empty() && !config.filter_subjects.is_empty() {
        return Err(errors::CONSUMER_TWO_FILTERS);
    }
    if config.filter_subjects.iter().any(String::is_empty) {
        return Err(errors::CONSUMER_FILTER_EMPTY);
    }
    let filters = config.filters();
    for (outer, one) in filters.iter().enumerate() {
        if !subject::is_valid(one) {
            return Err(ApiError::config("invalid subject"));
        }
        let mut others = filters.iter().enumerate().filter(|(inner, _)| *inner != outer);
        if others.any(|(_, other)| subject::is_subset(one, other)) {
            return Err(errors::CONSUMER_FILTERS_OVERLAP);
        }
    }
    Ok(())
}

fn start(config: &ConsumerConfig) -> Result<(), ApiError> {
    use DeliverPolicy as D;
    let (has_sequence, has_time) = (config.opt_start_seq > 0, config.opt_start_time.is_some());
    let (name, is_filtered) = match config.deliver_policy {
        D::All => ("all", true),
        D::Last => ("last", true),
        D::New => ("new", true),
        D::LastPerSubject => ("last per subject", !config.filters().is_empty()),
        D::ByStartSequence => ("by start sequence", true),
        D::ByStartTime => ("by start time", true),
    };
    let set = |what: &str| {
        format!("consumer delivery policy is deliver {name}, but optional start {what} is also set")
    };
    let unset = |what: &str| {
        format!("consumer delivery policy is deliver {name}, but optional {what} is not set")
    };
    let text = match config.deliver_policy {
        D::ByStartSequence if !has_sequence => unset("start sequence"),
        D::ByStartSequence if has_time => set("time"),
        D::ByStartTime if !has_time => unset("start time"),
        D::ByStartTime if has_sequence => set("start sequence"),
        D::ByStartSequence | D::ByStartTime => return Ok(()),
        _ if has_sequence => set("sequence"),
        _ if has_time => set("time"),
        _ if !is_filtered => unset("filter subject"),
        _ => return Ok(()),
    };
    Err(ApiError::with(400, 10094, text))
}

fn priority(config: &ConsumerConfig) -> Result<(), ApiError> {
    let groups = &config.priority_groups;
    if config.priority_policy == PriorityPolicy::None {
        return Err(if !groups.is_empty() {
            errors::CONSUMER_GROUPS_WITHOUT_POLICY
        } else if config.priority_timeout > 0 {
            errors::CONSUMER_PINNED_WITHOUT_POLICY
        } else {
            return Ok(());
        });
    }
    if config.is_push() {
        return Err(errors::CONSUMER_GROUPS_PUSH);
    }
    if groups.is_empty() {
        return Err(errors::CONSUMER_POLICY_WITHOUT_GROUPS);
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_=-".contains(c);
    for group in groups {
        if group.is_empty() {
            return Err(errors::CONSUMER_GROUP_EMPTY);
        }
        if group.len() > GROUP_BYTES_MAX || !group.chars().all(is_plain) {
            return Err(errors::CONSUMER_GROUP_NAME);
        }
    }
    Ok(())
}
