//! What can keep a replication from going on, grouped by what the caller does about it.
//! Not here: verdicts on transforms (`transform::TransformError`), wire error codes (the server).

use headwater_storage::Error as StorageError;

/// A result of replication.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every reason for which a replication does not move. Clonable, because a status shows it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- goes on by itself ----
    /// The origin is not there (yet).
    #[error("origin not found: name={0}")]
    OriginNotFound(String),
    /// The origin could not be read.
    #[error("origin cannot be read: {0}")]
    OriginUnreadable(StorageError),
    /// The origin is elsewhere, and does not answer or cannot be followed; with the reason.
    #[error("origin cannot be reached: {0}")]
    OriginUnreachable(String),
    /// The stream that takes the copies refused one.
    #[error("copy refused at origin sequence {sequence}: {reason}")]
    Refused {
        /// Sequence, at the origin, of the first message that was not copied.
        sequence: u64,
        /// What the stream said.
        reason: StorageError,
    },

    // ---- needs a decision of the operator ----
    /// The origin of a mirror was deleted and created again: what it holds is not what the mirror continues.
    #[error(
        "origin was recreated: name={name}, mirror holds sequences up to {last_sequence} of the earlier one; \
         create the mirror again to follow the new origin"
    )]
    OriginRecreated {
        /// Name of the origin.
        name: String,
        /// Last sequence of the mirror.
        last_sequence: u64,
    },
    /// The origin ends before its mirror: it lost messages after they were copied.
    #[error(
        "origin is behind its mirror: name={name}, last sequence {origin_last_sequence} at the origin, \
         {last_sequence} in the mirror"
    )]
    OriginBehind {
        /// Name of the origin.
        name: String,
        /// Last sequence at the origin.
        origin_last_sequence: u64,
        /// Last sequence of the mirror.
        last_sequence: u64,
    },
    /// Stored progress that this version cannot read; it is kept as it is.
    #[error("replication progress cannot be read: key={key}: {reason}")]
    Progress {
        /// Key of the progress.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The consumer through which is to be copied does not take acknowledgements by flow control; its name.
    #[error("consumer does not take acknowledgements by flow control: name={0}")]
    ConsumerUnfit(String),
    /// A plugin or an origin gave up, with its reason.
    #[error("{0}")]
    Halted(String),

    // ---- fix the request ----
    /// A configuration that cannot be, with the reason.
    #[error("invalid replication configuration: {0}")]
    InvalidConfig(String),
    /// No plugin or origin is registered under that name.
    #[error("not registered: {0}")]
    NotRegistered(String),

    // ---- stop ----
    /// The stream that takes the copies is gone.
    #[error("the stream that takes the copies is closed")]
    TargetClosed,
    /// The driver ended without being asked to.
    #[error("replication ended unexpectedly")]
    Ended,
}
