//! The block `jetstream`: a switch, or a map with directories, bounds and the sync policy.
//! Not here: what JetStream does.

use super::options::Options;
use super::reader::Reader;
use super::tree::{Node, Value};
use super::value;
use headwater_storage::stream::SyncPolicy;
use headwater_storage::volume::DiskMethod;

/// Bounds of the size of a segment, in bytes: a smaller one costs more files than it is worth, and space comes back by whole segments.
const SEGMENT_BYTES_MIN: i64 = 1 << 20;
const SEGMENT_BYTES_MAX: i64 = 1 << 30;

/// Keys of nats-server in this block that are known and not built.
const UNSUPPORTED: &[&str] = &[
    "cipher",
    "ek",
    "encryption_key",
    "extension_hint",
    "info_queue_limit",
    "key",
    "limits",
    "max_buffered_msgs",
    "max_buffered_size",
    "max_outstanding_catchup",
    "meta_compact",
    "meta_compact_size",
    "meta_compact_sync",
    "oldkey",
    "prev_key",
    "request_queue_limit",
    "tpm",
    "unique_tag",
];

/// Reads the block.
pub(super) fn read(reader: &mut Reader, options: &mut Options, value: &Value) {
    match &value.node {
        Node::Boolean(is_on) => set(options, *is_on),
        Node::String(text) => match text.to_ascii_lowercase().as_str() {
            "enable" | "enabled" => set(options, true),
            "disable" | "disabled" => set(options, false),
            _ => reader.refuse(&value.place, "enabled or disabled expected"),
        },
        _ => read_map(reader, options, value),
    }
}

fn set(options: &mut Options, is_on: bool) {
    match is_on {
        true => drop(options.jetstream_mut()),
        false => options.jetstream = None,
    }
}

fn read_map(reader: &mut Reader, options: &mut Options, value: &Value) {
    let Some(map) = reader.map(value) else { return };
    let mut jetstream = options.jetstream.take().unwrap_or_default();
    let mut is_on = true;
    for entry in &map.entries {
        let value = &entry.value;
        match entry.key.to_ascii_lowercase().as_str() {
            "enable" | "enabled" => is_on = reader.boolean(value).unwrap_or(is_on),
            "store_dir" | "storedir" | "store" => {
                options.storage.store_dir = reader.string(value).map(Into::into);
            }
            "max_mem" | "max_mem_store" | "max_memory_store" => {
                jetstream.memory_bytes_max = bytes(reader, value);
            }
            "max_file" | "max_file_store" => jetstream.file_bytes_max = bytes(reader, value),
            "strict" => jetstream.is_strict = reader.boolean(value).unwrap_or(true),
            "sync" | "sync_interval" => {
                if let Some(policy) = sync(reader, value) {
                    options.storage.sync = policy;
                }
            }
            "domain" => domain(reader, &mut jetstream.domain, value),
            "disk" => {
                let method = reader.string(value).map(|text| disk_method(&text));
                match method.flatten() {
                    Some(method) => options.storage.disk = method,
                    None => reader.refuse(&value.place, "auto, uring or posix expected"),
                }
            }
            "segment_size" => {
                let size = reader.integer(value, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
                options.storage.segment_bytes = size.and_then(|bytes| u64::try_from(bytes).ok());
            }
            key => reader.refuse_key(entry, UNSUPPORTED.contains(&key)),
        }
    }
    options.jetstream = is_on.then_some(jetstream);
}

/// One token of a subject, other than `API`, which would be no domain at all.
fn domain(reader: &mut Reader, domain: &mut String, value: &Value) {
    let Some(text) = reader.string(value) else { return };
    let is_token = !text.contains('.') && headwater_storage::subject::is_literal(&text);
    if !is_token || text == "API" {
        reader.refuse(&value.place, "a domain is a name without dots, wildcards and white space");
    }
    *domain = text;
}

/// Bytes; 0 and -1 are no bound. A letter behind a quoted number counts in 1024s, unlike behind a bare one.
fn bytes(reader: &mut Reader, value: &Value) -> Option<u64> {
    let bytes = match &value.node {
        Node::String(text) if text.ends_with(|c: char| c.is_ascii_alphabetic()) => {
            let in_1024s = format!("{}b", text.trim_end_matches(['b', 'B']));
            let node = Node::String(in_1024s);
            reader.integer(&Value { node, place: value.place.clone() }, -1, i64::MAX)?
        }
        _ => reader.integer(value, -1, i64::MAX)?,
    };
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

fn sync(reader: &mut Reader, value: &Value) -> Option<SyncPolicy> {
    match &value.node {
        Node::String(text) => {
            let policy = sync_policy(text);
            if policy.is_none() {
                reader.refuse(&value.place, "always or a duration expected");
            }
            policy
        }
        _ => reader.duration(value).map(SyncPolicy::Interval),
    }
}

/// `always`, or the interval of syncs.
pub(super) fn sync_policy(text: &str) -> Option<SyncPolicy> {
    match text {
        "always" => Some(SyncPolicy::Always),
        _ => value::duration(text).filter(|d| !d.is_zero()).map(SyncPolicy::Interval),
    }
}

/// How bytes reach the disk, by its name.
pub(super) fn disk_method(text: &str) -> Option<DiskMethod> {
    match text {
        "auto" => Some(DiskMethod::Auto),
        "uring" => Some(DiskMethod::Uring),
        "posix" => Some(DiskMethod::Posix),
        _ => None,
    }
}
