//! Logs, frames and synced writes without streams, for benchmarks; the simulated disk, for tests of programs that embed the engine.
//! Not here: streams on a simulated disk (`volume`).

pub use crate::disk::SimulatedDisk;

use crate::{
    Error, Result, Timestamp,
    disk::{ALIGNMENT, AlignedBuffer, Disk, DiskFile, OpenMode, SyncedWriter, open_directory},
    format::{checksum, frame, frame::FrameHeader},
    log::{CommitListener, Group, LogId, LogRef, Position},
    store::{CommitMode, JOURNAL_FILE_BYTES, LogOptions, LogStore, LogStoreOptions},
    stream::config::{Compression, SyncPolicy},
    volume::DiskMethod,
};
use bytes::Bytes;
use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
};

/// Least size of the file that `SyncedWrites` writes to, in bytes.
const WRITTEN_BYTES_MIN: usize = 8 * 1024 * 1024;
/// Writes at least before it begins again at the front.
const WRITES_PER_PASS_MIN: usize = 64;

/// Waits for commits of one log.
#[derive(Debug, Default)]
struct Waiter {
    state: Mutex<(Position, Option<Error>)>,
    changed: Condvar,
}

impl CommitListener for Waiter {
    fn committed(&self, through: Position) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = through;
        self.changed.notify_all();
    }
    fn failed(&self, error: &Error) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(error.clone());
        self.changed.notify_all();
    }
}

/// Some logs that share one journal.
#[derive(Debug)]
pub struct Logs {
    store: Arc<LogStore>,
    logs: Vec<(LogRef, Arc<Waiter>)>,
}

impl Logs {
    /// Makes so many logs in an empty directory.
    pub fn create(directory: &Path, method: DiskMethod, count: u32) -> Result<Self> {
        let options = LogStoreOptions {
            journal_bytes_max: 256 * 1024 * 1024,
            journal_file_bytes: JOURNAL_FILE_BYTES,
            mode: CommitMode::Thread,
        };
        let (store, _) = LogStore::open(open_directory(directory, method)?, options)?;
        let log_options = LogOptions {
            compression: Compression::None,
            sync: SyncPolicy::Always,
            segment_bytes: 64 * 1024 * 1024,
        };
        let mut logs = Vec::new();
        for number in 0..count {
            let log = store.create_log(LogId(u128::from(number)), log_options)?;
            let waiter = Arc::new(Waiter::default());
            let listener: Weak<Waiter> = Arc::downgrade(&waiter);
            log.listen(listener);
            logs.push((log, waiter));
        }
        Ok(Self { store, logs })
    }

    fn log(&self, number: usize) -> Result<&(LogRef, Arc<Waiter>)> {
        self.logs.get(number).ok_or(Error::Closed)
    }

    /// Appends one record to a log; gives the position to wait for.
    pub fn append(&self, number: usize, record: &[u8]) -> Result<u64> {
        let (log, _) = self.log(number)?;
        let group = Group {
            records: record,
            count: 1,
            base_sequence: 1,
            time: Timestamp(0),
            starts_segment: log.wants_segment(),
            follows: false,
        };
        log.append(&group).map(|position| position.0)
    }

    /// Waits until everything below a position is on stable storage.
    pub fn wait(&self, number: usize, position: u64) -> Result<()> {
        let (_, waiter) = self.log(number)?;
        let mut state = waiter.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0.0 < position {
            if let Some(error) = &state.1 {
                return Err(error.clone());
            }
            state = waiter.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Removes what is not needed any more, so that a long benchmark does not fill the disk.
    pub fn trim(&self) -> Result<()> {
        for (log, _) in &self.logs {
            if let Some(last) = log.segments().last() {
                log.remove_segments_before(last.number)?;
            }
        }
        Ok(())
    }

    /// Closes the store.
    pub fn close(&self) -> Result<()> {
        self.store.close()
    }
}

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

/// A frame as a log writes it.
#[derive(Debug)]
pub struct EncodedFrame {
    header: [u8; frame::FRAME_HEADER_BYTES],
    body: Bytes,
}

impl EncodedFrame {
    /// Encodes records, packed where that is asked for and makes them shorter.
    pub fn encode(records: &Bytes, count: u32, compression: Compression) -> Self {
        let packed = match compression {
            Compression::None => None,
            Compression::Lz4 => frame::compress(records),
        };
        let flags = if packed.is_some() { frame::FLAG_LZ4 } else { 0 };
        let body = packed.map_or_else(|| records.clone(), Bytes::from);
        let header = FrameHeader {
            body_bytes: body.len() as u32,
            records_bytes: records.len() as u32,
            count,
            base_position: Position(0),
            base_sequence: 1,
            last_time: Timestamp(0),
            term: 0,
            flags,
            groups: 1,
            body_crc: checksum(0, &body),
        };
        Self { header: header.encode(0), body }
    }

    /// Checks header and body and gives the records.
    pub fn decode(&self) -> Result<Bytes, &'static str> {
        FrameHeader::decode(0, &self.header)?.records(self.body.clone())
    }
}
