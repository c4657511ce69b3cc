//! The stores that are compared, each behind the same few calls and each set to sync before it acknowledges.
//!
//! Invariant: `append` returns when every record of the batch is on stable storage, by the best call the store has for that.
//! Not here: what they are asked to do (`load`), what is said of them on the page (`profile`).

mod fjall;
mod headwater;
mod okaywal;
pub(crate) mod profile;
mod redb;
mod sqlite;
mod wal_db;
mod walrus;

pub(crate) use headwater::{Headwater, subject_memory, tail};

use crate::load::{Appends, Load, Record, Scan, payload};
use anyhow::{Result, anyhow};
use headwater_storage::volume::DiskMethod;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use walrus_rust::FsyncSchedule;

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contestant {
    /// The engine of this repository.
    Headwater,
    /// The same without io_uring; only to count its system calls.
    HeadwaterPosix,
    /// walrus-rust.
    Walrus,
    /// okaywal.
    OkayWal,
    /// wal-db.
    WalDb,
    /// fjall.
    Fjall,
    /// redb.
    Redb,
    /// SQLite by rusqlite.
    Sqlite,
}

impl Contestant {
    /// Those that are measured. The first is what the others are compared with.
    pub(crate) const ALL: [Self; 7] = [
        Self::Headwater,
        Self::Walrus,
        Self::OkayWal,
        Self::WalDb,
        Self::Fjall,
        Self::Redb,
        Self::Sqlite,
    ];

    /// Opens or creates a store in a directory, for records of so many streams.
    pub(crate) fn open(self, directory: &Path, streams: u32) -> Result<Box<dyn Store>> {
        std::fs::create_dir_all(directory)?;
        Ok(match self {
            Self::Headwater => Box::new(Headwater::open(directory, DiskMethod::Auto, streams)?),
            Self::HeadwaterPosix => {
                Box::new(Headwater::open(directory, DiskMethod::Posix, streams)?)
            }
            Self::Walrus => Box::new(walrus::WalrusStore::open(FsyncSchedule::SyncEach, streams)?),
            Self::OkayWal => Box::new(okaywal::OkayWalStore::open(directory)?),
            Self::WalDb => Box::new(wal_db::WalDbStore::open(directory)?),
            Self::Fjall => Box::new(fjall::FjallStore::open(directory)?),
            Self::Redb => Box::new(redb::RedbStore::open(directory)?),
            Self::Sqlite => Box::new(sqlite::SqliteStore::open(directory)?),
        })
    }

    /// Same, to fill it: without syncs where that would take minutes.
    pub(crate) fn open_unsynced(self, directory: &Path, streams: u32) -> Result<Box<dyn Store>> {
        match self {
            Self::Walrus => {
                Ok(Box::new(walrus::WalrusStore::open(FsyncSchedule::NoFsync, streams)?))
            }
            _ => self.open(directory, streams),
        }
    }
}

/// A store that is open.
pub(crate) trait Store: Sync {
    /// Appends records and returns when all of them are on stable storage.
    fn append(&self, batch: &[Record<'_>]) -> Result<()>;

    /// Appends one record to the first stream and returns when it is on stable storage.
    fn append_one(&self, payload: &[u8]) -> Result<()> {
        self.append(&[Record { stream: 0, payload }])
    }

    /// Appends in a closed loop for so long, from one thread. A store that takes many appends from a caller at a time
    /// overrides this; the others get all that is in flight as one batch.
    fn run(&self, load: &Load, during: Duration) -> Result<Appends> {
        let payload = payload(load.payload_bytes);
        let records: Vec<_> = (0..load.streams)
            .cycle()
            .take(load.records_in_flight())
            .map(|stream| Record { stream, payload: &payload })
            .collect();
        let mut appends = Appends::new()?;
        let begun = Instant::now();
        loop {
            let sent = Instant::now();
            self.append(&records)?;
            appends.record(sent.elapsed(), records.len() as u64);
            appends.took = begun.elapsed();
            if appends.took >= during {
                return Ok(appends);
            }
        }
    }

    /// Makes a checkpoint after each pause until dropped, where the store lets its owner ask for one.
    fn checkpoint_every(&self, _pause: Duration) -> Option<Checkpoints> {
        None
    }

    /// Reads every record, or those of one stream (or subject), and looks at no other than it must. `None` where the store
    /// does not keep its records.
    fn scan(&self, stream: Option<u32>) -> Result<Option<Scan>>;

    /// Closes it in an orderly way.
    fn close(self: Box<Self>) -> Result<()>;
}

/// Appends one record at a time from each of some threads for so long.
pub(crate) fn run_threads(
    store: &dyn Store,
    load: &Load,
    threads: usize,
    during: Duration,
) -> Result<Appends> {
    let payload = payload(load.payload_bytes);
    let begun = Instant::now();
    let one = || -> Result<Appends> {
        let mut appends = Appends::new()?;
        while appends.took < during {
            let sent = Instant::now();
            store.append_one(&payload)?;
            appends.record(sent.elapsed(), 1);
            appends.took = begun.elapsed();
        }
        Ok(appends)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let mut all = Appends::new()?;
        for thread in threads {
            let appends = thread.join().map_err(|_| anyhow!("an appending thread panicked"))??;
            all.merge(&appends)?;
        }
        Ok(all)
    })
}

/// A thread that makes checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    pub(crate) stop: std::sync::mpsc::Sender<()>,
    pub(crate) thread: std::thread::JoinHandle<Result<u64>>,
}

impl Checkpoints {
    /// Ends it; gives how many it made.
    pub(crate) fn stop(self) -> Result<u64> {
        drop(self.stop);
        self.thread.join().map_err(|_| anyhow!("the checkpoint thread panicked"))?
    }
}

/// The number of the next record.
fn next(numbers: &AtomicU64) -> u64 {
    numbers.fetch_add(1, Ordering::Relaxed)
}

/// The key of a record in a store of sorted keys: its stream, then its number.
fn key(stream: u32, number: u64) -> [u8; 12] {
    let mut key = [0; 12];
    let (front, back) = key.split_at_mut(4);
    front.copy_from_slice(&stream.to_be_bytes());
    back.copy_from_slice(&number.to_be_bytes());
    key
}
