//! A run from its seed: its steps, the end that everything has to catch up to, and what came of it.
//! Not here: many runs (`campaign`), shorter ones (`shrink`).

use crate::{
    random::Digest,
    world::{Counts, Faults, World},
};
use anyhow::Result;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Steps of a run unless told otherwise.
pub const STEPS: u64 = 120;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub counts: Counts,
    /// A hash of everything that happened.
    pub digest: Digest,
    /// What went wrong, with the step.
    pub failure: Option<(u64, String)>,
}

/// Does the steps of a seed. A panic is a failure like any other.
pub fn run(seed: u64, steps: &[u64], faults: Faults, is_loud: bool) -> Outcome {
    let mut outcome =
        Outcome { counts: Counts::default(), digest: Digest::default(), failure: None };
    let mut at = 0;
    let result = catch_unwind(AssertUnwindSafe(|| -> Result<World> {
        let mut world = World::new(seed, faults, is_loud)?;
        for step in steps {
            at = *step;
            world.step(*step)?;
        }
        at = u64::MAX;
        world.finish()?;
        Ok(world)
    }));
    match result {
        Ok(Ok(world)) => {
            outcome.counts = world.counts;
            outcome.digest = world.digest;
        }
        Ok(Err(error)) => outcome.failure = Some((at, format!("{error:#}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            outcome.failure = Some((at, format!("panic: {}", text.unwrap_or_default())));
        }
    }
    outcome
}
