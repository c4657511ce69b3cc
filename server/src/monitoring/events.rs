//! What the server tells the system account unasked: connections that come and go, how many an account has, statistics from
//! time to time, and that it leaves.
//! Invariant: nothing is built where nobody listens, and nobody waits for it.
//! Not here: advisories of JetStream, answers to requests (`system`).

use super::{accounts, sender, text, variables};
use crate::jetstream::advisory;
use crate::network::{Close, Link};
use crate::protocol::ProtocolError;
use crate::routing::{Account, Message};
use crate::shared::Shared;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Pause before the first statistics; each pause is twice the one before, up to the longest.
const STATISTICS_PAUSE_MIN: Duration = Duration::from_millis(250);
const STATISTICS_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often it is said how many connections an account has, where that does not change.
const CONNECTIONS_PAUSE: Duration = Duration::from_secs(30);

/// Tells statistics and connections from time to time, until the server stops.
pub(crate) fn start(shared: &Arc<Shared>) {
    shared.tasks.spawn(repeat(shared.clone()));
}

async fn repeat(shared: Arc<Shared>) {
    let mut pause = STATISTICS_PAUSE_MIN;
    let (mut statistics_at, mut connections_at) =
        (Instant::now() + pause, Instant::now() + CONNECTIONS_PAUSE);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep_until(statistics_at) => {
                statistics(&shared);
                pause = (pause * 2).min(STATISTICS_PAUSE_MAX);
                statistics_at = Instant::now() + pause;
            }
            () = tokio::time::sleep_until(connections_at) => {
                connections(&shared);
                connections_at = Instant::now() + CONNECTIONS_PAUSE;
            }
        }
    }
}

/// A client logged in, or another server joined.
pub(crate) fn connected(shared: &Shared, link: &Link) {
    let Some(account) = link.account() else { return };
    if is_system(shared, &account) {
        connections(shared);
    }
    let subject = format!("$SYS.ACCOUNT.{}.CONNECT", account.name());
    tell(
        shared,
        &shared.accounts.system,
        subject,
        "client_connect",
        || json!({ "client": client(link, &account, None) }),
    );
}

/// A connection is gone.
pub(crate) fn disconnected(shared: &Shared, link: &Link) {
    let Some(account) = link.account() else { return };
    let system = &shared.accounts.system;
    if is_system(shared, &account) {
        connections(shared);
    }
    let tell = |to: &Arc<Account>, subject: String| {
        tell(shared, to, subject, "client_disconnect", || ended(link, &account));
    };
    if link.reason() == Some(Close::Violation(ProtocolError::Authorization)) {
        tell(&account, "$SYS.ACCOUNT.CLIENT.AUTH.ERR".to_owned());
        tell(system, format!("$SYS.SERVER.{}.CLIENT.AUTH.ERR", shared.info().server_id));
    }
    tell(system, format!("$SYS.ACCOUNT.{}.DISCONNECT", account.name()));
}

/// The server closes its connections in a while, `LAMEDUCK`, or now, `SHUTDOWN`.
pub(crate) fn leaving(shared: &Shared, what: &str) {
    let subject = format!("$SYS.SERVER.{}.{what}", shared.info().server_id);
    send(&shared.accounts.system, subject, || sender(shared));
}

fn statistics(shared: &Shared) {
    let subject = format!("$SYS.SERVER.{}.STATSZ", shared.info().server_id);
    send(
        &shared.accounts.system,
        subject,
        || json!({ "server": sender(shared), "statsz": variables::statistics(shared) }),
    );
}

/// How many connections the system account has; nothing is said of the global one.
fn connections(shared: &Shared) {
    let system = &shared.accounts.system;
    let name = system.name();
    for subject in
        [format!("$SYS.SERVER.ACCOUNT.{name}.CONNS"), format!("$SYS.ACCOUNT.{name}.SERVER.CONNS")]
    {
        tell(shared, system, subject, "account_connections", || {
            accounts::statistics(shared, system)
        });
    }
}

fn is_system(shared: &Shared, account: &Arc<Account>) -> bool {
    Arc::ptr_eq(account, &shared.accounts.system)
}

/// An event of a kind, with the server it comes from.
fn tell(
    shared: &Shared,
    to: &Arc<Account>,
    subject: String,
    kind: &str,
    make: impl FnOnce() -> Value,
) {
    advisory::publish_kind(to, subject, &format!("io.nats.server.advisory.v1.{kind}"), || {
        let mut event = make();
        if let Some(fields) = event.as_object_mut() {
            fields.insert("server".into(), sender(shared));
        }
        event
    });
}

fn send(to: &Arc<Account>, subject: String, make: impl FnOnce() -> Value) {
    if to.has_interest(&subject) {
        let payload = Bytes::from(make().to_string());
        to.send(&Message { subject: subject.into(), payload, ..Message::default() });
    }
}

/// How a connection ended. What it sent and received is seen from its side.
fn ended(link: &Link, account: &Account) -> Value {
    let counters = &link.counters;
    let count = |messages: &std::sync::atomic::AtomicU64, bytes: &std::sync::atomic::AtomicU64| json!({ "msgs": messages.load(Ordering::Relaxed), "bytes": bytes.load(Ordering::Relaxed) });
    json!({
        "client": client(link, account, Some(SystemTime::now())),
        "sent": count(&counters.in_messages, &counters.in_bytes),
        "received": count(&counters.out_messages, &counters.out_bytes),
        "reason": link.reason().unwrap_or(Close::Client).to_string(),
    })
}

fn client(link: &Link, account: &Account, stopped: Option<SystemTime>) -> Map<String, Value> {
    let options = link.options();
    let mut client = Map::new();
    let mut put = |name: &str, value: Value| {
        client.insert(name.to_owned(), value);
    };
    put("start", text::time(link.started).into());
    put("host", link.peer.ip().to_string().into());
    put("id", link.id.into());
    put("acc", account.name().into());
    let fields = [
        ("user", &options.user),
        ("name", &options.name),
        ("lang", &options.lang),
        ("ver", &options.version),
    ];
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        put(name, value.as_str().into());
    }
    if let Some(stopped) = stopped {
        put("stop", text::time(stopped).into());
        let rtt = link.counters.rtt_ns.load(Ordering::Relaxed);
        if rtt > 0 {
            put("rtt", rtt.into());
        }
    }
    put("name_tag", account.name().into());
    put("kind", link.kind.to_string().into());
    if link.kind == crate::network::Kind::Client {
        put("client_type", link.transport.name().into());
    }
    client
}
