//! `/varz` and `/jsz`: the state of the server as a whole.
//! Not here: HTTP, and the inside of JetStream (`JetStreamView`).

use super::query::{Query, QueryError};
use super::text;
use crate::shared::Shared;
use headwater_storage::stream::SyncPolicy;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime};

/// Clock ticks a second in `/proc`, part of the kernel's interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// The answer to a `/varz` request.
pub fn view(shared: &Shared) -> Value {
    let (info, options) = (shared.info(), &shared.options);
    let (limits, totals) = (&options.limits, shared.registry.totals());
    let up = shared.started.elapsed().unwrap_or_default();
    let subscriptions =
        shared.accounts.global.subscriptions() + shared.accounts.system.subscriptions();
    let mut fields = match json!({
        "server_id": info.server_id,
        "server_name": info.server_name,
        "version": info.version,
        "headwater_version": info.headwater_version,
        "proto": info.proto,
        "host": info.host,
        "port": info.port,
        "max_connections": limits.connections_max,
        "ping_interval": nanoseconds(limits.ping_interval),
        "ping_max": limits.pings_outstanding_max,
        "http_host": options.monitoring.as_ref().map_or("", |(host, _)| host.as_str()),
        "http_port": options.monitoring.as_ref().map_or(0, |(_, port)| *port),
        "auth_timeout": shared.auth.timeout().as_secs_f64(),
        "max_control_line": limits.control_line_bytes_max,
        "max_payload": limits.payload_bytes_max,
        "max_pending": limits.pending_bytes_max,
        "write_deadline": nanoseconds(limits.write_deadline),
        "start": text::time(shared.started),
        "now": text::time(SystemTime::now()),
        "uptime": text::uptime(up),
        "mem": memory_bytes(),
        "cores": cores(),
        "cpu": cpu_percent(up),
        "connections": shared.registry.len(),
        "total_connections": shared.registry.accepted(),
        "in_msgs": totals.in_messages,
        "in_bytes": totals.in_bytes,
        "out_msgs": totals.out_messages,
        "out_bytes": totals.out_bytes,
        "slow_consumers": totals.slow_consumers,
        "stale_connections": totals.stale_connections,
        "subscriptions": subscriptions,
        "config_load_time": text::time(shared.started),
        "system_account": shared.accounts.system.name(),
        "slow_consumer_stats": { "clients": totals.slow_consumers },
        "stale_connection_stats": { "clients": totals.stale_connections },
        "http_req_stats": shared.http_requests(),
        "websocket": websocket(shared),
        "jetstream": jetstream_summary(shared),
    }) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let links = [
        ("in_client_msgs", totals.in_messages),
        ("in_client_bytes", totals.in_bytes),
        ("out_client_msgs", totals.out_messages),
        ("out_client_bytes", totals.out_bytes),
        ("routes", 0),
        ("remotes", 0),
        ("leafnodes", shared.leaf_links.len() as u64),
    ];
    fields.extend(links.map(|(name, count)| (name.to_owned(), count.into())));
    if info.auth_required {
        fields.insert("auth_required".into(), true.into());
    }
    if !options.server_tags.is_empty() {
        fields.insert("tags".into(), options.server_tags.clone().into());
    }
    Value::Object(fields)
}

/// The listener for clients over WebSocket; what is not set is left out.
fn websocket(shared: &Shared) -> Value {
    let Some(options) = &shared.options.websocket else { return json!({}) };
    let auth = &options.auth;
    let origins: Vec<&str> = options.allowed_origins.iter().map(|one| one.text.as_str()).collect();
    let fields = [
        ("host", json!(options.host)),
        ("port", json!(shared.websocket_port().unwrap_or(options.port))),
        ("no_auth_user", json!(auth.no_auth_user)),
        ("handshake_timeout", json!(options.handshake_timeout.map(nanoseconds))),
        ("auth_timeout", json!(auth.timeout.map(|timeout| timeout.as_secs_f64()))),
        ("no_tls", json!(true)),
        ("same_origin", json!(options.same_origin.then_some(true))),
        ("allowed_origins", json!((!origins.is_empty()).then_some(origins))),
        ("compression", json!(options.compression.then_some(true))),
    ];
    let set = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The answer to a `/jsz` request.
pub fn jetstream(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let mut answer = match shared.jetstream_view() {
        Some(view) => view.jsz(query)?,
        None => json!({ "disabled": true }),
    };
    add_sync(shared, &mut answer);
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("server_id".into(), shared.info().server_id.into());
        fields.insert("now".into(), text::time(SystemTime::now()).into());
    }
    Ok(answer)
}

/// Says in the configuration of JetStream when messages are synced.
fn add_sync(shared: &Shared, jetstream: &mut Value) {
    let Some(config) = jetstream.pointer_mut("/config").and_then(Value::as_object_mut) else {
        return;
    };
    match shared.options.storage.sync {
        SyncPolicy::Always => config.insert("sync_always".into(), true.into()),
        SyncPolicy::Interval(interval) => {
            config.insert("sync_interval".into(), nanoseconds(interval).into())
        }
    };
}

/// JetStream in short.
fn jetstream_summary(shared: &Shared) -> Value {
    let mut summary = shared.jetstream_view().map_or_else(|| json!({}), |view| view.summary());
    add_sync(shared, &mut summary);
    summary
}

/// The part of the server's state that `$SYS.REQ.SERVER.PING` answers with.
pub(super) fn statistics(shared: &Shared) -> Value {
    let totals = shared.registry.totals();
    let up = shared.started.elapsed().unwrap_or_default();
    let count = |messages: u64, bytes: u64| json!({ "msgs": messages, "bytes": bytes });
    let subscriptions =
        shared.accounts.global.subscriptions() + shared.accounts.system.subscriptions();
    let (info, leaves) = (shared.info(), shared.leaf_links.totals());
    let mut statistics = json!({
        "start": text::time(shared.started),
        "mem": memory_bytes(),
        "cores": cores(),
        "cpu": cpu_percent(up),
        "connections": shared.registry.len(),
        "total_connections": shared.registry.accepted(),
        "active_accounts": 2,
        "subscriptions": subscriptions,
        "sent": count(
            totals.out_messages + leaves.out_messages,
            totals.out_bytes + leaves.out_bytes,
        ),
        "sent_to_clients": count(totals.out_messages, totals.out_bytes),
        "received": count(totals.in_messages + leaves.in_messages, totals.in_bytes + leaves.in_bytes),
        "received_from_clients": count(totals.in_messages, totals.in_bytes),
        "slow_consumers": totals.slow_consumers + leaves.slow_consumers,
        "active_servers": 1,
    });
    if let (true, Some(fields)) = (info.jetstream, statistics.as_object_mut()) {
        let mut summary = jetstream_summary(shared);
        for (place, name) in [("", "start"), ("/config", "store_dir"), ("/stats", "streams")] {
            if let Some(fields) = summary.pointer_mut(place).and_then(Value::as_object_mut) {
                fields.remove(name);
            }
        }
        fields.insert("jetstream".into(), summary);
    }
    statistics
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Resident memory of the process.
fn memory_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Processor time over the time since the start.
fn cpu_percent(up: Duration) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: f64 =
        after_name.split(' ').skip(11).take(2).filter_map(|text| text.parse::<f64>().ok()).sum();
    let percent = ticks / TICKS_PER_SECOND / up.as_secs_f64().max(1.0) * 100.0;
    (percent * 100.0).round() / 100.0
}
