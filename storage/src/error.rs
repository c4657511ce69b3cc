//! What can go wrong in the engine, grouped by what the caller does about it.

use std::sync::Arc;

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every failure of the engine. Clonable, because one failed round fails many appends.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- fix the request ----
    /// The subject, headers, payload or id is longer than the engine or the stream allows.
    #[error("message too large: bytes={bytes} max={max}")]
    MessageTooLarge {
        /// Size asked for, in bytes.
        bytes: usize,
        /// Size allowed, in bytes.
        max: usize,
    },
    /// The subject is not a literal subject.
    #[error("invalid subject")]
    InvalidSubject,
    /// A stream of that name is there already.
    #[error("stream exists: name={0}")]
    StreamExists(String),
    /// No stream of that name.
    #[error("stream not found: name={0}")]
    StreamNotFound(String),
    /// No message at that sequence.
    #[error("message not found: sequence={0}")]
    MessageNotFound(u64),
    /// A configuration that cannot be, with the reason.
    #[error("invalid configuration: {0}")]
    InvalidConfig(String),

    // ---- the stream's own rules refuse it ----
    /// Discard-new stream that holds as many messages as it may.
    #[error("maximum messages exceeded")]
    MaximumMessages,
    /// Discard-new stream that holds as many bytes as it may.
    #[error("maximum bytes exceeded")]
    MaximumBytes,
    /// Discard-new-per-subject stream whose subject holds as many messages as it may.
    #[error("maximum messages per subject exceeded")]
    MaximumMessagesPerSubject,
    /// The last sequence of the stream, or of the subject, is not the expected one.
    #[error("wrong last sequence: {actual}")]
    WrongLastSequence {
        /// The sequence there is; 0 for none.
        actual: u64,
    },
    /// The id of the last message is not the expected one.
    #[error("wrong last msg ID: {actual}")]
    WrongLastMessageId {
        /// The id there is; empty for none.
        actual: String,
    },
    /// A message of an atomic batch has an id that was seen before.
    #[error("duplicate message id: sequence={sequence}")]
    DuplicateMessageId {
        /// Sequence of the message that had the id; 0 where it is in the same batch.
        sequence: u64,
    },
    /// The progress under the key of a batch's `expect_progress` is not the expected one.
    #[error("wrong replication progress: key={key}")]
    WrongProgress {
        /// The key.
        key: String,
    },
    /// The message cannot be combined with the last one of its subject.
    #[error("{what}")]
    NotCombined {
        /// Of whoever combines (`stream::Combine`), to tell one reason from another.
        code: u16,
        /// The reason.
        what: String,
    },
    /// The stream is sealed.
    #[error("stream is sealed")]
    Sealed,
    /// The stream does not allow deletes.
    #[error("message delete not permitted")]
    DeleteDenied,
    /// The stream does not allow purges.
    #[error("stream purge not permitted")]
    PurgeDenied,
    /// The stream does not allow rollups.
    #[error("rollup not permitted")]
    RollupDenied,

    // ---- try again later ----
    /// More waits to be written than the bound allows (of this log or of the volume), or work on the log is still under
    /// way. The engine does not wait for room: the caller tries again.
    #[error("too much waits for the disk")]
    Busy,
    /// The file system, or the memory bound of memory streams, has no room.
    #[error("no space left")]
    NoSpace,

    // ---- repair data ----
    /// Bytes on disk are not what was written.
    #[error("damage at {place}: {what}")]
    Damaged {
        /// File and offset.
        place: String,
        /// What does not match.
        what: String,
    },

    // ---- stop ----
    /// The directory that is to be made is there already and holds something, or lies in the one that is copied.
    #[error("not a new directory: {0}")]
    NotNew(String),
    /// The directory holds no volume.
    #[error("there is no volume in the directory")]
    NotAVolume,
    /// Another process has the data directory open.
    #[error("data directory is in use by another process: {0}")]
    Locked(String),
    /// The volume takes no appends after a failed write or sync; open it again to recover.
    #[error("volume is read-only: {0}")]
    ReadOnly(String),
    /// The stream or volume was closed or deleted.
    #[error("closed")]
    Closed,
    /// The operating system refused, with where.
    #[error("{what}: {error}")]
    Io {
        /// What was tried, with the file.
        what: String,
        /// What the system said.
        error: Arc<std::io::Error>,
    },
}

impl Error {
    /// Wraps an I/O error with what was tried. "No space" keeps its own variant.
    pub fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::NoSpace;
        }
        Self::Io { what: what.into(), error: Arc::new(error) }
    }
}
