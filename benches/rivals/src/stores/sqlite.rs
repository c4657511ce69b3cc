//! SQLite by rusqlite, with its write-ahead log.
//!
//! With `journal_mode=WAL` and `synchronous=FULL` a commit returns after `fdatasync` of the write-ahead log. A batch is one
//! transaction. The table is keyed by stream and number.

use super::{Store, next};
use crate::load::{Record, Scan};
use anyhow::{Result, ensure};
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct SqliteStore {
    connection: Mutex<Connection>,
    next: AtomicU64,
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
        Ok(Self { connection: Mutex::new(connection), next: AtomicU64::new(0) })
    }
}

impl SqliteStore {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for SqliteStore {
    fn append(&self, batch: &[Record<'_>]) -> Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3)")?;
            for record in batch {
                insert.execute(params![record.stream, next(&self.next) as i64, record.payload])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn scan(&self, stream: Option<u32>) -> Result<Option<Scan>> {
        let mut scan = Scan::default();
        let (first, last) = stream.map_or((0, u32::MAX), |stream| (stream, stream));
        let connection = self.connection();
        let mut select = connection
            .prepare_cached("SELECT payload FROM records WHERE stream BETWEEN ?1 AND ?2")?;
        let mut rows = select.query(params![first, last])?;
        while let Some(row) = rows.next()? {
            scan.add(row.get_ref(0)?.as_blob()?);
        }
        Ok(Some(scan))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let connection = self.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.close().map_err(|(_, error)| error.into())
    }
}
