//! The machine a comparison ran on, in one line, with what one synced write costs there.
//! Not here: what the servers make of it.

use super::super::report::Micros;
use super::{BenchError, Result};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Instant;

/// A write of a journal is at least a block.
const WRITE_BYTES: usize = 4096;
/// Writes to a file of this many blocks, one after the other.
const BLOCKS: u64 = 1000;

/// Processor, cores, kernel, file system, and the median time of one synced overwrite of 4 KiB.
pub(super) fn describe(folder: &Path) -> Result<String> {
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let path = folder.join("written");
    let micros = synced_write_micros(&path)
        .map_err(|source| BenchError::Process { what: path.display().to_string(), source })?;
    Ok(format!(
        "{}, {cores} cores, Linux {}, {}; one synced 4 KiB overwrite: {}",
        processor.as_deref().unwrap_or("unknown processor"),
        kernel.trim(),
        file_system(folder).as_deref().unwrap_or("unknown file system"),
        Micros(micros),
    ))
}

/// Type and options of the file system a folder is on: that of the longest mount point above it.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    // Of mounts at the same place the last one is seen; `max_by_key` gives the last.
    let (_, name, options) = fields
        .filter(|(place, _, _)| folder.starts_with(place))
        .max_by_key(|(place, _, _)| place.len())?;
    Some(format!("{name} ({options})"))
}

fn synced_write_micros(path: &Path) -> io::Result<f64> {
    let block = vec![1; WRITE_BYTES];
    fs::write(path, block.repeat(BLOCKS as usize))?;
    let flags = rustix::fs::OFlags::DSYNC.bits().cast_signed();
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    file.sync_all()?;
    let mut times = Vec::new();
    for number in 0..BLOCKS {
        let begun = Instant::now();
        file.write_all_at(&block, number * WRITE_BYTES as u64)?;
        times.push(begun.elapsed());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times.get(times.len().div_euclid(2)).map_or(0.0, |time| time.as_nanos() as f64 / 1e3))
}
