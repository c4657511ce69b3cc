//! The configuration of a consumer as the API has it. Serialised it is both what replies echo and what is stored.
//! Invariant: one that came through `defaults` and `check` has every default filled in and makes sense with its stream.
//! Not here: reading it from JSON (`parse`), verdicts (`check`), what an update may change (`update`).

mod check;
mod defaults;
mod parse;
mod update;

pub(crate) use check::check;
pub(crate) use defaults::fill;
pub(crate) use parse::{Action, ConsumerRequest, ZERO_TIME, from_stored, parse};
pub(crate) use update::updated;

use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

fn is_false(flag: &bool) -> bool {
    !*flag
}
fn is_zero(number: &i64) -> bool {
    *number == 0
}
fn is_zero_count(number: &u64) -> bool {
    *number == 0
}
fn is_no_priority(policy: &PriorityPolicy) -> bool {
    *policy == PriorityPolicy::None
}
fn as_text<S: Serializer>(time: &Option<jiff::Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(time),
        None => to.serialize_none(),
    }
}

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliverPolicy {
    /// With the first message there is.
    #[default]
    All,
    /// With the last one that matches.
    Last,
    /// With the next one to come.
    New,
    /// With a sequence.
    ByStartSequence,
    /// With the first one at or after a time.
    ByStartTime,
    /// With the last one of each subject that matches.
    LastPerSubject,
}

/// What has to be acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AckPolicy {
    /// Nothing.
    #[default]
    None,
    /// An acknowledgement stands for all messages before it too.
    All,
    /// Every message.
    Explicit,
    /// As `All`, by answers to flow control.
    FlowControl,
}

/// How fast what is stored already is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReplayPolicy {
    /// At once.
    #[default]
    Instant,
    /// In the rhythm in which it was stored.
    Original,
}

/// Which of several pull requests is served first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PriorityPolicy {
    /// In turn.
    #[default]
    None,
    /// In turn; those with a threshold only above it.
    Overflow,
    /// One client until it goes.
    PinnedClient,
    /// The lowest number first.
    Prioritized,
}

/// Configuration of a consumer. The order of fields is that of nats-server's replies; times are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ConsumerConfig {
    /// Name of one that stays; the same as `name` where both are given.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) durable_name: String,
    /// Name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    /// Where it begins.
    pub(crate) deliver_policy: DeliverPolicy,
    /// The sequence it begins with.
    #[serde(skip_serializing_if = "is_zero_count")]
    pub(crate) opt_start_seq: u64,
    /// The time it begins with.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub(crate) opt_start_time: Option<jiff::Timestamp>,
    /// What has to be acknowledged.
    pub(crate) ack_policy: AckPolicy,
    /// How long an acknowledgement may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) ack_wait: i64,
    /// Most deliveries of a message; -1 for any number.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) max_deliver: i64,
    /// How long the acknowledgement of the first, second, ... delivery may take, in place of `ack_wait`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) backoff: Vec<i64>,
    /// What it delivers; empty for everything.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) filter_subject: String,
    /// What it delivers, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) filter_subjects: Vec<String>,
    /// How fast what is stored already is delivered.
    pub(crate) replay_policy: ReplayPolicy,
    /// Most bits a second.
    #[serde(skip_serializing_if = "is_zero_count")]
    pub(crate) rate_limit_bps: u64,
    /// How many of a hundred acknowledgements are reported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) sample_freq: String,
    /// Most pull requests that wait.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) max_waiting: i64,
    /// Most messages that wait for acknowledgement; -1 for any number.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) max_ack_pending: i64,
    /// The receiver is asked to keep up.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) flow_control: bool,
    /// Payloads are left out.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) headers_only: bool,
    /// Most messages of a pull request.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) max_batch: i64,
    /// Longest wait of a pull request.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) max_expires: i64,
    /// Most bytes of a pull request.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) max_bytes: i64,
    /// Where messages are delivered unasked; empty for one that is asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) deliver_subject: String,
    /// Queue group of the receivers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) deliver_group: String,
    /// How long it is silent at most.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) idle_heartbeat: i64,
    /// How long it stays without anybody using it.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) inactive_threshold: i64,
    /// Copies in a cluster.
    pub(crate) num_replicas: i64,
    /// Its state is kept in memory only.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) mem_storage: bool,
    /// It belongs to a mirror or source and is not listed.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) direct: bool,
    /// It belongs to a mirror or source.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) sourcing: bool,
    /// Of the user, and the API level it needs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    /// Nothing is delivered before.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub(crate) pause_until: Option<jiff::Timestamp>,
    /// Groups of clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) priority_groups: Vec<String>,
    /// Which client of a group is served.
    #[serde(skip_serializing_if = "is_no_priority")]
    pub(crate) priority_policy: PriorityPolicy,
    /// How long a silent client stays the one that is served.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) priority_timeout: i64,
}

impl ConsumerConfig {
    /// Whether messages are delivered unasked.
    pub(crate) fn is_push(&self) -> bool {
        !self.deliver_subject.is_empty()
    }
    /// Whether it stays when nobody uses it.
    pub(crate) fn is_durable(&self) -> bool {
        !self.durable_name.is_empty()
    }
    /// What it delivers; empty for everything.
    pub(crate) fn filters(&self) -> Vec<String> {
        match self.filter_subject.is_empty() {
            true => self.filter_subjects.clone(),
            false => vec![self.filter_subject.clone()],
        }
    }
    /// Reported acknowledgements of a hundred.
    pub(crate) fn sample_percent(&self) -> u32 {
        self.sample_freq.trim_end_matches('%').parse().unwrap_or(0)
    }
}
