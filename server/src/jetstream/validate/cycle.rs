//! The walk over local streams that finds a stream copying itself in a circle.
//! Not here: origins in other domains, which nobody can walk.

use super::Lookup;
use crate::jetstream::config::{OriginConfig, StreamConfig};
use crate::jetstream::errors::ApiError;
use headwater_storage::subject;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

pub(super) fn check(config: &StreamConfig, lookup: Lookup<'_>) -> Result<(), ApiError> {
    let mut visited: HashSet<String> = HashSet::new();
    let mut open = VecDeque::from([Arc::new(config.clone())]);
    let refused = || Err(ApiError::config("detected cycle"));
    let is_local = |origin: &&OriginConfig| origin.external.is_none();
    while let Some(stream) = open.pop_front() {
        visited.insert(stream.name.clone());
        for source in stream.sources.iter().filter(is_local) {
            if visited.contains(&source.name) {
                if overlaps(&stream.subjects, &source.filter_subject) {
                    return refused();
                }
            } else {
                open.extend(lookup(&source.name));
            }
        }
        if let Some(mirror) = stream.mirror.as_ref().filter(is_local) {
            if visited.contains(&mirror.name) {
                return refused();
            }
            open.extend(lookup(&mirror.name));
        }
    }
    Ok(())
}

fn overlaps(subjects: &[String], filter: &str) -> bool {
    filter.is_empty() || subjects.iter().any(|each| subject::collides(each, filter))
}
