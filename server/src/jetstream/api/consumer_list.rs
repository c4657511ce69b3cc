//! `CONSUMER.NAMES`, `CONSUMER.LIST`, `CONSUMER.INFO`, `CONSUMER.RESET`.
//! Not here: what a consumer looks like (`consumer::info`).

use super::endpoint::object;
use super::{IDENTITY_HEADER, Reply, Request};
use crate::jetstream::consumer::Consumer;
use crate::jetstream::consumer::config::{ConsumerConfig, DeliverPolicy};
use crate::jetstream::errors::{self, ApiError};
use crate::jetstream::{json, text_time};
use crate::protocol::headers;
use headwater_replication::identity::identity_hash;
use serde_json::{Value, json};
use std::sync::Arc;

const NAMES_MAX: usize = 1024;
const LIST_MAX: usize = 256;

struct Page {
    total: usize,
    offset: usize,
    consumers: Vec<Arc<Consumer>>,
}

fn page(request: &Request<'_>, limit: usize) -> Result<Page, ApiError> {
    let (offset, _) =
        request.optional(|fields| Ok((fields.integer("offset")?, fields.text("subject")?)))?;
    let all = request.entry()?.consumers.listed();
    let total = all.len();
    let offset = usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(total);
    let consumers = all.into_iter().skip(offset).take(limit).collect();
    Ok(Page { total, offset, consumers })
}

/// Names.
pub(super) fn names(request: &Request<'_>) -> Reply {
    let page = page(request, NAMES_MAX)?;
    let names: Vec<&str> = page.consumers.iter().map(|each| each.name.as_str()).collect();
    Ok(object(json!({
        "total": page.total, "offset": page.offset, "limit": NAMES_MAX, "consumers": names,
    })))
}

/// Whole consumers.
pub(super) fn list(request: &Request<'_>) -> Reply {
    let page = page(request, LIST_MAX)?;
    let whole = page.consumers.iter().map(|each| Value::Object(each.info(false)));
    let whole: Vec<Value> = whole.collect();
    Ok(object(json!({
        "total": page.total, "offset": page.offset, "limit": LIST_MAX, "consumers": whole,
    })))
}

fn find(request: &Request<'_>) -> Result<Arc<Consumer>, ApiError> {
    request.entry()?.consumers.find(request.rest).ok_or(errors::CONSUMER_NOT_FOUND)
}

/// One consumer.
pub(super) fn info(request: &Request<'_>) -> Reply {
    if !json::is_empty(request.body) {
        return Err(errors::NOT_EMPTY_REQUEST);
    }
    Ok(find(request)?.info(true))
}

/// Begins again at a sequence, or behind what is acknowledged.
pub(super) fn reset(request: &Request<'_>) -> Reply {
    let sequence = request.optional(|fields| fields.count("seq"))?.filter(|sequence| *sequence > 0);
    let consumer = find(request)?;
    if let Some(sequence) = sequence {
        allowed(request, &consumer.config(), sequence)?;
    }
    if headers::get(request.headers, IDENTITY_HEADER).is_some() {
        let created = request.entry()?.stream.created();
        request.identity.get_or_init(|| identity_hash(created));
    }
    let next = consumer.reset(sequence);
    let mut reply = consumer.info(true);
    reply.insert("reset_seq".into(), next.into());
    Ok(reply)
}

fn allowed(request: &Request<'_>, config: &ConsumerConfig, sequence: u64) -> Result<(), ApiError> {
    let text = match (config.deliver_policy, config.opt_start_time) {
        (DeliverPolicy::All, _) => return Ok(()),
        (DeliverPolicy::ByStartSequence, _) if sequence < config.opt_start_seq => "below start seq",
        (DeliverPolicy::ByStartSequence, _) => return Ok(()),
        (DeliverPolicy::ByStartTime, Some(time)) => {
            let stream = &request.entry()?.stream;
            let first = stream.sequence_at_time(text_time::stored(time));
            match first {
                Ok(first) if sequence >= first => return Ok(()),
                _ => "below start time",
            }
        }
        _ => "not allowed",
    };
    Err(ApiError::with(400, 10204, format!("invalid reset: {text}")))
}
