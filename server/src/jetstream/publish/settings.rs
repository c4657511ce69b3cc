//! What publishing needs of a configuration, worked out once.
//! Not here: the rest of the configuration.

use super::republish::Republisher;
use crate::jetstream::config::StreamConfig;
use crate::jetstream::schedule::Rules;
use bytes::Bytes;
use headwater_replication::{Transform, target::lifetime_seconds_min};

/// What publishing needs of a configuration.
#[derive(Debug)]
pub(super) struct Settings {
    /// Name of the stream.
    pub(super) name: String,
    /// An acknowledgement up to the sequence.
    pub(super) ack_start: Vec<u8>,
    /// The name as JSON.
    pub(super) name_json: String,
    pub(super) no_ack: bool,
    pub(super) sealed: bool,
    pub(super) allow_atomic: bool,
    pub(super) allow_batched: bool,
    pub(super) allow_rollup: bool,
    pub(super) allow_ttl: bool,
    /// Messages are increments of counters.
    pub(super) is_counter: bool,
    /// Whether markers take the place of last messages.
    pub(super) has_markers: bool,
    /// The shortest lifetime of a message, in seconds; 0 for any.
    pub(super) ttl_seconds_min: u64,
    /// What may be said about schedules.
    pub(super) schedules: Rules,
    pub(super) message_bytes_max: Option<usize>,
    /// None for a stream that is written otherwise too: there what arrives is followed instead.
    pub(super) republish: Option<Republisher>,
    transform: Option<Transform>,
}

impl Settings {
    /// What publishing needs of this configuration.
    pub(super) fn new(config: &StreamConfig, domain: &str) -> Self {
        let name_json = serde_json::Value::from(config.name.as_str()).to_string();
        let domain_json = match domain {
            "" => String::new(),
            domain => format!("\"domain\":{},", serde_json::Value::from(domain)),
        };
        let transform = config.subject_transform.as_ref();
        Self {
            name: config.name.clone(),
            ack_start: format!("{{\"stream\":{name_json},{domain_json}\"seq\":").into_bytes(),
            name_json,
            no_ack: config.no_ack,
            sealed: config.sealed,
            allow_atomic: config.allow_atomic,
            allow_batched: config.allow_batched,
            allow_rollup: config.allow_rollup_hdrs,
            allow_ttl: config.allow_msg_ttl,
            is_counter: config.allow_msg_counter,
            has_markers: config.subject_delete_marker_ttl > 0,
            ttl_seconds_min: lifetime_seconds_min(&config.engine(String::new())),
            schedules: Rules {
                allow_schedules: config.allow_msg_schedules,
                allow_ttl: config.allow_msg_ttl,
                subjects: config.subjects.clone(),
            },
            message_bytes_max: usize::try_from(config.max_msg_size).ok(),
            republish: Republisher::new(config).filter(|_| !config.is_written_otherwise()),
            transform: transform.and_then(|each| Transform::new(&each.src, &each.dest).ok()),
        }
    }
    /// The subject under which a message is stored.
    pub(super) fn transformed(&self, subject: &Bytes) -> Bytes {
        let Some(transform) = &self.transform else { return subject.clone() };
        let text = std::str::from_utf8(subject).unwrap_or_default();
        transform.apply(text).map_or_else(|| subject.clone(), Bytes::from)
    }
}
