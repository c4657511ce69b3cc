//! Verdicts on mirrors and sources.
//! Not here: cycles (`cycle`), filters that are not subjects (`late`).

use super::{Lookup, is_name};
use crate::jetstream::config::{ConfigRequest, External, OriginConfig, StreamConfig};
use crate::jetstream::errors::{self, ApiError};
use headwater_replication::Transform;
use headwater_storage::subject;
use std::collections::HashSet;

const API_PREFIX: &str = "$JS.API";

/// Prefixes of other domains and accounts, and the subjects of local streams they must not touch.
#[derive(Default)]
struct Prefixes<'a> {
    deliver: Vec<&'a str>,
    api: Vec<&'a str>,
    subjects: Vec<String>,
}

impl<'a> Prefixes<'a> {
    fn add(&mut self, external: &'a External) {
        if !external.deliver.is_empty() {
            self.deliver.push(&external.deliver);
        }
        if !external.api.is_empty() {
            self.api.push(&external.api);
        }
    }
}

pub(super) fn check(
    config: &mut StreamConfig,
    request: &ConfigRequest,
    lookup: Lookup<'_>,
) -> Result<(), ApiError> {
    let mut prefixes = Prefixes::default();
    let mut mirror_direct = config.mirror_direct;
    if let Some(mirror) = &config.mirror {
        not_with_a_mirror(config)?;
        mirror_transforms(config, mirror)?;
        check_mirror_consumer(mirror)?;
        if let Some(external) = &mirror.external {
            prefixes.add(external);
        } else {
            mirror_direct = local_mirror(config, mirror, request, lookup, &mut prefixes)?;
        }
    }
    sources(config, request, lookup, &mut prefixes)?;
    check_prefixes(&prefixes)?;
    config.mirror_direct = mirror_direct;
    Ok(())
}

fn not_with_a_mirror(config: &StreamConfig) -> Result<(), ApiError> {
    let verdicts = [
        (config.first_seq > 0, errors::MIRROR_WITH_FIRST_SEQUENCE),
        (!config.subjects.is_empty(), errors::MIRROR_WITH_SUBJECTS),
        (!config.sources.is_empty(), errors::MIRROR_WITH_SOURCES),
        (config.allow_msg_counter, errors::MIRROR_WITH_COUNTERS),
        (config.allow_atomic, errors::MIRROR_WITH_ATOMIC),
        (config.allow_batched, errors::MIRROR_WITH_BATCHED),
        (config.allow_msg_schedules, errors::MIRROR_WITH_SCHEDULES),
    ];
    let found = verdicts.into_iter().find(|(is_wrong, _)| *is_wrong);
    found.map_or(Ok(()), |(_, error)| Err(error))
}

fn mirror_transforms(config: &StreamConfig, mirror: &OriginConfig) -> Result<(), ApiError> {
    let transforms = &mirror.subject_transforms;
    if !mirror.filter_subject.is_empty() && !transforms.is_empty() {
        return Err(errors::MIRROR_FILTER_AND_TRANSFORMS);
    }
    if config.subject_delete_marker_ttl > 0 {
        return Err(ApiError::config("subject delete markers forbidden on mirrors"));
    }
    for (outer, one) in transforms.iter().enumerate() {
        if !one.src.is_empty() && !subject::is_valid(&one.src) {
            let text = format!("mirror transform source: invalid subject {}", one.src);
            return Err(ApiError::with(400, 10151, text));
        }
        Transform::new(&one.src, &one.dest)
            .map_err(|error| ApiError::with(400, 10154, format!("mirror transform: {error}")))?;
        let mut others = transforms.iter().enumerate().filter(|(inner, _)| *inner != outer);
        if others.any(|(_, other)| subject::collides(&one.src, &other.src)) {
            return Err(errors::MIRROR_FILTERS_OVERLAP);
        }
    }
    Ok(())
}

/// A consumer made beforehand needs a name and a subject, and has its own start and filter.
fn is_consumer_wrong(origin: &OriginConfig) -> bool {
    origin.consumer.as_ref().is_some_and(|consumer| {
        !is_name(&consumer.name)
            || !subject::is_literal(&consumer.deliver_subject)
            || origin.opt_start_seq != 0
            || origin.opt_start_time.is_some()
            || !origin.filter_subject.is_empty()
    })
}

fn check_mirror_consumer(mirror: &OriginConfig) -> Result<(), ApiError> {
    if is_consumer_wrong(mirror) { Err(errors::MIRROR_CONSUMER) } else { Ok(()) }
}

/// Checks against the origin where it can be seen; gives `mirror_direct`, which follows it.
fn local_mirror(
    config: &StreamConfig,
    mirror: &OriginConfig,
    request: &ConfigRequest,
    lookup: Lookup<'_>,
    prefixes: &mut Prefixes<'_>,
) -> Result<bool, ApiError> {
    if !is_name(&mirror.name) {
        return Err(errors::MIRROR_NAME);
    }
    let Some(origin) = lookup(&mirror.name).filter(|_| mirror.name != config.name) else {
        return Ok(config.mirror_direct);
    };
    prefixes.subjects.extend(origin.subjects.iter().cloned());
    if is_smaller(config.max_msg_size, origin.max_msg_size) {
        return Err(errors::MIRROR_MESSAGE_SIZE);
    }
    if request.is_pedantic && config.mirror_direct != origin.allow_direct {
        let text = "origin stream has direct get set, mirror has it disabled";
        return Err(ApiError::pedantic(text));
    }
    Ok(origin.allow_direct)
}

fn is_smaller(own: i32, origin: i32) -> bool {
    own > 0 && origin > 0 && own < origin
}

fn sources<'a>(
    config: &'a StreamConfig,
    request: &ConfigRequest,
    lookup: Lookup<'_>,
    prefixes: &mut Prefixes<'a>,
) -> Result<(), ApiError> {
    if request.has_null_source {
        return Err(errors::SOURCE_NAME);
    }
    if !config.sources.is_empty() && config.allow_msg_schedules {
        return Err(errors::SOURCE_WITH_SCHEDULES);
    }
    let (mut names, mut consumers) = (HashSet::new(), HashSet::new());
    for source in &config.sources {
        if !is_name(&source.name) {
            return Err(errors::SOURCE_NAME);
        }
        if !names.insert(source.index_name()) {
            return Err(errors::SOURCE_DUPLICATE);
        }
        source_transforms(source)?;
        if is_consumer_wrong(source) {
            return Err(errors::SOURCE_CONSUMER);
        }
        if let Some(consumer) = &source.consumer {
            let api = source.external.as_ref().map(|external| &external.api);
            if !consumers.insert((&source.name, api, &consumer.name)) {
                return Err(errors::SOURCE_CONSUMER_DUPLICATE);
            }
        }
        if let Some(external) = &source.external {
            prefixes.add(external);
        } else if let Some(origin) = lookup(&source.name) {
            prefixes.subjects.extend(origin.subjects.iter().cloned());
            if is_smaller(config.max_msg_size, origin.max_msg_size) {
                return Err(errors::SOURCE_MESSAGE_SIZE);
            }
        }
    }
    Ok(())
}

fn source_transforms(source: &OriginConfig) -> Result<(), ApiError> {
    let transforms = &source.subject_transforms;
    if !source.filter_subject.is_empty() && !transforms.is_empty() {
        return Err(errors::SOURCE_FILTER_AND_TRANSFORMS);
    }
    for one in transforms {
        if !one.src.is_empty() && !subject::is_valid(&one.src) {
            let text = format!("source transform source: invalid subject {}", one.src);
            return Err(ApiError::with(400, 10145, text));
        }
        Transform::new(&one.src, &one.dest)
            .map_err(|error| ApiError::with(400, 10146, format!("source transform: {error}")))?;
    }
    for (outer, one) in transforms.iter().enumerate() {
        let mut others = transforms.iter().enumerate().filter(|(inner, _)| *inner != outer);
        if others.any(|(_, other)| subject::is_subset(&one.src, &other.src)) {
            return Err(errors::SOURCE_FILTERS_OVERLAP);
        }
    }
    Ok(())
}

fn check_prefixes(prefixes: &Prefixes<'_>) -> Result<(), ApiError> {
    for prefix in &prefixes.deliver {
        if !subject::is_literal(prefix) {
            let text =
                format!("stream external delivery prefix {prefix} must not contain wildcards");
            return Err(ApiError::with(400, 10024, text));
        }
        let mut subjects = prefixes.subjects.iter();
        let found = subjects.find(|each| subject::collides(each, &format!("{prefix}.{each}")));
        if let Some(subject) = found {
            let text = format!(
                "stream external delivery prefix {prefix} overlaps with stream subject {subject}"
            );
            return Err(ApiError::with(400, 10022, text));
        }
    }
    for prefix in &prefixes.api {
        if !subject::is_literal(prefix) {
            return Err(ApiError::config(format!(
                "stream external api prefix {prefix:?} must be a valid subject without wildcards"
            )));
        }
        if subject::collides(prefix, API_PREFIX) {
            let text =
                format!("stream external api prefix {prefix} must not overlap with {API_PREFIX}");
            return Err(ApiError::with(400, 10021, text));
        }
    }
    Ok(())
}
