//! Requests under `$SYS.REQ`: who am I, in every account; and the monitoring answers, in the system account.
//! Not here: events that the server publishes by itself.

use super::query::{Query, QueryError};
use super::{accounts, connections, subscriptions, text, variables};
use crate::routing::{Account, Handler, InternalSubscription, Message, Origin};
use crate::shared::Shared;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

/// Answers the requests of one server.
struct Services {
    shared: Weak<Shared>,
    sequence: AtomicU64,
}

/// Subscribes the services; they answer as long as the result lives.
pub fn start(shared: &Arc<Shared>) -> Vec<InternalSubscription> {
    let services =
        Arc::new(Services { shared: Arc::downgrade(shared), sequence: AtomicU64::new(0) });
    let id = shared.info().server_id;
    let own = format!("$SYS.REQ.SERVER.{id}.*");
    let (global, system) = (&shared.accounts.global, &shared.accounts.system);
    [
        (global, "$SYS.REQ.USER.INFO"),
        (system, "$SYS.REQ.USER.INFO"),
        (system, "$SYS.REQ.SERVER.PING"),
        (system, "$SYS.REQ.SERVER.PING.*"),
        (system, "$SYS.REQ.ACCOUNT.*.*"),
        (system, own.as_str()),
    ]
    .into_iter()
    .map(|(account, subject)| account.subscribe(subject, services.clone()))
    .collect()
}

impl Handler for Services {
    fn deliver(&self, account: &Arc<Account>, message: &Message, origin: &Arc<Origin>) {
        let Some(shared) = self.shared.upgrade() else { return };
        if message.reply.is_empty() {
            return;
        }
        let Ok(subject) = std::str::from_utf8(&message.subject) else { return };
        let of_account = subject.strip_prefix("$SYS.REQ.ACCOUNT.");
        let answered = match of_account.and_then(|rest| rest.rsplit_once('.')) {
            Some((name, what)) => account_answer(&shared, name, what, &message.payload),
            None => answer(&shared, subject, &message.payload, account, origin),
        };
        let Some((field, data)) = answered else {
            return;
        };
        let mut body = json!({ "server": self.server(&shared) });
        if let Some(fields) = body.as_object_mut() {
            fields.insert(field.to_owned(), data);
        }
        account.send(&Message {
            subject: message.reply.clone(),
            payload: Bytes::from(body.to_string()),
            ..Message::default()
        });
    }
}

impl Services {
    /// What stands in every answer.
    fn server(&self, shared: &Shared) -> Value {
        let info = shared.info();
        json!({
            "name": info.server_name,
            "host": info.host,
            "id": info.server_id,
            "ver": info.version,
            "jetstream": info.jetstream,
            "flags": 0,
            "seq": self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            "time": text::time(SystemTime::now()),
        })
    }
}

/// What an answer holds, and the field it stands in.
type Answer = (&'static str, Value);

fn or_error(result: Result<Value, QueryError>) -> Answer {
    match result {
        Ok(value) => ("data", value),
        Err(error) => {
            let code = if matches!(error, QueryError::Account(_)) { 500 } else { 400 };
            ("error", json!({ "code": code, "description": error.to_string() }))
        }
    }
}

/// The answer on one account; none for a request that is not built.
fn account_answer(shared: &Shared, name: &str, what: &str, payload: &[u8]) -> Option<Answer> {
    let query = Query::from_json(payload).of_account(name);
    let detail = accounts::detail(shared, name);
    Some(match what {
        "INFO" => or_error(detail),
        "CONNZ" => or_error(detail.and_then(|_| connections::view(shared, &query))),
        "SUBSZ" => or_error(detail.and_then(|_| subscriptions::view(shared, &query))),
        "JSZ" => or_error(detail.map(|_| {
            let mut all = variables::jetstream(shared, &query);
            all.pointer_mut("/account_details/0").map_or(Value::Null, Value::take)
        })),
        _ => return None,
    })
}

/// How well the server is, with the number that HTTP has for it.
fn health(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let (mut health, is_well) = variables::health(shared, query)?;
    if let Some(fields) = health.as_object_mut() {
        fields.insert("status_code".into(), if is_well { 200 } else { 503 }.into());
    }
    Ok(health)
}

/// The answer and the field it stands in; none for a request that is not built.
fn answer(
    shared: &Shared,
    subject: &str,
    payload: &[u8],
    account: &Account,
    origin: &Origin,
) -> Option<Answer> {
    let query = Query::from_json(payload);
    let name = subject.rsplit('.').next()?;
    Some(match name {
        "INFO" => {
            let user = &*origin.user;
            (
                "data",
                json!({ "user": user, "account": account.name(), "account_name": account.name() }),
            )
        }
        "PING" | "STATSZ" => ("statsz", variables::statistics(shared)),
        "IDZ" => {
            ("data", json!({ "name": shared.info().server_name, "id": shared.info().server_id }))
        }
        "VARZ" => ("data", variables::view(shared)),
        "CONNZ" => or_error(connections::view(shared, &query)),
        "SUBSZ" => or_error(subscriptions::view(shared, &query)),
        "ACCOUNTZ" => or_error(accounts::view(shared, &query)),
        "JSZ" => ("data", variables::jetstream(shared, &query)),
        "HEALTHZ" => or_error(health(shared, &query)),
        _ => return None,
    })
}
