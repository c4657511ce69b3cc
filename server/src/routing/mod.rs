//! Who listens to what, and how a published message finds them.
//! Not here: bytes of the protocol (`protocol`), sockets (`network`).

mod account;
mod cache;
mod interest;
mod message;
mod peers;
mod subscription;
mod tree;
mod wakeups;

pub use account::{Account, InternalSubscription, Observer};
pub use cache::MatchCache;
pub use interest::InterestWatch;
pub use message::{Message, Origin, Parts};
pub use subscription::{Handler, Receipt, Sink, Subscription, Target};
pub use tree::Matched;
pub use wakeups::Wakeups;
