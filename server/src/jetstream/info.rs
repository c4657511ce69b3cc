//! What replies say of a stream: configuration, state, and how its copies go.
//! Not here: which reply shows what (`api`).

use super::copies;
use super::entry::Entry;
use super::text_time;
use super::validate::{DYNAMIC_KEYS, REQUIRED_LEVEL_KEY};
use crate::protocol;
use headwater_storage::StreamState;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Most sequences without a message that a reply lists.
const DELETED_MAX: usize = 1_000_000;

/// What a reply shows beside the plain state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// Sequences without a message.
    pub(crate) has_deleted: bool,
    /// Subjects with their messages.
    pub(crate) subjects: Vec<(String, u64)>,
    /// The configuration names the server's version and level.
    pub(crate) has_dynamic_metadata: bool,
}

/// A stream as replies show it.
pub(crate) fn stream(entry: &Entry, details: &Details) -> Map<String, Value> {
    let config = entry.config();
    let (mirror, sources) = copies::statuses(entry, &config);
    let mut info = Map::new();
    info.insert("config".into(), config_json(&*config, details.has_dynamic_metadata));
    info.insert("created".into(), text_time::text(entry.stream.created()).into());
    info.insert("state".into(), state(entry, details));
    if !mirror.is_null() {
        info.insert("mirror".into(), mirror);
    }
    if !sources.is_empty() {
        info.insert("sources".into(), sources.into());
    }
    info.insert("ts".into(), text_time::now().into());
    info
}

/// A configuration of a stream or a consumer as replies show it.
pub(crate) fn config_json(config: &impl Serialize, has_dynamic_metadata: bool) -> Value {
    let mut value = json!(config);
    let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
    if let (true, Some(metadata)) = (has_dynamic_metadata, metadata) {
        let [version, level] = DYNAMIC_KEYS;
        metadata.insert(version.into(), protocol::COMPATIBLE_VERSION.into());
        metadata.insert(level.into(), protocol::API_LEVEL.to_string().into());
        metadata.entry(REQUIRED_LEVEL_KEY).or_insert_with(|| "0".into());
    }
    value
}

/// The state of a stream as replies show it.
pub(crate) fn state(entry: &Entry, details: &Details) -> Value {
    let state = entry.stream.state();
    let mut value = plain_state(&state);
    let first_sequence = entry.stream.config().first_sequence;
    if state.last_sequence == 0 && state.first_sequence == 0 && first_sequence > 0 {
        value.insert("first_seq".into(), first_sequence.into());
        value.insert("last_seq".into(), (first_sequence - 1).into());
    }
    value.insert("consumer_count".into(), entry.consumers.listed().len().into());
    if details.has_deleted && state.deleted > 0 {
        let ranges = entry.stream.deleted();
        let sequences = ranges.into_iter().flat_map(|(first, last)| first..=last);
        let deleted: Vec<u64> = sequences.take(DELETED_MAX).collect();
        value.insert("deleted".into(), deleted.into());
    }
    if !details.subjects.is_empty() {
        let subjects = details.subjects.iter();
        let counts: Map<String, Value> =
            subjects.map(|(subject, count)| (subject.clone(), (*count).into())).collect();
        value.insert("subjects".into(), counts.into());
    }
    Value::Object(value)
}

fn plain_state(state: &StreamState) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("messages".into(), state.messages.into());
    value.insert("bytes".into(), state.bytes.into());
    value.insert("first_seq".into(), state.first_sequence.into());
    value.insert("first_ts".into(), text_time::text_or_zero(state.first_time).into());
    value.insert("last_seq".into(), state.last_sequence.into());
    value.insert("last_ts".into(), text_time::text_or_zero(state.last_time).into());
    if state.subjects > 0 {
        value.insert("num_subjects".into(), state.subjects.into());
    }
    if state.deleted > 0 {
        value.insert("num_deleted".into(), state.deleted.into());
    }
    let lost = &state.lost;
    if !lost.sequences.is_empty() || lost.bytes > 0 {
        let sequences = lost.sequences.iter().flat_map(|(first, last)| *first..=*last);
        let sequences: Vec<u64> = sequences.take(DELETED_MAX).collect();
        value.insert("lost".into(), json!({"msgs": sequences, "bytes": lost.bytes}));
    }
    value
}
