//! `headwater bench compare`: Headwater and nats-server under the same loads, on the same machine and file system.
//!
//! Each round starts every server once, in a fresh folder, runs all loads against it and ends it; the next round begins
//! with another server, so that what the machine does meanwhile falls on all of them. A cell is the median of the rounds.
//! What counts are the ratios: absolute figures belong to the machine that is printed with them.
//! Not here: the loads themselves (`runner`).

mod contestant;
mod machine;
mod table;

use super::error::{BenchError, Result};
use super::load::{Load, Mode, Storage};
use super::options::CompareOptions;
use super::progress::Progress;
use super::report::Report;
use super::runner;
use contestant::{Contestant, Folder};
use serde::Serialize;
use std::io::IsTerminal;
use std::time::Duration;

/// Streams, and clients, of the load over many streams.
const MANY: usize = 100;
/// How long nothing may come while messages are under way.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Threads that load a server.
const THREADS_MAX: usize = 4;

/// A load by its name in the table.
struct Work {
    name: String,
    load: Load,
}

/// One run of a comparison.
#[derive(Debug, Serialize)]
struct Trial {
    round: u64,
    contestant: Contestant,
    work: String,
    report: Report,
}

/// Runs a comparison; gives whether every run was clean.
pub(super) fn run(options: &CompareOptions) -> Result<bool> {
    let folder = Folder::create(options.directory.as_deref())?;
    let machine = machine::describe(folder.path())?;
    let works = works(options);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = super::runtime(threads.min(THREADS_MAX))?;
    let trials = runtime.block_on(rounds(options, &works, &folder))?;
    let is_clean = trials.iter().all(|trial| trial.report.is_clean);
    if options.json {
        let all = serde_json::json!({ "machine": machine, "trials": trials });
        println!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
    } else {
        println!("{machine}\n{}", table::LEGEND);
        let names: Vec<&str> = works.iter().map(|work| work.name.as_str()).collect();
        println!("{}", table::rates(&names, &trials));
        // Core publishes come as fast as they go: how long one takes is only how many are queued.
        let answered = works.iter().filter(|work| work.load.mode != Mode::Core);
        let names: Vec<&str> = answered.map(|work| work.name.as_str()).collect();
        println!("{}", table::latencies(&names, &trials));
        for trial in trials.iter().filter(|trial| !trial.report.is_clean) {
            println!("Round {}, {}: {}", trial.round, trial.work, trial.report);
        }
    }
    Ok(is_clean)
}

async fn rounds(options: &CompareOptions, works: &[Work], folder: &Folder) -> Result<Vec<Trial>> {
    let progress = Progress::new(!options.json && std::io::stderr().is_terminal());
    let mut trials = Vec::new();
    for round in 1..=options.rounds {
        let mut order = Contestant::ALL;
        let turn = (round as usize - 1).rem_euclid(order.len());
        order.rotate_left(turn);
        for contestant in order {
            let server = contestant.start(options, folder).await?;
            for work in works {
                let report = runner::run(server.address(), &work.load, &progress).await?;
                if !options.json {
                    let rate = report.messages_per_second;
                    eprintln!("round {round}: {contestant}: {}: {rate:.0}/s", work.name);
                }
                trials.push(Trial { round, contestant, work: work.name.clone(), report });
            }
            server.stop().await?;
        }
    }
    Ok(trials)
}

fn works(options: &CompareOptions) -> Vec<Work> {
    let base = Load {
        mode: Mode::Publish,
        clients: 1,
        subscribers: 0,
        streams: 1,
        storage: Storage::File,
        keeps_streams: false,
        inflight: options.inflight as usize,
        payload_bytes: options.size as usize,
        count: None,
        duration: Some(Duration::try_from_secs_f64(options.seconds).unwrap_or(SILENCE_MAX)),
        silence_max: SILENCE_MAX,
    };
    let one = Load { mode: Mode::Sync, inflight: 1, ..base.clone() };
    let many = Load { clients: MANY, streams: MANY, ..one.clone() };
    let core = Load { mode: Mode::Core, subscribers: 1, ..base.clone() };
    let work = |name: &str, load| Work { name: name.to_owned(), load };
    vec![
        work(&format!("publish, {} in flight", options.inflight), base),
        work("publish, 1 in flight", one),
        work(&format!("publish, 1 in flight, {MANY} streams"), many),
        work("core, 1 subscriber", core),
    ]
}
