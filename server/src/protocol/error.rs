//! Why a connection is refused or closed, and the text the client is told.
//! Not here: errors of the JetStream API, which are JSON replies.

use thiserror::Error;

/// A violation of the protocol. The text is what follows `-ERR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// Bytes that are no operation.
    #[error("Unknown Protocol Operation")]
    UnknownOperation,
    /// An operation whose arguments cannot be read. Closes without a word, as nats-server does.
    #[error("Malformed Arguments")]
    Malformed,
    /// A control line above the limit.
    #[error("maximum control line exceeded")]
    ControlLine,
    /// A payload above the limit.
    #[error("Maximum Payload Violation")]
    Payload,
    /// A protocol version this server does not have.
    #[error("invalid client protocol")]
    ClientProtocol,
    /// `no_responders` without `headers`.
    #[error("no responders requires headers support")]
    NoRespondersNeedHeaders,
    /// Wrong or missing credentials.
    #[error("Authorization Violation")]
    Authorization,
    /// No CONNECT in time.
    #[error("Authentication Timeout")]
    AuthenticationTimeout,
    /// Pings without answers.
    #[error("Stale Connection")]
    Stale,
    /// Too many connections.
    #[error("maximum connections exceeded")]
    Connections,
    /// Too many subscriptions on a connection; the connection stays.
    #[error("maximum subscriptions exceeded")]
    Subscriptions,
    /// A publish to something that is not a literal subject; only said in pedantic mode, the connection stays.
    #[error("Invalid Publish Subject")]
    PublishSubject,
    /// A subscription to something that is no subject; the connection stays.
    #[error("Invalid Subject")]
    Subject,
    /// The server is going away.
    #[error("Server Shutdown")]
    Shutdown,
}

impl ProtocolError {
    /// Whether the client is told before the connection closes.
    pub fn is_said(self) -> bool {
        self != Self::Malformed
    }
}
