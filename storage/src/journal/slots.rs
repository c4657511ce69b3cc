//! The two checkpoint files, written in turn.
//!
//! Invariants: the slot that holds the newest whole checkpoint is never the one written next.
//! Not here: what a checkpoint says (`format::checkpoint`), when one is made (`checkpoint`).

use crate::{
    DamagedBytes, Error, Result,
    disk::{Disk, DiskFile, OpenMode},
    format::checkpoint::{CHECKPOINT_HEADER_BYTES, Checkpoint},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Zeros that a slot begins with, so that the usual checkpoint needs no new space on a full disk.
const SLOT_BYTES: usize = 16 * 1024;

/// What was in the slots.
#[derive(Debug, Default)]
pub(crate) struct SlotsRead {
    /// The newest whole checkpoint.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Slots that hold something else.
    pub(crate) broken: Vec<DamagedBytes>,
    /// No slot held a newer checkpoint than the one found.
    pub(crate) newest: bool,
}

/// The slots.
#[derive(Debug)]
pub(crate) struct Slots {
    files: [Arc<dyn DiskFile>; 2],
    generation: u64,
}

fn slot_path(index: usize) -> PathBuf {
    PathBuf::from(format!("checkpoint.{index}"))
}

impl Slots {
    /// Reads both slots, without a change.
    pub(crate) fn read(disk: &dyn Disk) -> Result<SlotsRead> {
        let mut read = SlotsRead::default();
        let mut generations = Vec::new();
        for index in 0..2 {
            let path = slot_path(index);
            let failed = |error| Error::io(format!("read {}", path.display()), error);
            let file = match disk.open(&path, OpenMode::Read) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let mut bytes = vec![0; CHECKPOINT_HEADER_BYTES];
            let count = file.read_at(&mut bytes, 0).map_err(failed)?;
            bytes.truncate(count);
            if bytes.iter().all(|byte| *byte == 0) {
                // Made, and never written.
                continue;
            }
            let decoded = match Checkpoint::encoded_bytes(&bytes) {
                Ok(len) => {
                    let len = len.min(usize::try_from(file.len().map_err(failed)?).unwrap_or(len));
                    bytes.resize(len, 0);
                    file.read_at(&mut bytes, 0).map_err(failed)?;
                    Checkpoint::decode(&bytes)
                }
                Err(what) => Err(what),
            };
            match decoded {
                Ok(found) => {
                    generations.push(found.generation);
                    let newer = read
                        .checkpoint
                        .as_ref()
                        .is_none_or(|before| before.generation < found.generation);
                    if newer {
                        read.checkpoint = Some(found);
                    }
                }
                Err(what) => {
                    let len = bytes.len() as u64;
                    read.broken.push(DamagedBytes::new(&path, 0, len, what));
                }
            }
        }
        generations.sort_unstable();
        // The slots are written in turn: with both at hand, and one apart, there was no other.
        read.newest = matches!(generations[..], [before, last] if before + 1 == last);
        Ok(read)
    }

    /// Opens the slots for writing, after the checkpoint of this generation; makes what is missing.
    pub(crate) fn open(disk: &dyn Disk, generation: u64) -> Result<Self> {
        let mut made = false;
        let mut open = |index| {
            let path = slot_path(index);
            let failed = |error| Error::io(format!("open {}", path.display()), error);
            match disk.open(&path, OpenMode::Write) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    made = true;
                    let file = disk.open(&path, OpenMode::Create).map_err(failed)?;
                    file.write_at(&vec![0; SLOT_BYTES], 0).map_err(failed)?;
                    file.sync().map_err(failed)?;
                    Ok(file)
                }
                result => result.map_err(failed),
            }
        };
        let files = [open(0)?, open(1)?];
        if made {
            disk.sync_directory(Path::new(""))
                .map_err(|error| Error::io("sync the volume's directory", error))?;
        }
        Ok(Self { files, generation })
    }

    /// Writes the checkpoint that was read once more: where an earlier process did not come to the end of its sync, or the
    /// sync failed, it may not be on the disk, and the next checkpoint goes into the slot of the one before it.
    pub(crate) fn write_again(&mut self, found: &Checkpoint) -> Result<()> {
        debug_assert_eq!(found.generation, self.generation, "the newest one was read");
        self.put(found)
    }

    /// Writes the next checkpoint, durable on return. Its generation is set here.
    pub(crate) fn write(&mut self, checkpoint: &mut Checkpoint) -> Result<()> {
        checkpoint.generation = self.generation + 1;
        self.put(checkpoint)
    }

    fn put(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let index = (checkpoint.generation % 2) as usize;
        let Some(file) = self.files.get(index) else { return Err(Error::Closed) };
        let path = slot_path(index);
        file.write_at(&checkpoint.encode(), 0)
            .map_err(|error| Error::io(format!("write {}", path.display()), error))?;
        file.sync().map_err(|error| {
            Error::ReadOnly(format!("sync of checkpoint {}: {error}", path.display()))
        })?;
        self.generation = checkpoint.generation;
        Ok(())
    }
}
