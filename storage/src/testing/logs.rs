//! Some logs that share one journal, without streams, for benchmarks.
//! Not here: what a record means.

use crate::{
    Error, Result, Timestamp,
    disk::open_directory,
    log::{Group, LogId, LogRef, Position, Waiter},
    store::{CommitMode, JOURNAL_FILE_BYTES, LogOptions, LogStore, LogStoreOptions},
    stream::config::{Compression, SyncPolicy},
    volume::DiskMethod,
};
use std::{
    path::Path,
    sync::{Arc, Weak},
};

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
        waiter.wait(Position(position))
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
