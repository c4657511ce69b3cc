//! Some thousand points of the simulator in every test run; that a seed replays exactly; and the seeds that once found bugs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use headwater_simulator::{
    campaign::{Plan, campaign},
    run::{STEPS, run},
    shrink::{read_steps, write_steps},
    world::Faults,
};
use std::time::Duration;

/// Runs of one test: about 30 points each.
const RUNS: u64 = if cfg!(debug_assertions) { 200 } else { 1200 };

/// Seeds that found something, and the steps that it took (none given: all of them). See `found.md`.
fn found() -> Vec<(u64, Option<Vec<u64>>)> {
    let page = include_str!("../found.md");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let seed = cells.next()?.parse().ok()?;
        let steps =
            cells.next().filter(|steps| *steps != "all").map(|steps| read_steps(steps).unwrap());
        Some((seed, steps))
    });
    rows.collect()
}

fn runs(first: u64, faults: Faults) {
    let plan = Plan {
        seed: first,
        runs_max: RUNS,
        time_max: Duration::MAX,
        jobs: 2,
        failures_max: 1,
        faults,
    };
    let summary = campaign(plan, &|_, _| {});
    if let Some(failure) = summary.failures.first() {
        panic!(
            "seed {} fails at step {}: {}\nreplay it: cargo run --release -p headwater-simulator -- \
             replay --seed {}",
            failure.seed, failure.step, failure.what, failure.seed
        );
    }
    let counts = summary.counts;
    assert!(counts.points() > 5 * RUNS && counts.copies > RUNS, "too little happens: {counts:?}");
    let of_time = [counts.expired, counts.markers, counts.fired];
    assert!(of_time.iter().all(|count| *count > RUNS / 4), "too little goes by itself: {counts:?}");
    assert!(!faults.crash || counts.crashes > RUNS && counts.recovery_crashes > RUNS);
    assert!(!faults.io || counts.io > RUNS / 20, "{counts:?}");
    assert!(!faults.damage || counts.damage > RUNS, "{counts:?}");
}

#[test]
fn a_seed_is_replayed_exactly() {
    let steps: Vec<u64> = (0..STEPS).collect();
    for seed in (0..20).chain(12_000_000..12_000_020) {
        let (one, other) =
            (run(seed, &steps, Faults::ALL, false), run(seed, &steps, Faults::ALL, false));
        assert_eq!(one.failure, other.failure, "seed {seed}");
        assert_eq!((one.digest, one.counts), (other.digest, other.counts), "seed {seed}");
    }
    let digest = |seed| run(seed, &steps, Faults::ALL, false).digest;
    assert_ne!(digest(1), digest(2));
}

#[test]
fn streams_and_copies_survive_every_fault() {
    runs(12_100_000, Faults::ALL);
}

#[test]
fn streams_and_copies_are_their_model_without_faults() {
    runs(12_200_000, Faults::NONE);
}

#[test]
fn seeds_that_once_found_bugs_pass() {
    let found = found();
    assert!(found.len() >= 6, "the list is read: {found:?}");
    for (seed, steps) in found {
        let steps = steps.unwrap_or_else(|| (0..STEPS).collect());
        let outcome = run(seed, &steps, Faults::ALL, false);
        assert_eq!(outcome.failure, None, "seed {seed}, steps {}", write_steps(&steps));
    }
}
