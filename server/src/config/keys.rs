//! The keys of a configuration file. Each is either honoured or refused; none is read and dropped.
//! Not here: the syntax (`parser`), the blocks `authorization` and `jetstream` (files of those names).

use super::options::{ConnectionLimits, Options};
use super::reader::Reader;
use super::tree::{Entry, Map, Refusal};
use super::{authorization, jetstream, leaf_nodes, websocket};
use headwater_storage::limits::MESSAGE_BYTES_MAX;
use std::time::Duration;

/// Keys of nats-server that are known and not built.
const UNSUPPORTED: &[&str] = &[
    "allow_non_tls",
    "cluster",
    "connect_error_reports",
    "default_js_domain",
    "default_sentinel",
    "disable_sublist_cache",
    "feature_flags",
    "gateway",
    "http_base_path",
    "https",
    "https_port",
    "log_size_limit",
    "logfile_max_num",
    "logfile_size_limit",
    "mappings",
    "maps",
    "max_closed_clients",
    "max_sub_tokens",
    "max_subscription_tokens",
    "max_traced_msg_len",
    "mqtt",
    "no_fast_producer_stall",
    "no_header_support",
    "no_sublist_cache",
    "no_system",
    "no_system_account",
    "ocsp",
    "ocsp_cache",
    "operator",
    "operators",
    "prof_block_rate",
    "prof_port",
    "proxies",
    "proxy_protocol",
    "reconnect_error_reports",
    "remote_syslog",
    "resolver",
    "resolver_pinned_accounts",
    "resolver_preload",
    "resolver_tls",
    "root",
    "roots",
    "server_metadata",
    "syslog",
    "tls",
    "trace_verbose",
    "trusted",
    "trusted_keys",
];

/// Options from a configuration tree, with warnings; or everything that is wrong with it.
pub(super) fn options(map: &Map) -> Result<(Options, Vec<Refusal>), Vec<Refusal>> {
    let mut reader = Reader::default();
    let mut options = Options::default();
    for entry in &map.entries {
        let key = entry.key.to_ascii_lowercase();
        let is_read = server_key(&mut reader, &mut options, &key, entry)
            || limit_key(&mut reader, &mut options.limits, &key, entry)
            || log_key(&mut reader, &mut options, &key, entry);
        if !is_read {
            reader.refuse_key(entry, UNSUPPORTED.contains(&key.as_str()));
        }
    }
    check_relations(&mut reader, &options, map);
    if reader.refusals.is_empty() { Ok((options, reader.warnings)) } else { Err(reader.refusals) }
}

/// Puts a value that could be read into its place.
fn put<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// 0 stands for the default.
fn above_zero(duration: Option<Duration>) -> Option<Duration> {
    duration.filter(|duration| !duration.is_zero())
}

fn server_key(reader: &mut Reader, options: &mut Options, key: &str, entry: &Entry) -> bool {
    let value = &entry.value;
    match key {
        "port" => put(&mut options.port, reader.port(value)),
        "host" | "net" | "addr" => put(&mut options.host, reader.string(value)),
        "listen" => {
            if let Some((host, port)) = reader.address(value) {
                put(&mut options.host, host);
                options.port = port;
            }
        }
        "server_name" => {
            put(&mut options.server_name, reader.string(value));
            if options.server_name.contains(char::is_whitespace) {
                reader.refuse(&value.place, "a server name has no white space");
            }
        }
        "client_advertise" => put(&mut options.client_advertise, reader.string(value)),
        "server_tags" => put(&mut options.server_tags, reader.strings(value)),
        "http" => {
            if let Some((host, port)) = reader.address(value) {
                options.monitoring = Some((host.unwrap_or_default(), port));
            }
        }
        "http_port" | "monitor_port" => {
            if let Some(port) = reader.port(value) {
                options.monitoring = Some((String::new(), port));
            }
        }
        "lame_duck_duration" => put(&mut options.lame_duck_duration, reader.duration(value)),
        "lame_duck_grace_period" => {
            put(&mut options.lame_duck_grace_period, reader.duration(value));
        }
        "pid_file" | "pidfile" => {
            put(&mut options.pid_file, reader.string(value).map(|v| Some(v.into())));
        }
        "ports_file_dir" => {
            put(&mut options.ports_file_dir, reader.string(value).map(|v| Some(v.into())));
        }
        "store_dir" | "storedir" => {
            put(&mut options.storage.store_dir, reader.string(value).map(|v| Some(v.into())));
        }
        "leafnodes" | "leaf" => leaf_nodes::read(reader, &mut options.leaf_nodes, value),
        "websocket" | "ws" => websocket::read(reader, options, value),
        "jetstream" => jetstream::read(reader, options, value),
        "authorization" => authorization::read(reader, &mut options.auth, value),
        "accounts" => authorization::read_accounts(reader, &mut options.auth, value),
        "no_auth_user" => put(&mut options.auth.no_auth_user, reader.string(value).map(Some)),
        "system_account" | "system" => {
            if reader.string(value).is_some_and(|name| name != "$SYS") {
                reader.refuse(&value.place, "a system account other than $SYS is not supported");
            }
        }
        _ => return false,
    }
    true
}

fn limit_key(reader: &mut Reader, limits: &mut ConnectionLimits, key: &str, entry: &Entry) -> bool {
    let value = &entry.value;
    let any = usize::MAX;
    match key {
        "max_control_line" => {
            put(&mut limits.control_line_bytes_max, reader.size(value, 1, 16 << 20));
        }
        "max_payload" => {
            put(&mut limits.payload_bytes_max, reader.size(value, 1, MESSAGE_BYTES_MAX));
        }
        "max_pending" => put(&mut limits.pending_bytes_max, reader.size(value, 1024, any)),
        "max_connections" | "max_conn" => {
            if let Some(max) = reader.integer(value, -1, i64::MAX) {
                limits.connections_max = match usize::try_from(max) {
                    Ok(0) => ConnectionLimits::default().connections_max,
                    Ok(max) => max,
                    Err(_) => 0,
                };
            }
        }
        "max_subscriptions" | "max_subs" => {
            if let Some(max) = reader.integer(value, -1, i64::MAX) {
                limits.subscriptions_max = usize::try_from(max).unwrap_or(0);
            }
        }
        "ping_interval" => put(&mut limits.ping_interval, above_zero(reader.duration(value))),
        "ping_max" => {
            let max = reader.integer(value, 0, i64::from(u32::MAX)).filter(|max| *max > 0);
            put(&mut limits.pings_outstanding_max, max.and_then(|max| u32::try_from(max).ok()));
        }
        "write_deadline" => put(&mut limits.write_deadline, above_zero(reader.duration(value))),
        _ => return false,
    }
    true
}

fn log_key(reader: &mut Reader, options: &mut Options, key: &str, entry: &Entry) -> bool {
    let (log, value) = (&mut options.log, &entry.value);
    match key {
        "log_file" | "logfile" => {
            put(&mut log.file, reader.string(value).map(|path| Some(path.into())));
        }
        "logtime" => put(&mut log.with_time, reader.boolean(value)),
        "logtime_utc" => put(&mut log.is_utc, reader.boolean(value)),
        "debug" => put(&mut log.debug, reader.boolean(value)),
        "trace" => put(&mut log.trace, reader.boolean(value)),
        _ => return false,
    }
    true
}

/// What no single key can say.
fn check_relations(reader: &mut Reader, options: &Options, map: &Map) {
    let limits = &options.limits;
    let mut refuse = |key: &str, reason: &str| {
        if let Some(value) = map.get(key) {
            reader.refuse(&value.place, reason);
        }
    };
    if limits.payload_bytes_max > limits.pending_bytes_max {
        let key = if map.get("max_payload").is_some() { "max_payload" } else { "max_pending" };
        refuse(key, "max_payload cannot be higher than max_pending");
    }
    if options.lame_duck_grace_period >= options.lame_duck_duration {
        let key = "lame_duck_grace_period";
        let key = if map.get(key).is_some() { key } else { "lame_duck_duration" };
        refuse(key, "the grace period must be shorter than the lame duck duration");
    }
    if let Some(name) = &options.auth.no_auth_user
        && !options.auth.users.iter().any(|user| user.name == *name)
    {
        refuse("no_auth_user", "no such user");
    }
    websocket::check(reader, options, map);
}

#[cfg(test)]
#[path = "keys_test.rs"]
mod tests;
