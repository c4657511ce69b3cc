//! Verdicts that come when nothing else is wrong: filters that are no subjects, and settings that are not built.
//! Not here: everything that nats-server finds earlier.

use crate::jetstream::config::{OriginConfig, StreamConfig};
use crate::jetstream::errors::ApiError;
use headwater_storage::subject;

/// Refuses filters of a mirror or source that are not subjects.
pub(crate) fn unusable_filters(config: &StreamConfig) -> Result<(), ApiError> {
    let is_wrong = |filter: &str| !filter.is_empty() && !subject::is_valid(filter);
    if let Some(mirror) = &config.mirror
        && is_wrong(&mirror.filter_subject)
    {
        let text =
            format!("subject filter '{}' for the mirror invalid subject", mirror.filter_subject);
        return Err(ApiError::with(500, 10049, text));
    }
    let wrong = config.sources.iter().find(|source| is_wrong(&source.filter_subject));
    wrong.map_or(Ok(()), |source| {
        let text =
            format!("subject filter '{}' for the source: invalid subject", source.filter_subject);
        Err(ApiError::with(500, 10049, text))
    })
}

/// Refuses what this server does not have, rather than accept and ignore it.
pub(crate) fn refuse_unbuilt(config: &StreamConfig) -> Result<(), ApiError> {
    let unbuilt = &config.unbuilt;
    let has_no_api =
        |origin: &OriginConfig| origin.external.as_ref().is_some_and(|each| each.api.is_empty());
    let origins = || config.mirror.iter().chain(&config.sources);
    let settings = [
        (unbuilt.is_persisted_late, "persist_mode async"),
        (origins().any(has_no_api), "an external origin without an api prefix"),
    ];
    let found = settings.into_iter().find(|(is_set, _)| *is_set);
    found.map_or(Ok(()), |(_, what)| Err(ApiError::not_supported(what)))
}
