//! Loads that a store is put under, and what became of them.
//! Not here: how a store takes them (`stores`), which ones are run (`plan`).

use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Payloads are the same in each run.
const SEED: u64 = 1;
/// Digits that latencies are kept with.
const LATENCY_DIGITS: u8 = 3;
/// Latencies above this one count as this one.
const LATENCY_MAX: Duration = Duration::from_secs(600);

/// Appends in a closed loop: as many as `in_flight` wait for their acknowledgement at any time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Commits under way.
    pub(crate) in_flight: usize,
    /// Records of one commit.
    pub(crate) batch: usize,
    /// Bytes of a payload.
    pub(crate) payload_bytes: usize,
    /// Streams (topics, key prefixes) that take turns.
    pub(crate) streams: u32,
    /// Threads that append one record each, if not one caller has all in flight.
    pub(crate) threads: Option<usize>,
}

impl Load {
    /// Single records, to one stream.
    pub(crate) fn of(in_flight: usize, payload_bytes: usize) -> Self {
        Self { in_flight, batch: 1, payload_bytes, streams: 1, threads: None }
    }

    /// Records that wait for their acknowledgement at any time.
    pub(crate) fn records_in_flight(&self) -> usize {
        self.in_flight * self.batch
    }

    /// Bytes that wait for their acknowledgement at any time.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.records_in_flight() * self.payload_bytes
    }
}

/// One record. The stream is also its subject where the store has subjects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) stream: u32,
    pub(crate) payload: &'a [u8],
}

/// Durable appends, counted and timed.
#[derive(Debug)]
pub(crate) struct Appends {
    /// Acknowledged records.
    pub(crate) records: u64,
    /// From the first append to the last acknowledgement.
    pub(crate) took: Duration,
    /// From append to acknowledgement, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Appends {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let latency = Histogram::new_with_bounds(1, nanoseconds(LATENCY_MAX), LATENCY_DIGITS)?;
        Ok(Self { records: 0, took: Duration::ZERO, latency })
    }

    /// Adds those that another thread made meanwhile.
    pub(crate) fn merge(&mut self, other: &Self) -> anyhow::Result<()> {
        self.records += other.records;
        self.took = self.took.max(other.took);
        Ok(self.latency.add(&other.latency)?)
    }

    /// Counts records that took the same time.
    pub(crate) fn record(&mut self, took: Duration, records: u64) {
        self.records += records;
        self.latency.saturating_record_n(nanoseconds(took), records);
    }
}

/// What a scan saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Records that the caller got.
    pub(crate) records: u64,
    /// Bytes of their payloads.
    pub(crate) bytes: u64,
}

impl Scan {
    /// Counts a record.
    pub(crate) fn add(&mut self, payload: &[u8]) {
        self.records += 1;
        self.bytes += payload.len() as u64;
    }
}

/// A payload that does not compress.
pub(crate) fn payload(bytes: usize) -> Vec<u8> {
    let mut payload = vec![0; bytes];
    SmallRng::seed_from_u64(SEED).fill(payload.as_mut_slice());
    payload
}

/// Whole nanoseconds.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
