//! The files of a backup: a description with the configuration, and the archive.
//! Invariant: the description is there only when the archive is, whole and on disk.
//! Not here: where they come from (`take`), where they go (`restore`).

use crate::cli::error::{ClientError, Result};
use crate::jetstream::backup::Kind;
use serde_json::Value;
use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const DESCRIPTION: &str = "backup.json";
/// The archive as nats-server writes it since 2.15.
const ARCHIVE: &str = "stream.arc.s2";
/// The archive of older servers.
const OLDER_ARCHIVE: &str = "stream.tar.s2";
/// Only its owner reads a backup.
const MODE: u32 = 0o700;
/// A description is a configuration and a state, with every message that was deleted.
const DESCRIPTION_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The folder of a backup.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A folder for a new backup; refused where one is.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let folder = Self(path.to_owned());
        let description = folder.file(DESCRIPTION);
        // The `nats` command line leaves an empty one where a backup broke off.
        if fs::metadata(&description).is_ok_and(|metadata| metadata.len() > 0) {
            let text = format!("there is a backup in {} already", path.display());
            return Err(ClientError::Ended(text));
        }
        let created = DirBuilder::new().recursive(true).mode(MODE).create(path);
        created.map_err(ClientError::file(path))?;
        Ok(folder)
    }
    /// The folder of a backup that was made.
    pub(super) fn of(path: &Path) -> Self {
        Self(path.to_owned())
    }
    /// Where the archive is written until it is known to be whole.
    pub(super) fn part(&self) -> Result<NamedTempFile> {
        NamedTempFile::new_in(&self.0).map_err(ClientError::file(&self.0))
    }
    /// The archive is whole: it gets its name, and then its description.
    pub(super) fn keep(
        &self,
        archive: NamedTempFile,
        kind: Kind,
        description: &Value,
    ) -> Result<()> {
        let (name, other) = match kind {
            Kind::Archive(_) => (ARCHIVE, OLDER_ARCHIVE),
            Kind::Older => (OLDER_ARCHIVE, ARCHIVE),
        };
        // Of a backup that broke off.
        let removed = fs::remove_file(self.file(other));
        if let Err(error) = removed.or_else(missing_is_fine) {
            return Err(ClientError::file(&self.file(other))(error));
        }
        persist(archive, &self.file(name))?;
        let mut described = self.part()?;
        let text = format!("{description:#}");
        described.write_all(text.as_bytes()).map_err(ClientError::file(described.path()))?;
        persist(described, &self.file(DESCRIPTION))?;
        let synced = File::open(&self.0).and_then(|folder| folder.sync_all());
        synced.map_err(ClientError::file(&self.0))
    }
    /// What the description says.
    pub(super) fn description(&self) -> Result<Value> {
        json(&self.file(DESCRIPTION))
    }
    /// The archive, where there is one and only one.
    pub(super) fn archive(&self) -> Result<PathBuf> {
        let (archive, older) = (self.file(ARCHIVE), self.file(OLDER_ARCHIVE));
        match (archive.exists(), older.exists()) {
            (true, true) => {
                let folder = self.0.display();
                let text = format!("{folder} holds both {ARCHIVE} and {OLDER_ARCHIVE}");
                Err(ClientError::Ended(text))
            }
            (false, true) => Ok(older),
            _ => Ok(archive),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Reads a file of JSON.
pub(super) fn json(path: &Path) -> Result<Value> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(ClientError::file(path))?;
    let read = file.take(DESCRIPTION_BYTES_MAX).read_to_end(&mut text);
    read.map_err(ClientError::file(path))?;
    serde_json::from_slice(&text)
        .map_err(|error| ClientError::Ended(format!("{}: {error}", path.display())))
}

fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(ClientError::file(path))?;
    file.persist(path).map_err(|error| ClientError::file(path)(error.error))?;
    Ok(())
}

fn missing_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
