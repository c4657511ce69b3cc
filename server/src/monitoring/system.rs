//! Requests under `$SYS.REQ`: who am I and my account's connections, in every account; the monitoring answers and what
//! operators ask for, in the system account.
//! Not here: events that the server publishes by itself (`events`).

use super::query::{Query, QueryError};
use super::{accounts, connections, health, operations, sender, servers, subscriptions, variables};
use crate::routing::{Account, Handler, InternalSubscription, Message, Origin};
use crate::shared::Shared;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::{Arc, Weak};

/// Answers the requests of one server.
struct Services {
    shared: Weak<Shared>,
}

/// Requests to all servers and to one.
const OF_SERVERS: [&str; 12] = [
    "IDZ", "STATSZ", "VARZ", "SUBSZ", "CONNZ", "ACCOUNTZ", "LEAFZ", "ROUTEZ", "GATEWAYZ", "RAFTZ",
    "JSZ", "HEALTHZ",
];
/// Requests to one server only.
const OF_ONE: [&str; 2] = ["KICK", "LDM"];
/// Requests on an account.
const OF_ACCOUNTS: [&str; 6] = ["INFO", "CONNZ", "SUBSZ", "LEAFZ", "STATZ", "JSZ"];
/// Requests that a client of another account may make on its own one.
const OF_EVERYBODY: [&str; 4] =
    ["USER.INFO", "SERVER.PING.CONNZ", "ACCOUNT.PING.CONNZ", "ACCOUNT.PING.STATZ"];

/// Subscribes the services; they answer as long as the result lives. What is not built has no responders.
pub fn start(shared: &Arc<Shared>) -> Vec<InternalSubscription> {
    let services = Arc::new(Services { shared: Arc::downgrade(shared) });
    let id = shared.info().server_id;
    let (global, system) = (&shared.accounts.global, &shared.accounts.system);
    let mut of_system = vec!["USER.INFO".to_owned(), "SERVER.PING".to_owned()];
    for name in OF_SERVERS {
        of_system.extend([format!("SERVER.PING.{name}"), format!("SERVER.{id}.{name}")]);
    }
    of_system.extend(OF_ONE.map(|name| format!("SERVER.{id}.{name}")));
    of_system.extend(OF_ACCOUNTS.map(|name| format!("ACCOUNT.*.{name}")));
    let of_global = OF_EVERYBODY.iter().map(|name| (global, (*name).to_owned()));
    let reloads = Arc::new(operations::Reloads { shared: Arc::downgrade(shared) });
    let reload = system.subscribe(&format!("$SYS.REQ.SERVER.{id}.RELOAD"), reloads);
    of_system
        .into_iter()
        .map(|name| (system, name))
        .chain(of_global)
        .map(|(account, name)| account.subscribe(&format!("$SYS.REQ.{name}"), services.clone()))
        .chain([reload])
        .collect()
}

impl Handler for Services {
    fn deliver(&self, account: &Arc<Account>, message: &Message, origin: &Arc<Origin>) {
        let Some(shared) = self.shared.upgrade() else { return };
        if message.reply.is_empty() {
            return;
        }
        let Ok(subject) = std::str::from_utf8(&message.subject) else { return };
        let Some(answered) = answer(&shared, subject, &message.payload, account, origin) else {
            return;
        };
        respond(&shared, account, message.reply.clone(), answered);
    }
}

/// Sends an answer to who asked.
pub(super) fn respond(shared: &Shared, account: &Arc<Account>, reply: Bytes, answer: Answer) {
    let body = match answer {
        ("", data) => data,
        (field, data) => {
            let mut body = json!({ "server": sender(shared) });
            if let (Some(fields), false) = (body.as_object_mut(), data.is_null()) {
                fields.insert(field.to_owned(), data);
            }
            body
        }
    };
    let payload = Bytes::from(body.to_string());
    account.send(&Message { subject: reply, payload, ..Message::default() });
}

/// What an answer holds, and the field it stands in; without a field it is the whole answer, without a value there is none.
pub(super) type Answer = (&'static str, Value);

pub(super) fn failure(code: u16, description: impl ToString) -> Answer {
    ("error", json!({ "code": code, "description": description.to_string() }))
}

fn or_error(result: Result<Value, QueryError>) -> Answer {
    match result {
        Ok(value) => ("data", value),
        Err(error @ (QueryError::Account(_) | QueryError::SubjectWithoutAccount)) => {
            failure(500, error)
        }
        Err(error) => failure(400, error),
    }
}

/// The answer and the field it stands in; none for a request that is not built, or that is for other servers.
fn answer(
    shared: &Arc<Shared>,
    subject: &str,
    payload: &[u8],
    account: &Account,
    origin: &Origin,
) -> Option<Answer> {
    let what = subject.strip_prefix("$SYS.REQ.")?;
    if what == "USER.INFO" {
        let (user, name) = (&*origin.user, account.name());
        return Some(("data", json!({ "user": user, "account": name, "account_name": name })));
    }
    if what.ends_with(".IDZ") {
        let info = shared.info();
        return Some((
            "",
            json!({ "name": info.server_name, "host": info.host, "id": info.server_id }),
        ));
    }
    let query = Query::from_json(payload);
    if !query.is_for(shared) {
        return None;
    }
    if account.name() != shared.accounts.system.name() {
        return account_answer(shared, account.name(), what.rsplit('.').next()?, query);
    }
    match what.strip_prefix("ACCOUNT.") {
        Some("PING.STATZ") => all_statistics(shared, &query),
        Some("PING.CONNZ") => Some(or_error(connections::view(shared, &query))),
        Some(rest) => {
            let (name, what) = rest.rsplit_once('.')?;
            account_answer(shared, name, what, query)
        }
        None => server_answer(shared, what.rsplit('.').next()?, payload, &query),
    }
}

/// The answer on one account.
fn account_answer(shared: &Shared, name: &str, what: &str, query: Query) -> Option<Answer> {
    let query = query.of_account(name);
    let account = || accounts::find(shared, name);
    Some(match what {
        "INFO" => or_error(accounts::detail(shared, name)),
        "CONNZ" => or_error(account().and_then(|_| connections::view(shared, &query))),
        "SUBSZ" => or_error(account().and_then(|_| subscriptions::view(shared, &query))),
        "LEAFZ" => or_error(account().and_then(|_| servers::leaf_nodes(shared, &query))),
        "STATZ" => return all_statistics(shared, &query),
        "JSZ" => or_error(account().and_then(|_| {
            let mut all = variables::jetstream(shared, &query.with_accounts())?;
            Ok(all.pointer_mut("/account_details/0").map_or(Value::Null, Value::take))
        })),
        _ => return None,
    })
}

/// What goes over the connections of accounts; no answer where there are none to tell of.
fn all_statistics(shared: &Shared, query: &Query) -> Option<Answer> {
    let answer = accounts::all_statistics(shared, query);
    let is_empty = |value: &Value| value.pointer("/account_statz/0").is_none();
    if answer.as_ref().is_ok_and(is_empty) {
        return None;
    }
    Some(or_error(answer))
}

/// How well the server is, with the number that HTTP has for it.
fn with_status(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let (mut health, status) = health::view(shared, query)?;
    if let Some(fields) = health.as_object_mut() {
        fields.insert("status_code".into(), status.into());
    }
    Ok(health)
}

/// The answer of this server.
fn server_answer(
    shared: &Arc<Shared>,
    what: &str,
    payload: &[u8],
    query: &Query,
) -> Option<Answer> {
    Some(match what {
        "PING" | "STATSZ" => ("statsz", variables::statistics(shared)),
        "VARZ" => ("data", variables::view(shared)),
        "CONNZ" => or_error(connections::view(shared, query)),
        "SUBSZ" => or_error(subscriptions::view(shared, query)),
        "ACCOUNTZ" => or_error(accounts::view(shared, query)),
        "LEAFZ" => or_error(servers::leaf_nodes(shared, query)),
        "ROUTEZ" => ("data", servers::routes(shared)),
        "GATEWAYZ" => ("data", servers::gateways(shared)),
        "RAFTZ" => ("data", json!({})),
        "JSZ" => or_error(variables::jetstream(shared, query)),
        "HEALTHZ" => or_error(with_status(shared, query)),
        "KICK" | "LDM" if payload.is_empty() => return None,
        "KICK" => operations::kick(shared, payload),
        "LDM" => operations::lame_duck(shared, payload),
        _ => return None,
    })
}

#[cfg(test)]
#[path = "system_test.rs"]
mod tests;
