//! Headwater beside nats-server: the same requests to both, and the answers compared.
//!
//! A script is data (`script`): requests, publishes, conditions to wait for, restarts. `run` sends it to both programs, each on
//! a port and a store of its own; `answer` replaces ids, times and versions; `difference` finds what is left; `kept` lists
//! what differs on purpose. Replies of Headwater are checked against NATS's published schemas too (`schema`).
//!
//! HEADWATER_NATS_SERVER names nats-server; without one the tests say that they skip. HEADWATER_PEER_SELF puts nats-server on
//! both sides, which checks the scripts. HEADWATER_PEER_SHOW prints the answers of the scripts whose names begin so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod answer;
mod client;
mod consumer_config;
mod consumers;
mod counters;
mod difference;
mod kept;
mod retention;
mod run;
mod schema;
mod script;
mod side;

mod account;
mod acknowledged;
mod advisories;
mod backups;
mod batches;
mod folders;
mod lifetimes;
mod limits;
mod linked;
mod listing;
mod messages;
mod mirrors;
mod origin_verdicts;
mod own_consumers;
mod publish;
mod schedules;
mod sources;
mod stream_create;
mod stream_update;
mod system;
mod walkthrough;
mod websocket;
