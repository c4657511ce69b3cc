//! A machine with the simulated disk and a clock that is set. Volumes on it have no commit thread: whoever waits for something
//! does the work, so the same calls give the same disk.
//! Not here: the disk and its faults (`disk::simulated`).

use super::{
    SimulatedDisk,
    checksums::repair_checksums,
    volumes::{self, open_volume},
};
use crate::{Result, Timestamp, Volume, VolumeOptions};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

/// Size of a journal file, in bytes: small, so that files are reused early.
const JOURNAL_FILE_BYTES: u64 = 64 * 1024;

/// See the top of the file. Clones are the same machine.
#[derive(Clone, Debug)]
pub struct SimulatedMachine {
    disk: SimulatedDisk,
    clock: Arc<AtomicI64>,
}

impl SimulatedMachine {
    /// A machine with an empty disk, at the start of 1970.
    pub fn new(seed: u64) -> Self {
        Self { disk: SimulatedDisk::new(seed), clock: Arc::default() }
    }

    /// Its disk.
    pub fn disk(&self) -> &SimulatedDisk {
        &self.disk
    }

    /// What its clock says.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }

    /// Sets the clock on, or back.
    pub fn advance(&self, nanoseconds: i64) {
        self.clock.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Opens the volume on its disk. Of the options the directory and the method are not looked at.
    pub fn open(&self, options: &VolumeOptions) -> Result<Volume> {
        let machine = self.clone();
        open_volume(&self.disk, options, JOURNAL_FILE_BYTES, move || machine.now())
    }

    /// Takes the power off, and on again: of what was not synced any part survives.
    pub fn restart(&self, seed: u64) -> Self {
        Self { disk: self.disk.restart(seed), clock: Arc::clone(&self.clock) }
    }

    /// Ends the process: everything written survives.
    pub fn kill(&self, seed: u64) -> Self {
        Self { disk: self.disk.kill(seed), clock: Arc::clone(&self.clock) }
    }

    /// Commits what was appended to a volume of it.
    pub fn commit(volume: &Volume) {
        while volumes::commit(volume) {}
    }

    /// Does once what the housekeeper of a volume does over and over, and commits it.
    pub fn keep_house(volume: &Volume) {
        volumes::keep_house(volume);
    }

    /// Every file of the disk with its content, sorted by path.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let paths = self.disk.paths().into_iter();
        paths.map(|path| (path.clone(), self.disk.content(&path).unwrap_or_default())).collect()
    }

    /// Puts a file onto the disk, durably, over one that is there.
    pub fn put(&self, path: &Path, content: &[u8]) {
        self.disk.put(path, content);
    }

    /// Makes the checksums of every file right again, so that what was changed in them is believed.
    pub fn repair_checksums(&self) {
        let mut files = self.files();
        repair_checksums(&mut files);
        for (path, content) in files {
            self.put(&path, &content);
        }
    }
}
