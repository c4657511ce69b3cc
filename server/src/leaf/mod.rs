//! Links to other servers as leaf nodes: a server dials another one, and each tells the other who listens to what on its side.
//!
//! What is published on one side reaches those who listen on the other, but for the JetStream API: that is reached under the
//! name of a domain, `$JS.<domain>.API`. So streams on one side can be mirrored and sourced on the other.
//! The side that dials is the leaf, the other one the hub: a hub passes on what its leaves listen to, a leaf tells its hub of its
//! own listeners and of its leaves'. A server that hears its own mark from a link closes it: there is a loop.
//! Invariant: a peer is told of a listener before it is sent anything that the listener's owner publishes afterwards, so that an
//! answer finds its way back.
//! Not here: bytes (`protocol::leaf`), which streams are copied (`jetstream`).

mod error;
mod handshake;
mod hub;
mod peer;
mod remote;
mod session;

use crate::routing::{Account, Handler, InternalSubscription, Message, Origin};
use crate::server::StartError;
use crate::shared::Shared;
use std::net::SocketAddr;
use std::sync::Arc;

/// What all links of a server share.
#[derive(Debug)]
struct Links {
    shared: Arc<Shared>,
    /// Heard from a link, it means that there is a loop.
    mark: String,
    _mark: InternalSubscription,
}

/// Takes what is sent to the mark: nothing is.
struct Nobody;

impl Handler for Nobody {
    fn deliver(&self, _account: &Arc<Account>, _message: &Message, _origin: &Arc<Origin>) {}
}

/// Starts to accept and to dial, as the options say; gives where leaf nodes connect.
pub(crate) async fn start(shared: &Arc<Shared>) -> Result<Option<SocketAddr>, StartError> {
    let options = &shared.options.leaf_nodes;
    if options.listen.is_none() && options.remote_urls.is_empty() {
        return Ok(None);
    }
    let mark = format!("$LDS.{}", nuid::next());
    let subscription = shared.accounts.global.subscribe(&mark, Arc::new(Nobody));
    let links = Arc::new(Links { shared: shared.clone(), mark, _mark: subscription });
    if !options.remote_urls.is_empty() {
        shared.tasks.spawn(remote::run(links.clone()));
    }
    let Some((host, port)) = &options.listen else { return Ok(None) };
    let (listener, address) = crate::server::listen(host, *port).await?;
    tracing::info!("Listening for leafnode connections on {host}:{}", address.port());
    shared.tasks.spawn(hub::run(links, listener, address));
    Ok(Some(address))
}
