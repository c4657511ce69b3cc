//! What operators ask a server to do under `$SYS.REQ.SERVER.<id>`: close a client, tell it to go elsewhere, read the
//! configuration again.
//! Not here: requests that only ask (`system`).

use super::query::Query;
use super::system::{Answer, failure, respond};
use crate::network::Close;
use crate::protocol::ServerInfo;
use crate::routing::{Account, Handler, Message, Origin};
use crate::shared::Shared;
use serde_json::Value;
use std::sync::{Arc, Weak};

/// Closes a connection of a client or a leaf node.
pub(super) fn kick(shared: &Shared, payload: &[u8]) -> Answer {
    let id = match id(payload) {
        Ok(id) => id,
        Err(answer) => return answer,
    };
    let mut links = shared.registry.open().into_iter().chain(shared.leaf_links.open());
    match links.find(|link| link.id == id) {
        Some(link) => {
            link.close(Close::Kicked);
            nothing()
        }
        None => failure(500, "no such client or leafnode id"),
    }
}

/// Tells one client that the server is in lame duck mode, so that it connects elsewhere.
pub(super) fn lame_duck(shared: &Shared, payload: &[u8]) -> Answer {
    let id = match id(payload) {
        Ok(id) => id,
        Err(answer) => return answer,
    };
    match shared.registry.open().into_iter().find(|link| link.id == id) {
        Some(link) => {
            let info = ServerInfo { ldm: true, ..shared.info_for(&link) };
            link.send(info.line().as_bytes());
            nothing()
        }
        None => failure(500, "no such client id"),
    }
}

/// Has the configuration read again. Files may be slow, so that the answer is given later.
pub(super) struct Reloads {
    pub(super) shared: Weak<Shared>,
}

impl Handler for Reloads {
    fn deliver(&self, account: &Arc<Account>, message: &Message, _origin: &Arc<Origin>) {
        let Some(shared) = self.shared.upgrade() else { return };
        if message.reply.is_empty() || !Query::from_json(&message.payload).is_for(&shared) {
            return;
        }
        let (account, reply) = (account.clone(), message.reply.clone());
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            let answer = match shared.reload().await {
                Ok(()) => nothing(),
                Err(error) => failure(500, error),
            };
            respond(&shared, &account, reply, answer);
        });
    }
}

/// It is done; there is nothing to say.
fn nothing() -> Answer {
    ("data", Value::Null)
}

/// The connection a request is about; one that names none is about none.
fn id(payload: &[u8]) -> Result<u64, Answer> {
    let of = |body: Value| body.get("cid").and_then(Value::as_u64).unwrap_or(0);
    serde_json::from_slice(payload).map(of).map_err(|error| failure(400, error))
}
