//! `STREAM.PURGE`: all messages, or those of some subjects, below a sequence, or but for the newest.
//! Not here: how messages go (the engine).

use super::endpoint::object;
use super::{Reply, Request};
use crate::jetstream::errors::{self, ApiError};
use headwater_storage::stream::{Batch, Item, Purge, Step};
use headwater_storage::{Error, Stream, subject};
use serde_json::json;

/// Error code of a purge that the engine refuses.
const PURGE_FAILED: u16 = 10110;

/// Purges.
pub(super) async fn handle(request: &Request<'_>) -> Reply {
    let (filter, before, keep) = request.optional(|fields| {
        Ok((fields.text("filter")?, fields.count("seq")?, fields.count("keep")?))
    })?;
    let present = |number: Option<u64>| number.filter(|number| *number > 0);
    let (before, keep) = (present(before), present(keep));
    if before.is_some() && keep.is_some() {
        return Err(errors::BAD_REQUEST);
    }
    let entry = request.entry()?;
    let config = entry.config();
    if config.sealed {
        return Err(errors::SEALED);
    }
    if config.deny_purge {
        return Err(errors::PURGE_DENIED);
    }
    if !filter.is_empty() && !subject::is_valid(&filter) {
        return Ok(object(json!({"success": true, "purged": 0})));
    }
    let filter = Some(filter).filter(|filter| !filter.is_empty());
    let failed = |error: Error| ApiError::of_storage(&error, PURGE_FAILED);
    let is_filtered = filter.is_some();
    entry.consumers.set_purging(true);
    let purged = entry.stream.purge(Purge { filter, before, keep }).await;
    entry.consumers.set_purging(false);
    let purged = purged.map_err(failed)?;
    if let (Some(before), false) = (before, is_filtered) {
        move_on(&entry.stream, before).await.map_err(failed)?;
    }
    Ok(object(json!({"success": true, "purged": purged})))
}

/// Lets the next message have this sequence where the stream has not come so far: a purge below it is a promise that
/// nothing below it will come.
async fn move_on(stream: &Stream, next: u64) -> Result<(), Error> {
    let through = next.saturating_sub(1);
    if through <= stream.state().last_sequence {
        return Ok(());
    }
    let steps = vec![Step { items: vec![Item::Skip { through }], progress: None }];
    let outcome = stream.apply(Batch { expect_progress: None, steps }).await?;
    outcome.refused.map_or(Ok(()), Err)
}
