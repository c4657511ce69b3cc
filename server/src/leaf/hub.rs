//! Accepting leaf nodes: greeting, log-in, and the link from then on.
//! Not here: dialing (`remote`), what goes over the link (`session`).

use super::Links;
use super::error::LeafError;
use super::handshake::{Greeting, Login};
use super::session::{HANDSHAKE_TIMEOUT, Session};
use crate::protocol::leaf::LeafOperation;
use crate::protocol::{ConnectOptions, ProtocolError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Links at one time, those that are not logged in included.
const LINKS_MAX: usize = 1024;
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Accepts until the server stops listening.
pub(super) async fn run(links: Arc<Links>, listener: TcpListener, own: SocketAddr) {
    let room = Arc::new(Semaphore::new(LINKS_MAX));
    let shared = links.shared.clone();
    loop {
        tokio::select! {
            () = shared.listening.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => {
                    let Ok(place) = room.clone().try_acquire_owned() else {
                        tracing::warn!(%address, "too many leafnode connections");
                        continue;
                    };
                    let links = links.clone();
                    shared.tasks.spawn(async move {
                        serve(links, socket, address, own).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a leafnode connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(links: Arc<Links>, socket: TcpStream, address: SocketAddr, own: SocketAddr) {
    let mut session = Session::new(&links, socket, address, false);
    let link = session.peer.link.clone();
    // Each step has its time, and so has the whole: a peer that only greets would never end.
    let logged_in = tokio::time::timeout(HANDSHAKE_TIMEOUT, log_in(&mut session, own)).await;
    let error = match logged_in.unwrap_or(Err(LeafError::Silent)) {
        Ok(name) => {
            tracing::info!("leafnode connection from {address}, server {name:?}, is up");
            session.run(name).await
        }
        Err(error) => {
            link.close(error.close());
            error
        }
    };
    tracing::info!("leafnode connection from {address}: {error}");
}

/// Greets, and lets in who may; gives the peer's name.
async fn log_in(session: &mut Session, own: SocketAddr) -> Result<String, LeafError> {
    let shared = session.links.shared.clone();
    let info = shared.info();
    let greeting = Greeting {
        host: own.ip().to_string(),
        port: own.port(),
        auth_required: shared.auth.is_required(),
        client_id: session.peer.link.id,
        leafnode_urls: vec![own.to_string()],
        info_on_connect: true,
        ..Greeting::of(&info)
    };
    session.peer.link.send(greeting.line().as_bytes());
    let json = loop {
        match session.next().await? {
            LeafOperation::Connect(json) => break json,
            LeafOperation::Info(_) => {}
            _ => return Err(ProtocolError::Authorization.into()),
        }
    };
    let login: Login =
        serde_json::from_slice(&json).map_err(|_| LeafError::from(ProtocolError::Malformed))?;
    if login.lang.is_some() {
        return Err(LeafError::WrongPort);
    }
    let given = ConnectOptions {
        user: login.user,
        pass: login.pass,
        auth_token: login.auth_token,
        ..ConnectOptions::default()
    };
    let account = shared.auth.check(&given).ok_or(LeafError::Credentials)?;
    if !Arc::ptr_eq(account, &shared.accounts.global) {
        return Err(LeafError::Credentials);
    }
    let remote_account = account.name().to_owned();
    let confirmed = Greeting { connect_info: true, remote_account, ..greeting };
    session.peer.link.send(confirmed.line().as_bytes());
    Ok(login.name)
}
