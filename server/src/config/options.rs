//! Typed options of a server, with nats-server's defaults.
//! Not here: reading them from files (`file`) or flags (`flags`).

use crate::auth::{Auth, User};
use crate::routing::Account;
use std::sync::Arc;
use std::time::Duration;

/// Options of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on.
    pub host: String,
    /// Port for clients; 0 for any free one.
    pub port: u16,
    /// Name of the server.
    pub server_name: String,
    /// Longest control line, in bytes.
    pub control_line_bytes_max: usize,
    /// Largest payload, headers included, in bytes.
    pub payload_bytes_max: usize,
    /// Bytes that may wait for one connection.
    pub pending_bytes_max: usize,
    /// Connections at one time.
    pub connections_max: usize,
    /// Subscriptions of one connection; 0 for any number.
    pub subscriptions_max: usize,
    /// How often clients are pinged.
    pub ping_interval: Duration,
    /// Pings that may be unanswered.
    pub pings_outstanding_max: u32,
    /// How long a write may make no progress.
    pub write_deadline: Duration,
    /// How long a client may take to log in.
    pub auth_timeout: Duration,
    /// User and password of everybody.
    pub user: Option<(String, String)>,
    /// Token of everybody.
    pub token: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 4222,
            server_name: String::new(),
            control_line_bytes_max: 4096,
            payload_bytes_max: 1024 * 1024,
            pending_bytes_max: 64 * 1024 * 1024,
            connections_max: 64 * 1024,
            subscriptions_max: 0,
            ping_interval: Duration::from_secs(120),
            pings_outstanding_max: 2,
            write_deadline: Duration::from_secs(10),
            auth_timeout: Duration::from_secs(2),
            user: None,
            token: None,
        }
    }
}

impl Options {
    /// Who may log in by these options.
    pub fn auth(&self, account: &Arc<Account>) -> Auth {
        let user = |(name, password): &(String, String)| User {
            name: name.clone(),
            password: password.clone(),
            account: account.clone(),
        };
        let users: Vec<User> = self.user.iter().map(user).collect();
        let is_open = users.is_empty() && self.token.is_none();
        let no_auth = is_open.then(|| account.clone());
        Auth::new(users, self.token.clone(), no_auth, self.auth_timeout)
    }
}
