//! The connection of a client command, with the flags that say where to.
//! It has the timeout that every request goes by.
//! Not here: what is asked over it (`api`, `request`, `publish`, `subscribe`).

use super::credentials::Credentials;
use super::duration;
use super::error::{ClientError, Result};
use crate::bench::Login;
use async_nats::{Client, ConnectOptions, Request, RequestErrorKind, ServerAddr};
use clap::Args;
use std::time::{Duration, Instant};

/// Which server, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionFlags {
    /// Servers, separated by commas, with or without user and password
    #[arg(
        long,
        short,
        env = "NATS_URL",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222",
        value_name = "URL",
        global = true
    )]
    pub(super) server: String,
    /// User name; a token where there is no password
    #[arg(long, env = "NATS_USER", hide_env_values = true, global = true)]
    pub(super) user: Option<String>,
    /// Password
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true, global = true)]
    pub(super) password: Option<String>,
    /// How long an answer may take
    #[arg(
        long,
        env = "NATS_TIMEOUT",
        hide_env_values = true,
        default_value = "5s",
        value_name = "DURATION",
        global = true
    )]
    #[arg(value_parser = duration::parse)]
    pub(super) timeout: Duration,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) timeout: Duration,
}

impl ConnectionFlags {
    /// The same for the load generator, which has a client of its own.
    pub(super) fn login(&self) -> Result<Login<'_>> {
        let (user, password) = (self.user.as_deref(), self.password.as_deref());
        Credentials::of_flags(user, password)?;
        Ok(Login { server: &self.server, user, password })
    }

    /// Connects.
    pub(super) async fn connect(&self) -> Result<Connection> {
        let addresses = self.server.split(',').map(|address| address.trim().parse());
        let addresses: Vec<ServerAddr> =
            addresses.collect::<std::io::Result<_>>().map_err(|error| {
                ClientError::Usage(format!("--server {}: {error}", self.server_without_password()))
            })?;
        let options = ConnectOptions::new()
            .name(format!("Headwater CLI Version {}", crate::protocol::VERSION))
            .connection_timeout(self.timeout)
            .request_timeout(Some(self.timeout));
        let own = Credentials::of_flags(self.user.as_deref(), self.password.as_deref())?;
        let credentials =
            own.map_or_else(|| Credentials::of_addresses(&addresses), |own| Ok(Some(own)))?;
        let options = match credentials {
            Some(credentials) => credentials.apply(options),
            None => options,
        };
        match options.connect(addresses).await {
            Ok(client) => Ok(Connection { client, timeout: self.timeout }),
            Err(error) => Err(ClientError::Connect {
                server: self.server_without_password(),
                reason: error.to_string(),
            }),
        }
    }

    /// Where to, for people to read.
    pub(super) fn server_without_password(&self) -> String {
        let hide = |address: &str| match address.rsplit_once('@') {
            Some((_, host)) => host.to_owned(),
            None => address.to_owned(),
        };
        self.server.split(',').map(hide).collect::<Vec<_>>().join(",")
    }
}

impl Connection {
    /// How long the server takes to say that nobody listens on a subject that nobody knows.
    pub(super) async fn round_trip(&self) -> Result<Duration> {
        let request = Request::new().timeout(Some(self.timeout));
        let started = Instant::now();
        let failed = |reason| ClientError::unanswered("measure the round trip", reason);
        match self.client.send_request(self.client.new_inbox(), request).await {
            Ok(_) => Err(failed("somebody answered who cannot know of it".to_owned())),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Ok(started.elapsed()),
                kind => Err(failed(request_failure(kind, self.timeout))),
            },
        }
    }
}

/// What became of a request.
pub(super) fn request_failure(kind: RequestErrorKind, timeout: Duration) -> String {
    match kind {
        RequestErrorKind::NoResponders => "No responders are available".to_owned(),
        RequestErrorKind::TimedOut => {
            format!("no answer within {}", duration::elapsed_text(timeout))
        }
        other => other.to_string(),
    }
}
