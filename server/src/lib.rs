//! The Headwater server: NATS client protocol and JetStream API on the Headwater engine.
#![forbid(unsafe_code)]

pub mod protocol;
pub mod routing;
