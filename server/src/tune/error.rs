//! Why a tuning run ends early.
//! Not here: a disk method that the machine refuses, which is said and skipped.

use crate::config::file::ConfigError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Result of a part of the run.
pub(super) type Result<T> = std::result::Result<T, TuneError>;

/// Why the run ends.
#[derive(Debug, Error)]
pub(super) enum TuneError {
    /// A signal came.
    #[error("interrupted; the scratch folder is removed")]
    Interrupted,
    /// The configuration cannot be read.
    #[error("{0}")]
    Config(ConfigError),
    /// Something about a file.
    #[error("cannot {action} {}: {error}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// No disk method works there.
    #[error("no disk method works on this directory: {0}")]
    NoMethod(String),
    /// A point could not be measured.
    #[error("measuring at {point}: {reason}")]
    Load {
        /// The point, in words.
        point: String,
        /// What went wrong.
        reason: String,
    },
    /// Too little room for a run.
    #[error("{free_mib} MiB free on this file system, {needed_mib} MiB needed")]
    NoRoom {
        /// Room there is.
        free_mib: u64,
        /// Room there must be.
        needed_mib: u64,
    },
    /// The runtime did not start.
    #[error("cannot start: {0}")]
    Start(String),
    /// The report could not be drawn.
    #[error("the report: {0}")]
    Report(String),
}

impl TuneError {
    pub(super) fn file(action: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self::File { action, path: path.to_owned(), error }
    }
}
