//! Verdicts on stream configurations, in nats-server's order, so that a doubly wrong one gets the same answer.
//! What comes out is normalised: defaults are filled in, and settings that were changed are shown as changed.
//! Not here: what is unbuilt but well formed (`unbuilt`), limits of the server (`accounting`).

mod basic;
mod copies;
mod cycle;
mod late;
mod subjects;
mod update;
#[cfg(test)]
mod validate_test;

pub(crate) use late::{refuse_unbuilt, unusable_filters};
pub(crate) use subjects::overlaps_others;
pub(crate) use update::updated;

use super::config::{ConfigRequest, StreamConfig};
use super::errors::{self, ApiError};
use headwater_replication::Transform;
use headwater_storage::subject;
use std::sync::Arc;

/// Longest name of a stream.
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// Key under which the API level that a stream needs is stored.
pub(crate) const REQUIRED_LEVEL_KEY: &str = "_nats.req.level";
/// Level that messages with a lifetime need.
const LIFETIME_LEVEL: &str = "1";
/// Level that atomic batches, counters and schedules need.
const ATOMIC_LEVEL: &str = "2";
/// Level that fast batches need.
const FAST_LEVEL: &str = "4";
/// Keys that replies add and nothing stores.
pub(crate) const DYNAMIC_KEYS: [&str; 2] = ["_nats.ver", "_nats.level"];

/// Finds another stream of the account by name.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<Arc<StreamConfig>>;

/// Whether a name is one a stream may have, its length aside.
pub(crate) fn is_name(name: &str) -> bool {
    let is_refused = |c: char| {
        matches!(c, ' ' | '\t' | '\r' | '\n' | '\x0c' | '\0' | '.' | '*' | '>' | '/' | '\\')
    };
    !name.is_empty() && !name.contains(is_refused)
}

/// What is looked at before the configuration itself when a stream is created.
pub(crate) fn before_create(name: &str, config: &StreamConfig) -> Result<(), ApiError> {
    if name != config.name {
        return Err(errors::STREAM_MISMATCH);
    }
    if name.contains(['/', '\\']) {
        return Err(errors::STREAM_NAME_PATH);
    }
    if config.sealed {
        return Err(ApiError::config("stream configuration for create can not be sealed"));
    }
    // Direct reads in the place of an origin need one. An update is not refused for that.
    if config.mirror_direct && config.mirror.is_none() {
        return Err(ApiError::config("stream has no mirror but does have mirror direct"));
    }
    Ok(())
}

/// A single server keeps one copy.
pub(crate) fn replicas(config: &StreamConfig) -> Result<(), ApiError> {
    let is_known = (2..=5).contains(&config.num_replicas);
    if is_known { Err(errors::REPLICAS_NOT_SUPPORTED) } else { Ok(()) }
}

/// Checks a configuration and fills in its defaults.
pub(crate) fn check(request: &ConfigRequest, lookup: Lookup<'_>) -> Result<StreamConfig, ApiError> {
    let mut config = request.config.clone();
    metadata(&mut config);
    basic::check(&mut config, request.is_pedantic)?;
    copies::check(&mut config, request, lookup)?;
    cycle::check(&config, lookup)?;
    subjects::check(&mut config)?;
    transforms(&mut config)?;
    if let Some(placement) = &config.placement {
        if !placement.preferred.is_empty() {
            return Err(ApiError::config("preferred server not permitted in placement"));
        }
        if placement.cluster.is_empty() && placement.tags.is_empty() {
            config.placement = None;
        }
    }
    Ok(config)
}

fn transforms(config: &mut StreamConfig) -> Result<(), ApiError> {
    if let Some(transform) = &config.subject_transform {
        if !transform.src.is_empty() && !subject::is_valid(&transform.src) {
            let text = format!("stream transform source: invalid subject {}", transform.src);
            return Err(ApiError::with(400, 10155, text));
        }
        Transform::new(&transform.src, &transform.dest)
            .map_err(|error| ApiError::with(400, 10156, format!("stream transform: {error}")))?;
    }
    if let Some(republish) = &mut config.republish {
        if republish.src.is_empty() {
            ">".clone_into(&mut republish.src);
        }
        if config.subjects.iter().any(|each| subject::collides(&republish.dest, each)) {
            return Err(ApiError::config(
                "stream configuration for republish destination forms a cycle",
            ));
        }
        if Transform::new(&republish.src, &republish.dest).is_err() {
            return Err(ApiError::config(format!(
                "stream configuration for republish with transform from '{}' to '{}' not valid",
                republish.src, republish.dest
            )));
        }
    }
    Ok(())
}

/// The level is stored with the stream, what replies add is not. It counts when the metadata is measured.
fn metadata(config: &mut StreamConfig) {
    for key in DYNAMIC_KEYS {
        config.metadata.remove(key);
    }
    let has_lifetimes = config.allow_msg_ttl || config.subject_delete_marker_ttl > 0;
    let levels = [
        (config.allow_batched, FAST_LEVEL),
        (config.allow_atomic, ATOMIC_LEVEL),
        (config.allow_msg_counter, ATOMIC_LEVEL),
        (config.allow_msg_schedules, ATOMIC_LEVEL),
        (has_lifetimes, LIFETIME_LEVEL),
    ];
    let level = levels.into_iter().find(|(is_used, _)| *is_used).map_or("0", |(_, level)| level);
    config.metadata.insert(REQUIRED_LEVEL_KEY.to_owned(), level.to_owned());
}
