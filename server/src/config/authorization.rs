//! The blocks `authorization` and `accounts`: users with plain passwords, and a token.
//! Not here: the check of a login (`auth`).

use super::options::{AuthOptions, UserOptions};
use super::reader::Reader;
use super::tree::Value;
use std::time::Duration;

/// Keys of nats-server in these blocks that are known and not built.
const UNSUPPORTED: &[&str] = &[
    "account",
    "allowed_connection_types",
    "auth_callout",
    "auth_hook",
    "cluster_traffic",
    "connection_types",
    "default_permissions",
    "exports",
    "imports",
    "jetstream",
    "limits",
    "mappings",
    "maps",
    "msg_trace",
    "nkey",
    "permission",
    "permissions",
    "proxy_required",
    "trace_dest",
];

/// Reads the block `authorization`.
pub(super) fn read(reader: &mut Reader, auth: &mut AuthOptions, value: &Value) {
    let Some(map) = reader.map(value) else { return };
    let (mut name, mut password) = (None, None);
    for entry in &map.entries {
        let value = &entry.value;
        match entry.key.to_ascii_lowercase().as_str() {
            "user" | "username" => name = reader.string(value),
            "pass" | "password" => password = reader.string(value),
            "token" => auth.token = reader.string(value),
            "timeout" => auth.timeout = timeout(reader, value),
            "users" => users(reader, auth, value, false),
            key => reader.refuse_key(entry, UNSUPPORTED.contains(&key)),
        }
    }
    match (name, password) {
        (Some(name), password) => {
            if auth.token.is_some() {
                reader.refuse(&value.place, "a user and a token exclude each other");
            }
            let password = password.unwrap_or_default();
            auth.users.push(UserOptions { name, password, is_system: false });
        }
        (None, Some(_)) => reader.refuse(&value.place, "a password without a user"),
        (None, None) if auth.token.is_some() && !auth.users.is_empty() => {
            reader.refuse(&value.place, "a token and users exclude each other");
        }
        (None, None) => {}
    }
}

/// Reads the block `accounts`, in which only `$SYS` may stand.
pub(super) fn read_accounts(reader: &mut Reader, auth: &mut AuthOptions, value: &Value) {
    let Some(map) = reader.map(value) else { return };
    for entry in &map.entries {
        if entry.key != "$SYS" {
            let reason = format!("account {:?}: only $SYS is supported by Headwater", entry.key);
            reader.refuse(&entry.place, reason);
            continue;
        }
        let Some(account) = reader.map(&entry.value) else { continue };
        for entry in &account.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "users" => users(reader, auth, &entry.value, true),
                key => reader.refuse_key(entry, UNSUPPORTED.contains(&key)),
            }
        }
    }
}

fn users(reader: &mut Reader, auth: &mut AuthOptions, value: &Value, is_system: bool) {
    for value in reader.list(value).unwrap_or_default() {
        let Some(map) = reader.map(value) else { continue };
        let (mut name, mut password) = (None, None);
        for entry in &map.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "user" | "username" => name = reader.string(&entry.value),
                "pass" | "password" => password = reader.string(&entry.value),
                key => reader.refuse_key(entry, UNSUPPORTED.contains(&key)),
            }
        }
        let Some(name) = name else {
            reader.refuse(&value.place, "a user without a name");
            continue;
        };
        let password = password.unwrap_or_default();
        if password.starts_with("$2a$") {
            reader.refuse(&value.place, "bcrypted passwords are not supported by Headwater");
        }
        if auth.users.iter().any(|user| user.name == name) {
            reader.refuse(&value.place, format!("user {name:?} is there twice"));
        }
        auth.users.push(UserOptions { name, password, is_system });
    }
}

/// Seconds as a number, or a duration.
pub(super) fn timeout(reader: &mut Reader, value: &Value) -> Option<Duration> {
    let warnings = reader.warnings.len();
    let found = reader.duration(value);
    reader.warnings.truncate(warnings);
    found
}
