//! `/leafz`, `/routez` and `/gatewayz`: links to other servers. There are leaf nodes only; the lists of routes and gateways are
//! empty.
//! Not here: HTTP, the links themselves (`leaf`).

use super::query::{Query, QueryError};
use super::text;
use crate::network::{Kind, Link};
use crate::shared::Shared;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The answer to a `/leafz` request.
pub fn leaf_nodes(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let with_list = query.switch("subs")?;
    let wanted = query.text("acc");
    let mut links = shared.leaf_links.open();
    links.retain(|link| wanted.is_empty() || link.is_of(wanted));
    links.sort_by_key(|link| link.id);
    let leaves: Vec<Value> = links.iter().map(|link| leaf_node(shared, link, with_list)).collect();
    Ok(json!({
        "server_id": shared.info().server_id,
        "now": text::time(SystemTime::now()),
        "leafnodes": leaves.len(),
        "leafs": leaves,
    }))
}

/// The answer to a `/routez` request.
pub fn routes(shared: &Shared) -> Value {
    let info = shared.info();
    json!({
        "server_id": info.server_id,
        "server_name": info.server_name,
        "now": text::time(SystemTime::now()),
        "num_routes": 0,
        "routes": [],
    })
}

/// The answer to a `/gatewayz` request.
pub fn gateways(shared: &Shared) -> Value {
    json!({
        "server_id": shared.info().server_id,
        "now": text::time(SystemTime::now()),
        "outbound_gateways": {},
        "inbound_gateways": {},
    })
}

fn leaf_node(shared: &Shared, link: &Link, with_list: bool) -> Value {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &link.counters;
    let mut leaf = Map::new();
    let mut put = |name: &str, value: Value| {
        leaf.insert(name.to_owned(), value);
    };
    put("id", link.id.into());
    put("name", link.options().name.as_str().into());
    put("is_spoke", matches!(link.kind, Kind::Leaf { is_dialed: true }).into());
    put("account", link.account().map(|account| account.name().to_owned()).into());
    put("ip", link.peer.ip().to_string().into());
    put("port", link.peer.port().into());
    let rtt = load(&counters.rtt_ns);
    if rtt > 0 {
        put("rtt", text::duration(Duration::from_nanos(rtt)).into());
    }
    put("in_msgs", load(&counters.in_messages).into());
    put("out_msgs", load(&counters.out_messages).into());
    put("in_bytes", load(&counters.in_bytes).into());
    put("out_bytes", load(&counters.out_bytes).into());
    let mut listened = shared.accounts.global.all_subscriptions();
    listened.retain(|one| one.sink_id() == Some(link.id));
    put("subscriptions", listened.len().into());
    if with_list {
        let subject = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        put("subscriptions_list", listened.iter().map(|one| subject(&one.subject)).collect());
    }
    put("compression", "off".into());
    Value::Object(leaf)
}
