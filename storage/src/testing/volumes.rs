//! Volumes on the simulated disk, without threads: whoever waits for an answer does the work, so that the same calls give the
//! same disk.
//! Not here: the disk and its faults (`disk::simulated`).

use super::SimulatedDisk;
use crate::{Result, Timestamp, Volume, VolumeOptions, store::CommitMode};
use std::sync::Arc;

/// Opens a volume with a clock of the caller's. `options.directory` and `options.disk` are not looked at.
/// `journal_file_bytes` is the size of one file of the journal, at least 64 KiB.
pub fn open_volume(
    disk: &SimulatedDisk,
    options: &VolumeOptions,
    journal_file_bytes: u64,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<Volume> {
    let disk = Arc::new(disk.clone());
    Volume::open_on(disk, options, CommitMode::Manual, Arc::new(clock), journal_file_bytes)
}

/// Commits what is open in a volume of `open_volume`, and acknowledges it. True where there was something to do.
pub fn commit(volume: &Volume) -> bool {
    volume.environment_store().run_once()
}

/// Does what the volume's own thread does over and over, once: expiry, compaction, streams without room taken up again.
pub fn keep_house(volume: &Volume) {
    volume.tick();
}
