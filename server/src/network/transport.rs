//! How the bytes of a connection travel, and what that changes in what is said of it.
//! Not here: the bytes (`listener`, `websocket`).

use std::net::IpAddr;

/// How the bytes of a connection travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// As they are.
    #[default]
    Tcp,
    /// In WebSocket frames.
    WebSocket {
        /// For whom a proxy says that it connected. Anybody can say so, so that only the log believes it.
        forwarded_for: Option<IpAddr>,
    },
}

impl Transport {
    /// Whether it is WebSocket.
    pub fn is_websocket(self) -> bool {
        self != Self::Tcp
    }
    /// The type of the connection in monitoring.
    pub fn name(self) -> &'static str {
        if self.is_websocket() { "websocket" } else { "nats" }
    }
    /// What stands before the id of the connection in the log.
    pub fn id_prefix(self) -> &'static str {
        if self.is_websocket() { "wid" } else { "cid" }
    }
    /// For whom a proxy connected.
    pub fn forwarded_for(self) -> Option<IpAddr> {
        match self {
            Self::Tcp => None,
            Self::WebSocket { forwarded_for } => forwarded_for,
        }
    }
}
