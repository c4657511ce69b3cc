//! Configuration: nats-server's file syntax, its flags, and the typed options both end in.
//! Not here: what the options do.

mod options;

pub use options::Options;
