//! Pull requests: their bodies, and which of them a consumer refuses at once.
//! Not here: those that wait (`waiting`).

use super::config::{ConsumerConfig, PriorityPolicy};
use super::status::Status;
use crate::monitoring::text;
use serde_json::{Map, Value};
use std::time::Duration;

/// Highest number of a priority; 0 comes first.
const PRIORITY_MAX: i64 = 9;

/// What a pull request asks for. Times are in nanoseconds; 0 stands for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PullRequest {
    /// How many messages.
    pub(crate) batch: i64,
    /// How long it waits.
    pub(crate) expires: i64,
    /// Most bytes, subject and reply subject counted.
    pub(crate) max_bytes: i64,
    /// What is there, without waiting for more.
    pub(crate) no_wait: bool,
    /// How long to be silent at most.
    pub(crate) idle_heartbeat: i64,
    /// Who asks, where the consumer has groups; `None` where the body is not an object.
    pub(crate) priority: Option<Priority>,
}

/// Who asks, and under which conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Priority {
    pub(crate) group: String,
    /// Only where so many messages are pending.
    pub(crate) min_pending: i64,
    /// Only where so many messages wait for acknowledgement.
    pub(crate) min_ack_pending: i64,
    /// The pin that the client was given.
    pub(crate) id: String,
    /// The lowest comes first.
    pub(crate) priority: i64,
}

impl PullRequest {
    /// Reads a body: nothing, a number, or an object. Any other text asks for one message.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Status> {
        let one = Self { batch: 1, ..Self::default() };
        let body = body.trim_ascii();
        if body.first() != Some(&b'{') {
            let number = std::str::from_utf8(body).ok().and_then(|text| text.parse().ok());
            return Ok(Self { batch: number.unwrap_or(1), ..one });
        }
        let bad = |why: String| Status::new(400, format!("Bad Request - {why}"));
        let value: Value = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
        let empty = Map::new();
        let fields = Fields(value.as_object().unwrap_or(&empty));
        let request = Self {
            batch: fields.number("batch").map_err(bad)?,
            expires: fields.number("expires").map_err(bad)?,
            max_bytes: fields.number("max_bytes").map_err(bad)?,
            no_wait: fields.flag("no_wait").map_err(bad)?,
            idle_heartbeat: fields.number("idle_heartbeat").map_err(bad)?,
            priority: Some(Priority {
                group: fields.text("group").map_err(bad)?,
                min_pending: fields.number("min_pending").map_err(bad)?,
                min_ack_pending: fields.number("min_ack_pending").map_err(bad)?,
                id: fields.text("id").map_err(bad)?,
                priority: fields.number("priority").map_err(bad)?,
            }),
        };
        let beats = request.idle_heartbeat;
        if beats > 0 && beats.saturating_mul(2) > request.expires {
            return Err(bad("heartbeat value too large".into()));
        }
        Ok(request)
    }
    /// Whether a consumer takes it: its bounds, and the groups it has.
    pub(crate) fn check(&self, config: &ConsumerConfig) -> Result<(), Status> {
        let exceeded = |name: &str, bound: String| {
            Err(Status::new(409, format!("Exceeded MaxRequest{name} of {bound}")))
        };
        if config.max_batch > 0 && self.batch > config.max_batch {
            return exceeded("Batch", config.max_batch.to_string());
        }
        if config.max_expires > 0 && self.expires > config.max_expires {
            let bound = Duration::from_nanos(config.max_expires.unsigned_abs());
            return exceeded("Expires", text::duration(bound));
        }
        if config.max_bytes > 0 && self.max_bytes > config.max_bytes {
            return exceeded("MaxBytes", config.max_bytes.to_string());
        }
        self.priority.as_ref().map_or(Ok(()), |priority| priority.check(config))
    }
}

impl Priority {
    fn check(&self, config: &ConsumerConfig) -> Result<(), Status> {
        let policy = config.priority_policy;
        let has_threshold = self.min_pending != 0 || self.min_ack_pending != 0;
        let why = if has_threshold && policy != PriorityPolicy::Overflow {
            "Not a Overflow Priority consumer"
        } else if !self.id.is_empty() && policy != PriorityPolicy::PinnedClient {
            "Not a Pinned Client Priority consumer"
        } else if !(0..=PRIORITY_MAX).contains(&self.priority) {
            "Priority must be between 0 and 9"
        } else if policy == PriorityPolicy::None {
            return Ok(());
        } else if self.group.is_empty() {
            "Priority Group missing"
        } else if !config.priority_groups.contains(&self.group) {
            "Invalid Priority Group"
        } else {
            return Ok(());
        };
        Err(Status::new(400, format!("Bad Request - {why}")))
    }
}

/// Fields of a body; unknown ones do not count.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn find(&self, name: &str) -> Option<&Value> {
        let found = self.0.get(name);
        let other = || self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.or_else(|| other().map(|(_, value)| value)).filter(|value| !value.is_null())
    }
    fn number(&self, name: &str) -> Result<i64, String> {
        let wrong = || format!("{name} is not a whole number");
        self.find(name).map_or(Ok(0), |value| value.as_i64().ok_or_else(wrong))
    }
    fn flag(&self, name: &str) -> Result<bool, String> {
        let wrong = || format!("{name} is not a boolean");
        self.find(name).map_or(Ok(false), |value| value.as_bool().ok_or_else(wrong))
    }
    fn text(&self, name: &str) -> Result<String, String> {
        let wrong = || format!("{name} is not a string");
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
        self.find(name).map_or(Ok(String::new()), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        for (body, expected) in [
            ("", Ok((1, 0, false))),
            ("  5 ", Ok((5, 0, false))),
            ("five", Ok((1, 0, false))),
            ("{}", Ok((0, 0, false))),
            (r#"{"batch":3,"expires":10,"no_wait":true,"other":1}"#, Ok((3, 10, true))),
            (r#"{"batch":3,"expires":10,"idle_heartbeat":5}"#, Ok((3, 10, false))),
            (
                r#"{"batch":3,"expires":10,"idle_heartbeat":6}"#,
                Err("Bad Request - heartbeat value too large"),
            ),
            (r#"{"batch":"3"}"#, Err("Bad Request - batch is not a whole number")),
        ] {
            let read = PullRequest::read(body.as_bytes());
            let shown = read.map(|read| (read.batch, read.expires, read.no_wait));
            let expected = expected.map_err(|text| Status::new(400, text));
            assert_eq!(shown, expected, "{body}");
        }
        assert_eq!(PullRequest::read(b"{\"batch\"").unwrap_err().code, 400);
    }

    #[test]
    fn what_a_consumer_refuses() {
        let bounded = ConsumerConfig {
            max_batch: 2,
            max_expires: 1_000_000_000,
            max_bytes: 100,
            ..ConsumerConfig::default()
        };
        let grouped = |priority_policy| ConsumerConfig {
            priority_policy,
            priority_groups: vec!["g".into()],
            ..ConsumerConfig::default()
        };
        let plain = ConsumerConfig::default();
        let pinned = grouped(PriorityPolicy::PinnedClient);
        let overflow = grouped(PriorityPolicy::Overflow);
        for (config, body, expected) in [
            (&plain, r#"{"batch":100}"#, ""),
            (&plain, r#"{"group":"x"}"#, ""),
            (&plain, r#"{"priority":10}"#, "Bad Request - Priority must be between 0 and 9"),
            (&plain, r#"{"min_pending":1}"#, "Bad Request - Not a Overflow Priority consumer"),
            (&plain, r#"{"id":"p"}"#, "Bad Request - Not a Pinned Client Priority consumer"),
            (&bounded, r#"{"batch":3}"#, "Exceeded MaxRequestBatch of 2"),
            (&bounded, r#"{"expires":2000000000}"#, "Exceeded MaxRequestExpires of 1s"),
            (&bounded, r#"{"max_bytes":101}"#, "Exceeded MaxRequestMaxBytes of 100"),
            (&pinned, "", ""),
            (&pinned, "{}", "Bad Request - Priority Group missing"),
            (&pinned, r#"{"group":"x"}"#, "Bad Request - Invalid Priority Group"),
            (&pinned, r#"{"group":"g","id":"p"}"#, ""),
            (&overflow, r#"{"group":"g","min_pending":1}"#, ""),
        ] {
            let request = PullRequest::read(body.as_bytes()).unwrap();
            let text = request.check(config).err().map(|status| status.text);
            assert_eq!(text.unwrap_or_default(), expected, "{body}");
        }
    }
}
