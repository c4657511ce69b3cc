//! Why a run of the load generator cannot begin or go on.
//! Not here: refused publishes, which are counted (`tally`).

use std::io;
use thiserror::Error;

/// What went wrong.
#[derive(Debug, Error)]
pub(super) enum BenchError {
    /// An address that cannot be used, or options that do not go together.
    #[error("{0}")]
    Invalid(String),
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A connection broke.
    #[error("connection to the server: {0}")]
    Io(#[from] io::Error),
    /// The server closed a connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server said `-ERR`.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// The server sent what is no operation of the client protocol.
    #[error("not the NATS client protocol: {0}")]
    Protocol(&'static str),
    /// The JetStream API answered with an error.
    #[error("{subject}: {description} ({code})")]
    Api {
        /// Subject of the request.
        subject: String,
        /// `err_code` of the answer.
        code: u32,
        /// Its text.
        description: String,
    },
    /// Nothing came for too long.
    #[error("no answer within {time:?}: {what}")]
    Silence {
        /// What was waited for.
        what: String,
        /// How long.
        time: std::time::Duration,
    },
    /// A server that the comparison started, or a file of it.
    #[error("{what}: {source}")]
    Process {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Result of the load generator.
pub(super) type Result<T> = std::result::Result<T, BenchError>;
