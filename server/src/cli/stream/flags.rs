//! Flags for the configuration of a stream, the same for `add` and `edit`.
//! A flag that is not given changes nothing.
//! Not here: what a new stream has where nothing is given (`config`).

use super::origin;
use crate::cli::{duration, size};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

/// Where messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Storage {
    File,
    Memory,
}

/// Which messages are let go by themselves: those beyond the limits, those that every consumer has acknowledged, or those
/// that one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Retention {
    Limits,
    Interest,
    #[value(name = "workqueue", alias = "work")]
    WorkQueue,
}

/// What gives way when a limit is reached: the oldest messages, or the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Discard {
    Old,
    New,
}

/// How messages are compressed on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compression {
    None,
    S2,
}

/// The configuration of a stream.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(in crate::cli) struct ConfigFlags {
    /// Subjects it listens on; may be given several times, or separated by commas
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT")]
    subjects: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where its messages are kept
    #[arg(long, value_enum)]
    storage: Option<Storage>,
    /// Which messages are let go besides those beyond the limits
    #[arg(long, value_enum)]
    retention: Option<Retention>,
    /// What gives way when a limit is reached: the oldest messages, or the new one
    #[arg(long, value_enum)]
    discard: Option<Discard>,
    /// Most messages it keeps; -1 for any number
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_msgs: Option<i64>,
    /// Most messages it keeps of each subject; -1 for any number
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_msgs_per_subject: Option<i64>,
    /// Most bytes it keeps, such as 1GiB; -1 for any number
    #[arg(long, value_name = "SIZE", value_parser = size::parse, allow_negative_numbers = true)]
    max_bytes: Option<i64>,
    /// How long it keeps a message, such as 1h or 30d; 0 for ever
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_limit, allow_negative_numbers = true)]
    max_age: Option<i64>,
    /// Largest message it takes; -1 for any size
    #[arg(long, value_name = "SIZE", value_parser = size::parse_i32, allow_negative_numbers = true)]
    max_msg_size: Option<i32>,
    /// How long it knows the identity of a message, to refuse the same again
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_limit)]
    dupe_window: Option<i64>,
    /// How many servers of a cluster keep it
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..))]
    replicas: Option<u8>,
    /// Take the messages of another stream in; its name, or a JSON object; may be given several times
    #[arg(long, value_name = "STREAM", value_parser = origin::parse)]
    source: Vec<Value>,
    /// Be a copy of another stream; its name, or a JSON object
    #[arg(long, value_name = "STREAM", value_parser = origin::parse, conflicts_with = "source")]
    mirror: Option<Value>,
    /// How messages are compressed on disk
    #[arg(long, value_enum)]
    compression: Option<Compression>,
    /// Sequence of its first message
    #[arg(long, visible_alias = "first-sequence", value_name = "SEQUENCE")]
    first_seq: Option<u64>,
    #[command(flatten)]
    permissions: PermissionFlags,
}

/// What may be done with its messages. Each has a flag for the opposite, of which the one that is given last counts.
#[derive(Debug, Default, Args)]
struct PermissionFlags {
    /// Let a message replace those before it
    #[arg(long, overrides_with = "no_allow_rollup")]
    allow_rollup: bool,
    #[arg(long, hide = true)]
    no_allow_rollup: bool,
    /// Do not let single messages be removed
    #[arg(long, overrides_with = "no_deny_delete")]
    deny_delete: bool,
    #[arg(long, hide = true)]
    no_deny_delete: bool,
    /// Do not let it be purged
    #[arg(long, overrides_with = "no_deny_purge")]
    deny_purge: bool,
    #[arg(long, hide = true)]
    no_deny_purge: bool,
    /// Do not let its messages be read past the API
    #[arg(long, overrides_with = "allow_direct")]
    no_allow_direct: bool,
    #[arg(long, hide = true)]
    allow_direct: bool,
}

/// The name of a value in a configuration is the one on the command line.
fn named(value: Option<impl ValueEnum>) -> Option<Value> {
    Some(Value::from(value?.to_possible_value()?.get_name()))
}

fn either(yes: bool, no: bool) -> Option<Value> {
    (yes || no).then_some(Value::Bool(yes))
}

fn unless_empty<T: Into<Value> + Clone>(values: &[T]) -> Option<Value> {
    (!values.is_empty()).then(|| values.to_vec().into())
}

impl ConfigFlags {
    /// The fields that were given.
    pub(super) fn given(&self) -> Map<String, Value> {
        let may = &self.permissions;
        let fields = [
            ("subjects", unless_empty(&self.subjects)),
            ("description", self.description.clone().map(Value::from)),
            ("storage", named(self.storage)),
            ("retention", named(self.retention)),
            ("discard", named(self.discard)),
            ("max_msgs", self.max_msgs.map(Value::from)),
            ("max_msgs_per_subject", self.max_msgs_per_subject.map(Value::from)),
            ("max_bytes", self.max_bytes.map(Value::from)),
            ("max_age", self.max_age.map(Value::from)),
            ("max_msg_size", self.max_msg_size.map(Value::from)),
            ("duplicate_window", self.dupe_window.map(Value::from)),
            ("num_replicas", self.replicas.map(Value::from)),
            ("sources", unless_empty(&self.source)),
            ("mirror", self.mirror.clone()),
            ("compression", named(self.compression)),
            ("first_seq", self.first_seq.map(Value::from)),
            ("allow_rollup_hdrs", either(may.allow_rollup, may.no_allow_rollup)),
            ("deny_delete", either(may.deny_delete, may.no_deny_delete)),
            ("deny_purge", either(may.deny_purge, may.no_deny_purge)),
            ("allow_direct", either(may.allow_direct, may.no_allow_direct)),
        ];
        let given = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
        fields.into_iter().filter_map(given).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: ConfigFlags,
    }

    #[test]
    fn flags_become_fields() {
        for (line, expected) in [
            ("", json!({})),
            ("--subjects a,b --subjects c", json!({"subjects": ["a", "b", "c"]})),
            (
                "--storage memory --retention work",
                json!({"storage": "memory", "retention": "workqueue"}),
            ),
            ("--discard new --compression s2", json!({"discard": "new", "compression": "s2"})),
            ("--max-msgs -1 --max-bytes 1KiB", json!({"max_msgs": -1, "max_bytes": 1024})),
            ("--max-bytes -1 --max-age -1", json!({"max_bytes": -1, "max_age": 0})),
            ("--max-age 1d", json!({"max_age": 86_400_000_000_000_i64})),
            (
                "--max-msg-size 1K --dupe-window 2m",
                json!({"max_msg_size": 1024, "duplicate_window": 120_000_000_000_i64}),
            ),
            (
                "--source A --source {\"name\":\"B\"}",
                json!({"sources": [{"name": "A"}, {"name": "B"}]}),
            ),
            ("--mirror A --replicas 3", json!({"mirror": {"name": "A"}, "num_replicas": 3})),
            (
                "--allow-rollup --no-deny-purge",
                json!({"allow_rollup_hdrs": true, "deny_purge": false}),
            ),
            ("--no-allow-direct", json!({"allow_direct": false})),
            ("--no-allow-direct --allow-direct", json!({"allow_direct": true})),
            ("--allow-direct --no-allow-direct", json!({"allow_direct": false})),
            ("--first-seq 7 --description x", json!({"first_seq": 7, "description": "x"})),
        ] {
            let words = ["headwater"].into_iter().chain(line.split_whitespace());
            let parsed = Line::try_parse_from(words).map(|line| line.flags.given());
            assert_eq!(Value::from(parsed.unwrap()), expected, "{line}");
        }
        for line in ["--storage disk", "--max-bytes x", "--replicas 0", "--source A --mirror B"] {
            let words = ["headwater"].into_iter().chain(line.split_whitespace());
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
    }
}
