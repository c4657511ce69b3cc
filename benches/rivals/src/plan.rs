//! Which measurements are made, of whom, and how long.
//!
//! Invariant: everything of a group is measured again in each round, one after the other, so that what is compared was
//! measured within the same minute.
//! Not here: how a job is done (`job`), in what order (`runner`), what is made of it (`page`).

use crate::job::{End, Job};
use crate::load::Load;
use crate::stores::Contestant;
use serde::{Deserialize, Serialize};

/// Bytes of a small record.
const SMALL_BYTES: usize = 128;
/// Bytes of a record while checkpoints are made.
const CHECKPOINTED_BYTES: usize = 1024;
/// Bytes of one batch at most; what is in flight above it is several batches.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Threads that append at the same time.
const THREADS: usize = 64;
/// The cell that they are.
pub(crate) const THREADS_CELL: &str = "64 threads, one append each, 128 B";
/// Pause between two forced checkpoints.
const CHECKPOINT_MS: u64 = 200;
/// Keys of a store that is scanned: one of them is one percent.
const SCAN_KEYS: u32 = 100;
/// The key that a filtered read wants.
const SCAN_KEY: u32 = 7;
/// More bytes in flight than this are left out of a quick run.
const QUICK_BYTES_MAX: usize = 1024 * 1024;
/// Records of a large commit.
const LARGE_BATCH: usize = 16;
/// Bytes of each of them.
const LARGE_RECORD_BYTES: usize = 64 * 1024;

/// How much is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scale {
    /// Each measurement is made so often.
    pub(crate) rounds: usize,
    /// Time of a load.
    pub(crate) time_ms: u64,
    /// Time of a load whose rare latencies matter.
    pub(crate) latency_ms: u64,
    /// Records of a scan.
    pub(crate) scan_records: u64,
    /// Records of a store that is opened after a kill.
    pub(crate) open_records: u64,
    /// The same, of Headwater alone.
    pub(crate) open_large: Option<u64>,
    /// Whether the rivals are opened with as many.
    pub(crate) rivals_open_large: bool,
    /// Subjects whose memory is measured.
    pub(crate) subjects: u32,
    /// Loads with much in flight are left out.
    pub(crate) quick: bool,
}

impl Scale {
    /// So little that it only shows that everything runs.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            time_ms: 20,
            latency_ms: 40,
            scan_records: 2000,
            open_records: 2000,
            open_large: None,
            rivals_open_large: false,
            subjects: 2000,
            quick: true,
        }
    }

    /// For figures to be read.
    pub(crate) fn normal(rounds: usize, full: bool) -> Self {
        Self {
            rounds,
            time_ms: 400,
            latency_ms: 2000,
            scan_records: 1_000_000,
            open_records: 1_000_000,
            open_large: Some(10_000_000),
            rivals_open_large: full,
            subjects: 1_000_000,
            quick: false,
        }
    }
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// Synced overwrites and reads, without any store.
    Disk,
    /// Durable appends by number in flight and size.
    Append,
    /// Durable appends to many streams.
    Streams,
    /// Large commits.
    Large,
    /// Latencies under a load that makes checkpoints.
    Latency,
    /// A waiting reader.
    Tail,
    /// Reading a store.
    Scan,
    /// Opening after a kill.
    Open,
    /// Memory of subjects.
    Memory,
}

/// Whose figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    /// The disk without a store.
    Disk,
    /// A store.
    Store(Contestant),
    /// Headwater, with all that is in flight appended as one batch.
    HeadwaterBatch,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) group: Group,
    /// What is measured, in words; the same for all who are compared.
    pub(crate) cell: String,
    pub(crate) who: Who,
    /// Makes the directory that is measured, once.
    pub(crate) prepare: Option<Job>,
    /// Measures a copy of that directory, because measuring changes it.
    pub(crate) on_a_copy: bool,
    /// What was prepared is not in the page cache.
    pub(crate) cold: bool,
    pub(crate) job: Job,
}

impl Measurement {
    fn new(group: Group, cell: impl Into<String>, who: Who, job: Job) -> Self {
        let (prepare, on_a_copy, cold) = (None, false, false);
        Self { group, cell: cell.into(), who, prepare, on_a_copy, cold, job }
    }
}

/// Bytes with a unit.
pub(crate) fn bytes_text(bytes: usize) -> String {
    match bytes {
        1_048_576.. => format!("{} MiB", bytes / 1_048_576),
        1024.. => format!("{} KiB", bytes / 1024),
        _ => format!("{bytes} B"),
    }
}

/// A whole number with commas.
pub(crate) fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The name of a cell of the group `Append`.
pub(crate) fn append_cell(in_flight: usize, payload_bytes: usize) -> String {
    format!("{} in flight, {}", count_text(in_flight as u64), bytes_text(payload_bytes))
}

/// The name of a cell of the group `Disk`.
pub(crate) fn disk_cell(bytes: usize, depth: usize, ring: bool) -> String {
    let call = if ring { "io_uring" } else { "pwritev2" };
    format!("{}, {depth} in flight, {call}", bytes_text(bytes))
}

/// The names of the cells of the group `Streams`: one stream with as many in flight, then many with one each.
pub(crate) const STREAM_CELLS: [(&str, u32, usize); 3] = [
    ("1 stream, 1,000 in flight", 1, 1000),
    ("100 streams, one in flight each", 100, 100),
    ("1,000 streams, one in flight each", 1000, 1000),
];

/// The names of the cells of the group `Large`, with commits in flight.
pub(crate) const LARGE_CELLS: [(&str, usize); 2] =
    [("1 MiB, 1 in flight", 1), ("1 MiB, 4 in flight", 4)];

/// All measurements.
pub(crate) fn measurements(scale: &Scale) -> Vec<Measurement> {
    let mut all = disk(scale);
    all.extend(append(scale));
    all.extend(streams(scale));
    all.extend(large(scale));
    all.extend(latency(scale));
    all.extend(reads(scale));
    all.extend(opens(scale));
    all
}

fn disk(scale: &Scale) -> Vec<Measurement> {
    let time_ms = scale.time_ms;
    let mut all = Vec::new();
    for (bytes, depth, ring) in [
        (4096, 1, false),
        (4096, 1, true),
        (4096, 4, true),
        (4096, 16, true),
        (65_536, 1, true),
        (65_536, 4, true),
        (1_048_576, 1, true),
        (1_048_576, 4, true),
    ] {
        let job = Job::Disk { ring, bytes, depth, time_ms };
        all.push(Measurement::new(Group::Disk, disk_cell(bytes, depth, ring), Who::Disk, job));
    }
    let bytes = scale.scan_records * SMALL_BYTES as u64;
    let read = Measurement::new(Group::Disk, "sequential read, cold", Who::Disk, Job::DiskRead);
    all.push(Measurement { prepare: Some(Job::DiskFill { bytes }), cold: true, ..read });
    all
}

fn append(scale: &Scale) -> Vec<Measurement> {
    let mut all = Vec::new();
    for payload_bytes in [SMALL_BYTES, 1024, 65_536] {
        for in_flight in [1, 64, 2048] {
            let load = Load::of(in_flight, payload_bytes);
            if scale.quick && load.bytes_in_flight() > QUICK_BYTES_MAX {
                continue;
            }
            let cell = append_cell(in_flight, payload_bytes);
            if in_flight == 1 {
                let bytes = payload_bytes.next_multiple_of(4096);
                let job = Job::Disk { ring: false, bytes, depth: 1, time_ms: scale.time_ms };
                all.push(Measurement::new(Group::Append, cell.clone(), Who::Disk, job));
            }
            for who in Contestant::ALL {
                let job = Job::Append { who, load, time_ms: scale.time_ms, checkpoint_ms: None };
                all.push(Measurement::new(Group::Append, cell.clone(), Who::Store(who), job));
            }
            if in_flight > 1 {
                let who = Contestant::Headwater;
                let batches = load.bytes_in_flight().div_ceil(BATCH_BYTES_MAX);
                let load = Load { in_flight: batches, batch: in_flight / batches, ..load };
                let job = Job::Append { who, load, time_ms: scale.time_ms, checkpoint_ms: None };
                all.push(Measurement::new(Group::Append, cell, Who::HeadwaterBatch, job));
            }
        }
    }
    for who in Contestant::ALL {
        let load = Load { threads: Some(THREADS), ..Load::of(THREADS, SMALL_BYTES) };
        let job = Job::Append { who, load, time_ms: scale.time_ms, checkpoint_ms: None };
        all.push(Measurement::new(Group::Append, THREADS_CELL, Who::Store(who), job));
    }
    all
}

fn streams(scale: &Scale) -> Vec<Measurement> {
    let mut all = Vec::new();
    for (cell, streams, in_flight) in STREAM_CELLS {
        if scale.quick && streams > 100 {
            continue;
        }
        for who in Contestant::ALL {
            let load = Load { streams, ..Load::of(in_flight, SMALL_BYTES) };
            let job = Job::Append { who, load, time_ms: scale.time_ms, checkpoint_ms: None };
            all.push(Measurement::new(Group::Streams, cell, Who::Store(who), job));
        }
    }
    all
}

fn large(scale: &Scale) -> Vec<Measurement> {
    let time_ms = scale.time_ms;
    let mut all = Vec::new();
    for (cell, in_flight) in LARGE_CELLS {
        if scale.quick && in_flight > 1 {
            continue;
        }
        let bytes = LARGE_BATCH * LARGE_RECORD_BYTES;
        let job = Job::Disk { ring: true, bytes, depth: in_flight, time_ms };
        all.push(Measurement::new(Group::Large, cell, Who::Disk, job));
        for who in Contestant::ALL {
            let load = Load { batch: LARGE_BATCH, ..Load::of(in_flight, LARGE_RECORD_BYTES) };
            let job = Job::Append { who, load, time_ms, checkpoint_ms: None };
            all.push(Measurement::new(Group::Large, cell, Who::Store(who), job));
        }
    }
    all
}

fn latency(scale: &Scale) -> Vec<Measurement> {
    let time_ms = scale.latency_ms;
    let mut all = Vec::new();
    for in_flight in [1, 64] {
        let cell = append_cell(in_flight, CHECKPOINTED_BYTES);
        let load = Load::of(in_flight, CHECKPOINTED_BYTES);
        for who in Contestant::ALL {
            let job = Job::Append { who, load, time_ms, checkpoint_ms: None };
            all.push(Measurement::new(Group::Latency, cell.clone(), Who::Store(who), job));
        }
        let who = Contestant::Headwater;
        let checkpoint_ms = Some(if scale.quick { time_ms / 4 } else { CHECKPOINT_MS });
        let cell = format!("{cell}, a checkpoint every {CHECKPOINT_MS} ms");
        let job = Job::Append { who, load, time_ms, checkpoint_ms };
        all.push(Measurement::new(Group::Latency, cell, Who::Store(who), job));
    }
    let who = Who::Store(Contestant::Headwater);
    let job = Job::Tail { payload_bytes: SMALL_BYTES, time_ms };
    all.push(Measurement::new(Group::Tail, append_cell(1, SMALL_BYTES), who, job));
    all
}

fn fill(who: Contestant, records: u64, keys: u32, end: End) -> Option<Job> {
    let (haste, payload_bytes) = (true, SMALL_BYTES);
    Some(Job::Fill { who, records, haste, payload_bytes, keys, end })
}

fn reads(scale: &Scale) -> Vec<Measurement> {
    let records = scale.scan_records;
    let mut all = Vec::new();
    let whole = format!("open and read {} records of 128 B, cold", count_text(records));
    let one = format!("one stream or subject of 100, {} records", count_text(records / 100));
    for (cell, key, cold) in [(whole, None, true), (one, Some(SCAN_KEY), false)] {
        // okaywal keeps no records.
        for who in Contestant::ALL.into_iter().filter(|who| *who != Contestant::OkayWal) {
            let records = if key.is_some() { records / u64::from(SCAN_KEYS) } else { records };
            let job = Job::Scan { who, keys: SCAN_KEYS, key, records };
            let prepare = fill(who, scale.scan_records, SCAN_KEYS, End::Closed);
            let measurement = Measurement::new(Group::Scan, cell.clone(), Who::Store(who), job);
            all.push(Measurement { prepare, cold, ..measurement });
        }
    }
    all
}

fn opens(scale: &Scale) -> Vec<Measurement> {
    let mut all = Vec::new();
    for records in [Some(scale.open_records), scale.open_large].into_iter().flatten() {
        for who in Contestant::ALL.into_iter().filter(|who| *who != Contestant::OkayWal) {
            let is_large = Some(records) == scale.open_large;
            if is_large && who != Contestant::Headwater && !scale.rivals_open_large {
                continue;
            }
            let cell = format!("{} records of 128 B", count_text(records));
            let job = Job::Open { who, keys: 1, records };
            let prepare = fill(who, records, 1, End::Killed);
            let measurement = Measurement::new(Group::Open, cell, Who::Store(who), job);
            all.push(Measurement { prepare, on_a_copy: true, ..measurement });
        }
    }
    let who = Who::Store(Contestant::Headwater);
    for subjects in [1, scale.subjects] {
        let cell = format!(
            "{} messages, {} subject{}",
            count_text(u64::from(scale.subjects)),
            count_text(u64::from(subjects)),
            if subjects == 1 { "" } else { "s" }
        );
        let job = Job::Memory { messages: scale.subjects, subjects };
        all.push(Measurement::new(Group::Memory, cell, who, job));
    }
    all
}
