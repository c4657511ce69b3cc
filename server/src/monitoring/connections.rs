//! `/connz`: connections, open or closed, sorted and in pages.
//! Not here: HTTP.

use super::query::{Page, Query, QueryError};
use super::{subscriptions, text};
use crate::network::Link;
use crate::shared::Shared;
use headwater_storage::subject as subjects;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// Connections in an answer that does not say how many it wants.
const LIMIT: usize = 1024;

struct Row {
    link: Arc<Link>,
    stopped: Option<SystemTime>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    None,
    Subjects,
    Full,
}

/// The answer to a `/connz` request.
pub fn view(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let page = Page::of(query, LIMIT)?;
    let detail = match query.text("subs") {
        "detail" => Detail::Full,
        _ if query.switch("subs")? || query.switch("subscriptions-detail")? => Detail::Subjects,
        _ => Detail::None,
    };
    let with_user = query.switch("auth")?;
    let mut rows = rows(shared, query.text("state"))?;
    if let Some(id) = query.integer("cid")?.filter(|id| *id > 0) {
        rows.retain(|row| row.link.id == id as u64);
    }
    let account = query.text("acc");
    if !account.is_empty() {
        rows.retain(|row| row.link.is_of(account));
    }
    let user = query.text("user");
    if !user.is_empty() {
        rows.retain(|row| row.link.options().user == user);
    }
    let total = rows.len();
    let subject = query.text("filter-subject");
    if !matches!(subject, "" | ">") {
        if account.is_empty() {
            return Err(QueryError::SubjectWithoutAccount);
        }
        let listens = |row: &Row| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut subscriptions = row.link.subscriptions().into_iter();
            subscriptions.any(|one| subjects::collides(&text(&one.subject), subject))
        };
        rows.retain(listens);
    }
    sort(&mut rows, query.text("sort"))?;
    let rows = page.select(rows);
    let connections: Vec<Value> =
        rows.iter().map(|row| connection(row, detail, with_user)).collect();
    Ok(json!({
        "server_id": shared.info().server_id,
        "now": text::time(SystemTime::now()),
        "num_connections": connections.len(),
        "total": total,
        "offset": page.offset,
        "limit": page.limit,
        "connections": connections,
    }))
}

fn rows(shared: &Shared, state: &str) -> Result<Vec<Row>, QueryError> {
    let open = || shared.registry.open().into_iter().map(|link| Row { link, stopped: None });
    let closed = || {
        let closed = shared.registry.closed().into_iter();
        closed.map(|one| Row { link: one.link, stopped: Some(one.stopped) })
    };
    match state.to_ascii_lowercase().as_str() {
        "" | "open" | "0" => Ok(open().collect()),
        "closed" | "1" => Ok(closed().collect()),
        "any" | "all" | "2" => Ok(open().chain(closed()).collect()),
        _ => Err(QueryError::State(state.to_owned())),
    }
}

/// Each key is read once: it may change while rows are compared, and sorting needs an order.
fn sort(rows: &mut [Row], order: &str) -> Result<(), QueryError> {
    rows.sort_by_key(|row| row.link.id);
    let by = |rows: &mut [Row], key: &dyn Fn(&Row) -> u64| {
        rows.sort_by_cached_key(|row| Reverse(key(row)));
    };
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    match order.to_ascii_lowercase().as_str() {
        "" | "cid" | "start" => {}
        "subs" => by(rows, &|row| row.link.subscriptions_count() as u64),
        "pending" => by(rows, &|row| row.link.pending_bytes() as u64),
        "msgs_to" => by(rows, &|row| load(&row.link.counters.out_messages)),
        "msgs_from" => by(rows, &|row| load(&row.link.counters.in_messages)),
        "bytes_to" => by(rows, &|row| load(&row.link.counters.out_bytes)),
        "bytes_from" => by(rows, &|row| load(&row.link.counters.in_bytes)),
        "rtt" => by(rows, &|row| load(&row.link.counters.rtt_ns)),
        "last" => by(rows, &|row| {
            nanoseconds(
                last_activity(row).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            )
        }),
        "idle" => by(rows, &|row| nanoseconds(last_activity(row).elapsed().unwrap_or_default())),
        "uptime" => by(rows, &|row| nanoseconds(uptime(row))),
        "stop" => rows.sort_by_key(|row| row.stopped),
        "reason" => {
            rows.sort_by_cached_key(|row| row.link.reason().map(|reason| reason.to_string()));
        }
        _ => return Err(QueryError::Sort(order.to_owned())),
    }
    Ok(())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn last_activity(row: &Row) -> SystemTime {
    let ms = row.link.counters.last_activity_ms.load(Ordering::Relaxed);
    row.link.started + Duration::from_millis(ms)
}

fn uptime(row: &Row) -> Duration {
    let end = row.stopped.unwrap_or_else(SystemTime::now);
    end.duration_since(row.link.started).unwrap_or_default()
}

fn connection(row: &Row, detail: Detail, with_user: bool) -> Value {
    let (link, options) = (&row.link, row.link.options());
    let counters = &link.counters;
    let last = last_activity(row);
    let end = row.stopped.unwrap_or_else(SystemTime::now);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("cid", link.id.into());
    put("kind", "Client".into());
    put("type", link.transport.name().into());
    put("ip", link.peer.ip().to_string().into());
    put("port", link.peer.port().into());
    put("start", text::time(link.started).into());
    put("last_activity", text::time(last).into());
    if let Some(stopped) = row.stopped {
        put("stop", text::time(stopped).into());
        put("reason", link.reason().map(|reason| reason.to_string()).into());
    }
    let rtt = counters.rtt_ns.load(Ordering::Relaxed);
    if rtt > 0 {
        put("rtt", text::duration(Duration::from_nanos(rtt)).into());
    }
    put("uptime", text::uptime(uptime(row)).into());
    put("idle", text::uptime(end.duration_since(last).unwrap_or_default()).into());
    put("pending_bytes", link.pending_bytes().into());
    put("in_msgs", counters.in_messages.load(Ordering::Relaxed).into());
    put("out_msgs", counters.out_messages.load(Ordering::Relaxed).into());
    put("in_bytes", counters.in_bytes.load(Ordering::Relaxed).into());
    put("out_bytes", counters.out_bytes.load(Ordering::Relaxed).into());
    put("subscriptions", link.subscriptions_count().into());
    for (name, value) in
        [("name", &options.name), ("lang", &options.lang), ("version", &options.version)]
    {
        if !value.is_empty() {
            put(name, value.as_str().into());
        }
    }
    if with_user {
        put("authorized_user", options.user.as_str().into());
        let account = link.account().map(|account| account.name().to_owned());
        put("account", account.clone().into());
        put("name_tag", account.into());
    }
    if detail != Detail::None {
        let mut list = link.subscriptions();
        list.sort_by(|one, other| one.sid.cmp(&other.sid));
        match detail {
            Detail::Full => {
                let list: Vec<_> = list.iter().map(|one| subscriptions::detail(one)).collect();
                put("subscriptions_list_detail", list.into());
            }
            _ => {
                let subject = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let list: Vec<_> = list.iter().map(|one| subject(&one.subject)).collect();
                put("subscriptions_list", list.into());
            }
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Sorting by what changes meanwhile neither fails nor loses a row.
    #[test]
    fn rows_that_change_are_sorted() {
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let mut rows: Vec<Row> =
            (0..1000).map(|id| Row { link: Link::new(id, peer, 1000), stopped: None }).collect();
        let links: Vec<Arc<Link>> = rows.iter().map(|row| row.link.clone()).collect();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for link in &links {
                        link.counters.in_messages.store(rand::random(), Ordering::Relaxed);
                    }
                }
            });
            let sorted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                for _ in 0..200 {
                    sort(&mut rows, "msgs_from").unwrap();
                }
            }));
            is_over.store(true, Ordering::Relaxed);
            assert!(sorted.is_ok(), "sorting failed");
        });
        let mut ids: Vec<u64> = rows.iter().map(|row| row.link.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..1000).collect::<Vec<_>>());
    }
}
