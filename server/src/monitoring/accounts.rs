//! `/accountz`: which accounts there are, and one of them in full; `/accstatz`: what goes over their connections.
//! Not here: HTTP, numbers of JetStream.

use super::query::{Query, QueryError};
use super::text;
use crate::network::Totals;
use crate::routing::Account;
use crate::shared::Shared;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;

/// The answer to an `/accountz` request.
pub fn view(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let mut answer = json!({
        "server_id": shared.info().server_id,
        "now": text::time(SystemTime::now()),
        "system_account": shared.accounts.system.name(),
    });
    let (name, value) = match query.text("acc") {
        "" => ("accounts", json!(all(shared).map(|account| account.name()))),
        name => ("account_detail", detail(shared, name)?),
    };
    if let Some(fields) = answer.as_object_mut() {
        fields.insert(name.into(), value);
    }
    Ok(answer)
}

/// The account of this name.
pub(super) fn find<'a>(shared: &'a Shared, name: &str) -> Result<&'a Arc<Account>, QueryError> {
    let found = all(shared).into_iter().find(|account| account.name() == name);
    found.ok_or_else(|| QueryError::Account(name.to_owned()))
}

/// One account in full.
pub fn detail(shared: &Shared, name: &str) -> Result<Value, QueryError> {
    let account = find(shared, name)?;
    let is_system = Arc::ptr_eq(account, &shared.accounts.system);
    let [(_, connections)] = shared.registry.totals_of([name]);
    let [(_, leaf_nodes)] = shared.leaf_links.totals_of([name]);
    let subscriptions = account.subscriptions();
    let mut detail = json!({
        "account_name": name,
        "name_tag": name,
        "update_time": text::time(shared.started),
        "expired": false,
        "complete": true,
        "jetstream_enabled": !is_system && shared.jetstream_view().is_some(),
        "leafnode_connections": leaf_nodes,
        "client_connections": connections,
        "subscriptions": subscriptions,
        "sublist_stats": { "num_subscriptions": subscriptions },
    });
    if let (true, Some(fields)) = (is_system, detail.as_object_mut()) {
        fields.insert("is_system".into(), true.into());
    }
    Ok(detail)
}

/// The answer to an `/accstatz` request: accounts with connections, or all where `unused` asks for them.
pub fn all_statistics(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let with_unused = query.switch("unused")? || query.switch("include-unused")?;
    let is_used = |value: &Value| with_unused || value.get("total_conns") != Some(&json!(0));
    let statistics = match query.text("acc") {
        "" => of_accounts(shared, all(shared)).to_vec(),
        wanted => {
            find(shared, wanted).map(|one| of_accounts(shared, [one]).to_vec()).unwrap_or_default()
        }
    };
    let statistics: Vec<Value> = statistics.into_iter().filter(is_used).collect();
    Ok(json!({
        "server_id": shared.info().server_id,
        "now": text::time(SystemTime::now()),
        "account_statz": statistics,
    }))
}

/// Connections of an account, and what went over them.
pub(super) fn statistics(shared: &Shared, account: &Arc<Account>) -> Value {
    let [statistics] = of_accounts(shared, [account]);
    statistics
}

/// The same of several accounts, of one look at the connections.
fn of_accounts<const COUNT: usize>(
    shared: &Shared,
    accounts: [&Arc<Account>; COUNT],
) -> [Value; COUNT] {
    let names = accounts.map(|account| account.name());
    let mut leaves = shared.leaf_links.totals_of(names).into_iter();
    let mut clients = shared.registry.totals_of(names).into_iter();
    accounts.map(|account| {
        let (clients, leaves) = (clients.next(), leaves.next());
        one(account, clients.unwrap_or_default(), leaves.unwrap_or_default())
    })
}

fn one(
    account: &Account,
    (clients, connections): (Totals, usize),
    (leaves, leaf_nodes): (Totals, usize),
) -> Value {
    let name = account.name();
    let count = |messages: u64, bytes: u64| json!({ "msgs": messages, "bytes": bytes });
    let counts = |(messages, bytes): (u64, u64), (of_leaves, bytes_of_leaves): (u64, u64)| {
        json!({
            "msgs": messages + of_leaves,
            "bytes": bytes + bytes_of_leaves,
            "gateways": count(0, 0),
            "routes": count(0, 0),
            "leafs": count(of_leaves, bytes_of_leaves),
        })
    };
    let sent = |totals: &Totals| (totals.out_messages, totals.out_bytes);
    let received = |totals: &Totals| (totals.in_messages, totals.in_bytes);
    json!({
        "acc": name,
        "name": name,
        "conns": connections,
        "leafnodes": leaf_nodes,
        "total_conns": connections + leaf_nodes,
        "num_subscriptions": account.subscriptions(),
        "sent": counts(sent(&clients), sent(&leaves)),
        "received": counts(received(&clients), received(&leaves)),
        "slow_consumers": clients.slow_consumers + leaves.slow_consumers,
    })
}

fn all(shared: &Shared) -> [&Arc<Account>; 2] {
    [&shared.accounts.global, &shared.accounts.system]
}
