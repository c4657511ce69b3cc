//! Reading a consumer configuration from JSON, of a request or as it was stored.
//! Not here: whether it makes sense (`check`).

use super::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy, ReplayPolicy};
use crate::jetstream::errors::ApiError;
use crate::jetstream::json::{self, Fields};
use serde_json::Value;
use std::collections::BTreeMap;

/// The zero time of clients, in seconds: it stands for none.
pub(crate) const ZERO_TIME: i64 = -62_135_596_800;

/// What a request wants to happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Action {
    /// Create it, or change the one of that name.
    #[default]
    CreateOrUpdate,
    /// Create it; one that is there has to be the same.
    Create,
    /// Change the one that is there.
    Update,
}

/// A request to create or change a consumer.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConsumerRequest {
    /// Name of the stream.
    pub(crate) stream: String,
    /// The configuration as it was asked for; `None` where it is missing.
    pub(crate) config: Option<ConsumerConfig>,
    /// What is to happen.
    pub(crate) action: Action,
    /// Refuse what would be changed by defaults.
    pub(crate) is_pedantic: bool,
}

/// Reads the body of a request.
pub(crate) fn parse(body: &[u8], is_strict: bool) -> Result<ConsumerRequest, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(ConsumerRequest::default());
    }
    let value = json::parse(body)?;
    let fields = Fields::new("request", &value, is_strict)?;
    let actions =
        [("", Action::CreateOrUpdate), ("create", Action::Create), ("update", Action::Update)];
    let config = fields.object("config")?;
    let request = ConsumerRequest {
        stream: fields.text("stream_name")?,
        config: config.as_ref().map(read).transpose()?,
        action: fields.word("action", &actions)?.unwrap_or_default(),
        is_pedantic: fields.flag("pedantic")?,
    };
    config.map_or(Ok(()), |config| config.finish())?;
    fields.finish()?;
    Ok(request)
}

/// Reads what was stored.
pub(crate) fn from_stored(value: &Value) -> Result<ConsumerConfig, ApiError> {
    let fields = Fields::new("config", value, true)?;
    let config = read(&fields)?;
    fields.finish().map(|()| config)
}

fn read(fields: &Fields<'_>) -> Result<ConsumerConfig, ApiError> {
    use {AckPolicy as A, DeliverPolicy as D, PriorityPolicy as P, ReplayPolicy as R};
    let deliver = [
        ("all", D::All),
        ("undefined", D::All),
        ("last", D::Last),
        ("new", D::New),
        ("by_start_sequence", D::ByStartSequence),
        ("by_start_time", D::ByStartTime),
        ("last_per_subject", D::LastPerSubject),
    ];
    let ack = [
        ("none", A::None),
        ("all", A::All),
        ("explicit", A::Explicit),
        ("flow_control", A::FlowControl),
    ];
    let priority = [
        ("none", P::None),
        ("overflow", P::Overflow),
        ("pinned_client", P::PinnedClient),
        ("prioritized", P::Prioritized),
    ];
    Ok(ConsumerConfig {
        durable_name: fields.text("durable_name")?,
        name: fields.text("name")?,
        description: fields.text("description")?,
        deliver_policy: fields.word("deliver_policy", &deliver)?.unwrap_or_default(),
        opt_start_seq: fields.count("opt_start_seq")?.unwrap_or(0),
        opt_start_time: fields.time("opt_start_time")?,
        ack_policy: fields.word("ack_policy", &ack)?.unwrap_or_default(),
        ack_wait: fields.integer("ack_wait")?,
        max_deliver: fields.integer("max_deliver")?,
        backoff: durations(fields, "backoff")?,
        filter_subject: fields.text("filter_subject")?,
        filter_subjects: fields.texts("filter_subjects")?,
        replay_policy: fields
            .word("replay_policy", &[("instant", R::Instant), ("original", R::Original)])?
            .unwrap_or_default(),
        rate_limit_bps: fields.count("rate_limit_bps")?.unwrap_or(0),
        sample_freq: fields.text("sample_freq")?,
        max_waiting: fields.integer("max_waiting")?,
        max_ack_pending: fields.integer("max_ack_pending")?,
        flow_control: fields.flag("flow_control")?,
        headers_only: fields.flag("headers_only")?,
        max_batch: fields.integer("max_batch")?,
        max_expires: fields.integer("max_expires")?,
        max_bytes: fields.integer("max_bytes")?,
        deliver_subject: fields.text("deliver_subject")?,
        deliver_group: fields.text("deliver_group")?,
        idle_heartbeat: fields.integer("idle_heartbeat")?,
        inactive_threshold: fields.integer("inactive_threshold")?,
        num_replicas: fields.integer("num_replicas")?,
        mem_storage: fields.flag("mem_storage")?,
        direct: fields.flag("direct")?,
        sourcing: fields.flag("sourcing")?,
        metadata: metadata(fields)?,
        pause_until: fields.time("pause_until")?,
        priority_groups: fields.texts("priority_groups")?,
        priority_policy: fields.word("priority_policy", &priority)?.unwrap_or_default(),
        priority_timeout: fields.integer("priority_timeout")?,
    })
}

fn durations(fields: &Fields<'_>, name: &'static str) -> Result<Vec<i64>, ApiError> {
    let number = |value: &Value| {
        let wrong = || ApiError::json(format_args!("{name}: whole numbers expected"));
        value.as_i64().ok_or_else(wrong)
    };
    fields.list(name)?.iter().map(number).collect()
}

fn metadata(fields: &Fields<'_>) -> Result<BTreeMap<String, String>, ApiError> {
    let wrong = || ApiError::json("metadata: strings expected");
    let Some(value) = fields.value("metadata") else { return Ok(BTreeMap::new()) };
    let map = value.as_object().ok_or_else(wrong)?;
    let pair = |(key, value): (&String, &Value)| {
        Ok((key.clone(), value.as_str().ok_or_else(wrong)?.to_owned()))
    };
    map.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_stored_is_read_again() {
        let full = json!({
            "durable_name": "c", "name": "c", "description": "d", "deliver_policy": "by_start_time",
            "opt_start_time": "2020-01-01T00:00:00Z", "ack_policy": "explicit",
            "ack_wait": 5, "max_deliver": 3, "backoff": [1, 2], "filter_subject": "a.>",
            "replay_policy": "original", "rate_limit_bps": 9, "sample_freq": "30%",
            "max_waiting": 7, "max_ack_pending": -1, "flow_control": true, "headers_only": true,
            "max_batch": 1, "max_expires": 2, "max_bytes": 3, "deliver_subject": "d",
            "deliver_group": "g", "idle_heartbeat": 4, "inactive_threshold": 6, "num_replicas": 1,
            "mem_storage": true, "direct": true, "sourcing": true, "metadata": {"k": "v"},
            "pause_until": "2030-01-01T00:00:00Z", "priority_groups": ["p"],
            "priority_policy": "pinned_client", "priority_timeout": 8,
        });
        let body = json!({"stream_name": "S", "config": full, "action": "create"}).to_string();
        let request = parse(body.as_bytes(), true).unwrap();
        assert_eq!((request.stream.as_str(), request.action), ("S", Action::Create));
        let stored = serde_json::to_value(request.config.as_ref().unwrap()).unwrap();
        assert_eq!(stored, full);
        assert_eq!(Some(from_stored(&stored).unwrap()), request.config);
    }

    #[test]
    fn bodies_that_are_refused() {
        for body in [
            r#"{"config":{"x":1}}"#,
            r#"{"x":1}"#,
            r#"{"config":{"ack_policy":"maybe"}}"#,
            r#"{"config":{"ack_policy":null}}"#,
            r#"{"config":{"opt_start_seq":-1}}"#,
            r#"{"config":{"backoff":["1s"]}}"#,
            r#"{"action":"delete"}"#,
            "junk",
        ] {
            assert_eq!(parse(body.as_bytes(), true).unwrap_err().err_code, 10025, "{body}");
        }
    }
}
