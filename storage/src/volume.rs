//! A data directory with one writer: journal, catalogue and streams.

use crate::{Error, Result, Stream, StreamConfig, stream::SyncPolicy};
use std::{path::PathBuf, sync::Arc};

/// How bytes reach the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskMethod {
    /// io_uring where the system allows it (probed), else `Posix`.
    #[default]
    Auto,
    /// io_uring, or an error.
    Uring,
    /// `pwritev2` with `RWF_DSYNC`.
    Posix,
}

/// How to open a volume.
#[derive(Clone, Debug)]
pub struct VolumeOptions {
    /// The data directory; created where missing.
    pub directory: PathBuf,
    /// How bytes reach the disk.
    pub disk: DiskMethod,
    /// When appends are acknowledged, for streams that do not say.
    pub sync: SyncPolicy,
    /// Size at which a segment is sealed, in bytes.
    pub segment_bytes: u64,
    /// Size to which the journal may grow, in bytes.
    pub journal_bytes_max: u64,
    /// Bytes that all memory streams may hold together.
    pub memory_bytes_max: u64,
}

impl VolumeOptions {
    /// The defaults, for `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            disk: DiskMethod::Auto,
            sync: SyncPolicy::Always,
            segment_bytes: 64 * 1024 * 1024,
            journal_bytes_max: 256 * 1024 * 1024,
            memory_bytes_max: u64::MAX,
        }
    }
}

/// What opening a volume found and did.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    /// The volume was not closed before.
    pub unclean: bool,
    /// Journal rounds replayed.
    pub rounds_replayed: u64,
    /// Damage found, a sentence each, with file and offset.
    pub damage: Vec<String>,
    /// Streams that could not be opened, with the reason; their files are kept.
    pub unreadable_streams: Vec<(String, Error)>,
}

/// An open data directory. Dropping it closes it as well as it can; `close` says how that went.
#[derive(Debug)]
pub struct Volume {}

impl Volume {
    /// Opens a directory, recovering what a crash left. One process at a time: `Error::Locked` otherwise.
    pub fn open(_options: VolumeOptions) -> Result<Self> {
        todo!()
    }
    /// What opening found.
    pub fn recovery(&self) -> &RecoveryReport {
        todo!()
    }
    /// The method in use, in words, such as `io_uring (O_DIRECT)`.
    pub fn disk_method(&self) -> &str {
        todo!()
    }
    /// Creates a stream; durable on return. `StreamExists` where the name is taken.
    pub async fn create_stream(&self, _config: StreamConfig) -> Result<Arc<Stream>> {
        todo!()
    }
    /// The stream of that name.
    pub fn stream(&self, _name: &str) -> Option<Arc<Stream>> {
        todo!()
    }
    /// All streams, sorted by name.
    pub fn streams(&self) -> Vec<Arc<Stream>> {
        todo!()
    }
    /// Deletes a stream with its files; durable on return. Tails of it end with `Closed`.
    pub async fn delete_stream(&self, _name: &str) -> Result<()> {
        todo!()
    }
    /// Why the volume takes no appends, if it does not.
    pub fn failure(&self) -> Option<Error> {
        todo!()
    }
    /// Syncs what is dirty and empties the journal.
    pub fn checkpoint(&self) -> Result<()> {
        todo!()
    }
    /// Refuses new appends, waits for those under way, checkpoints, and lets the directory go.
    pub fn close(&self) -> Result<()> {
        todo!()
    }
}
