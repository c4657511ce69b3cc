//! Reading a stream configuration from JSON, of a request or as it was stored.
//! Not here: whether it makes sense (`validate`).

use super::{
    Compression, ConsumerLimits, Discard, External, OriginConfig, OriginConsumer, Placement,
    Republish, Retention, Storage, StreamConfig, TransformConfig, Unbuilt,
};
use crate::jetstream::errors::ApiError;
use crate::jetstream::json::{self, Fields};
use serde_json::Value;
use std::collections::BTreeMap;

/// A request to create or update a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigRequest {
    /// The configuration as it was asked for.
    pub config: StreamConfig,
    /// Refuse what would be changed by defaults.
    pub is_pedantic: bool,
    /// A source was given as `null`.
    pub has_null_source: bool,
}

/// Reads the body of a request.
pub fn parse(body: &[u8], is_strict: bool) -> Result<ConfigRequest, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(ConfigRequest::default());
    }
    let value = json::parse(body)?;
    let fields = Fields::new("request", &value, is_strict)?;
    let is_pedantic = fields.flag("pedantic")?;
    let config = read(&fields)?;
    let has_null_source = fields.list("sources")?.iter().any(Value::is_null);
    fields.finish()?;
    Ok(ConfigRequest { config, is_pedantic, has_null_source })
}

/// Reads the body of a request to restore a stream. The state that stands beside the configuration is that of a moment
/// before the archive was made, which has its own.
pub(crate) fn parse_restore(body: &[u8], is_strict: bool) -> Result<ConfigRequest, ApiError> {
    let value = json::parse(body)?;
    let fields = Fields::new("request", &value, is_strict)?;
    fields.value("state");
    let empty = Value::Null;
    let config = Fields::new("config", fields.value("config").unwrap_or(&empty), is_strict)?;
    let has_null_source = config.list("sources")?.iter().any(Value::is_null);
    let request = ConfigRequest { config: read(&config)?, is_pedantic: false, has_null_source };
    config.finish()?;
    fields.finish().map(|()| request)
}

/// Reads what was stored with the stream.
pub fn from_stored(bytes: &[u8]) -> Result<StreamConfig, ApiError> {
    Ok(parse(bytes, true)?.config)
}

fn read(fields: &Fields<'_>) -> Result<StreamConfig, ApiError> {
    use {Compression as C, Discard as D, Retention as R, Storage as S};
    let retention = [("limits", R::Limits), ("interest", R::Interest), ("workqueue", R::Workqueue)];
    let sources = fields.list("sources")?.iter().filter(|value| !value.is_null());
    Ok(StreamConfig {
        name: fields.text("name")?,
        description: fields.text("description")?,
        subjects: fields.texts("subjects")?,
        retention: fields.word("retention", &retention)?.unwrap_or_default(),
        max_consumers: fields.integer("max_consumers")?,
        max_msgs: fields.integer("max_msgs")?,
        max_bytes: fields.integer("max_bytes")?,
        max_age: fields.integer("max_age")?,
        max_msgs_per_subject: fields.integer("max_msgs_per_subject")?,
        max_msg_size: fields.short("max_msg_size")?,
        discard: fields.word("discard", &[("old", D::Old), ("new", D::New)])?.unwrap_or_default(),
        storage: fields
            .word("storage", &[("file", S::File), ("memory", S::Memory)])?
            .unwrap_or_default(),
        num_replicas: fields.integer("num_replicas")?,
        no_ack: fields.flag("no_ack")?,
        duplicate_window: fields.integer("duplicate_window")?,
        placement: fields.object("placement")?.map(|each| placement(&each)).transpose()?,
        mirror: fields.object("mirror")?.map(|each| origin(&each)).transpose()?,
        sources: sources
            .map(|value| origin(&Fields::new("sources", value, fields.is_strict())?))
            .collect::<Result<_, _>>()?,
        compression: fields
            .word("compression", &[("none", C::None), ("s2", C::S2)])?
            .unwrap_or_default(),
        first_seq: fields.count("first_seq")?.unwrap_or(0),
        subject_transform: fields
            .object("subject_transform")?
            .map(|each| transform(&each))
            .transpose()?,
        republish: fields.object("republish")?.map(|each| republish(&each)).transpose()?,
        allow_direct: fields.flag("allow_direct")?,
        mirror_direct: fields.flag("mirror_direct")?,
        sealed: fields.flag("sealed")?,
        deny_delete: fields.flag("deny_delete")?,
        deny_purge: fields.flag("deny_purge")?,
        allow_rollup_hdrs: fields.flag("allow_rollup_hdrs")?,
        discard_new_per_subject: fields.flag("discard_new_per_subject")?,
        consumer_limits: fields
            .object("consumer_limits")?
            .map(|each| consumer_limits(&each))
            .transpose()?
            .unwrap_or_default(),
        allow_msg_ttl: fields.flag("allow_msg_ttl")?,
        subject_delete_marker_ttl: fields.integer("subject_delete_marker_ttl")?,
        allow_msg_counter: fields.flag("allow_msg_counter")?,
        allow_atomic: fields.flag("allow_atomic")?,
        allow_msg_schedules: fields.flag("allow_msg_schedules")?,
        allow_batched: fields.flag("allow_batched")?,
        metadata: metadata(fields)?,
        unbuilt: unbuilt(fields)?,
    })
}

fn unbuilt(fields: &Fields<'_>) -> Result<Unbuilt, ApiError> {
    let modes = [("", false), ("default", false), ("async", true)];
    Ok(Unbuilt { is_persisted_late: fields.word("persist_mode", &modes)?.unwrap_or(false) })
}

fn metadata(fields: &Fields<'_>) -> Result<BTreeMap<String, String>, ApiError> {
    let Some(value) = fields.value("metadata") else { return Ok(BTreeMap::new()) };
    let Some(map) = value.as_object() else {
        return Err(ApiError::json("metadata: an object expected"));
    };
    let text = |(key, value): (&String, &Value)| match value {
        Value::String(text) => Ok((key.clone(), text.clone())),
        Value::Null => Ok((key.clone(), String::new())),
        _ => Err(ApiError::json(format_args!("metadata.{key}: a string expected"))),
    };
    map.iter().map(text).collect()
}

fn placement(fields: &Fields<'_>) -> Result<Placement, ApiError> {
    let placement = Placement {
        cluster: fields.text("cluster")?,
        tags: fields.texts("tags")?,
        preferred: fields.text("preferred")?,
    };
    fields.finish().map(|()| placement)
}

fn transform(fields: &Fields<'_>) -> Result<TransformConfig, ApiError> {
    let transform = TransformConfig { src: fields.text("src")?, dest: fields.text("dest")? };
    fields.finish().map(|()| transform)
}

fn republish(fields: &Fields<'_>) -> Result<Republish, ApiError> {
    let republish = Republish {
        src: fields.text("src")?,
        dest: fields.text("dest")?,
        headers_only: fields.flag("headers_only")?,
    };
    fields.finish().map(|()| republish)
}

fn consumer_limits(fields: &Fields<'_>) -> Result<ConsumerLimits, ApiError> {
    let limits = ConsumerLimits {
        inactive_threshold: fields.integer("inactive_threshold")?,
        max_ack_pending: fields.integer("max_ack_pending")?,
    };
    fields.finish().map(|()| limits)
}

fn origin(fields: &Fields<'_>) -> Result<OriginConfig, ApiError> {
    let transforms = fields.list("subject_transforms")?.iter();
    let external = fields.object("external")?.map(|each| {
        let external = External { api: each.text("api")?, deliver: each.text("deliver")? };
        each.finish().map(|()| external)
    });
    let consumer = fields.object("consumer")?.map(|each| {
        let (name, deliver_subject) = (each.text("name")?, each.text("deliver_subject")?);
        each.finish().map(|()| OriginConsumer { name, deliver_subject })
    });
    let origin = OriginConfig {
        name: fields.text("name")?,
        opt_start_seq: fields.count("opt_start_seq")?.unwrap_or(0),
        opt_start_time: fields.time("opt_start_time")?,
        filter_subject: fields.text("filter_subject")?,
        subject_transforms: transforms
            .map(|value| transform(&Fields::new("subject_transforms", value, fields.is_strict())?))
            .collect::<Result<_, _>>()?,
        external: external.transpose()?,
        consumer: consumer.transpose()?,
    };
    fields.finish().map(|()| origin)
}
