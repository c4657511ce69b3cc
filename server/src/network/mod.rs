//! Sockets: accepting clients, reading their operations, and writing what they are to receive.
//! Not here: the bytes of operations (`protocol`), who receives a message (`routing`).

pub mod link;
pub mod listener;
mod outbox;
mod publisher;
pub mod registry;
mod session;
mod trace;
pub mod transport;
pub(crate) mod websocket;
pub(crate) mod writer;

pub use link::{Close, Counters, Kind, Link};
pub use registry::{Registry, Totals};
pub use transport::Transport;
#[cfg(feature = "testing")]
pub use websocket::testing as websocket_testing;
