//! `STREAM.NAMES` and `STREAM.LIST`: all streams or those that capture a subject, page by page, sorted by name.
//! Not here: what a stream looks like (`info`).

use super::endpoint::object;
use super::{Reply, Request};
use crate::jetstream::entry::Entry;
use crate::jetstream::errors::ApiError;
use crate::jetstream::info::{self, Details};
use headwater_storage::subject;
use serde_json::{Value, json};
use std::sync::Arc;

const NAMES_MAX: usize = 1024;
const LIST_MAX: usize = 256;

struct Page {
    total: usize,
    offset: usize,
    entries: Vec<Arc<Entry>>,
}

fn page(request: &Request<'_>, limit: usize) -> Result<Page, ApiError> {
    let (offset, filter) =
        request.optional(|fields| Ok((fields.integer("offset")?, fields.text("subject")?)))?;
    let mut entries = request.tenant.entries();
    if !filter.is_empty() {
        entries.retain(|entry| {
            let captures = |each: &String| subject::collides(each, &filter);
            entry.config().subjects.iter().any(captures)
        });
    }
    let total = entries.len();
    let offset = usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(total);
    let entries = entries.into_iter().skip(offset).take(limit).collect();
    Ok(Page { total, offset, entries })
}

/// Names.
pub(super) fn names(request: &Request<'_>) -> Reply {
    let page = page(request, NAMES_MAX)?;
    let names = page.entries.iter().map(|entry| Value::from(entry.config().name.as_str()));
    let names: Vec<Value> = names.collect();
    let streams = if names.is_empty() { Value::Null } else { Value::Array(names) };
    Ok(object(json!({
        "total": page.total, "offset": page.offset, "limit": NAMES_MAX, "streams": streams,
    })))
}

/// Whole streams.
pub(super) fn list(request: &Request<'_>) -> Reply {
    let page = page(request, LIST_MAX)?;
    let streams = page.entries.iter();
    let streams: Vec<Value> =
        streams.map(|entry| Value::Object(info::stream(entry, &Details::default()))).collect();
    Ok(object(json!({
        "total": page.total, "offset": page.offset, "limit": LIST_MAX, "streams": streams,
    })))
}
