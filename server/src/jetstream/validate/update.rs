//! What an update may change.
//! Not here: the checks that a new configuration passes as well (`check`), limits of the server.

use crate::jetstream::config::{Discard, Retention, StreamConfig};
use crate::jetstream::errors::{self, ApiError};

/// Checks a new, already checked configuration against the old one; sealing brings its own settings.
pub(crate) fn updated(old: &StreamConfig, mut new: StreamConfig) -> Result<StreamConfig, ApiError> {
    let uses_workqueue = [old, &new].iter().any(|each| each.retention == Retention::Workqueue);
    let text = if new.name != old.name {
        Some("stream configuration name must match original")
    } else if new.storage != old.storage {
        Some("stream configuration update can not change storage type")
    } else if new.retention != old.retention && uses_workqueue {
        Some("stream configuration update can not change retention policy to/from workqueue")
    } else if old.sealed && !new.sealed {
        Some("stream configuration update can not unseal a sealed stream")
    } else if old.deny_delete && !new.deny_delete {
        Some("stream configuration update can not cancel deny message deletes")
    } else if old.deny_purge && !new.deny_purge {
        Some("stream configuration update can not cancel deny purge")
    } else {
        None
    };
    if let Some(text) = text {
        return Err(ApiError::config(text));
    }
    if new.mirror.is_some() && new.mirror != old.mirror {
        return Err(errors::MIRROR_NOT_UPDATABLE);
    }
    if old.allow_msg_ttl && !new.allow_msg_ttl {
        return Err(ApiError::config("message TTL status can not be disabled"));
    }
    if old.allow_msg_counter != new.allow_msg_counter {
        return Err(ApiError::config(
            "stream configuration update can not change message counter setting",
        ));
    }
    if old.allow_msg_schedules && !new.allow_msg_schedules {
        return Err(ApiError::config("message schedules can not be disabled"));
    }
    if new.sealed {
        new.max_age = 0;
        new.discard = Discard::New;
        (new.deny_delete, new.deny_purge) = (true, true);
        new.allow_rollup_hdrs = false;
    }
    Ok(new)
}
