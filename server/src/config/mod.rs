//! Configuration: nats-server's file syntax, its flags, and the typed options both end in.
//! Not here: what the options do.

mod authorization;
pub mod file;
pub mod flags;
mod jetstream;
mod keys;
mod leaf_nodes;
pub mod options;
mod parser;
mod reader;
mod tree;
pub(crate) mod value;
pub mod web_origin;
mod websocket;

pub use flags::Invocation;

pub use options::{JetStreamOptions, Options, StorageOptions};
