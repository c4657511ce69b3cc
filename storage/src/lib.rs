//! Headwater's storage engine: durable message streams on a segmented append log.
//!
//! A [`Volume`] is a data directory with one writer. It holds one *journal*, written with synced writes, and many
//! *logs*, segment files that are written behind it. Whatever all streams brought at one moment goes to the journal
//! in one round, and one synced write acknowledges all of it. A [`Stream`] is a log with limits, a subject index and a
//! dedup window.
//!
//! Positions have one name each: `first <= committed <= durable <= written <= assigned`. Readers see nothing above
//! `committed`.
//!
//! # A durable stream in forty lines
//!
//! The crate is not on a registry: name the folder where its sources are. The program below needs these lines in its
//! `Cargo.toml`; the engine itself needs no runtime, its futures run on any executor.
//!
//! ```toml
//! [dependencies]
//! headwater-storage = { path = "../headwater/storage" }
//! tempfile = "3.27"
//! tokio = { version = "1.54", features = ["macros", "rt"] }
//! ```
//!
//! ```
//! use headwater_storage::{NewMessage, StreamConfig, Volume, VolumeOptions};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let directory = tempfile::tempdir()?;
//!     let volume = Volume::open(VolumeOptions::new(directory.path()))?;
//!     let config = StreamConfig { name: "orders".into(), ..StreamConfig::default() };
//!     let orders = volume.create_stream(config).await?;
//!
//!     // Returns when the message is on stable storage. `append_with` takes a callback instead, for many at once.
//!     let order = |subject: &'static str, payload: &'static str| NewMessage {
//!         subject: subject.into(),
//!         payload: payload.into(),
//!         ..NewMessage::default()
//!     };
//!     let appended = orders.append(order("orders.new", "one tea")).await?;
//!     assert_eq!(appended.sequence, 1);
//!     orders.append(order("orders.paid", "one tea")).await?;
//!     assert_eq!(orders.get(1)?.payload, "one tea");
//!
//!     // A tail follows the stream and waits where there is nothing new.
//!     let mut tail = orders.tail(1, vec!["*.paid".into()]);
//!     let batch = tail.next(100, 1024 * 1024).await?;
//!     let sequences: Vec<u64> = batch.messages.iter().map(|message| message.sequence).collect();
//!     assert_eq!((sequences, batch.examined), (vec![2], 2));
//!
//!     // Dropping a volume closes it too; `close` says how that went.
//!     volume.close()?;
//!     drop((tail, orders, volume));
//!     let volume = Volume::open(VolumeOptions::new(directory.path()))?;
//!     assert!(!volume.recovery().unclean && volume.recovery().damage.is_empty());
//!     let orders = volume.stream("orders").ok_or("the stream is gone")?;
//!     assert_eq!(orders.state().messages, 2);
//!     Ok(())
//! }
//! ```
//!
//! The folder `examples` of this crate has two programs: a tail with a filter, and an importer with many appends under
//! way.
//!
//! # Rules
//!
//! - One process has a directory open at a time; a second one gets [`Error::Locked`].
//! - After a failed write or sync the volume takes no appends ([`Error::ReadOnly`]) until it is opened again. Reads go on.
//! - A full disk is said ([`Error::NoSpace`]) by the streams that it hits; they go on by themselves once there is room.
//! - [`RecoveryReport`](volume::RecoveryReport) says what opening found: look at it after each opening.
//! - Callbacks run on the commit thread: they must not block, and must not call back into the stream.
//!
//! Not here: sockets, accounts, the JSON API, and where a message came from.

mod catalogue;
mod damage;
mod disk;
pub mod error;
mod format;
mod journal;
pub mod limits;
mod log;
pub mod message;
pub mod offline;
mod segment;
mod store;
pub mod stream;
pub mod subject;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod volume;

pub use damage::DamagedBytes;
pub use error::{Error, Result};
pub use message::{Message, NewMessage};
pub use stream::{Appended, Stream, StreamConfig, StreamState, Tail};
pub use time::Timestamp;
pub use volume::{Volume, VolumeOptions};
