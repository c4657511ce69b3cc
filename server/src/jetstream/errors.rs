//! The errors of the JetStream API: one table of HTTP-like code, error code and text, all as nats-server gives them.
//! Not here: which request gets which (`validate`, `api`, `publish`).

use headwater_storage::Error as StorageError;
use serde::Serialize;
use std::borrow::Cow;

/// An error as it stands in a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiError {
    /// Class, as in HTTP.
    pub code: u16,
    /// Which error it is; clients switch on it.
    pub err_code: u16,
    /// For people.
    pub description: Cow<'static, str>,
}

const fn error(code: u16, err_code: u16, description: &'static str) -> ApiError {
    ApiError { code, err_code, description: Cow::Borrowed(description) }
}

/// Error code of a message that is not there to be deleted.
pub const SEQUENCE_NOT_FOUND: u16 = 10043;

macro_rules! table {
    ($($name:ident = $code:literal $err_code:literal $text:literal;)*) => {
        $(#[doc = $text] pub const $name: ApiError = error($code, $err_code, $text);)*
    };
}

table! {
    ACCOUNT_RESOURCES_EXCEEDED = 400 10002 "resource limits exceeded for account";
    BAD_REQUEST = 400 10003 "bad request";
    CLUSTER_REQUIRED = 503 10010 "JetStream clustering support required";
    INSUFFICIENT_RESOURCES = 503 10023 "insufficient resources";
    MEMORY_RESOURCES_EXCEEDED = 500 10028 "insufficient memory resources available";
    MIRROR_MESSAGE_SIZE = 400 10030 "stream mirror must have max message size >= source";
    MIRROR_WITH_SOURCES = 400 10031 "stream mirrors can not also contain other sources";
    MIRROR_WITH_SUBJECTS = 400 10034 "stream mirrors can not contain subjects";
    NO_MESSAGE_FOUND = 404 10037 "no message found";
    NOT_EMPTY_REQUEST = 400 10038 "expected an empty request payload";
    SOURCE_MESSAGE_SIZE = 400 10046 "stream source must have max message size >= target";
    STORAGE_RESOURCES_EXCEEDED = 500 10047 "insufficient storage resources available";
    MESSAGE_EXCEEDS_MAXIMUM = 400 10054 "message size exceeds maximum allowed";
    MIRROR_NOT_UPDATABLE = 400 10055 "stream mirror configuration can not be updated";
    STREAM_MISMATCH = 400 10056 "stream name in subject does not match request";
    STREAM_NAME_EXISTS = 400 10058 "stream name already in use with a different configuration";
    STREAM_NOT_FOUND = 404 10059 "stream not found";
    EXPECTED_STREAM = 400 10060 "expected stream does not match";
    SUBJECT_OVERLAP = 400 10065 "subjects overlap with an existing stream";
    REPLICAS_NOT_SUPPORTED = 500 10074 "replicas > 1 not supported in non-clustered mode";
    HEADERS_EXCEED_MAXIMUM = 400 10097 "header size exceeds maximum allowed of 64k";
    SEALED = 400 10109 "invalid operation on sealed stream";
    PURGE_DENIED = 500 10110 "stream purge not permitted";
    ROLLUP_DENIED = 500 10111 "rollup not permitted";
    STREAM_NAME_PATH = 400 10128 "Stream name can not contain path separators";
    REPLICAS_NEGATIVE = 400 10133 "replicas count cannot be negative";
    SOURCE_DUPLICATE = 400 10140 "duplicate source configuration detected";
    SOURCE_NAME = 400 10141 "sourced stream name is invalid";
    MIRROR_NAME = 400 10142 "mirrored stream name is invalid";
    MIRROR_WITH_FIRST_SEQUENCE = 400 10143 "stream mirrors can not have first sequence configured";
    SOURCE_FILTER_AND_TRANSFORMS = 400 10144
        "source with multiple subject transforms cannot also have a single subject filter";
    SOURCE_FILTERS_OVERLAP = 400 10147 "source filters can not overlap";
    MIRROR_FILTER_AND_TRANSFORMS = 400 10150
        "mirror with multiple subject transforms cannot also have a single subject filter";
    MIRROR_FILTERS_OVERLAP = 400 10152 "mirror subject filters can not overlap";
    WRONG_LAST_SEQUENCE_IN_BATCH = 400 10164 "wrong last sequence";
    TTL_INVALID = 400 10165 "invalid per-message TTL";
    TTL_DISABLED = 400 10166 "per-message TTL is disabled";
    TOO_MANY_REQUESTS = 429 10167 "too many requests";
    COUNTERS_DISABLED = 400 10168 "message counters is disabled";
    COUNTER_INCREMENT_MISSING = 400 10169 "message counter increment is missing";
    COUNTER_PAYLOAD = 400 10170 "message counter has payload";
    COUNTER_INCREMENT_INVALID = 400 10171 "message counter increment is invalid";
    COUNTER_BROKEN = 400 10172 "message counter is broken";
    MIRROR_WITH_COUNTERS = 400 10173 "stream mirrors can not also calculate counters";
    ATOMIC_PUBLISH_DISABLED = 400 10174 "atomic publish is disabled";
    ATOMIC_PUBLISH_SEQUENCE_MISSING = 400 10175 "atomic publish sequence is missing";
    ATOMIC_PUBLISH_INCOMPLETE = 400 10176 "atomic publish batch is incomplete";
    ATOMIC_PUBLISH_ID_INVALID = 400 10179 "atomic publish batch ID is invalid";
    REQUIRED_API_LEVEL = 412 10185 "JetStream minimum api level required";
    MIRROR_WITH_SCHEDULES = 400 10186 "stream mirrors can not also schedule messages";
    SOURCE_WITH_SCHEDULES = 400 10187 "stream source can not also schedule messages";
    SCHEDULES_DISABLED = 400 10188 "message schedules is disabled";
    SCHEDULES_PATTERN = 400 10189 "message schedules pattern is invalid";
    SCHEDULES_TARGET = 400 10190 "message schedules target is invalid";
    SCHEDULES_TTL = 400 10191 "message schedules invalid per-message TTL";
    SCHEDULES_ROLLUP = 400 10192 "message schedules invalid rollup";
    SCHEDULES_SOURCE = 400 10203 "message schedules source is invalid";
    SCHEDULES_SCHEDULER = 400 10212 "message schedules invalid scheduler";
    SCHEDULES_TIME_ZONE = 400 10223 "message schedules time zone is invalid";
    EXPECTED_SUBJECT_SEQUENCE_MISSING = 400 10193
        "missing sequence for expected last sequence per subject";
    MIRROR_WITH_ATOMIC = 400 10198 "stream mirrors can not also use atomic publishing";
    ATOMIC_PUBLISH_COMMIT_INVALID = 400 10200 "atomic publish batch commit is invalid";
    ATOMIC_PUBLISH_DUPLICATE = 400 10201 "atomic publish batch contains duplicate message id";
    BATCH_PUBLISH_DISABLED = 400 10205 "batch publish is disabled";
    BATCH_PUBLISH_PATTERN = 400 10206 "batch publish pattern is invalid";
    BATCH_PUBLISH_ID = 400 10207 "batch publish ID is invalid";
    BATCH_PUBLISH_UNKNOWN = 400 10208 "batch publish ID unknown";
    MIRROR_WITH_BATCHED = 400 10209 "stream mirrors can not also use batch publishing";
    ATOMIC_PUBLISH_TOO_MANY = 429 10210 "atomic publish too many inflight";
    BATCH_PUBLISH_TOO_MANY = 429 10211 "batch publish too many inflight";
    MIRROR_CONSUMER = 400 10213 "stream mirror consumer config is invalid";
    MIRROR_CONSUMER_UNFIT = 400 10214 "stream mirror consumer requires flow control ack policy";
    SOURCE_CONSUMER_UNFIT = 400 10217 "stream source consumer requires flow control ack policy";
    SOURCE_CONSUMER = 400 10215 "stream source consumer config is invalid";
    SOURCE_CONSUMER_DUPLICATE = 400 10216 "duplicate stream source consumer detected";
    SOURCE_HEADER_REFUSED = 400 10227 "message stream source header is not allowed";
    CONSUMER_NAME_EXISTS = 400 10013 "consumer name already in use";
    CONSUMER_NOT_FOUND = 404 10014 "consumer not found";
    CONSUMER_DURABLE_SUBJECT = 400 10016
        "consumer expected to be durable but no durable name set in subject";
    CONSUMER_DURABLE_MISMATCH = 400 10017
        "consumer name in subject does not match durable name in request";
    CONSUMER_DURABLE_MISSING = 400 10018
        "consumer expected to be durable but a durable name was not set";
    CONSUMER_EPHEMERAL_DURABLE = 400 10020
        "consumer expected to be ephemeral but a durable name was set in request";
    CONSUMERS_MAXIMUM = 400 10026 "maximum consumers limit reached";
    CONSUMER_CONFIG_REQUIRED = 400 10078 "consumer config required";
    CONSUMER_DELIVER_WILDCARDS = 400 10079 "consumer deliver subject has wildcards";
    CONSUMER_PUSH_WAITING = 400 10080 "consumer in push mode can not set max waiting";
    CONSUMER_DELIVER_CYCLE = 400 10081 "consumer deliver subject forms a cycle";
    CONSUMER_PENDING_POLICY = 400 10082 "consumer requires ack policy for max ack pending";
    CONSUMER_HEARTBEAT_SMALL = 400 10083 "consumer idle heartbeat needs to be >= 100ms";
    CONSUMER_PULL_ACK = 400 10084
        "consumer in pull mode requires explicit ack policy on workqueue stream";
    CONSUMER_PULL_RATE = 400 10086 "consumer in pull mode can not have rate limit set";
    CONSUMER_HEARTBEAT_PUSH = 400 10088 "consumer idle heartbeat requires a push based consumer";
    CONSUMER_FLOW_CONTROL_PUSH = 400 10089
        "consumer flow control requires a push based consumer";
    CONSUMER_DIRECT_PUSH = 400 10090 "consumer direct requires a push based consumer";
    CONSUMER_DIRECT_EPHEMERAL = 400 10091 "consumer direct requires an ephemeral consumer";
    CONSUMER_QUEUE_EXPLICIT = 400 10098 "workqueue stream requires explicit ack";
    CONSUMER_QUEUE_UNFILTERED = 400 10099
        "multiple non-filtered consumers not allowed on workqueue stream";
    CONSUMER_QUEUE_NOT_UNIQUE = 400 10100
        "filtered consumer not unique on workqueue stream";
    CONSUMER_QUEUE_ALL = 400 10101 "consumer must be deliver all on workqueue stream";
    CONSUMER_BAD_NAME = 400 10103 "durable name can not contain '.', '*', '>'";
    CONSUMER_FLOW_CONTROL_HEARTBEAT = 400 10108
        "consumer with flow control also needs heartbeats";
    CONSUMER_DELIVER_INVALID = 400 10112 "invalid push consumer deliver subject";
    CONSUMER_EXPIRES_SMALL = 400 10115 "consumer max request expires needs to be >= 1ms";
    CONSUMER_BACKOFF_LONGER = 400 10116
        "max deliver is required to be > length of backoff values";
    CONSUMER_REPLICAS_EXCEED = 400 10126 "consumer config replica count exceeds parent stream";
    CONSUMER_NAME_PATH = 400 10127 "Consumer name can not contain path separators";
    CONSUMER_FILTER_MISMATCH = 400 10131
        "Consumer create request did not match filtered subject from create subject";
    CONSUMER_TWO_NAMES = 400 10132
        "Consumer Durable and Name have to be equal if both are provided";
    CONSUMER_REPLICAS_DIFFER = 400 10134
        "consumer config replicas must match interest retention stream's replicas";
    CONSUMER_TWO_FILTERS = 400 10136
        "consumer cannot have both FilterSubject and FilterSubjects specified";
    CONSUMER_FILTERS_IN_SUBJECT = 400 10137
        "consumer with multiple subject filters cannot use subject based API";
    CONSUMER_FILTERS_OVERLAP = 400 10138 "consumer subject filters cannot overlap";
    CONSUMER_FILTER_EMPTY = 400 10139 "consumer filter in FilterSubjects cannot be empty";
    CONSUMER_EXISTS = 400 10148 "consumer already exists";
    CONSUMER_MISSING = 400 10149 "consumer does not exist";
    CONSUMER_POLICY_WITHOUT_GROUPS = 400 10159
        "Setting PriorityPolicy requires at least one PriorityGroup to be set";
    CONSUMER_GROUP_UNKNOWN = 400 10160
        "Provided priority group does not exist for this consumer";
    CONSUMER_GROUP_EMPTY = 400 10161 "Group name cannot be an empty string";
    CONSUMER_GROUP_NAME = 400 10162
        "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters";
    CONSUMER_GROUPS_PUSH = 400 10178 "priority groups can not be used with push consumers";
    CONSUMER_ACK_WAIT_NEGATIVE = 400 10183 "consumer ack wait needs to be positive";
    CONSUMER_BACKOFF_NEGATIVE = 400 10184 "consumer backoff needs to be positive";
    CONSUMER_GROUPS_WITHOUT_POLICY = 400 10196
        "consumer can not have priority groups when policy is none";
    CONSUMER_PINNED_WITHOUT_POLICY = 400 10197
        "PinnedTTL cannot be set when PriorityPolicy is none";
    CONSUMER_ACK_FLOW_PUSH = 400 10218
        "flow control ack policy requires a push based consumer";
    CONSUMER_ACK_FLOW_CONTROL = 400 10219 "flow control ack policy requires flow control";
    CONSUMER_ACK_FLOW_PENDING = 400 10220 "flow control ack policy requires max ack pending";
    CONSUMER_ACK_FLOW_WAIT = 400 10221 "flow control ack policy requires unset ack wait";
    CONSUMER_ACK_FLOW_DELIVER = 400 10222 "flow control ack policy requires unset max deliver";
    SNAPSHOT_DELIVER_SUBJECT = 400 10015 "deliver subject not valid";
    STREAM_NAME_EXISTS_RESTORE = 400 10130 "stream name already in use, cannot restore";
}

impl ApiError {
    /// An error whose text holds a detail.
    pub fn with(code: u16, err_code: u16, description: String) -> Self {
        Self { code, err_code, description: Cow::Owned(description) }
    }
    /// A configuration that cannot be.
    pub fn config(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code: 500, err_code: 10052, description: reason.into() }
    }
    /// A setting of nats-server that this server does not have.
    pub fn not_supported(what: &str) -> Self {
        Self::config(format!("{what} is not supported by this server"))
    }
    /// A body that is not what the endpoint takes.
    pub fn json(reason: impl std::fmt::Display) -> Self {
        Self::with(400, 10025, format!("invalid JSON: {reason}"))
    }
    /// A field that no endpoint of this kind has.
    pub fn unknown_field(name: &str) -> Self {
        Self::json(format_args!("json: unknown field {name:?}"))
    }
    /// A consumer for another creation of its stream than the one that is there.
    pub fn identity(actual: &str) -> Self {
        let text = format!("consumer's stream identity does not match: {actual}");
        Self::with(400, 10225, text)
    }
    /// What pedantic requests are refused for.
    pub fn pedantic(reason: &str) -> Self {
        Self::with(400, 10157, format!("pedantic mode: {reason}"))
    }
    /// The last sequence is not the expected one.
    pub fn wrong_last_sequence(actual: u64) -> Self {
        Self::with(400, 10071, format!("wrong last sequence: {actual}"))
    }
    /// The last message id is not the expected one.
    pub fn wrong_last_message_id(actual: &str) -> Self {
        Self::with(400, 10070, format!("wrong last msg ID: {actual}"))
    }
    /// A member of an atomic batch has a header that batches do not go with.
    pub fn atomic_publish_header(name: &str) -> Self {
        Self::with(400, 10177, format!("atomic publish unsupported header used: {name}"))
    }
    /// An atomic batch holds more than it may; `bound` says how much that is.
    pub fn atomic_publish_too_large(bound: impl std::fmt::Display) -> Self {
        Self::with(400, 10199, format!("atomic publish batch is too large: {bound}"))
    }
    /// What a rollup is refused for.
    pub fn rollup(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code: 500, err_code: 10111, description: reason.into() }
    }
    /// A rollup of a kind that is none.
    pub fn rollup_value(value: &[u8]) -> Self {
        let value = String::from_utf8_lossy(value);
        Self::rollup(format!("rollup value invalid: {value:?}"))
    }
    /// What a publisher is told when the engine refuses the message.
    pub fn of_append(error: &StorageError) -> Self {
        match error {
            StorageError::MessageTooLarge { .. } => MESSAGE_EXCEEDS_MAXIMUM,
            StorageError::WrongLastSequence { actual } => Self::wrong_last_sequence(*actual),
            StorageError::WrongLastMessageId { actual } => Self::wrong_last_message_id(actual),
            StorageError::DuplicateMessageId { .. } => ATOMIC_PUBLISH_DUPLICATE,
            StorageError::NotCombined { code, what } => Self::with(400, *code, what.clone()),
            StorageError::Sealed => SEALED,
            StorageError::RollupDenied => ROLLUP_DENIED,
            StorageError::Busy => TOO_MANY_REQUESTS,
            StorageError::NoSpace => INSUFFICIENT_RESOURCES,
            other => Self::with(503, 10077, other.to_string()),
        }
    }
    /// What an API request is told when the engine fails it; `err_code` is that of the endpoint.
    pub fn of_storage(error: &StorageError, err_code: u16) -> Self {
        match error {
            StorageError::Sealed => SEALED,
            StorageError::PurgeDenied => PURGE_DENIED,
            StorageError::NoSpace => INSUFFICIENT_RESOURCES,
            StorageError::StreamNotFound(_) | StorageError::Closed => STREAM_NOT_FOUND,
            other => Self::with(500, err_code, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_of_nats_server() {
        let text = serde_json::to_string(&ApiError::wrong_last_sequence(1)).unwrap();
        let expected = r#"{"code":400,"err_code":10071,"description":"wrong last sequence: 1"}"#;
        assert_eq!(text, expected);
    }
}
