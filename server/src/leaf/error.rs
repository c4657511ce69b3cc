//! Why a link to another server ended, or did not come about.
//! Not here: what is done about it (`remote`, `hub`).

use crate::network::Close;
use crate::protocol::ProtocolError;
use std::io;

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeafError {
    /// The network.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer closed it.
    #[error("the peer closed the link")]
    Ended,
    /// The peer sent what it must not.
    #[error("{0}")]
    Protocol(#[from] ProtocolError),
    /// The peer does not answer.
    #[error("the peer does not answer")]
    Silent,
    /// The peer said why it does not want the link.
    #[error("the peer refuses: {0}")]
    Refused(String),
    /// The peer wants what is not built.
    #[error("the peer asks for {0}, which Headwater does not have")]
    Unsupported(&'static str),
    /// This is no port for leaf nodes.
    #[error("the peer does not accept leaf nodes on this port")]
    WrongPort,
    /// The peer logged in with something wrong.
    #[error("wrong credentials")]
    Credentials,
    /// What is sent comes back.
    #[error("there is a loop of leaf nodes")]
    Loop,
    /// This side closed it.
    #[error("{0}")]
    Closed(Close),
    /// The server stops.
    #[error("the server stops")]
    Stopping,
}

impl LeafError {
    /// How the connection is closed for it: the peer is told what it did wrong.
    pub(super) fn close(&self) -> Close {
        match self {
            Self::Protocol(error) => Close::Violation(*error),
            Self::Credentials => Close::Violation(ProtocolError::Authorization),
            Self::Closed(reason) => *reason,
            _ => Close::Client,
        }
    }
}
