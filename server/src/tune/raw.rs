//! The disk's own limit: synced overwrites of a zeroed file, one after the other, without the engine.
//! Not here: the engine's writer, which has two writes under way and may be faster.

use super::error::{Result, TuneError};
use super::load::LATENCY_NS_MAX;
use super::stop::Stop;
use hdrhistogram::Histogram;
use rustix::fs::OFlags;
use rustix::io::{ReadWriteFlags, pwritev2};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Sizes of one write, in bytes.
pub(super) const WRITE_BYTES: [usize; 3] = [4 * 1024, 64 * 1024, 1024 * 1024];
const FILE_BYTES: usize = 16 * 1024 * 1024;
/// What O_DIRECT asks of addresses and offsets, on every disk there is.
const ALIGNMENT: usize = 4096;

/// What the disk did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RawWrites {
    pub(super) bytes: usize,
    /// Whether the page cache was passed by; not every file system allows it.
    pub(super) is_direct: bool,
    pub(super) writes_per_second: f64,
    pub(super) megabytes_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// Overwrites a file in the directory for so long, so many bytes at a time.
pub(super) fn measure(
    directory: &Path,
    bytes: usize,
    duration: Duration,
    stop: &Stop,
) -> Result<RawWrites> {
    let path = directory.join("overwritten");
    let failed = |error| TuneError::file("write to", &path, error);
    let mut zeroed = File::create(&path).map_err(failed)?;
    zeroed.write_all(&vec![0; FILE_BYTES]).map_err(failed)?;
    zeroed.sync_all().map_err(failed)?;
    let open = |flags: OFlags| {
        OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(&path)
    };
    let (file, is_direct) = match open(OFlags::DIRECT) {
        Ok(file) => (file, true),
        Err(_) => (open(OFlags::empty()).map_err(failed)?, false),
    };
    let memory = vec![1; bytes + ALIGNMENT];
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    let aligned = memory.get(start..start + bytes).unwrap_or_default();
    let mut latencies = Histogram::<u64>::new_with_bounds(1, LATENCY_NS_MAX, 3)
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let (begun, mut offset) = (Instant::now(), 0);
    while begun.elapsed() < duration {
        stop.check()?;
        let write = Instant::now();
        let slices = [IoSlice::new(aligned)];
        let written = pwritev2(&file, &slices, offset, ReadWriteFlags::DSYNC);
        if written.map_err(|error| failed(error.into()))? != bytes {
            return Err(failed(std::io::ErrorKind::WriteZero.into()));
        }
        latencies.saturating_record(write.elapsed().as_nanos() as u64);
        offset += bytes as u64;
        if offset + bytes as u64 > FILE_BYTES as u64 {
            offset = 0;
        }
    }
    let writes_per_second = latencies.len() as f64 / begun.elapsed().as_secs_f64();
    std::fs::remove_file(&path).map_err(failed)?;
    Ok(RawWrites {
        bytes,
        is_direct,
        writes_per_second,
        megabytes_per_second: writes_per_second * bytes as f64 / 1e6,
        p50_us: latencies.value_at_quantile(0.5) as f64 / 1e3,
        p99_us: latencies.value_at_quantile(0.99) as f64 / 1e3,
    })
}
