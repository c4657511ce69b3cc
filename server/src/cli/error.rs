//! Why a client command fails, by what its user does about it.
//! Not here: errors of the server (`config::flags`, `server`), which are others than those of its clients.

use serde::Deserialize;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What a client command gives.
pub(super) type Result<T, E = ClientError> = std::result::Result<T, E>;

/// Why a command fails.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// The command has to be written differently.
    #[error("{0}")]
    Usage(String),
    /// The server cannot be reached, or does not let us in.
    #[error("could not connect to {server}: {reason}")]
    Connect {
        /// Its address, without a password.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The server says no.
    #[error("could not {action}: {error}")]
    Refused {
        /// What was asked for.
        action: String,
        /// Its answer.
        error: ApiError,
    },
    /// There is no answer that can be used.
    #[error("could not {action}: {reason}")]
    Unanswered {
        /// What was asked for.
        action: String,
        /// What came in place of an answer.
        reason: String,
    },
    /// A file cannot be read or written, or a program not be run.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A data directory cannot be read, or not be copied.
    #[error("{}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the engine says.
        source: headwater_storage::Error,
    },
    /// What is printed cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
    /// The user broke it off, or something was found to be wrong.
    #[error("{0}")]
    Ended(String),
}

/// What the server says in place of a result.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct ApiError {
    /// Kind of failure, as in HTTP.
    pub(super) code: u16,
    /// Which error of JetStream's list it is.
    pub(super) err_code: u32,
    /// The same for people.
    pub(super) description: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.description, self.err_code)
    }
}

impl ClientError {
    /// An answer that is missing or cannot be read.
    pub(super) fn unanswered(action: &str, reason: impl fmt::Display) -> Self {
        Self::Unanswered { action: action.to_owned(), reason: reason.to_string() }
    }

    /// Turns an error of the system into one that says which file it is about.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }

    /// Whether nobody reads what is printed any more, which needs no words.
    pub(super) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
