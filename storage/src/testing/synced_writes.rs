//! Synced overwrites of a zeroed file, for benchmarks: what the disk itself can do.
//! Not here: what the engine does with it (`logs`).

use crate::{
    Error, Result,
    disk::{ALIGNMENT, AlignedBuffer, Disk, DiskFile, OpenMode, SyncedWriter, open_directory},
    volume::DiskMethod,
};
use std::{path::Path, sync::Arc};

/// Size of the file that is written to, in bytes.
const WRITTEN_BYTES: u64 = 8 * 1024 * 1024;

/// Synced overwrites of a zeroed file: what the disk itself can do.
#[derive(Debug)]
pub struct SyncedWrites {
    file: Arc<dyn DiskFile>,
    writer: Box<dyn SyncedWriter>,
    buffer: Option<AlignedBuffer>,
    offset: u64,
}

impl SyncedWrites {
    /// Makes the file in a directory, for writes of so many bytes (rounded up to 4 KiB) by this thread.
    pub fn create(directory: &Path, method: DiskMethod, bytes: usize) -> Result<Self> {
        let disk: Arc<dyn Disk> = open_directory(directory, method)?;
        let failed = |error| Error::io("prepare synced writes", error);
        let path = Path::new("written");
        let file = disk.open(path, OpenMode::Create).map_err(failed)?;
        file.write_at(&vec![0; WRITTEN_BYTES as usize], 0).map_err(failed)?;
        file.sync().map_err(failed)?;
        let mut buffer = AlignedBuffer::new(bytes);
        buffer.extend(&vec![1; bytes.min(WRITTEN_BYTES as usize)]);
        buffer.pad();
        Ok(Self {
            file: disk.open(path, OpenMode::Direct).map_err(failed)?,
            writer: disk.synced_writer(1).map_err(failed)?,
            buffer: Some(buffer),
            offset: 0,
        })
    }

    /// One synced write, at the next place.
    pub fn write(&mut self) -> Result<()> {
        let failed = |error| Error::io("synced write", error);
        let buffer = self.buffer.take().ok_or(Error::Closed)?;
        let bytes = buffer.len().next_multiple_of(ALIGNMENT) as u64;
        if self.offset + bytes > WRITTEN_BYTES {
            self.offset = 0;
        }
        self.writer.submit(0, &self.file, self.offset, buffer).map_err(failed)?;
        self.offset += bytes;
        let completion = self.writer.wait().map_err(failed)?.ok_or(Error::Closed)?;
        self.buffer = Some(completion.buffer);
        completion.result.map_err(failed)
    }
}
