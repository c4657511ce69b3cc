//! Counts the system calls that a store makes per append, so that "synced" is seen and not believed.
//!
//! A store appends one record at a time, twice, under `strace`: with few records and with more. The difference leaves out
//! opening and closing.

use crate::job::{End, Job};
use crate::runner::{Runner, command};
use crate::stores::Contestant;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Appends of the first and of the second run.
const APPENDS: (u64, u64) = (50, 250);
/// Bytes of a payload.
const PAYLOAD_BYTES: usize = 128;
/// What is counted, and how it is said on the page.
const COUNTED: [(&str, &str); 5] = [
    ("fsync(", "`fsync`"),
    ("fdatasync(", "`fdatasync`"),
    ("msync(", "`msync`"),
    ("RWF_DSYNC", "`pwritev2` with `RWF_DSYNC`"),
    ("io_uring_enter(", "`io_uring_enter`"),
];

/// System calls of a contestant per append.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SystemCalls {
    pub(crate) who: Contestant,
    /// Name and count of each kind that was seen.
    pub(crate) per_append: Vec<(String, f64)>,
    /// Whether it opened files with `O_SYNC` or `O_DSYNC`.
    pub(crate) opens_synced: bool,
}

/// Counts those of every contestant; none where `strace` cannot be run.
pub(crate) fn count(runner: &mut Runner) -> Result<Vec<SystemCalls>> {
    let found = std::process::Command::new("strace").arg("-V").output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("no strace: the synced calls of the contestants are not counted");
        return Ok(Vec::new());
    }
    let all = [Contestant::HeadwaterPosix].into_iter().chain(Contestant::ALL);
    all.map(|who| {
        let (few, more) = (trace(runner, who, APPENDS.0)?, trace(runner, who, APPENDS.1)?);
        let per_append = COUNTED
            .iter()
            .filter_map(|(call, name)| {
                let count = |text: &str| text.lines().filter(|line| line.contains(call)).count();
                let difference = count(&more).saturating_sub(count(&few)) as f64;
                let per_append = difference / (APPENDS.1 - APPENDS.0) as f64;
                (per_append >= 0.05).then(|| ((*name).to_owned(), per_append))
            })
            .collect();
        let opens_synced = more.lines().any(|line| {
            line.contains("openat(") && (line.contains("O_SYNC") || line.contains("O_DSYNC"))
        });
        Ok(SystemCalls { who, per_append, opens_synced })
    })
    .collect()
}

/// The synced calls of so many appends, one a line.
fn trace(runner: &mut Runner, who: Contestant, records: u64) -> Result<String> {
    let folder = runner.folder()?;
    let text = trace_in(&folder, who, records);
    runner.remove(&folder)?;
    text
}

fn trace_in(folder: &Path, who: Contestant, records: u64) -> Result<String> {
    let calls = "trace=fsync,fdatasync,msync,pwritev2,io_uring_enter,openat";
    let log = folder.with_extension("strace");
    let path = log.to_str().context("the folder's name is no text")?;
    let under = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", path];
    let payload_bytes = PAYLOAD_BYTES;
    let job = Job::Fill { who, records, haste: false, payload_bytes, keys: 1, end: End::Closed };
    let output = command(&job, folder, &under.map(str::to_owned))?.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&log)?;
    std::fs::remove_file(&log)?;
    // A call that another thread interrupts is on two lines; its name and its flags are on the first.
    Ok(text)
}
