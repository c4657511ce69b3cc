//! Opens a data directory for reading, and recovers it in memory.
//!
//! Invariants: the lock is shared by readers and kept until the last handle is dropped; where the file `LOCK` is missing
//! no server can have the directory open, and it is not made.
//! Not here: what is looked at (`survey`, `dump`, `salvage`).

use super::unread::hide_unreadable;
use crate::{
    DamagedBytes, Error, Result,
    catalogue::Catalogue,
    disk::{Disk, OverlayDisk, ReadableDisk, existing_directory},
    journal::{JOURNAL_DIRECTORY, Slots, SlotsRead},
    log::{LogId, LogRef, Observer},
    segment::{LOGS_DIRECTORY, log_directory, parse_log_directory},
    store::{
        CommitMode, JOURNAL_FILE_BYTES, LOCK_FILE, LogOptions, LogStore, LogStoreOptions,
        LogStoreReport,
    },
    stream::{Compression, SyncPolicy, stored::StoredConfig},
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far.
    pub bytes: u64,
    /// Bytes there are.
    pub bytes_total: u64,
}

/// A data directory, opened for reading only. While it is open no server can open the directory.
pub struct OfflineVolume {
    /// Where it is, on a real file system.
    pub(super) directory: Option<PathBuf>,
    /// The directory itself, as far as it can be read.
    pub(super) below: Arc<dyn Disk>,
    /// Same, with what cannot be read.
    pub(super) readable: Arc<ReadableDisk>,
    /// The directory as a start would leave it; without indexes, so that every frame is read.
    pub(super) disk: Arc<dyn Disk>,
    pub(super) store: Arc<LogStore>,
    /// What the catalogue has.
    pub(super) entries: Vec<StoredConfig>,
    /// Logs whose streams the catalogue says were removed.
    pub(super) removed: Vec<LogId>,
    pub(super) catalogue_damage: Vec<DamagedBytes>,
    pub(super) slots: SlotsRead,
    pub(super) report: LogStoreReport,
    _lock: Option<Box<dyn Send + Sync>>,
}

impl OfflineVolume {
    /// Opens a data directory. `Locked` while another process has it open, `NotAVolume` where there is none.
    pub fn open(directory: &Path) -> Result<Self> {
        let volume = Self::open_on(existing_directory(directory)?)?;
        Ok(Self { directory: Some(directory.to_owned()), ..volume })
    }

    pub(crate) fn open_on(below: Arc<dyn Disk>) -> Result<Self> {
        let names =
            below.list(Path::new("")).map_err(|error| Error::io("list the directory", error))?;
        let ours = ["checkpoint.0", "checkpoint.1", JOURNAL_DIRECTORY, LOGS_DIRECTORY];
        if !names.iter().any(|name| ours.contains(&name.as_str())) {
            return Err(Error::NotAVolume);
        }
        let lock = match below.lock_shared(Path::new(LOCK_FILE)) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Error::Locked(LOCK_FILE.into()));
            }
            Err(error) => return Err(Error::io(format!("lock {LOCK_FILE}"), error)),
        };
        let readable = Arc::new(ReadableDisk::new(below));
        hide_unreadable(&readable)?;
        let below: Arc<dyn Disk> = Arc::<ReadableDisk>::clone(&readable);
        let slots = Slots::read(below.as_ref())?;
        let disk: Arc<dyn Disk> = Arc::new(OverlayDisk::new(Arc::clone(&below)));
        for (path, _) in log_files(below.as_ref())?.iter().filter(|(path, _)| is_index(path)) {
            disk.remove_file(path)
                .map_err(|error| Error::io(format!("leave out {}", path.display()), error))?;
        }
        let options = LogStoreOptions {
            journal_bytes_max: u64::MAX,
            journal_file_bytes: JOURNAL_FILE_BYTES,
            mode: CommitMode::default(),
        };
        let (store, report) = LogStore::open(Arc::clone(&disk), options)?;
        let (catalogue, catalogue_damage) = Catalogue::open(&store, u64::MAX)?;
        let entries = catalogue.streams();
        let logs = store.list_logs()?;
        let removed = logs.into_iter().filter(|id| catalogue.was_removed(*id)).collect();
        Ok(Self {
            directory: None,
            below,
            readable,
            disk,
            store,
            entries,
            removed,
            catalogue_damage,
            slots,
            report,
            _lock: lock,
        })
    }

    /// Shows every frame and all damage of a log, in order. The log is open for as long as what is given back lives.
    pub(super) fn walk(&self, id: LogId, observer: &mut Observer<'_>) -> Result<LogRef> {
        let options = LogOptions {
            compression: Compression::None,
            sync: SyncPolicy::Always,
            segment_bytes: u64::MAX,
        };
        self.store.open_log(id, options, observer)
    }
}

impl fmt::Debug for OfflineVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineVolume").field("disk", &self.below).finish_non_exhaustive()
    }
}

pub(super) fn is_index(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "idx")
}

/// The files of all logs, with their lengths in bytes.
pub(super) fn log_files(disk: &dyn Disk) -> Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    let logs = Path::new(LOGS_DIRECTORY);
    for id in list(disk, logs)?.iter().filter_map(|name| parse_log_directory(name)) {
        let directory = log_directory(id);
        for name in list(disk, &directory)? {
            let path = directory.join(name);
            let failed = |error| Error::io(format!("length of {}", path.display()), error);
            let len = disk.open(&path, crate::disk::OpenMode::Read).map_err(failed)?;
            let len = len.len().map_err(failed)?;
            files.push((path, len));
        }
    }
    Ok(files)
}

/// The names in a directory; none where it is missing, or is none.
pub(super) fn list(disk: &dyn Disk, path: &Path) -> Result<Vec<String>> {
    match disk.list(path) {
        Ok(names) => Ok(names),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(Error::io(format!("list {}", path.display()), error)),
    }
}
