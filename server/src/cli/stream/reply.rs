//! The fields of answers that are read. Anything may be missing, as servers differ; what is missing is zero or empty.
//! Not here: fields that are only passed on, which stay JSON.

use crate::cli::api;
use crate::cli::error::{ApiError, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A stream as the server tells of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct StreamInfo {
    pub(in crate::cli) config: Config,
    pub(in crate::cli) created: String,
    pub(in crate::cli) state: State,
    pub(in crate::cli) mirror: Option<CopyStatus>,
    pub(in crate::cli) sources: Option<Vec<CopyStatus>>,
    pub(in crate::cli) cluster: Option<Cluster>,
}

impl StreamInfo {
    /// Reads one.
    pub(in crate::cli) fn read(answer: &Value) -> Result<Self> {
        api::read("understand a Stream", answer)
    }
}

/// Its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Config {
    pub(in crate::cli) name: String,
    pub(super) description: Option<String>,
    pub(super) subjects: Option<Vec<String>>,
    pub(super) retention: String,
    pub(super) storage: String,
    pub(super) discard: String,
    pub(super) compression: String,
    pub(super) num_replicas: u64,
    pub(super) max_msgs: i64,
    pub(super) max_msgs_per_subject: i64,
    pub(super) max_bytes: i64,
    pub(super) max_age: i64,
    pub(super) max_msg_size: i64,
    pub(super) max_consumers: i64,
    pub(super) duplicate_window: i64,
    pub(super) first_seq: u64,
    pub(super) no_ack: bool,
    pub(super) sealed: bool,
    pub(super) deny_delete: bool,
    pub(super) deny_purge: bool,
    pub(super) allow_rollup_hdrs: bool,
    pub(super) allow_direct: bool,
    pub(super) mirror_direct: bool,
    pub(super) allow_msg_ttl: bool,
    pub(super) allow_atomic: bool,
    pub(super) allow_msg_counter: bool,
    pub(super) subject_transform: Option<Transform>,
    pub(super) republish: Option<Transform>,
    pub(super) mirror: Option<Origin>,
    pub(super) sources: Option<Vec<Origin>>,
    pub(super) metadata: Option<BTreeMap<String, String>>,
}

/// Where it gets messages from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Origin {
    pub(super) name: String,
    pub(super) opt_start_seq: u64,
    pub(super) opt_start_time: Option<String>,
    pub(super) filter_subject: String,
    pub(super) subject_transforms: Option<Vec<Transform>>,
    pub(super) external: Option<External>,
}

/// How the API of another account or domain is reached.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct External {
    pub(super) api: String,
    pub(super) deliver: String,
}

/// Subjects that become others.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Transform {
    pub(super) src: String,
    pub(super) dest: String,
}

/// What it holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct State {
    pub(in crate::cli) messages: u64,
    pub(super) bytes: u64,
    pub(in crate::cli) first_seq: u64,
    pub(super) first_ts: String,
    pub(in crate::cli) last_seq: u64,
    pub(super) last_ts: String,
    pub(super) consumer_count: u64,
    pub(super) num_subjects: u64,
    pub(super) num_deleted: u64,
    pub(super) deleted: Option<Vec<u64>>,
    pub(super) lost: Option<Lost>,
}

impl State {
    /// How many messages are gone from among those it holds. Older servers list them without a number.
    pub(super) fn deleted_count(&self) -> u64 {
        self.deleted.as_ref().map_or(0, |deleted| deleted.len() as u64).max(self.num_deleted)
    }
}

/// Messages that are damaged.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lost {
    pub(super) msgs: Option<Vec<u64>>,
    pub(super) bytes: u64,
}

/// How far a mirror or source has come.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct CopyStatus {
    pub(super) name: String,
    pub(super) lag: Option<i64>,
    pub(super) active: Option<i64>,
    pub(super) filter_subject: String,
    pub(super) subject_transforms: Option<Vec<Transform>>,
    pub(super) external: Option<External>,
    pub(super) error: Option<ApiError>,
}

/// The servers that keep it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Cluster {
    pub(super) name: String,
    pub(super) leader: String,
    pub(super) replicas: Option<Vec<Peer>>,
}

/// One of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) current: bool,
    pub(super) offline: bool,
    pub(super) active: i64,
    pub(super) lag: u64,
}
