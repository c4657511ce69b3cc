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
//! Not here: sockets, accounts, the JSON API, and where a message came from.

mod catalogue;
mod disk;
pub mod error;
mod format;
mod journal;
pub mod limits;
mod log;
pub mod message;
mod segment;
mod store;
pub mod stream;
pub mod subject;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod volume;

pub use error::{Error, Result};
pub use message::{Message, NewMessage};
pub use stream::{Appended, Stream, StreamConfig, StreamState, Tail};
pub use time::Timestamp;
pub use volume::{Volume, VolumeOptions};
