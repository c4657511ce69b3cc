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
    pub(in crate::cli) description: Option<String>,
    pub(in crate::cli) subjects: Option<Vec<String>>,
    pub(in crate::cli) retention: String,
    pub(in crate::cli) storage: String,
    pub(in crate::cli) discard: String,
    pub(in crate::cli) compression: String,
    pub(in crate::cli) num_replicas: u64,
    pub(in crate::cli) max_msgs: i64,
    pub(in crate::cli) max_msgs_per_subject: i64,
    pub(in crate::cli) max_bytes: i64,
    pub(in crate::cli) max_age: i64,
    pub(in crate::cli) max_msg_size: i64,
    pub(in crate::cli) max_consumers: i64,
    pub(in crate::cli) duplicate_window: i64,
    pub(in crate::cli) first_seq: u64,
    pub(in crate::cli) no_ack: bool,
    pub(in crate::cli) sealed: bool,
    pub(in crate::cli) deny_delete: bool,
    pub(in crate::cli) deny_purge: bool,
    pub(in crate::cli) allow_rollup_hdrs: bool,
    pub(in crate::cli) allow_direct: bool,
    pub(in crate::cli) mirror_direct: bool,
    pub(in crate::cli) allow_msg_ttl: bool,
    pub(in crate::cli) allow_atomic: bool,
    pub(in crate::cli) allow_msg_counter: bool,
    pub(in crate::cli) subject_transform: Option<Transform>,
    pub(in crate::cli) republish: Option<Transform>,
    pub(in crate::cli) mirror: Option<Origin>,
    pub(in crate::cli) sources: Option<Vec<Origin>>,
    pub(in crate::cli) metadata: Option<BTreeMap<String, String>>,
}

/// Where it gets messages from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Origin {
    pub(in crate::cli) name: String,
    pub(in crate::cli) opt_start_seq: u64,
    pub(in crate::cli) opt_start_time: Option<String>,
    pub(in crate::cli) filter_subject: String,
    pub(in crate::cli) subject_transforms: Option<Vec<Transform>>,
    pub(in crate::cli) external: Option<External>,
}

/// How the API of another account or domain is reached.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct External {
    pub(in crate::cli) api: String,
    pub(in crate::cli) deliver: String,
}

/// Subjects that become others.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Transform {
    pub(in crate::cli) src: String,
    pub(in crate::cli) dest: String,
}

/// What it holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct State {
    pub(in crate::cli) messages: u64,
    pub(in crate::cli) bytes: u64,
    pub(in crate::cli) first_seq: u64,
    pub(in crate::cli) first_ts: String,
    pub(in crate::cli) last_seq: u64,
    pub(in crate::cli) last_ts: String,
    pub(in crate::cli) consumer_count: u64,
    pub(in crate::cli) num_subjects: u64,
    pub(in crate::cli) num_deleted: u64,
    pub(in crate::cli) deleted: Option<Vec<u64>>,
    pub(in crate::cli) lost: Option<Lost>,
}

impl State {
    /// How many messages are gone from among those it holds. Older servers list them without a number.
    pub(in crate::cli) fn deleted_count(&self) -> u64 {
        self.deleted.as_ref().map_or(0, |deleted| deleted.len() as u64).max(self.num_deleted)
    }
}

/// Messages that are damaged.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Lost {
    pub(in crate::cli) msgs: Option<Vec<u64>>,
    pub(in crate::cli) bytes: u64,
}

/// How far a mirror or source has come.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct CopyStatus {
    pub(in crate::cli) name: String,
    pub(in crate::cli) lag: Option<i64>,
    pub(in crate::cli) active: Option<i64>,
    pub(in crate::cli) filter_subject: String,
    pub(in crate::cli) subject_transforms: Option<Vec<Transform>>,
    pub(in crate::cli) external: Option<External>,
    pub(in crate::cli) error: Option<ApiError>,
}

/// The servers that keep it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Cluster {
    pub(in crate::cli) name: String,
    pub(in crate::cli) leader: String,
    pub(in crate::cli) replicas: Option<Vec<Peer>>,
}

/// One of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Peer {
    pub(in crate::cli) name: String,
    pub(in crate::cli) current: bool,
    pub(in crate::cli) offline: bool,
    pub(in crate::cli) active: i64,
    pub(in crate::cli) lag: u64,
}
