//! The INFO object: what the server says of itself when a connection opens and when that changes.
//! Not here: when it is sent.

use serde::{Deserialize, Serialize};

fn is_false(value: &bool) -> bool {
    !*value
}

/// The INFO object, fields in the order nats-server writes them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerInfo {
    /// Id of this run of the server.
    pub server_id: String,
    /// Name of the server.
    pub server_name: String,
    /// The nats-server version whose behaviour is matched.
    pub version: String,
    /// Version of this program.
    pub headwater_version: String,
    /// Protocol version.
    pub proto: u8,
    /// Address the server listens on.
    pub host: String,
    /// Port the server listens on.
    pub port: u16,
    /// Whether messages may have headers.
    pub headers: bool,
    /// Whether credentials are needed.
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    /// Largest payload, in bytes.
    pub max_payload: usize,
    /// Whether JetStream runs here.
    #[serde(skip_serializing_if = "is_false")]
    pub jetstream: bool,
    /// Id of the connection.
    pub client_id: u64,
    /// Address of the client.
    pub client_ip: String,
    /// Whether the server is in lame duck mode.
    #[serde(skip_serializing_if = "is_false")]
    pub ldm: bool,
    /// JetStream domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Whether this INFO answers a CONNECT.
    #[serde(skip_serializing_if = "is_false")]
    pub connect_info: bool,
    /// Account the connection ended up in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_account: String,
    /// Whether that is the system account.
    #[serde(skip_serializing_if = "is_false")]
    pub acc_is_sys: bool,
    /// JetStream API level.
    pub api_lvl: u32,
}

impl ServerInfo {
    /// The whole protocol line.
    pub fn line(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("INFO {json} \r\n")
    }
}
