//! The configuration of a stream as the API has it. Serialised it is both what replies echo and what is stored.
//! Invariant: a value that came through `validate` is normalised: -1 for no limit, names and subjects checked.
//! Not here: reading it from JSON (`parse`), what of it the engine knows (`engine`), verdicts (`validate`).

mod engine;
mod parse;

pub(crate) use parse::parse_restore;
pub use parse::{ConfigRequest, from_stored, parse};

use headwater_replication::index_name;
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

fn as_text<S: Serializer>(time: &Option<jiff::Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(time),
        None => to.serialize_none(),
    }
}

/// When messages go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// At a limit.
    #[default]
    Limits,
    /// Once every consumer has it.
    Interest,
    /// Once one consumer has it.
    Workqueue,
}

/// Where messages lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// On disk.
    #[default]
    File,
    /// In memory.
    Memory,
}

/// What gives way at a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Discard {
    /// The oldest messages.
    #[default]
    Old,
    /// The new one.
    New,
}

/// How stored bytes are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Compressed; the name is that of nats-server, the method is the engine's.
    S2,
}

/// A subject transform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TransformConfig {
    /// What it applies to.
    pub src: String,
    /// What it makes of it.
    pub dest: String,
}

/// Publishing again what was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Republish {
    /// Subjects to publish again.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub src: String,
    /// Under which subject.
    pub dest: String,
    /// Without the payload.
    #[serde(skip_serializing_if = "is_false")]
    pub headers_only: bool,
}

/// Where in a cluster a stream should lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// Name of a cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Tags of servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A server by name; refused for streams.
    #[serde(skip)]
    pub preferred: String,
}

/// Another domain or account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct External {
    /// Prefix of its API.
    pub api: String,
    /// Prefix under which it delivers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deliver: String,
}

/// A consumer made beforehand to copy through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OriginConsumer {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where it delivers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deliver_subject: String,
}

/// A stream to copy from: the origin of a mirror, or one of the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OriginConfig {
    /// Name of the stream.
    pub name: String,
    /// Where to start.
    #[serde(skip_serializing_if = "is_zero_count")]
    pub opt_start_seq: u64,
    /// When to start.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub opt_start_time: Option<jiff::Timestamp>,
    /// What to copy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter_subject: String,
    /// What to copy and what becomes of the subjects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_transforms: Vec<TransformConfig>,
    /// Where the stream is, when not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// A consumer made beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<OriginConsumer>,
}

impl OriginConfig {
    /// By what a source is told from the others of its stream.
    pub fn index_name(&self) -> String {
        let pairs = self.subject_transforms.iter();
        index_name(
            &self.name,
            self.external.as_ref().map(|external| external.api.as_str()),
            self.consumer.as_ref().map(|consumer| consumer.name.as_str()),
            &self.filter_subject,
            pairs.map(|each| (each.src.as_str(), each.dest.as_str())),
        )
    }
}

/// Bounds of the consumers of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConsumerLimits {
    /// Longest inactivity, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub inactive_threshold: i64,
    /// Most messages that wait for acknowledgement.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_ack_pending: i64,
}

/// Settings that are read, so that verdicts on them are right, and refused once nothing else is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unbuilt {
    /// Acknowledging before storing.
    pub is_persisted_late: bool,
}

/// Configuration of a stream. The order of fields is that of nats-server's replies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamConfig {
    /// Name; unique in the account.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it captures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// When messages go.
    pub retention: Retention,
    /// Most consumers.
    pub max_consumers: i64,
    /// Most messages.
    pub max_msgs: i64,
    /// Most bytes.
    pub max_bytes: i64,
    /// Longest age, in nanoseconds; 0 for any.
    pub max_age: i64,
    /// Most messages of a subject.
    pub max_msgs_per_subject: i64,
    /// Largest message.
    pub max_msg_size: i32,
    /// What gives way at a limit.
    pub discard: Discard,
    /// Where messages lie.
    pub storage: Storage,
    /// Copies in a cluster.
    pub num_replicas: i64,
    /// Publishers get no acknowledgement.
    #[serde(skip_serializing_if = "is_false")]
    pub no_ack: bool,
    /// How long message ids are known, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub duplicate_window: i64,
    /// Where in a cluster it should lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// The stream it is a mirror of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<OriginConfig>,
    /// The streams it copies from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<OriginConfig>,
    /// How stored bytes are packed.
    pub compression: Compression,
    /// Sequence of the first message.
    #[serde(skip_serializing_if = "is_zero_count")]
    pub first_seq: u64,
    /// What becomes of subjects before anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_transform: Option<TransformConfig>,
    /// Publishing again what was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub republish: Option<Republish>,
    /// Direct reads.
    pub allow_direct: bool,
    /// Direct reads in the place of the origin.
    pub mirror_direct: bool,
    /// Nothing changes any more.
    pub sealed: bool,
    /// No deletes of messages.
    pub deny_delete: bool,
    /// No purges.
    pub deny_purge: bool,
    /// Rollups.
    pub allow_rollup_hdrs: bool,
    /// Refuse at the limit of a subject too.
    #[serde(skip_serializing_if = "is_false")]
    pub discard_new_per_subject: bool,
    /// Bounds of consumers.
    pub consumer_limits: ConsumerLimits,
    /// Time to live per message.
    pub allow_msg_ttl: bool,
    /// How long a marker of a subject whose last message went by itself stays, in nanoseconds; 0 for no markers.
    #[serde(skip_serializing_if = "is_zero")]
    pub subject_delete_marker_ttl: i64,
    /// Messages are increments of counters.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_msg_counter: bool,
    /// Batches that are stored whole or not at all.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_atomic: bool,
    /// Messages that say when others are to be published.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_msg_schedules: bool,
    /// Batches in which the server says how much may be under way.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_batched: bool,
    /// Of the user, and the API level the stream needs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What is not built.
    #[serde(skip)]
    pub unbuilt: Unbuilt,
}

impl StreamConfig {
    /// Whether it is a copy of other streams, in whole or in part.
    pub fn is_copy(&self) -> bool {
        self.mirror.is_some() || !self.sources.is_empty()
    }
    /// Whether what is stored is not just what is published: copies, markers, counters, schedules.
    pub fn is_written_otherwise(&self) -> bool {
        self.is_copy()
            || self.subject_delete_marker_ttl > 0
            || self.allow_msg_counter
            || self.allow_msg_schedules
    }
    /// Bytes set aside for it.
    pub fn reserved_bytes(&self) -> u64 {
        u64::try_from(self.max_bytes).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_stored_is_read_again() {
        let full = json!({
            "name": "S", "description": "d", "subjects": ["a.*"], "retention": "workqueue",
            "max_consumers": 3, "max_msgs": 5, "max_bytes": 7, "max_age": 1_000_000_000,
            "max_msgs_per_subject": 2, "max_msg_size": 11, "discard": "new", "storage": "memory",
            "num_replicas": 1, "no_ack": true, "duplicate_window": 100_000_000,
            "placement": {"cluster": "c", "tags": ["t"]}, "compression": "s2", "first_seq": 9,
            "sources": [{"name": "O", "opt_start_seq": 4, "filter_subject": "o"},
                {"name": "O", "opt_start_time": "2020-01-01T00:00:00Z",
                "subject_transforms": [{"src": "a", "dest": ""}]}],
            "subject_transform": {"src": "a.*", "dest": "b.$1"},
            "republish": {"src": "b.>", "dest": "r.>", "headers_only": true},
            "allow_direct": true, "mirror_direct": false, "sealed": false, "deny_delete": true,
            "deny_purge": true, "allow_rollup_hdrs": false, "discard_new_per_subject": true,
            "consumer_limits": {"max_ack_pending": 8}, "allow_msg_ttl": true, "subject_delete_marker_ttl": 2_000_000_000_i64,
            "allow_msg_counter": true, "allow_atomic": true, "allow_msg_schedules": true, "allow_batched": true,
            "metadata": {"k": "v", "_nats.req.level": "4"},
        });
        let config = parse(full.to_string().as_bytes(), true).unwrap().config;
        assert_eq!(serde_json::to_value(&config).unwrap(), full);
        let stored = serde_json::to_vec(&config).unwrap();
        assert_eq!(from_stored(&stored).unwrap(), config);
    }

    #[test]
    fn bodies_that_are_refused() {
        for (body, text) in [
            (r#"{"name":"A","x":1}"#, r#"json: unknown field "x""#),
            (r#"{"name":"A","republish":{"x":1}}"#, r#"json: unknown field "x""#),
            (r#"{"name":"A","sources":[{"name":"B","x":1}]}"#, r#"json: unknown field "x""#),
            (r#"{"name":"A","template_owner":"x"}"#, r#"json: unknown field "template_owner""#),
            (r#"{"name":"A","retention":"x"}"#, r#"can not unmarshal "x""#),
            (r#"{"name":"A","retention":null}"#, "can not unmarshal null"),
            (r#"{"name":"A","max_msgs":1e3}"#, ""),
            (r#"{"name":"A","max_msg_size":2147483648}"#, ""),
            (r#"{"name":"A","first_seq":-1}"#, ""),
            (r#"{"name":"A","subjects":"a"}"#, ""),
            (r#"{"name":"A","mirror":[]}"#, ""),
            (r#"{"name":"A","metadata":{"k":5}}"#, ""),
        ] {
            let error = parse(body.as_bytes(), true).unwrap_err();
            assert_eq!((error.code, error.err_code), (400, 10025), "{body}");
            let expected = format!("invalid JSON: {text}");
            assert!(text.is_empty() || error.description == expected, "{body}: {error:?}");
        }
    }
}
