//! Replication plugins over Headwater streams.
//!
//! Not here: sockets and the client protocol (the server), how bytes lie on disk (storage).
#![forbid(unsafe_code)]

pub mod limits;
pub mod transform;
