//! wal-db: a write-ahead log with appends from many threads and one sync for those that wait.
//!
//! `Wal::sync` returns after `fdatasync`. A batch is an `append` per record and one `sync`.
//! It has no streams: the stream is the first four bytes of a record, and reading one stream reads all.

use super::Store;
use crate::load::{Record, Scan};
use anyhow::Result;
use std::path::Path;
use wal_db::{SegmentedStore, Wal};

/// Size of a segment file, in bytes; that of Headwater.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes in front of a payload.
const STREAM_BYTES: usize = size_of::<u32>();

pub(super) struct WalDbStore {
    log: Wal<SegmentedStore>,
}

impl WalDbStore {
    pub(super) fn open(directory: &Path) -> Result<Self> {
        Ok(Self { log: Wal::open_segmented(directory, SEGMENT_BYTES)? })
    }
}

impl Store for WalDbStore {
    fn append(&self, batch: &[Record<'_>]) -> Result<()> {
        let mut bytes = Vec::new();
        for record in batch {
            bytes.clear();
            bytes.extend(record.stream.to_be_bytes());
            bytes.extend(record.payload);
            let _ = self.log.append(&bytes)?;
        }
        Ok(self.log.sync()?)
    }

    fn scan(&self, stream: Option<u32>) -> Result<Option<Scan>> {
        let wanted = stream.map(u32::to_be_bytes);
        let mut scan = Scan::default();
        for record in self.log.iter()? {
            let record = record?;
            let Some((found, payload)) = record.data().split_at_checked(STREAM_BYTES) else {
                anyhow::bail!("a record without a stream");
            };
            if wanted.is_none_or(|wanted| wanted == found) {
                scan.add(payload);
            }
        }
        Ok(Some(scan))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
