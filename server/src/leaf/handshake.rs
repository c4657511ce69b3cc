//! What the two sides of a link say of themselves when they meet: the INFO of the hub and the CONNECT of the leaf.
//! Not here: who says what when (`hub`, `remote`).

use crate::protocol::ServerInfo;
use serde::{Deserialize, Serialize};

/// The hub's INFO. What is missing is false or empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Greeting {
    pub(super) server_id: String,
    pub(super) server_name: String,
    pub(super) version: String,
    pub(super) proto: u8,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) headers: bool,
    pub(super) auth_required: bool,
    #[serde(skip_serializing)]
    pub(super) tls_required: bool,
    pub(super) max_payload: usize,
    pub(super) jetstream: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) domain: String,
    /// The id of the connection.
    pub(super) client_id: u64,
    /// Only ports for leaf nodes say it.
    pub(super) leafnode_urls: Vec<String>,
    /// Another INFO follows a CONNECT that is taken.
    pub(super) info_on_connect: bool,
    /// This is that INFO.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) connect_info: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) remote_account: String,
}

impl Greeting {
    /// What a server says to everybody.
    pub(super) fn of(info: &ServerInfo) -> Self {
        Self {
            server_id: info.server_id.clone(),
            server_name: info.server_name.clone(),
            version: info.version.clone(),
            proto: info.proto,
            headers: info.headers,
            max_payload: info.max_payload,
            jetstream: info.jetstream,
            domain: info.domain.clone(),
            ..Self::default()
        }
    }
    /// The whole line.
    pub(super) fn line(&self) -> String {
        format!("INFO {}\r\n", serde_json::to_string(self).unwrap_or_default())
    }
}

/// The leaf's CONNECT. What is missing is false or empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Login {
    pub(super) version: String,
    pub(super) server_id: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) domain: String,
    pub(super) headers: bool,
    pub(super) jetstream: bool,
    pub(super) remote_account: String,
    pub(super) protocol: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) user: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) pass: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) auth_token: String,
    /// Clients say it, and servers do not.
    #[serde(skip_serializing)]
    pub(super) lang: Option<String>,
}

impl Login {
    /// The whole line.
    pub(super) fn line(&self) -> String {
        format!("CONNECT {}\r\n", serde_json::to_string(self).unwrap_or_default())
    }
}
