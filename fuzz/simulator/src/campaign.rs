//! Many runs, on some threads, until the time is over or something fails.
//!
//! Invariant: which seeds are run depends on the first seed alone; what one run does depends on its seed alone.
//! Not here: the words on the terminal (`main`).

use crate::{
    run::{STEPS, run},
    world::{Counts, Faults},
};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// The step.
    pub step: u64,
    /// What went wrong.
    pub what: String,
}

/// What a campaign did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The sum over all runs that passed.
    pub counts: Counts,
    /// Runs.
    pub runs: u64,
    /// Runs that failed.
    pub failures: Vec<Failure>,
}

/// How long, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// First seed.
    pub seed: u64,
    /// Seeds, at most.
    pub runs_max: u64,
    /// Time, at most.
    pub time_max: Duration,
    /// Threads.
    pub jobs: usize,
    /// Failures after which it stops.
    pub failures_max: usize,
    /// Faults.
    pub faults: Faults,
}

/// Runs it; `progress` is called about once a second.
pub fn campaign(plan: Plan, progress: &(dyn Fn(&Summary, Duration) + Sync)) -> Summary {
    let begun = Instant::now();
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    let steps: Vec<u64> = (0..STEPS).collect();
    let work = || {
        while !is_over.load(Ordering::Relaxed) && begun.elapsed() < plan.time_max {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= plan.runs_max {
                return;
            }
            let seed = plan.seed.wrapping_add(number);
            let outcome = run(seed, &steps, plan.faults, false);
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.runs += 1;
            summary.counts.add(&outcome.counts);
            if let Some((step, what)) = outcome.failure {
                summary.failures.push(Failure { seed, step, what });
                if summary.failures.len() >= plan.failures_max {
                    is_over.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let mut told = Instant::now();
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
            if told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                let now = summary.lock().unwrap_or_else(PoisonError::into_inner).clone();
                progress(&now, begun.elapsed());
            }
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}
