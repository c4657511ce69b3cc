//! What the server tells operators: HTTP pages, the same answers over `$SYS.REQ`, and the hook by which JetStream adds
//! its part. Field names are those of nats-server.
//! Not here: advisories of JetStream.

pub mod accounts;
mod bounded;
pub mod connections;
mod http;
mod query;
pub mod subscriptions;
pub mod system;
pub mod text;
pub mod variables;

pub(crate) use http::start;
pub use query::{Query, QueryError};

use serde_json::Value;

/// What JetStream contributes to monitoring.
pub trait JetStreamView: Send + Sync + 'static {
    /// The object of `/jsz`, without `server_id` and `now`. The query has nats-server's names: `streams`, `consumers`,
    /// `config`, `accounts`, `acc`, `offset`, `limit`.
    fn jsz(&self, query: &Query) -> Value;
    /// The objects `config`, `stats` and `limits` under `jetstream` in `/varz`.
    fn summary(&self) -> Value;
    /// What is wrong, if anything: makes `/healthz` fail.
    fn failure(&self) -> Option<String>;
}
