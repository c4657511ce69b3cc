//! Replication plugins over Headwater streams.
//!
//! Not here: sockets and the client protocol (the server), how bytes lie on disk (storage).
#![forbid(unsafe_code)]

pub mod directory;
pub mod error;
pub mod identity;
pub mod limits;
pub mod origin;
pub mod replicator;
pub mod settings;
pub mod status;
pub mod transform;

pub use directory::{Directory, Streams};
pub use error::{Error, Result};
pub use replicator::{Replication, Replicator};
pub use settings::{MirrorConfig, SourceConfig, index_name};
pub use status::{State, Status};
pub use transform::{Transform, TransformError};
