//! `/accountz`: which accounts there are, and one of them in full.
//! Not here: HTTP, numbers of JetStream.

use super::query::{Query, QueryError};
use super::text;
use crate::network::Link;
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

/// One account in full.
pub fn detail(shared: &Shared, name: &str) -> Result<Value, QueryError> {
    let found = all(shared).into_iter().find(|account| account.name() == name);
    let account = found.ok_or_else(|| QueryError::Account(name.to_owned()))?;
    let is_system = Arc::ptr_eq(account, &shared.accounts.system);
    let is_of = |link: &Link| shared.account_of(link).is_some_and(|of| of.name() == name);
    let connections = shared.registry.open().iter().filter(|link| is_of(link)).count();
    let subscriptions = account.subscriptions();
    let mut detail = json!({
        "account_name": name,
        "name_tag": name,
        "update_time": text::time(shared.started),
        "expired": false,
        "complete": true,
        "jetstream_enabled": !is_system && shared.jetstream_view().is_some(),
        "leafnode_connections": 0,
        "client_connections": connections,
        "subscriptions": subscriptions,
        "sublist_stats": { "num_subscriptions": subscriptions },
    });
    if let (true, Some(fields)) = (is_system, detail.as_object_mut()) {
        fields.insert("is_system".into(), true.into());
    }
    Ok(detail)
}

fn all(shared: &Shared) -> [&Arc<Account>; 2] {
    [&shared.accounts.global, &shared.accounts.system]
}
