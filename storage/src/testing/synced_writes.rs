//! Synced overwrites of a zeroed file, for benchmarks: what the disk itself can do.
//! Not here: what the engine does with it (`logs`).

use crate::{
    Error, Result,
    disk::{ALIGNMENT, AlignedBuffer, Disk, DiskFile, OpenMode, SyncedWriter, open_directory},
    volume::DiskMethod,
};
use std::{path::Path, sync::Arc};

/// Least size of the file that is written to, in bytes.
const WRITTEN_BYTES_MIN: usize = 8 * 1024 * 1024;
/// Writes at least before it begins again at the front.
const WRITES_PER_PASS_MIN: usize = 64;

/// Synced overwrites of a zeroed file, several under way at a time: what the disk itself can do.
#[derive(Debug)]
pub struct SyncedWrites {
    file: Arc<dyn DiskFile>,
    writer: Box<dyn SyncedWriter>,
    /// Buffers of writes that are not under way.
    idle: Vec<AlignedBuffer>,
    depth: usize,
    file_bytes: u64,
    offset: u64,
}

impl SyncedWrites {
    /// Makes the file in a directory, for `depth` writes at a time of so many bytes (rounded up to 4 KiB) by this thread.
    pub fn create(
        directory: &Path,
        method: DiskMethod,
        bytes: usize,
        depth: usize,
    ) -> Result<Self> {
        let disk: Arc<dyn Disk> = open_directory(directory, method)?;
        let failed = |error| Error::io("prepare synced writes", error);
        let path = Path::new("written");
        let file = disk.open(path, OpenMode::Create).map_err(failed)?;
        let file_bytes = WRITTEN_BYTES_MIN.max(WRITES_PER_PASS_MIN * bytes);
        file.write_at(&vec![0; file_bytes], 0).map_err(failed)?;
        file.sync().map_err(failed)?;
        let idle = std::iter::repeat_with(|| {
            let mut buffer = AlignedBuffer::new(bytes);
            buffer.extend(&vec![1; bytes]);
            buffer.pad();
            buffer
        });
        Ok(Self {
            file: disk.open(path, OpenMode::Direct).map_err(failed)?,
            writer: disk.synced_writer(depth).map_err(failed)?,
            idle: idle.take(depth).collect(),
            depth,
            file_bytes: file_bytes as u64,
            offset: 0,
        })
    }

    /// One more synced write, at the next place. Returns once fewer than `depth` are under way: with a depth of 1, once it
    /// is on stable storage.
    pub fn write(&mut self) -> Result<()> {
        let buffer = self.idle.pop().ok_or(Error::Closed)?;
        let bytes = buffer.len().next_multiple_of(ALIGNMENT) as u64;
        if self.offset + bytes > self.file_bytes {
            self.offset = 0;
        }
        self.writer
            .submit(0, &self.file, self.offset, buffer)
            .map_err(|error| Error::io("synced write", error))?;
        self.offset += bytes;
        while self.idle.is_empty() {
            self.wait()?;
        }
        Ok(())
    }

    /// Waits until all writes are on stable storage.
    pub fn settle(&mut self) -> Result<()> {
        while self.idle.len() < self.depth {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let failed = |error| Error::io("synced write", error);
        let completion = self.writer.wait().map_err(failed)?.ok_or(Error::Closed)?;
        self.idle.push(completion.buffer);
        completion.result.map_err(failed)
    }
}
