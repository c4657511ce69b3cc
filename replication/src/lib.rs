//! Replication plugins over Headwater streams.
//!
//! Life of a replicated message: a [`origin::Session`] reads it from the origin's log, a [`plugin::Plugin`] decides what becomes of it,
//! and the driver puts it, together with the plugin's progress, into one batch of the [`target::Target`]. Both become durable
//! together, so a copy is made exactly once, whatever crashes in between.
//!
//! Not here: sockets and the client protocol (the server), how bytes lie on disk (storage).
#![forbid(unsafe_code)]

pub mod directory;
mod driver;
pub mod error;
pub mod headers;
pub mod identity;
pub mod limits;
pub mod local;
pub mod mirror;
pub mod origin;
mod pipeline;
pub mod plugin;
pub mod progress;
pub mod registry;
pub mod replicator;
pub mod settings;
pub mod source;
pub mod source_header;
pub mod status;
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transform;

pub use directory::{Directory, Streams};
pub use error::{Error, Result};
pub use registry::Registry;
pub use replicator::{Replication, Replicator};
pub use settings::{MirrorConfig, SourceConfig, index_name};
pub use status::{State, Status};
pub use transform::{Transform, TransformError};
