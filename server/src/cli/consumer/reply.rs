//! The fields of answers about consumers that are read. What is missing is zero or empty, as servers differ.
//! Not here: fields that are only passed on, which stay JSON.

use crate::cli::api;
use crate::cli::error::Result;
use crate::cli::stream::reply::Cluster;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A consumer as the server tells of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct ConsumerInfo {
    pub(in crate::cli) stream_name: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) created: String,
    pub(in crate::cli) config: Config,
    pub(in crate::cli) delivered: Position,
    pub(in crate::cli) ack_floor: Position,
    pub(in crate::cli) num_ack_pending: u64,
    pub(in crate::cli) num_redelivered: u64,
    pub(in crate::cli) num_waiting: u64,
    pub(in crate::cli) num_pending: u64,
    pub(in crate::cli) push_bound: bool,
    pub(in crate::cli) paused: bool,
    pub(in crate::cli) pause_remaining: i64,
    pub(in crate::cli) cluster: Option<Cluster>,
    pub(in crate::cli) priority_groups: Option<Vec<PriorityGroup>>,
}

impl ConsumerInfo {
    /// Reads one.
    pub(in crate::cli) fn read(answer: &Value) -> Result<Self> {
        api::read("understand a Consumer", answer)
    }
}

/// Its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Config {
    pub(in crate::cli) durable_name: String,
    pub(in crate::cli) description: Option<String>,
    pub(in crate::cli) deliver_subject: String,
    pub(in crate::cli) deliver_group: String,
    pub(in crate::cli) deliver_policy: String,
    pub(in crate::cli) opt_start_seq: u64,
    pub(in crate::cli) opt_start_time: Option<String>,
    pub(in crate::cli) ack_policy: String,
    pub(in crate::cli) ack_wait: i64,
    pub(in crate::cli) max_deliver: i64,
    pub(in crate::cli) backoff: Option<Vec<i64>>,
    pub(in crate::cli) filter_subject: String,
    pub(in crate::cli) filter_subjects: Option<Vec<String>>,
    pub(in crate::cli) replay_policy: String,
    pub(in crate::cli) sample_freq: String,
    pub(in crate::cli) max_ack_pending: i64,
    pub(in crate::cli) idle_heartbeat: i64,
    pub(in crate::cli) flow_control: bool,
    pub(in crate::cli) headers_only: bool,
    pub(in crate::cli) max_waiting: i64,
    pub(in crate::cli) max_batch: i64,
    pub(in crate::cli) max_expires: i64,
    pub(in crate::cli) max_bytes: i64,
    pub(in crate::cli) inactive_threshold: i64,
    pub(in crate::cli) num_replicas: u64,
    pub(in crate::cli) mem_storage: bool,
    pub(in crate::cli) pause_until: Option<String>,
    pub(in crate::cli) priority_groups: Option<Vec<String>>,
    pub(in crate::cli) priority_policy: String,
    pub(in crate::cli) metadata: Option<BTreeMap<String, String>>,
}

impl Config {
    /// Whether clients ask it for messages.
    pub(in crate::cli) fn is_pull(&self) -> bool {
        self.deliver_subject.is_empty()
    }

    /// Whether it waits for acknowledgements of single messages.
    pub(in crate::cli) fn wants_acks(&self) -> bool {
        matches!(self.ack_policy.as_str(), "explicit" | "all")
    }

    /// The subjects it is for; none where it is for all.
    pub(in crate::cli) fn filters(&self) -> Vec<&str> {
        let several = self.filter_subjects.iter().flatten().map(String::as_str);
        let single = Some(self.filter_subject.as_str()).filter(|filter| !filter.is_empty());
        single.into_iter().chain(several).collect()
    }
}

/// How far it has come.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Position {
    pub(in crate::cli) consumer_seq: u64,
    pub(in crate::cli) stream_seq: u64,
    pub(in crate::cli) last_active: Option<String>,
}

/// Clients that share it by priority.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct PriorityGroup {
    pub(in crate::cli) pinned_client_id: String,
}
