//! The upgrade and the frames over any socket, for fuzz targets. Not part of the public interface: it may change with every version.
//! Not here: what the targets look for (the workspace `fuzz`).

use super::upgrade::Upgrade;
use super::{frames, refuse, upgrade};
use crate::config::options::WebSocketOptions;
use crate::network::Link;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// An upgrade that was granted.
#[derive(Debug)]
pub struct Granted(Upgrade);

/// Answers a request as the listener does, but takes any time; none where it was refused.
pub async fn hand_shake(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    options: &WebSocketOptions,
) -> io::Result<Option<Granted>> {
    match upgrade(&mut socket, options).await? {
        Ok(upgrade) => Ok(Some(Granted(upgrade))),
        Err(refusal) => refuse(socket, &refusal).await.map(|()| None),
    }
}

impl Granted {
    /// Whether messages may be compressed.
    pub fn is_compressed(&self) -> bool {
        self.0.is_compressed
    }
    /// What a client sends as the bytes that a session reads, and what a connection's writer task writes as frames. A link of
    /// one connection is not for another.
    pub fn frames<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        reader: R,
        writer: W,
        link: &Arc<Link>,
        payload_bytes_max: usize,
    ) -> (impl AsyncRead + Unpin + use<R, W>, impl AsyncWrite + Unpin + use<R, W>) {
        frames(reader, writer, &self.0, link, payload_bytes_max)
    }
}
