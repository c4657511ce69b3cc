//! Schedules: messages that say when another one is to be published, once or again and again.
//!
//! Life of a schedule: it is checked (`check`) and stored with the time at which it is due (`pattern`), which the engine keeps in order
//! and over restarts. When the time comes, the task of the stream makes the message that it asks for (`message`) and
//! stores it in one step with the next time, or with the end of the schedule (`task`).
//! Invariants: each time a schedule comes, its message is stored once or the schedule is still due; a schedule that was
//! replaced, deleted or ended publishes nothing more.
//! Not here: keeping what is due when (the engine).

mod check;
mod cron;
mod message;
mod pattern;
mod task;

pub(super) use check::{Rules, check, due_since};
pub(super) use task::run;
