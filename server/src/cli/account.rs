//! `headwater account info`: as whom the connection is there, and what its account uses of JetStream.
//! Not here: thresholds on that use (`check::jetstream`).

use super::connection::Connection;
use super::error::{ClientError, Result};
use super::sheet::Sheet;
use super::{api, duration, screen, size};
use async_nats::{Request, RequestErrorKind};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const USER_ACTION: &str = "look at the user";
const ACCOUNT_ACTION: &str = "look at the account";

/// What to do with the account.
#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Show the connection, the account and what it uses
    Info(InfoFlags),
}

/// How to show it.
#[derive(Debug, Args)]
pub(super) struct InfoFlags {
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Who somebody is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    user: String,
    account: String,
    account_name: String,
    expires: i64,
    permissions: Option<Permissions>,
}

/// What somebody may.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Permissions {
    publish: Option<Subjects>,
    subscribe: Option<Subjects>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subjects {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

/// What an account has in JetStream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccountInfo {
    domain: String,
    #[serde(flatten)]
    pub(super) usage: Usage,
    tiers: Option<BTreeMap<String, Usage>>,
}

/// What is used, of how much.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) memory: u64,
    pub(super) storage: u64,
    pub(super) streams: u64,
    pub(super) consumers: u64,
    pub(super) limits: Limits,
}

/// How much there may be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Limits {
    pub(super) max_memory: i64,
    pub(super) max_storage: i64,
    pub(super) max_streams: i64,
    pub(super) max_consumers: i64,
    max_ack_pending: i64,
    memory_max_stream_bytes: i64,
    storage_max_stream_bytes: i64,
    max_bytes_required: bool,
}

impl AccountInfo {
    /// Asks for it.
    pub(super) async fn fetch(connection: &Connection) -> Result<Self> {
        api::read(ACCOUNT_ACTION, &connection.call(ACCOUNT_ACTION, "INFO", &Value::Null).await?)
    }
}

/// Does it.
pub(super) async fn run(connection: &Connection, command: &AccountCommand) -> Result<()> {
    let AccountCommand::Info(flags) = command;
    let user = fetch_user(connection).await?;
    let account = connection.call(ACCOUNT_ACTION, "INFO", &Value::Null).await;
    if flags.json {
        // An account without JetStream is an account all the same.
        return screen::json(&json!({"user": user, "jetstream": account.ok()}));
    }
    let mut sheet = Sheet::default();
    sheet.heading("Account Information");
    if let Some(user) = user {
        add_user(&mut sheet, &api::read(USER_ACTION, &user)?);
    }
    add_connection(&mut sheet, connection).await?;
    sheet.gap();
    match account {
        Ok(account) => add_account(&mut sheet, &api::read(ACCOUNT_ACTION, &account)?),
        Err(error) => sheet.heading(format_args!("JetStream: {error}")),
    }
    screen::line(sheet)
}

/// Who we are; servers before 2.10 do not say it.
async fn fetch_user(connection: &Connection) -> Result<Option<Value>> {
    let request = Request::new().timeout(Some(connection.timeout));
    match connection.client.send_request("$SYS.REQ.USER.INFO", request).await {
        Ok(reply) => Ok(api::accept(USER_ACTION, &reply.payload)?.get_mut("data").map(Value::take)),
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders | RequestErrorKind::TimedOut => Ok(None),
            kind => Err(ClientError::unanswered(USER_ACTION, kind)),
        },
    }
}

fn add_user(sheet: &mut Sheet, user: &User) {
    sheet.row("User", &user.user);
    match user.account_name.as_str() {
        "" => sheet.row("Account", &user.account),
        name => sheet.row("Account", format_args!("{name} ({})", user.account)),
    }
    match user.expires {
        ..=0 => sheet.row("Expires", "never"),
        expires => sheet.row("Expires", format_args!("in {}", duration::text(expires))),
    }
    let Some(permissions) = &user.permissions else { return };
    for (label, subjects) in
        [("Publish", &permissions.publish), ("Subscribe", &permissions.subscribe)]
    {
        let Some(Subjects { allow, deny }) = subjects else { continue };
        sheet.rows(&format!("{label} Allow"), allow.iter().flatten());
        sheet.rows(&format!("{label} Deny"), deny.iter().flatten());
    }
}

async fn add_connection(sheet: &mut Sheet, connection: &Connection) -> Result<()> {
    let server = connection.client.server_info();
    sheet.row("Client ID", server.client_id);
    sheet.row("Client IP", &server.client_ip);
    sheet.row("RTT", duration::elapsed_text(connection.round_trip().await?));
    sheet.row("Headers Supported", server.headers);
    sheet.row("Maximum Payload", size::text(server.max_payload as u64));
    sheet.optional("Connected Cluster", server.cluster.as_ref());
    sheet.row("Connected Server ID", &server.server_id);
    sheet.row("Connected Server Version", &server.version);
    let name = Some(&server.server_name).filter(|name| **name != server.server_id);
    sheet.optional("Connected Server Name", name);
    Ok(())
}

fn add_account(sheet: &mut Sheet, account: &AccountInfo) {
    sheet.heading("JetStream Account Information:");
    sheet.optional("Domain", Some(&account.domain).filter(|domain| !domain.is_empty()));
    add_usage(sheet, &account.usage);
    for (name, usage) in account.tiers.iter().flatten() {
        sheet.gap();
        sheet.heading(format_args!("Tier {name}:"));
        add_usage(sheet, usage);
    }
}

fn add_usage(sheet: &mut Sheet, usage: &Usage) {
    let Limits { max_memory, max_storage, max_streams, max_consumers, .. } = usage.limits;
    let bytes = |used: u64, most| format!("{} of {}", size::text(used), limit(most, size::text));
    let count = |used: u64, most| {
        format!("{} of {}", size::count_text(used), limit(most, size::count_text))
    };
    sheet.row("Storage", bytes(usage.storage, max_storage));
    sheet.row("Memory", bytes(usage.memory, max_memory));
    sheet.row("Streams", count(usage.streams, max_streams));
    sheet.row("Consumers", count(usage.consumers, max_consumers));
    let limits = &usage.limits;
    sheet.row("Storage Per Stream", stream_limit(limits.storage_max_stream_bytes));
    sheet.row("Memory Per Stream", stream_limit(limits.memory_max_stream_bytes));
    sheet.row("Max Ack Pending", limit(limits.max_ack_pending, size::count_text));
    sheet.row("Stream Requires Max Bytes", limits.max_bytes_required);
}

fn limit(most: i64, text: fn(u64) -> String) -> String {
    u64::try_from(most).map_or_else(|_| "unlimited".to_owned(), text)
}

/// There zero stands for no limit as well.
fn stream_limit(most: i64) -> String {
    limit(if most == 0 { -1 } else { most }, size::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts() {
        let account = json!({"memory": 0, "storage": 2048, "streams": 2, "consumers": 1000,
            "limits": {"max_memory": 1024, "max_storage": -1, "max_streams": 10,
                "max_consumers": -1, "max_ack_pending": -1, "max_bytes_required": true}});
        let mut sheet = Sheet::default();
        add_account(&mut sheet, &api::read(ACCOUNT_ACTION, &account).unwrap());
        let expected = "\
JetStream Account Information:

                   Storage: 2.0 KiB of unlimited
                    Memory: 0 B of 1.0 KiB
                   Streams: 2 of 10
                 Consumers: 1,000 of unlimited
        Storage Per Stream: unlimited
         Memory Per Stream: unlimited
           Max Ack Pending: unlimited
 Stream Requires Max Bytes: true
";
        assert_eq!(sheet.to_string(), expected);
    }

    #[test]
    fn users() {
        let user = json!({"user": "me", "account": "A", "expires": 60_000_000_000_i64,
            "permissions": {"publish": {"allow": ["a", "b"]}, "subscribe": {"deny": ["c"]}}});
        let mut sheet = Sheet::default();
        add_user(&mut sheet, &api::read(USER_ACTION, &user).unwrap());
        let expected = "                 User: me
              Account: A
              Expires: in 1m0s
        Publish Allow: a
                       b
       Subscribe Deny: c
";
        assert_eq!(sheet.to_string(), expected);
    }
}
