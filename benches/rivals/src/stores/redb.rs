//! redb: a copy-on-write B-tree.
//!
//! A commit is durable when it returns (`Durability::Immediate`, the default). A batch is one transaction. The stream is the
//! front of the key.

use super::{Store, key, next};
use crate::load::{Record, Scan};
use anyhow::Result;
use redb::{Database, ReadableDatabase, TableDefinition, TableError};
use std::path::Path;
use std::sync::atomic::AtomicU64;

const RECORDS: TableDefinition<'_, &[u8; 12], &[u8]> = TableDefinition::new("records");

pub(super) struct RedbStore {
    database: Database,
    next: AtomicU64,
}

impl RedbStore {
    pub(super) fn open(directory: &Path) -> Result<Self> {
        Ok(Self {
            database: Database::create(directory.join("records.redb"))?,
            next: AtomicU64::new(0),
        })
    }
}

impl Store for RedbStore {
    fn append(&self, batch: &[Record<'_>]) -> Result<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for record in batch {
                table.insert(&key(record.stream, next(&self.next)), record.payload)?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn scan(&self, stream: Option<u32>) -> Result<Option<Scan>> {
        let mut scan = Scan::default();
        let table = match self.database.begin_read()?.open_table(RECORDS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Some(scan)),
            table => table?,
        };
        let (first, last) = match stream {
            Some(stream) => (key(stream, 0), key(stream, u64::MAX)),
            None => (key(0, 0), key(u32::MAX, u64::MAX)),
        };
        for record in table.range::<&[u8; 12]>(&first..=&last)? {
            scan.add(record?.1.value());
        }
        Ok(Some(scan))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
