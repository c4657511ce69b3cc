//! `CONSUMER.CREATE`, `CONSUMER.DURABLE.CREATE`, `CONSUMER.DELETE`, `CONSUMER.PAUSE`, `CONSUMER.UNPIN`.
//! Not here: verdicts on configurations (`consumer::config`), what requests lead to (`consumers`).

use super::endpoint::object;
use super::{IDENTITY_HEADER, Reply, Request};
use crate::jetstream::config::Retention;
use crate::jetstream::consumer::Event;
use crate::jetstream::consumer::config::{AckPolicy, ConsumerConfig, ConsumerRequest, parse};
use crate::jetstream::entry::Entry;
use crate::jetstream::errors::{self, ApiError};
use crate::jetstream::{consumers, json, text_time};
use crate::protocol::headers;
use headwater_replication::identity::identity_hash;
use serde_json::json;

/// Creates or changes a consumer whose name, if it has one, is in the subject or in the configuration.
pub(super) async fn create(request: &Request<'_>) -> Reply {
    let asked = parse(request.body, request.tenant.context.options.is_strict)?;
    let (name, filter) = match request.rest.split_once('.') {
        Some((name, filter)) => (name, filter),
        None => (request.rest, ""),
    };
    let mut config = named(request, &asked, name)?;
    if name.is_empty() {
        if config.is_durable() {
            return Err(errors::CONSUMER_EPHEMERAL_DURABLE);
        }
    } else {
        if config.is_durable() && config.durable_name != name {
            return Err(errors::CONSUMER_DURABLE_MISMATCH);
        }
        name.clone_into(&mut config.name);
    }
    if !filter.is_empty() && !config.filter_subjects.is_empty() {
        return Err(errors::CONSUMER_FILTERS_IN_SUBJECT);
    }
    if !filter.is_empty() && config.filter_subject != filter {
        return Err(errors::CONSUMER_FILTER_MISMATCH);
    }
    finish(request, asked, config).await
}

/// Creates or changes a durable consumer, whose name is in the subject.
pub(super) async fn create_durable(request: &Request<'_>) -> Reply {
    let asked = parse(request.body, request.tenant.context.options.is_strict)?;
    let name = request.rest;
    let mut config = named(request, &asked, name)?;
    if !config.is_durable() {
        return Err(errors::CONSUMER_DURABLE_MISSING);
    }
    if config.durable_name != name {
        return Err(errors::CONSUMER_DURABLE_MISMATCH);
    }
    name.clone_into(&mut config.name);
    finish(request, asked, config).await
}

/// The configuration asked for, whose stream and name are those of the subject.
fn named(
    request: &Request<'_>,
    asked: &ConsumerRequest,
    name: &str,
) -> Result<ConsumerConfig, ApiError> {
    if asked.stream != request.stream {
        return Err(errors::STREAM_MISMATCH);
    }
    let config = asked.config.clone().unwrap_or_default();
    let name = if name.is_empty() { config.name.as_str() } else { name };
    if name.contains(['/', '\\']) {
        return Err(errors::CONSUMER_NAME_PATH);
    }
    Ok(config)
}

/// What is different where another server asks, to copy the stream: it may tell which creation of the stream it knows,
/// and is told which one this is. It gives the same name each time. Of that a new consumer is made, unless messages go when
/// they are acknowledged: then there is one that stays, and waits for acknowledgements.
fn copying(
    request: &Request<'_>,
    entry: &Entry,
    config: &mut ConsumerConfig,
) -> Result<(), ApiError> {
    if !config.direct && !config.sourcing {
        return Ok(());
    }
    let is_limits = entry.config().retention == Retention::Limits;
    if config.direct && config.sourcing && !config.name.is_empty() {
        if is_limits {
            config.name = format!("{}-{}", config.name, consumers::made_name(entry));
        } else {
            config.direct = false;
            config.durable_name.clone_from(&config.name);
            config.ack_policy = AckPolicy::FlowControl;
            (config.ack_wait, config.max_deliver, config.inactive_threshold) = (0, 0, 0);
        }
    }
    let identity = identity_hash(entry.stream.created());
    let known = headers::get(request.headers, IDENTITY_HEADER).unwrap_or_default();
    if !known.is_empty() && known != identity.as_bytes() {
        return Err(ApiError::identity(&identity));
    }
    request.identity.get_or_init(|| identity);
    if let (true, true, Some(there)) =
        (config.sourcing, config.is_durable(), entry.consumers.find(&config.durable_name))
    {
        // It goes on where it was, wherever the other side would begin.
        let there = there.config();
        config.deliver_policy = there.deliver_policy;
        (config.opt_start_seq, config.opt_start_time) = (there.opt_start_seq, there.opt_start_time);
    }
    Ok(())
}

async fn finish(
    request: &Request<'_>,
    asked: ConsumerRequest,
    mut config: ConsumerConfig,
) -> Reply {
    if config.num_replicas > 1 {
        return Err(errors::REPLICAS_NOT_SUPPORTED);
    }
    let entry = request.entry()?;
    copying(request, &entry, &mut config)?;
    let is_new = entry.consumers.find(&config.name).is_none();
    let made =
        consumers::create(request.tenant, &entry, config, asked.action, asked.is_pedantic).await?;
    let reply = made.info(true);
    if is_new {
        made.publish(&Event::Created);
    }
    Ok(reply)
}

/// Deletes a consumer.
pub(super) async fn delete(request: &Request<'_>) -> Reply {
    if !json::is_empty(request.body) {
        return Err(errors::NOT_EMPTY_REQUEST);
    }
    consumers::delete(request.tenant, &request.entry()?, request.rest).await?;
    Ok(object(json!({"success": true})))
}

/// Pauses a consumer until a time, or lets it go on.
pub(super) async fn pause(request: &Request<'_>) -> Reply {
    let until = request.optional(|fields| fields.time("pause_until"))?;
    let entry = request.entry()?;
    let consumer = entry.consumers.find(request.rest).ok_or(errors::CONSUMER_NOT_FOUND)?;
    let until = until.filter(|until| until.as_second() > 0);
    consumers::pause(&entry, &consumer, until).await?;
    let mut reply = object(json!({"paused": false, "pause_until": text_time::ZERO}));
    if let Some(until) = until {
        let left = until.duration_since(jiff::Timestamp::now());
        reply.insert("pause_until".into(), until.to_string().into());
        if left.is_positive() {
            reply.insert("paused".into(), true.into());
            let left = i64::try_from(left.as_nanos()).unwrap_or(i64::MAX);
            reply.insert("pause_remaining".into(), left.into());
        }
    }
    Ok(reply)
}

/// Lets another client of a group be served.
pub(super) fn unpin(request: &Request<'_>) -> Reply {
    let group = request.required(|fields| fields.text("group"))?;
    if group.is_empty() {
        return Err(ApiError::json("consumer group not specified"));
    }
    let entry = request.entry()?;
    let consumer = entry.consumers.find(request.rest).ok_or(errors::CONSUMER_NOT_FOUND)?;
    if !consumer.config().priority_groups.contains(&group) {
        return Err(errors::CONSUMER_GROUP_UNKNOWN);
    }
    consumer.unpin(&group);
    Ok(object(json!({})))
}
