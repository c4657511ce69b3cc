//! okaywal: a write-ahead log that other threads' commits share a sync of.
//!
//! `EntryWriter::commit` returns after `fdatasync` of the segment. A batch is one entry with a chunk per record.
//! It has no streams. It keeps records only until its owner has checkpointed them, so there is nothing to scan.

use super::Store;
use crate::load::{Record, Scan};
use anyhow::Result;
use okaywal::{Configuration, LogVoid, WriteAheadLog};
use std::path::Path;

/// Preallocated bytes of a segment: far fewer checkpoints than with the default of 1 MiB.
const SEGMENT_BYTES: u32 = 64 * 1024 * 1024;
/// Bytes after which a segment is checkpointed.
const CHECKPOINT_BYTES: u64 = 48 * 1024 * 1024;

pub(super) struct OkayWalStore(WriteAheadLog);

impl OkayWalStore {
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let configuration = Configuration::default_for(directory)
            .preallocate_bytes(SEGMENT_BYTES)
            .checkpoint_after_bytes(CHECKPOINT_BYTES);
        Ok(Self(configuration.open(LogVoid)?))
    }
}

impl Store for OkayWalStore {
    fn append(&self, batch: &[Record<'_>]) -> Result<()> {
        let mut entry = self.0.begin_entry()?;
        for record in batch {
            entry.write_chunk(record.payload)?;
        }
        entry.commit()?;
        Ok(())
    }

    fn scan(&self, _stream: Option<u32>) -> Result<Option<Scan>> {
        Ok(None)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.shutdown()?)
    }
}
