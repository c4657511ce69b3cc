//! The server as a library call: `Server::start` gives a running server with its addresses and a way to stop it.
//! Not here: the command line (`cli`), process signals (`signals`).

use crate::auth::Auth;
use crate::config::Options;
use crate::network::{Close, Link, Registry, listener};
use crate::protocol::{self, ServerInfo};
use crate::routing::Account;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long connections get to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What all connections of a server share.
#[derive(Debug)]
pub struct Shared {
    /// Options it was started with.
    pub options: Options,
    /// The global account.
    pub account: Arc<Account>,
    /// Who may log in.
    pub auth: Auth,
    /// Connections.
    pub registry: Registry,
    /// When it started.
    pub started: SystemTime,
    /// Cancelled when nothing more is accepted.
    pub listening: CancellationToken,
    /// Tasks of connections.
    pub tasks: TaskTracker,
    info: Mutex<ServerInfo>,
}

impl Shared {
    /// What the server says of itself.
    pub fn info(&self) -> ServerInfo {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// What the server says of itself to this client.
    pub fn info_for(&self, link: &Link) -> ServerInfo {
        let client_ip = link.peer.ip().to_string();
        ServerInfo { client_id: link.id, client_ip, ..self.info() }
    }
    /// Changes what the server says of itself from now on.
    pub fn change_info(&self, change: impl FnOnce(&mut ServerInfo)) {
        change(&mut self.info.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The server, not yet running.
#[derive(Debug)]
pub struct Server;

/// A running server. Dropping it without `shutdown` leaves its tasks to the runtime.
#[derive(Debug)]
pub struct RunningServer {
    shared: Arc<Shared>,
    client_address: SocketAddr,
}

impl Server {
    /// Starts a server on the current tokio runtime; when this returns, clients can connect.
    pub async fn start(options: Options) -> Result<RunningServer, StartError> {
        let listener = listen(&options.host, options.port).await?;
        let client_address = local_address(&listener, &options)?;
        let account = Account::new("$G");
        let auth = options.auth(&account);
        let info = ServerInfo {
            server_id: server_id(),
            server_name: options.server_name.clone(),
            version: protocol::COMPATIBLE_VERSION.to_owned(),
            headwater_version: protocol::VERSION.to_owned(),
            proto: 1,
            host: options.host.clone(),
            port: client_address.port(),
            headers: true,
            auth_required: auth.is_required(),
            max_payload: options.payload_bytes_max,
            api_lvl: protocol::API_LEVEL,
            ..ServerInfo::default()
        };
        let shared = Arc::new(Shared {
            options,
            account,
            auth,
            registry: Registry::default(),
            started: SystemTime::now(),
            listening: CancellationToken::new(),
            tasks: TaskTracker::new(),
            info: Mutex::new(info),
        });
        tokio::spawn(listener::run(shared.clone(), listener));
        Ok(RunningServer { shared, client_address })
    }
}

impl RunningServer {
    /// Where clients connect.
    pub fn client_address(&self) -> SocketAddr {
        self.client_address
    }
    /// What the connections share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
    /// Stops accepting, closes every connection, and waits until all of it is done.
    pub async fn shutdown(self) {
        self.shared.listening.cancel();
        for link in self.shared.registry.open() {
            link.close(Close::Shutdown);
        }
        self.shared.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind((host, port)).await;
    bound.map_err(|source| StartError::Listen { address: format!("{host}:{port}"), source })
}

fn local_address(listener: &TcpListener, options: &Options) -> Result<SocketAddr, StartError> {
    let address = || format!("{}:{}", options.host, options.port);
    listener.local_addr().map_err(|source| StartError::Listen { address: address(), source })
}

/// A fresh id: N and 55 characters of base 32, as nats-server's look.
fn server_id() -> String {
    let bytes: [u8; 35] = std::array::from_fn(|_| rand::random());
    let text = data_encoding::BASE32_NOPAD.encode(&bytes);
    format!("N{}", text.get(..55).unwrap_or(&text))
}
