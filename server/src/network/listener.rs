//! Listens, and accepts clients until the server closes: each gets a link, a writer task and a session.
//! Not here: what a client may do, clients over WebSocket before they are clients (`websocket`).

use super::link::{Close, Link};
use super::{session::Session, writer};
use crate::monitoring::events;
use crate::protocol::ProtocolError;
use crate::shared::Shared;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that may wait to be accepted: a client that is turned away tries again only after a second.
const BACKLOG: u32 = 4096;
/// Pause after a failed accept: it fails for want of file descriptors, which takes time to pass.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Listens on a host and port. The IPv4 wildcard takes IPv6 clients too, where the system can.
pub(crate) async fn listen(host: &str, port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = match host {
        "0.0.0.0" | "" => match bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
            }
            bound => bound,
        },
        _ => {
            let mut addresses = tokio::net::lookup_host((host, port)).await?;
            addresses.next().ok_or(io::ErrorKind::AddrNotAvailable.into()).and_then(bind)
        }
    }?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the server stops listening.
pub(crate) async fn run(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        tokio::select! {
            () = shared.listening.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    shared.tasks.spawn(serve(shared.clone(), socket, peer));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, socket: TcpStream, peer: SocketAddr) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, %peer, "cannot set TCP_NODELAY");
    }
    let link = Link::new(shared.registry.next_id(), peer, shared.options.limits.pending_bytes_max);
    let (reader, writer) = socket.into_split();
    converse(shared, link, reader, writer).await;
}

/// Greets a client and serves it until the connection ends, whatever its bytes travel in.
pub(super) async fn converse(
    shared: Arc<Shared>,
    link: Arc<Link>,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin + Send + 'static,
) {
    let is_entered = shared.registry.enter(&link, shared.options.limits.connections_max);
    link.send(shared.info_for(&link).line().as_bytes());
    if !is_entered {
        link.close(Close::Violation(ProtocolError::Connections));
    } else if shared.listening.is_cancelled() {
        // Those that were entered before are closed by whoever stopped listening.
        link.close(Close::Shutdown);
    }
    tracing::debug!("{link} - Client connection created");
    let writer =
        tokio::spawn(writer::run(link.clone(), writer, shared.options.limits.write_deadline));
    Session::new(shared.clone(), link.clone()).run(reader).await;
    if let Err(error) = writer.await {
        tracing::error!(%error, client = link.id, "writer task failed");
    }
    shared.registry.leave(&link);
    if is_entered {
        events::disconnected(&shared, &link);
    }
    let reason = link.reason().unwrap_or(Close::Client);
    tracing::debug!("{link} - Client connection closed: {reason}");
}
