//! Bytes of the NATS client protocol: an incremental parser, encoders, and the two JSON objects of the handshake.
//! Everything here is pure: no sockets, no clocks, no shared state.
//! Not here: what an operation does (`network`), who listens to a subject (`routing`).

pub mod connect;
pub mod encode;
pub mod error;
pub mod headers;
pub mod info;
pub mod leaf;
pub mod parse;

pub use connect::ConnectOptions;
pub use error::ProtocolError;
pub use info::ServerInfo;
pub use parse::{Limits, Operation, Parsed, Span, parse};

/// Version of nats-server whose behaviour this server has; clients decide by it which features to use.
pub const COMPATIBLE_VERSION: &str = "2.15.1";
/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// JetStream API level that goes with [`COMPATIBLE_VERSION`].
pub const API_LEVEL: u32 = 5;
/// Both of them, for people.
pub const VERSION_TEXT: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (compatible with nats-server 2.15.1)");
