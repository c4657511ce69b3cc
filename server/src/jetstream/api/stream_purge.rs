//! `STREAM.PURGE`: all messages, or those of some subjects, below a sequence, or but for the newest.
//! Not here: how messages go (the engine).

use super::endpoint::object;
use super::{Reply, Request};
use crate::jetstream::errors::{self, ApiError};
use headwater_storage::stream::Purge;
use headwater_storage::subject;
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
    let purged = entry.stream.purge(Purge { filter, before, keep }).await;
    let purged = purged.map_err(|error| ApiError::of_storage(&error, PURGE_FAILED))?;
    Ok(object(json!({"success": true, "purged": purged})))
}
