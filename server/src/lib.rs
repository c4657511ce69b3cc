//! The Headwater server: NATS client protocol and JetStream API on the Headwater engine.

pub mod routing;
