//! The simulator as a program: `campaign` runs many seeds, `replay` one of them, step by step.
//! Not here: what is simulated (the library).

use clap::{Parser, Subcommand};
use headwater_simulator::{
    campaign::{Failure, Plan, Summary, campaign},
    run::{STEPS, run},
    shrink::{read_steps, shrink, write_steps},
    world::Faults,
};
use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Failures that are shortened and shown in full.
const SHOWN_MAX: usize = 3;

#[derive(Parser)]
#[command(
    about = "Holds Headwater's engine and replication against a plain model on a disk that fails"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs seeds until the time is over; exits with 1 where one fails.
    Campaign {
        /// How long: seconds, or with s, m or h behind it.
        #[arg(long = "for", default_value = "60s", value_parser = duration)]
        time: Duration,
        /// First seed; a random one unless given.
        #[arg(long)]
        seed: Option<u64>,
        /// Threads; one for each processor unless given.
        #[arg(long)]
        jobs: Option<usize>,
        /// Kinds of faults, of: crash, io, space, clock, damage.
        #[arg(long, default_value = "crash,io,space,clock,damage", value_parser = faults)]
        faults: Faults,
        /// Failures after which it stops.
        #[arg(long, default_value_t = 10)]
        failures: usize,
    },
    /// Runs one seed and says what happens.
    Replay {
        /// The seed.
        #[arg(long)]
        seed: u64,
        /// The steps, such as 1,5-9; all of them unless given.
        #[arg(long, value_parser = steps)]
        steps: Option<Steps>,
        /// Kinds of faults, as in the campaign.
        #[arg(long, default_value = "crash,io,space,clock,damage", value_parser = faults)]
        faults: Faults,
    },
}

#[derive(Clone)]
struct Steps(Vec<u64>);

fn steps(text: &str) -> Result<Steps, String> {
    read_steps(text).map(Steps).ok_or_else(|| "steps look like 1,5-9".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) => (number, text.chars().last()),
        None => (text, None),
    };
    let number: u64 = number.parse().map_err(|_| "a time looks like 60s, 15m or 1h".to_owned())?;
    let seconds = match unit {
        Some('m') => 60,
        Some('h') => 3600,
        _ => 1,
    };
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

fn faults(text: &str) -> Result<Faults, String> {
    let mut faults = Faults::NONE;
    for word in text.split(',').filter(|word| !word.is_empty()) {
        match word {
            "crash" => faults.crash = true,
            "io" => faults.io = true,
            "space" => faults.space = true,
            "clock" => faults.clock = true,
            "damage" => faults.damage = true,
            _ => return Err(format!("{word} is no kind of fault")),
        }
    }
    Ok(faults)
}

fn words(faults: Faults) -> String {
    let all = [
        (faults.crash, "crash"),
        (faults.io, "io"),
        (faults.space, "space"),
        (faults.clock, "clock"),
        (faults.damage, "damage"),
    ];
    all.iter().filter(|(is_on, _)| *is_on).map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}

fn show(failure: &Failure, faults: Faults) {
    let Failure { seed, step, what } = failure;
    println!("\nseed {seed} fails at step {step}: {what}");
    let all: Vec<u64> = (0..STEPS).collect();
    let fewer = shrink(*seed, &all, faults);
    println!(
        "replay it with {} of {STEPS} steps:\n  cargo run --release -p headwater-simulator -- replay --seed {seed} --faults {} --steps {}",
        fewer.len(),
        words(faults),
        write_steps(&fewer)
    );
}

fn table(summary: &Summary, time: Duration) {
    let counts = &summary.counts;
    println!();
    for (what, count) in [
        ("runs", summary.runs),
        ("points", counts.points()),
        ("  crashes and kills", counts.crashes),
        ("  crashes during recovery", counts.recovery_crashes),
        ("  clean ends", counts.closes),
        ("  failed calls", counts.io),
        ("  full disks", counts.space),
        ("  jumps of the clock", counts.clock),
        ("  damaged volumes", counts.damage),
        ("operations", counts.operations),
        ("  messages whose time was over", counts.expired),
        ("  markers in their place", counts.markers),
        ("  messages that were due", counts.fired),
        ("recoveries", counts.recoveries),
        ("messages compared", counts.messages),
        ("copies compared", counts.copies),
        ("failures", summary.failures.len() as u64),
    ] {
        println!("{what:<32}{count:>14}");
    }
    let rate = counts.points() as f64 / time.as_secs_f64().max(0.001);
    println!("{:<32}{:>14.0}", "points per second", rate);
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Campaign { time, seed, jobs, faults, failures } => {
            // Panics of the engine are failures of a run, told at the end.
            std::panic::set_hook(Box::new(|_| {}));
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let seed = seed.unwrap_or_else(|| now.map_or(0, |now| now.as_millis() as u64));
            let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
            let jobs = jobs.unwrap_or(processors);
            println!("seeds from {seed}, {jobs} threads, faults {}", words(faults));
            let plan = Plan {
                seed,
                runs_max: u64::MAX,
                time_max: time,
                jobs,
                failures_max: failures,
                faults,
            };
            let begun = std::time::Instant::now();
            let told = AtomicUsize::new(0);
            let summary = campaign(plan, &|summary, time| {
                let known = told.swap(summary.failures.len(), Ordering::Relaxed);
                for Failure { seed, step, what } in summary.failures.iter().skip(known) {
                    println!("seed {seed} fails at step {step}: {what}");
                }
                let points = summary.counts.points();
                println!(
                    "{:>6} s {:>8} runs {:>10} points {:>7.0} points/s {} failures",
                    time.as_secs(),
                    summary.runs,
                    points,
                    points as f64 / time.as_secs_f64(),
                    summary.failures.len()
                );
            });
            let time = begun.elapsed();
            for failure in summary.failures.iter().take(SHOWN_MAX) {
                show(failure, faults);
            }
            for Failure { seed, step, what } in summary.failures.iter().skip(SHOWN_MAX) {
                println!("\nseed {seed} fails at step {step}: {what}");
            }
            table(&summary, time);
            if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Command::Replay { seed, steps, faults } => {
            let steps = steps.map_or_else(|| (0..STEPS).collect(), |steps| steps.0);
            let outcome = run(seed, &steps, faults, true);
            match outcome.failure {
                Some((step, what)) => {
                    println!("seed {seed} fails at step {step}: {what}");
                    ExitCode::FAILURE
                }
                None => {
                    println!("seed {seed} passes, digest {:016x}", outcome.digest.0);
                    ExitCode::SUCCESS
                }
            }
        }
    }
}
