//! Replication plugins over Headwater streams.
//!
//! Life of a replicated message: a [`origin::Session`] reads it from the origin's log, a [`plugin::Plugin`] decides what becomes of it,
//! and the driver puts it, together with the plugin's progress, into one batch of the [`target::Target`]. Both become durable
//! together, so a copy is made exactly once, whatever crashes in between.
//!
//! # A source and a mirror in one process
//!
//! ```
//! use headwater_replication::{MirrorConfig, Replicator, SourceConfig, State, Streams};
//! use headwater_storage::{NewMessage, StreamConfig, Volume, VolumeOptions};
//! use std::{sync::Arc, time::Duration};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = tempfile::tempdir()?;
//! let volume = Volume::open(VolumeOptions::new(directory.path()))?;
//! let named = |name: &str| StreamConfig { name: name.into(), ..StreamConfig::default() };
//! let orders = volume.create_stream(named("orders")).await?;
//! let archive = volume.create_stream(named("archive")).await?;
//! let report = volume.create_stream(named("report")).await?;
//!
//! // Origins are found by name, whenever they appear.
//! let streams = Arc::new(Streams::default());
//! streams.insert("orders", orders.clone());
//! streams.insert("archive", archive.clone());
//!
//! // The archive takes copies of orders, with sequences and times of its own; the report is the archive once more.
//! let config = SourceConfig { name: "orders".into(), ..SourceConfig::default() };
//! let source = Replicator::source(archive.clone(), config, streams.clone())?;
//! let config = MirrorConfig { name: "archive".into(), ..MirrorConfig::default() };
//! let mirror = Replicator::mirror(report.clone(), config, streams)?;
//!
//! let order = NewMessage {
//!     subject: "orders.new".into(),
//!     payload: "one tea".into(),
//!     ..NewMessage::default()
//! };
//! orders.append(order).await?;
//!
//! // What is seen in the report is durable in all three.
//! let mut tail = report.tail(1, Vec::new());
//! tokio::time::timeout(Duration::from_secs(30), tail.next(1, 1024)).await??;
//! assert_eq!(report.get(1)?, archive.get(1)?);
//! assert_eq!(report.get(1)?.payload, "one tea");
//! assert!(report.get(1)?.headers.windows(18).any(|name| name == b"Nats-Stream-Source"));
//! assert_eq!(mirror.status().state, State::Copying);
//!
//! // Nothing is on its way any more when these return.
//! mirror.stop().await;
//! source.stop().await;
//! volume.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! A plugin of your own: [`plugin::Plugin`] and [`registry::Registry`]; a target of your own: [`target::Target`]. The example
//! `jsonl_archive` of this crate writes a stream to files of JSON lines, each message once. The feature `testing` has
//! suites that every plugin and every origin should pass.
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
pub mod time_to_live;
pub mod transform;

pub use directory::{Directory, Streams};
pub use error::{Error, Result};
pub use registry::Registry;
pub use replicator::{Replication, Replicator};
pub use settings::{MirrorConfig, SourceConfig, index_name};
pub use status::{State, Status};
pub use transform::{Transform, TransformError};
