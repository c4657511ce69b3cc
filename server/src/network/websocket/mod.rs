//! Clients over WebSocket: their listener, the upgrade, and their frames as the streams of bytes that sessions and writers
//! take from any connection.
//!
//! `head` and `upgrade` say who is let in; `reader` and `writer` stand where a plain connection has its socket; `control` is
//! what they say to each other.
//! Not here: what a client may do (`session`).

mod control;
mod deflate;
mod frames;
mod head;
mod mask;
mod reader;
#[cfg(feature = "testing")]
pub mod testing;
mod upgrade;
mod writer;

use super::listener::{ACCEPT_PAUSE, converse};
use super::{Link, Transport};
use crate::config::options::WebSocketOptions;
use crate::server::{StartError, listen};
use crate::shared::Shared;
use control::Control;
use deflate::Inflate;
use head::Refusal;
use reader::Reader;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use upgrade::Upgrade;
use writer::Writer;

/// Connections at one time that are not upgraded yet; more of them wait to be accepted.
const HANDSHAKES_MAX: usize = 4096;
/// How long an upgrade may take, where nothing else is said.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long, and for how many bytes, a client that is refused may go on sending before it has read why.
const REFUSED_TIMEOUT: Duration = Duration::from_millis(500);
const REFUSED_BYTES_MAX: u64 = 256 * 1024;
/// What a compressed message may inflate to: some of the largest messages, and never more than a bound.
const INFLATED_PAYLOADS_MAX: u64 = 8;
const INFLATED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Starts to listen, where the options say so; gives where.
pub(crate) async fn start(shared: &Arc<Shared>) -> Result<Option<SocketAddr>, StartError> {
    let Some(options) = &shared.options.websocket else { return Ok(None) };
    let (listener, address) = listen(&options.host, options.port).await?;
    shared.set_websocket_port(address.port());
    tracing::info!("Listening for websocket clients on ws://{}:{}", options.host, address.port());
    tracing::warn!("Connections of websocket clients are not encrypted");
    tokio::spawn(run(shared.clone(), listener));
    Ok(Some(address))
}

/// Accepts until the server stops listening.
async fn run(shared: Arc<Shared>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let accept = async || {
        // The semaphore is never closed, so there is a place as soon as a handshake ends.
        let place = room.clone().acquire_owned().await.ok();
        listener.accept().await.map(|accepted| (place, accepted))
    };
    loop {
        tokio::select! {
            () = shared.listening.cancelled() => return,
            accepted = accept() => match accepted {
                Ok((place, (socket, peer))) => {
                    let shared = shared.clone();
                    shared.clone().tasks.spawn(async move {
                        let upgraded = hand_shake(&shared, socket, peer).await;
                        drop(place);
                        if let Some((socket, upgrade)) = upgraded {
                            serve(shared, socket, peer, upgrade).await;
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a websocket connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// The upgrade, in the time it may take; none where it came to nothing.
async fn hand_shake(
    shared: &Shared,
    mut socket: TcpStream,
    peer: SocketAddr,
) -> Option<(TcpStream, Upgrade)> {
    let options = shared.options.websocket.as_ref()?;
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, %peer, "cannot set TCP_NODELAY");
    }
    let timeout = options.handshake_timeout.unwrap_or(HANDSHAKE_TIMEOUT);
    let upgraded = tokio::select! {
        () = shared.stopping.cancelled() => return None,
        upgraded = tokio::time::timeout(timeout, upgrade(&mut socket, options)) => upgraded,
    };
    match upgraded {
        Err(_) => tracing::debug!("{peer} - websocket handshake timeout"),
        Ok(Err(error)) => tracing::debug!("{peer} - websocket handshake error: {error}"),
        Ok(Ok(Err(refusal))) => {
            tracing::warn!("{peer} - websocket handshake error: {}", refusal.reason);
            let _ = tokio::time::timeout(REFUSED_TIMEOUT, refuse(socket, &refusal)).await;
        }
        Ok(Ok(Ok(upgrade))) => return Some((socket, upgrade)),
    }
    None
}

async fn upgrade(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    options: &WebSocketOptions,
) -> io::Result<Result<Upgrade, Refusal>> {
    let head = head::read(socket).await?;
    let verdict = head.and_then(|head| Upgrade::check(&head, options));
    if let Ok(upgrade) = &verdict {
        socket.write_all(upgrade.answer(&options.headers).as_bytes()).await?;
    }
    Ok(verdict)
}

/// Says why, and takes what still comes: a socket that is closed with bytes unread takes the answer back.
async fn refuse(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    refusal: &Refusal,
) -> io::Result<()> {
    socket.write_all(refusal.answer().as_bytes()).await?;
    socket.shutdown().await?;
    tokio::io::copy(&mut socket.take(REFUSED_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

async fn serve(shared: Arc<Shared>, socket: TcpStream, peer: SocketAddr, upgrade: Upgrade) {
    let limits = &shared.options.limits;
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let transport = Transport::WebSocket { forwarded_for: upgrade.forwarded_for };
    let id = shared.registry.next_id();
    let link = Link::over(transport, id, peer, limits.pending_bytes_max);
    let (reader, writer) = socket.into_split();
    let (reader, writer) = frames(reader, writer, &upgrade, &link, limits.payload_bytes_max);
    converse(shared, link, reader, writer).await;
}

/// Both sides of a connection, which speak to each other.
fn frames<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    reader: R,
    writer: W,
    upgrade: &Upgrade,
    link: &Arc<Link>,
    payload_bytes_max: usize,
) -> (Reader<R>, Writer<W>) {
    let payload_bytes_max = payload_bytes_max as u64;
    let inflated_bytes_max = (payload_bytes_max * INFLATED_PAYLOADS_MAX).min(INFLATED_BYTES_MAX);
    let inflate = upgrade.is_compressed.then(|| Inflate::new(inflated_bytes_max));
    let control = Arc::new(Control::default());
    let reader = Reader::new(reader, inflate, control.clone(), link.clone());
    let (is_browser, is_compressed) = (upgrade.is_browser, upgrade.is_compressed);
    (reader, Writer::new(writer, is_browser, is_compressed, control, link.clone()))
}
