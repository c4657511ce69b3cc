//! Flags for the configuration of a new consumer.
//! Not here: what it has where nothing is given (`config`).

use super::backoff::BackoffFlags;
use super::start::Start;
use crate::cli::error::Result;
use crate::cli::{duration, size};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

/// What has to be acknowledged: nothing, the last message for all before it, every message, or what flow control says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ack {
    None,
    All,
    Explicit,
    #[value(name = "flow_control", alias = "flowcontrol", alias = "fc")]
    FlowControl,
}

/// How fast old messages come: at once, or in the rhythm in which they were published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Replay {
    Instant,
    Original,
}

/// The configuration of a consumer.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct ConfigFlags {
    /// Let clients ask it for messages
    #[arg(long, conflicts_with = "target")]
    pull: bool,
    /// Let it send messages to a subject by itself
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    target: Option<String>,
    /// Only messages of a subject; may be given several times, or separated by commas
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT", value_parser = subject)]
    filter: Vec<String>,
    /// Where it begins: all, last, new, subject (the last message of each), a sequence, a time, or how long ago
    #[arg(long, value_name = "START", value_parser = Start::parse)]
    deliver: Option<Start>,
    /// What has to be acknowledged
    #[arg(long, value_enum)]
    ack: Option<Ack>,
    /// How long it waits for an acknowledgement before it delivers once more
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_limit, allow_negative_numbers = true)]
    wait: Option<i64>,
    /// Most deliveries of a message; -1 for any number
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_deliver: Option<i64>,
    /// Most messages that wait for an acknowledgement; -1 for any number
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_pending: Option<i64>,
    /// How long it stays without anybody who uses it
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_limit)]
    inactive_threshold: Option<i64>,
    /// How fast old messages come
    #[arg(long, value_enum)]
    replay: Option<Replay>,
    /// Deliver headers without bodies
    #[arg(long)]
    headers_only: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How many percent of its acknowledgements are told of as they come; 0 for none
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    sample: Option<u8>,
    /// What is noted beside it; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// How many servers of a cluster keep it
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..))]
    replicas: Option<u8>,
    /// Keep its state in memory
    #[arg(long)]
    memory: bool,
    #[command(flatten)]
    backoff: BackoffFlags,
    #[command(flatten)]
    push: PushFlags,
    #[command(flatten)]
    requests: RequestFlags,
}

/// What only consumers have that send by themselves.
#[derive(Debug, Args)]
struct PushFlags {
    /// Send each message to one of the subscriptions of a queue group
    #[arg(long, value_name = "GROUP", value_parser = subject, requires = "target")]
    deliver_group: Option<String>,
    /// Say that it is there where there are no messages; -1 for never
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_limit, allow_negative_numbers = true)]
    heartbeat: Option<i64>,
    /// Wait for clients that are slow
    #[arg(long)]
    flow_control: bool,
}

/// Bounds on the requests of those who ask it.
#[derive(Debug, Args)]
struct RequestFlags {
    /// Most requests that wait at once
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(1..))]
    max_waiting: Option<i64>,
    /// Most messages of a request
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(1..))]
    max_pull_batch: Option<i64>,
    /// How long a request may wait
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_limit)]
    max_pull_expire: Option<i64>,
    /// Most bytes of a request
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_pull_bytes: Option<i64>,
}

/// A subject is a word of the protocol, and so is a queue group.
fn subject(text: &str) -> Result<String, String> {
    let is_refused = |letter: char| letter.is_whitespace() || letter.is_control();
    match text.is_empty() || text.contains(is_refused) {
        true => Err(format!("{text:?} is empty or has a space in it")),
        false => Ok(text.to_owned()),
    }
}

/// A key and its value, which may have any more `=`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is no KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn named(value: Option<impl ValueEnum>) -> Option<Value> {
    Some(Value::from(value?.to_possible_value()?.get_name()))
}

impl ConfigFlags {
    /// Whether it was said if it is asked or sends.
    pub(super) fn says_how(&self) -> bool {
        self.pull || self.target.is_some()
    }

    /// Whether any of it was given.
    pub(super) fn says_anything(&self) -> Result<bool> {
        Ok(self.says_how() || self.sample.is_some() || !self.given()?.is_empty())
    }

    /// The fields that were given.
    pub(super) fn given(&self) -> Result<Map<String, Value>> {
        let (filter, filters) = match self.filter.as_slice() {
            [] => (None, None),
            [only] => (Some(Value::from(only.as_str())), None),
            several => (None, Some(Value::from(several.to_vec()))),
        };
        let is_set = |flag: bool| flag.then_some(Value::Bool(true));
        let number = |number: Option<i64>| number.map(Value::from);
        let sample = self.sample.filter(|percent| *percent > 0);
        // Of two values of a key the last one counts.
        let pairs = self.metadata.iter().map(|(key, value)| (key.clone(), value.clone().into()));
        let metadata: Map<String, Value> = pairs.collect();
        let fields = [
            ("deliver_subject", self.target.clone().map(Value::from)),
            ("filter_subject", filter),
            ("filter_subjects", filters),
            ("ack_policy", named(self.ack)),
            ("ack_wait", number(self.wait)),
            ("max_deliver", number(self.max_deliver)),
            ("max_ack_pending", number(self.max_pending)),
            ("backoff", self.backoff.given()?.map(Value::from)),
            ("inactive_threshold", number(self.inactive_threshold)),
            ("replay_policy", named(self.replay)),
            ("headers_only", is_set(self.headers_only)),
            ("description", self.description.clone().map(Value::from)),
            ("sample_freq", sample.map(|percent| Value::from(percent.to_string()))),
            ("metadata", Some(Value::Object(metadata)).filter(|_| !self.metadata.is_empty())),
            ("num_replicas", self.replicas.map(Value::from)),
            ("mem_storage", is_set(self.memory)),
            ("deliver_group", self.push.deliver_group.clone().map(Value::from)),
            ("idle_heartbeat", number(self.push.heartbeat)),
            ("flow_control", is_set(self.push.flow_control)),
            ("max_waiting", number(self.requests.max_waiting)),
            ("max_batch", number(self.requests.max_pull_batch)),
            ("max_expires", number(self.requests.max_pull_expire)),
            ("max_bytes", number(self.requests.max_pull_bytes)),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let start = self.deliver.iter().flat_map(Start::fields);
        Ok(given.chain(start).map(|(name, value)| (name.to_owned(), value)).collect())
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
            ("--pull --filter a.>", json!({"filter_subject": "a.>"})),
            ("--filter a,b --filter c", json!({"filter_subjects": ["a", "b", "c"]})),
            (
                "--target out --deliver-group g --heartbeat 5s --flow-control",
                json!({"deliver_subject": "out", "deliver_group": "g", "flow_control": true,
                    "idle_heartbeat": 5_000_000_000_i64}),
            ),
            ("--heartbeat -1", json!({"idle_heartbeat": 0})),
            ("--deliver last", json!({"deliver_policy": "last"})),
            ("--deliver 7", json!({"deliver_policy": "by_start_sequence", "opt_start_seq": 7})),
            (
                "--deliver 2022-01-21T11:49:52Z",
                json!({"deliver_policy": "by_start_time", "opt_start_time": "2022-01-21T11:49:52Z"}),
            ),
            (
                "--ack all --wait 5s --max-deliver 5 --max-pending -1 --backoff 1s,2s",
                json!({"ack_policy": "all", "ack_wait": 5_000_000_000_i64, "max_deliver": 5,
                    "max_ack_pending": -1, "backoff": [1_000_000_000, 2_000_000_000]}),
            ),
            (
                "--ack fc --replay original",
                json!({"ack_policy": "flow_control", "replay_policy": "original"}),
            ),
            (
                "--inactive-threshold 1m --headers-only --memory --replicas 3",
                json!({"inactive_threshold": 60_000_000_000_i64, "headers_only": true,
                    "mem_storage": true, "num_replicas": 3}),
            ),
            (
                "--sample 25 --metadata a=b --metadata c=d=e --metadata a=f,g=h",
                json!({"sample_freq": "25", "metadata": {"a": "f,g=h", "c": "d=e"}}),
            ),
            ("--sample 0", json!({})),
            (
                "--max-waiting 1 --max-pull-batch 2 --max-pull-expire 3s --max-pull-bytes 4K",
                json!({"max_waiting": 1, "max_batch": 2, "max_expires": 3_000_000_000_i64,
                    "max_bytes": 4096}),
            ),
        ] {
            let words = ["headwater"].into_iter().chain(line.split_whitespace());
            let parsed = Line::try_parse_from(words).map(|line| line.flags.given().unwrap());
            assert_eq!(Value::from(parsed.unwrap()), expected, "{line}");
        }
        for line in [
            "--pull --target a",
            "--ack some",
            "--deliver-group g",
            "--deliver soon",
            "--sample 101",
            "--metadata a",
        ] {
            let words = ["headwater"].into_iter().chain(line.split_whitespace());
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
        assert!(Line::try_parse_from(["headwater", "--filter", "a b"]).is_err());
    }
}
