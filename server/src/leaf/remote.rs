//! Dialing the hub, and dialing it again whenever the link is lost.
//! Not here: accepting leaf nodes (`hub`), what goes over the link (`session`).

use super::Links;
use super::error::LeafError;
use super::handshake::{Greeting, Login};
use super::session::{HANDSHAKE_TIMEOUT, Session};
use crate::config::options::LeafUrl;
use crate::protocol;
use crate::protocol::leaf::LeafOperation;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Pause before the next try.
const RECONNECT: Duration = Duration::from_secs(1);
/// Pause after a loop was found: only the operator can end it.
const RECONNECT_AFTER_LOOP: Duration = Duration::from_secs(30);

/// Keeps the link up until the server stops.
pub(super) async fn run(links: Arc<Links>) {
    let stopping = links.shared.stopping.clone();
    let mut logged = String::new();
    for url in links.shared.options.leaf_nodes.remote_urls.iter().cycle() {
        let place = format!("{}:{}", url.host, url.port);
        let error = match connect(&links, url).await {
            Ok((session, name)) => {
                tracing::info!("leafnode connection to {place} is up");
                logged.clear();
                session.run(name).await
            }
            Err(error) => error,
        };
        if stopping.is_cancelled() {
            return;
        }
        let text = format!("leafnode connection to {place}: {error}");
        if text != logged {
            tracing::warn!("{text}");
            logged = text;
        }
        let pause = if matches!(error, LeafError::Loop) { RECONNECT_AFTER_LOOP } else { RECONNECT };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Connects and logs in; gives the hub's name too.
async fn connect(links: &Arc<Links>, url: &LeafUrl) -> Result<(Session, String), LeafError> {
    let dialed = TcpStream::connect((url.host.as_str(), url.port));
    let socket = tokio::time::timeout(HANDSHAKE_TIMEOUT, dialed);
    let socket = socket.await.map_err(|_| LeafError::Silent)??;
    let address = socket.peer_addr()?;
    let mut session = Session::new(links, socket, address, true);
    let result = tokio::time::timeout(HANDSHAKE_TIMEOUT, log_in(&mut session, url)).await;
    let result = result.unwrap_or(Err(LeafError::Silent));
    if let Err(error) = &result {
        session.peer.link.close(error.close());
    }
    result.map(|name| (session, name))
}

/// Logs in; gives the hub's name.
async fn log_in(session: &mut Session, url: &LeafUrl) -> Result<String, LeafError> {
    let info = info(session).await?;
    if info.tls_required {
        return Err(LeafError::Unsupported("TLS"));
    }
    if info.leafnode_urls.is_empty() {
        return Err(LeafError::WrongPort);
    }
    let shared = &session.links.shared;
    let own = shared.info();
    let (pass, auth_token) = match &url.password {
        Some(password) => (password.clone(), String::new()),
        None => (String::new(), url.user.clone()),
    };
    let login = Login {
        version: protocol::COMPATIBLE_VERSION.to_owned(),
        server_id: own.server_id,
        name: own.server_name,
        domain: own.domain,
        headers: true,
        jetstream: own.jetstream,
        remote_account: shared.accounts.global.name().to_owned(),
        protocol: 1,
        user: url.user.clone(),
        pass,
        auth_token,
        lang: None,
    };
    session.peer.link.send(login.line().as_bytes());
    if info.info_on_connect {
        while !self::info(session).await?.connect_info {}
    }
    Ok(info.server_name)
}

async fn info(session: &mut Session) -> Result<Greeting, LeafError> {
    match session.next().await? {
        LeafOperation::Info(json) => {
            serde_json::from_slice(&json).map_err(|_| protocol::ProtocolError::Malformed.into())
        }
        _ => Err(protocol::ProtocolError::Malformed.into()),
    }
}
