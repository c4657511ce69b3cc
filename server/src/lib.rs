//! The Headwater server: NATS client protocol and JetStream API on the Headwater engine.
#![forbid(unsafe_code)]

pub mod auth;
pub mod bench;
pub mod cli;
pub mod config;
mod damage_log;
pub mod jetstream;
mod leaf;
pub mod log;
pub mod monitoring;
pub mod network;
pub mod protocol;
mod reload;
pub mod routing;
pub mod server;
pub mod shared;
pub mod signals;
pub mod tune;

pub use config::Options;
pub use server::{RunningServer, Server};
