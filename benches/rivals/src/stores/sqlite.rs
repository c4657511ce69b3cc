//! SQLite by rusqlite, with its write-ahead log.
//!
//! With `journal_mode=WAL` and `synchronous=FULL` a commit returns after `fdatasync` of the write-ahead log. A batch is one
//! transaction. The table is keyed by stream and number.

use super::Store;
use crate::load::{Record, Scan};
use anyhow::{Result, ensure};
use rusqlite::{Connection, params};
use std::path::Path;

pub(super) struct SqliteStore {
    connection: Connection,
    next: i64,
}

impl SqliteStore {
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let connection = Connection::open(directory.join("records.sqlite"))?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        ensure!(mode == "wal", "SQLite keeps no write-ahead log here: {mode}");
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS records (stream INTEGER, number INTEGER, payload BLOB,
             PRIMARY KEY (stream, number)) WITHOUT ROWID",
        )?;
        Ok(Self { connection, next: 0 })
    }
}

impl Store for SqliteStore {
    fn append(&mut self, batch: &[Record<'_>]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3)")?;
            for record in batch {
                insert.execute(params![record.stream, self.next, record.payload])?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }

    fn scan(&mut self, stream: Option<u32>) -> Result<Option<Scan>> {
        let mut scan = Scan::default();
        let (first, last) = stream.map_or((0, u32::MAX), |stream| (stream, stream));
        let mut select = self
            .connection
            .prepare_cached("SELECT payload FROM records WHERE stream BETWEEN ?1 AND ?2")?;
        let mut rows = select.query(params![first, last])?;
        while let Some(row) = rows.next()? {
            scan.add(row.get_ref(0)?.as_blob()?);
        }
        Ok(Some(scan))
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.connection.close().map_err(|(_, error)| error.into())
    }
}
