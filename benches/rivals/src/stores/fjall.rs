//! fjall: a log-structured merge tree with a journal.
//!
//! A batch with `PersistMode::SyncData` returns after `fdatasync` of the journal. The stream is the front of the key.

use super::{Store, key, next};
use crate::load::{Record, Scan};
use anyhow::Result;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;
use std::sync::atomic::AtomicU64;

pub(super) struct FjallStore {
    database: Database,
    records: Keyspace,
    next: AtomicU64,
}

impl FjallStore {
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let database = Database::builder(directory).open()?;
        let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
        Ok(Self { database, records, next: AtomicU64::new(0) })
    }
}

impl Store for FjallStore {
    fn append(&self, batch: &[Record<'_>]) -> Result<()> {
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncData));
        for record in batch {
            writes.insert(&self.records, key(record.stream, next(&self.next)), record.payload);
        }
        Ok(writes.commit()?)
    }

    fn scan(&self, stream: Option<u32>) -> Result<Option<Scan>> {
        let mut scan = Scan::default();
        let records = match stream {
            Some(stream) => self.records.prefix(stream.to_be_bytes()),
            None => self.records.iter(),
        };
        for record in records {
            scan.add(&record.value()?);
        }
        Ok(Some(scan))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
