//! One measurement in a process of its own, so that no contestant inherits another's threads, memory or settings.
//!
//! A job is JSON on the command line; what it found is the last line that it prints, as JSON.
//! Not here: which jobs there are and in what order (`plan`, `runner`).

use crate::load::{Appends, Load, Record, Scan, payload};
use crate::stores::{Contestant, run_threads, subject_memory, tail};
use anyhow::{Context, Result, ensure};
use headwater_storage::testing::SyncedWrites;
use headwater_storage::volume::DiskMethod;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Part of the time of a load that is run before it counts.
const WARM_UP_PART: u32 = 4;
/// Records that a store is filled with in one commit.
const FILL_BATCH: usize = 2000;
/// A sequential read asks for so much.
const READ_BYTES: usize = 1024 * 1024;

/// Values by name, with the unit in the name.
pub(crate) type Values = BTreeMap<String, f64>;

/// How a store is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// Closed in an orderly way.
    Closed,
    /// As a killed process leaves it.
    Killed,
}

/// What a process is asked to do in its directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Durable appends in a closed loop.
    Append { who: Contestant, load: Load, time_ms: u64, checkpoint_ms: Option<u64> },
    /// Puts records into a store, synced one by one or with haste.
    Fill { who: Contestant, records: u64, haste: bool, payload_bytes: usize, keys: u32, end: End },
    /// Opens a store, and then makes sure that so many records are there.
    Open { who: Contestant, keys: u32, records: u64 },
    /// Opens a store and reads all of it, or one key of it without counting the opening.
    Scan { who: Contestant, keys: u32, key: Option<u32>, records: u64 },
    /// From append to acknowledgement and to a waiting tail.
    Tail { payload_bytes: usize, time_ms: u64 },
    /// Memory of a process with so many messages over so many subjects.
    Memory { messages: u32, subjects: u32 },
    /// Synced overwrites of a zeroed file.
    Disk { ring: bool, bytes: usize, depth: usize, time_ms: u64 },
    /// Reads the file that `DiskFill` made.
    DiskRead,
    /// Makes a file of so many bytes.
    DiskFill { bytes: u64 },
}

/// Streams to open a store with so that it tells so many keys apart: Headwater has subjects for that.
fn streams(who: Contestant, keys: u32) -> u32 {
    if matches!(who, Contestant::Headwater | Contestant::HeadwaterPosix) { 1 } else { keys }
}

impl Job {
    /// Does it.
    pub(crate) fn run(self, directory: &Path) -> Result<Values> {
        match self {
            Self::Append { who, load, time_ms, checkpoint_ms } => {
                append(directory, who, load, Duration::from_millis(time_ms), checkpoint_ms)
            }
            Self::Fill { who, records, haste, payload_bytes, keys, end } => {
                let open = if haste { Contestant::open_unsynced } else { Contestant::open };
                let store = open(who, directory, streams(who, keys))?;
                let batch = if haste { FILL_BATCH } else { 1 };
                let payload = payload(payload_bytes);
                let mut left = (0..keys).cycle().take(usize::try_from(records)?).peekable();
                while left.peek().is_some() {
                    let records = left.by_ref().take(batch);
                    let records: Vec<_> =
                        records.map(|stream| Record { stream, payload: &payload }).collect();
                    store.append(&records)?;
                }
                if end == End::Killed {
                    let this = rustix::process::getpid();
                    rustix::process::kill_process(this, rustix::process::Signal::KILL)?;
                }
                store.close()?;
                Ok(Values::new())
            }
            Self::Open { who, keys, records } => {
                let begun = Instant::now();
                let store = who.open(directory, streams(who, keys))?;
                let took = begun.elapsed();
                if let Some(scan) = store.scan(None)? {
                    ensure!(scan.records == records, "{} records of {records}", scan.records);
                }
                Ok(Values::from([("s".into(), took.as_secs_f64())]))
            }
            Self::Scan { who, keys, key, records } => scan(directory, who, keys, key, records),
            Self::Tail { payload_bytes, time_ms } => {
                let (acked, seen) = tail(directory, payload_bytes, Duration::from_millis(time_ms))?;
                let mut values = percentiles("acked_", &acked);
                values.extend(percentiles("seen_", &seen));
                Ok(values)
            }
            Self::Memory { messages, subjects } => {
                let bytes = subject_memory(directory, messages, subjects)?;
                Ok(Values::from([("bytes".into(), bytes as f64)]))
            }
            Self::Disk { ring, bytes, depth, time_ms } => {
                disk(directory, ring, bytes, depth, Duration::from_millis(time_ms))
            }
            Self::DiskFill { bytes } => {
                let chunk = payload(READ_BYTES);
                let mut file = File::create(directory.join("read"))?;
                for _ in 0..bytes.div_ceil(READ_BYTES as u64) {
                    file.write_all(&chunk)?;
                }
                file.sync_all()?;
                Ok(Values::new())
            }
            Self::DiskRead => disk_read(directory),
        }
    }
}

fn disk_read(directory: &Path) -> Result<Values> {
    let (begun, mut bytes) = (Instant::now(), 0);
    let mut file = File::open(directory.join("read"))?;
    let mut chunk = vec![0; READ_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            count => bytes += count as u64,
        }
    }
    let per_s = bytes as f64 / begun.elapsed().as_secs_f64();
    Ok(Values::from([("bytes_per_s".into(), per_s)]))
}

fn percentiles(prefix: &str, latency: &hdrhistogram::Histogram<u64>) -> Values {
    [("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)]
        .map(|(name, part)| {
            (format!("{prefix}{name}"), latency.value_at_quantile(part) as f64 / 1e3)
        })
        .into()
}

fn append(
    directory: &Path,
    who: Contestant,
    load: Load,
    time: Duration,
    checkpoint_ms: Option<u64>,
) -> Result<Values> {
    let store = who.open(directory, load.streams)?;
    let run = |time| match load.threads {
        Some(threads) => run_threads(&*store, &load, threads, time),
        None => store.run(&load, time),
    };
    run(time / WARM_UP_PART)?;
    let pause = checkpoint_ms.map(Duration::from_millis);
    let checkpoints = match pause {
        None => None,
        Some(pause) => Some(store.checkpoint_every(pause).context("it makes no checkpoints")?),
    };
    let Appends { records, took, latency } = run(time)?;
    let mut values = percentiles("", &latency);
    let per_s = records as f64 / took.as_secs_f64();
    values.insert("appends_per_s".into(), per_s);
    values.insert("bytes_per_s".into(), per_s * load.payload_bytes as f64);
    if let Some(checkpoints) = checkpoints {
        values.insert("checkpoints".into(), checkpoints.stop()? as f64);
    }
    store.close()?;
    Ok(values)
}

fn scan(
    directory: &Path,
    who: Contestant,
    keys: u32,
    key: Option<u32>,
    records: u64,
) -> Result<Values> {
    let mut begun = Instant::now();
    let store = who.open(directory, streams(who, keys))?;
    if key.is_some() {
        begun = Instant::now();
    }
    let found: Option<Scan> = store.scan(key)?;
    let took = begun.elapsed().as_secs_f64();
    let Some(found) = found else { return Ok(Values::new()) };
    ensure!(found.records == records, "{} records of {records}", found.records);
    Ok(Values::from([
        ("ms".into(), took * 1e3),
        ("records_per_s".into(), records as f64 / took),
        ("bytes_per_s".into(), found.bytes as f64 / took),
    ]))
}

fn disk(
    directory: &Path,
    ring: bool,
    bytes: usize,
    depth: usize,
    time: Duration,
) -> Result<Values> {
    let method = if ring { DiskMethod::Auto } else { DiskMethod::Posix };
    let mut writes = SyncedWrites::create(directory, method, bytes, depth)?;
    let mut count = 0;
    let begun = Instant::now();
    while begun.elapsed() < time {
        writes.write()?;
        count += 1;
    }
    writes.settle()?;
    let per_s = f64::from(count) / begun.elapsed().as_secs_f64();
    Ok(Values::from([
        ("appends_per_s".into(), per_s),
        ("bytes_per_s".into(), per_s * bytes as f64),
    ]))
}
