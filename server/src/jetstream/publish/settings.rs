//! What publishing needs of a configuration, worked out once.
//! Not here: the rest of the configuration.

use super::republish::Republisher;
use crate::jetstream::config::StreamConfig;
use bytes::Bytes;
use headwater_replication::Transform;

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
    pub(super) message_bytes_max: Option<usize>,
    /// None for a stream that takes copies: there what arrives is followed instead.
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
            message_bytes_max: usize::try_from(config.max_msg_size).ok(),
            republish: Republisher::new(config).filter(|_| !config.is_copy()),
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
