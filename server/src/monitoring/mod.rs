//! What the server tells operators: HTTP pages, the same answers over `$SYS.REQ`, and the hook by which JetStream adds
//! its part. Field names are those of nats-server.
//! It tells the system account of connections that come and go too.
//! Not here: advisories of JetStream.

pub mod accounts;
mod bounded;
pub mod connections;
pub(crate) mod events;
mod health;
mod http;
mod operations;
mod query;
mod sender;
pub mod servers;
pub mod subscriptions;
pub mod system;
pub mod text;
pub mod variables;

pub(crate) use http::start;
pub use query::{Query, QueryError};

use sender::sender;
use serde_json::Value;

/// What JetStream contributes to monitoring.
pub trait JetStreamView: Send + Sync + 'static {
    /// The object of `/jsz`, without `server_id` and `now`. The query has nats-server's names: `streams`, `consumers`,
    /// `config`, `accounts`, `acc`, `offset`, `limit`.
    fn jsz(&self, query: &Query) -> Result<Value, QueryError>;
    /// The objects `config`, `stats` and `limits` under `jetstream` in `/varz`.
    fn summary(&self) -> Value;
    /// What is wrong, if anything: makes `/healthz` fail.
    fn failure(&self) -> Option<String>;
    /// Which of these is not there; what has an empty name is not looked for.
    fn missing(&self, account: &str, stream: &str, consumer: &str) -> Option<Missing>;
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The account has no JetStream.
    Account,
    /// The stream.
    Stream,
    /// The consumer.
    Consumer,
}
