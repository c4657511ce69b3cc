//! A simulator of everything that the engine promises: streams with all their features, and mirrors and sources between
//! them, on a disk that fails, under a clock that jumps, held against a plain model.
//!
//! A run is a seed and a list of steps. The same run does the same, to the last operation of the disk, so that a failure is
//! replayed by its seed, and shortened by leaving out steps.
//! Not here: the server, and real disks.
#![forbid(unsafe_code)]

pub mod campaign;
mod copies;
mod copy_check;
mod cost;
mod damage;
mod damage_check;
mod machine_steps;
pub mod model;
mod model_checks;
pub mod observed;
mod originals;
mod passing;
pub mod random;
mod restart;
pub mod run;
pub mod shrink;
mod steps;
mod stream_steps;
mod time_steps;
pub mod tracked;
pub mod world;
