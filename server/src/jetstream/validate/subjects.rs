//! Verdicts on the subjects a stream captures.
//! Not here: what other subjects of a configuration must be.

use crate::jetstream::config::StreamConfig;
use crate::jetstream::errors::ApiError;
use headwater_storage::subject;

/// Subjects of the API itself.
const API_SUBJECTS: [&str; 3] = ["$JS.>", "$JSC.>", "$NRG.>"];
/// What of them may be captured.
const EVENTS: &str = "$JS.EVENT.>";
const SYSTEM_SUBJECTS: &str = "$SYS.>";
/// What of the system's subjects may be captured.
const SYSTEM_EVENTS: &str = "$SYS.ACCOUNT.>";

pub(super) fn check(config: &mut StreamConfig) -> Result<(), ApiError> {
    if config.subjects.is_empty() {
        if !config.is_copy() {
            config.subjects.push(config.name.clone());
        }
        return Ok(());
    }
    for each in &config.subjects {
        if let Some(text) = verdict(each, config) {
            return Err(ApiError::config(text));
        }
    }
    for (outer, one) in config.subjects.iter().enumerate() {
        let mut others = config.subjects.iter().enumerate().filter(|(inner, _)| *inner != outer);
        if let Some((_, other)) = others.find(|(_, other)| subject::collides(one, other)) {
            return Err(ApiError::config(format!("subject {one:?} overlaps with {other:?}")));
        }
    }
    Ok(())
}

fn verdict(each: &str, config: &StreamConfig) -> Option<&'static str> {
    if !subject::is_valid(each) {
        return Some("invalid subject");
    }
    if each == ">" {
        if !config.no_ack {
            return Some("capturing all subjects requires no-ack to be true");
        }
        if config.num_replicas != 1 {
            return Some("capturing all subjects requires replicas of 1");
        }
    }
    if config.no_ack {
        return None;
    }
    let is_api = API_SUBJECTS.iter().any(|api| subject::collides(each, api));
    if is_api && !subject::is_subset(each, EVENTS) {
        return Some("subjects that overlap with jetstream api require no-ack to be true");
    }
    let is_system = subject::collides(each, SYSTEM_SUBJECTS);
    if is_system && !subject::is_subset(each, SYSTEM_EVENTS) {
        return Some("subjects that overlap with system api require no-ack to be true");
    }
    None
}

/// Whether any of these subjects is captured by one of the others too.
pub(crate) fn overlaps_others(subjects: &[String], others: &[String]) -> bool {
    subjects.iter().any(|each| others.iter().any(|other| subject::collides(each, other)))
}
