//! `STREAM.INFO`: one stream, on request with its subjects page by page and its gaps.
//! Not here: what a stream looks like (`info`).

use super::{Reply, Request};
use crate::jetstream::info::{self, Details};
use headwater_storage::subject;
use serde_json::json;

const SUBJECTS_MAX: usize = 100_000;

/// Answers with one stream.
pub(super) fn handle(request: &Request<'_>) -> Reply {
    let (has_deleted, filter, offset) = request.optional(|fields| {
        let offset = fields.integer("offset")?;
        Ok((fields.flag("deleted_details")?, fields.text("subjects_filter")?, offset))
    })?;
    let entry = request.entry()?;
    let mut details = Details { has_deleted, has_dynamic_metadata: true, ..Details::default() };
    let (mut total, mut limit, mut start) = (0, 0, 0);
    if !filter.is_empty() && subject::is_valid(&filter) {
        let subjects = entry.stream.subjects(&filter);
        total = subjects.len();
        if total > 0 {
            limit = SUBJECTS_MAX;
            start = usize::try_from(offset.max(0)).unwrap_or(usize::MAX);
            details.subjects = subjects.into_iter().skip(start).take(SUBJECTS_MAX).collect();
        }
    }
    let mut reply = info::stream(&entry, &details);
    let domain = &request.tenant.context.options.domain;
    if !domain.is_empty() {
        reply.insert("domain".into(), domain.as_str().into());
    }
    let leader = request.tenant.context.identity.name.as_str();
    reply.insert("cluster".into(), json!({"leader": leader}));
    reply.insert("total".into(), total.into());
    reply.insert("offset".into(), start.into());
    reply.insert("limit".into(), limit.into());
    Ok(reply)
}
