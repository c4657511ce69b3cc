//! Headwater's engine beside the disk's own limit and other embeddable logs and stores, measured in one run.
//!
//! `headwater-rivals --dir DIR --report docs` writes `docs/BENCHMARKS.md`, its plots and all figures as JSON. Each
//! measurement runs in a process of its own, which this program starts as `headwater-rivals job`.

mod disturbance;
mod goals;
mod job;
mod load;
mod machine;
mod page;
mod plan;
mod plot;
mod results;
mod runner;
mod stores;
mod system_calls;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use disturbance::Patience;
use job::Job;
use machine::Machine;
use plan::Scale;
use results::Figures;
use runner::Runner;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use system_calls::SystemCalls;

/// Measures Headwater's engine beside the disk and its rivals.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    report: Report,
}

#[derive(Debug, Args)]
struct Report {
    /// Where to measure: a directory on the disk in question. Everything made there goes again.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Folder to write BENCHMARKS.md and benchmarks/ into.
    #[arg(long, default_value = "docs")]
    report: PathBuf,
    /// Show only that everything runs, in under half a minute.
    #[arg(long)]
    quick: bool,
    /// Make each measurement so often.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Spend up to so many seconds on waiting for other work to end, and on measuring again what it disturbed.
    #[arg(long, default_value_t = 0)]
    patience: u64,
    /// Open the rivals too with 10 M records.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Write the page again from the figures of an earlier run.
    #[arg(long, conflicts_with_all = ["quick", "full"])]
    from_figures: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One measurement, for this program itself.
    #[command(hide = true)]
    Job {
        /// What to do, as JSON.
        job: String,
        /// Where.
        directory: PathBuf,
    },
}

/// Everything that the page is made of.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    date: String,
    machine: Machine,
    scale: Scale,
    system_calls: Vec<SystemCalls>,
    failures: Vec<String>,
    /// The machine's, when the run was over.
    load_average_after: String,
    patience: Patience,
    figures: Figures,
}

impl Run {
    fn measure(directory: &Path, scale: Scale, patience: Patience) -> Result<Self> {
        let mut runner = Runner::new(directory, patience)?;
        let machine = Machine::look(directory)?;
        let system_calls = if scale.quick { Vec::new() } else { system_calls::count(&mut runner)? };
        let (figures, failures) = runner.run(&scale)?;
        let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
        let load_average_after = machine::load_average();
        let patience = runner.patience().clone();
        Ok(Self {
            date,
            machine,
            scale,
            system_calls,
            failures,
            load_average_after,
            patience,
            figures,
        })
    }
}

fn main() -> Result<()> {
    let Options { command, report } = Options::parse();
    if let Some(Command::Job { job, directory }) = command {
        let job: Job = serde_json::from_str(&job)?;
        println!("{}", serde_json::to_string(&job.run(&directory)?)?);
        return Ok(());
    }
    let folder = report.report.join("benchmarks");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("figures.json");
    let run = if report.from_figures {
        serde_json::from_slice(&std::fs::read(&path)?)?
    } else {
        let scale = if report.quick {
            Scale::quick()
        } else {
            Scale::normal(report.rounds.into(), report.full)
        };
        let run =
            Run::measure(&report.dir, scale, Patience::of(Duration::from_secs(report.patience)))?;
        std::fs::write(&path, serde_json::to_string_pretty(&run)? + "\n")?;
        run
    };
    plot::draw(&run, &folder)?;
    std::fs::write(report.report.join("BENCHMARKS.md"), page::page(&run))?;
    Ok(())
}
