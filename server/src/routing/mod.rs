//! Who listens to what, and how a published message finds them.
//! Not here: bytes of the protocol (`protocol`), sockets (`network`).

mod account;

pub use account::{Account, Handler, InternalSubscription, Message, Origin};
