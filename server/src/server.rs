//! The server as a library call: `Server::start` gives a running server with its addresses and ways to stop it.
//! Not here: the command line (`cli`), process signals (`signals`).

use crate::auth::{Accounts, Auth};
use crate::config::{Options, value};
use crate::monitoring::{self, JetStreamView};
use crate::network::{Close, Link, Registry, listener};
use crate::protocol::{self, ServerInfo};
use crate::routing::{Account, InternalSubscription};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long connections get to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest pause between two connections that are closed in lame duck mode.
const LAME_DUCK_PAUSE_MAX: Duration = Duration::from_secs(1);

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
    /// JetStream cannot start.
    #[error("cannot start JetStream: {0}")]
    JetStream(String),
}

/// What all connections of a server share.
pub struct Shared {
    /// Options it was started with.
    pub options: Options,
    /// The accounts.
    pub accounts: Accounts,
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
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
    info: Mutex<ServerInfo>,
    http_requests: Mutex<BTreeMap<&'static str, u64>>,
    jetstream_view: OnceLock<Arc<dyn JetStreamView>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("info", &self.info()).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(options: Options, port: u16) -> Arc<Self> {
        let accounts = Accounts { global: Account::new("$G"), system: Account::new("$SYS") };
        let auth = Auth::new(options.auth.clone(), accounts.clone());
        let server_id = server_id();
        let server_name = match options.server_name.as_str() {
            "" => server_id.clone(),
            name => name.to_owned(),
        };
        let (host, port) = advertised(&options, port);
        let info = ServerInfo {
            server_id,
            server_name,
            version: protocol::COMPATIBLE_VERSION.to_owned(),
            headwater_version: protocol::VERSION.to_owned(),
            proto: 1,
            host,
            port,
            headers: true,
            auth_required: auth.is_announced(),
            max_payload: options.limits.payload_bytes_max,
            api_lvl: protocol::API_LEVEL,
            ..ServerInfo::default()
        };
        Arc::new(Self {
            options,
            accounts,
            auth,
            registry: Registry::default(),
            started: SystemTime::now(),
            listening: CancellationToken::new(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            info: Mutex::new(info),
            http_requests: Mutex::default(),
            jetstream_view: OnceLock::new(),
        })
    }
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
    /// Lets JetStream take part in monitoring; the first one stays.
    pub fn set_jetstream_view(&self, view: Arc<dyn JetStreamView>) {
        let _ = self.jetstream_view.set(view);
    }
    /// JetStream's part in monitoring.
    pub fn jetstream_view(&self) -> Option<&Arc<dyn JetStreamView>> {
        self.jetstream_view.get()
    }
    /// Counts a request for a monitoring page.
    pub(crate) fn count_http(&self, page: &'static str) {
        let mut requests = self.http_requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(page).or_default() += 1;
    }
    /// Requests for monitoring pages.
    pub(crate) fn http_requests(&self) -> BTreeMap<&'static str, u64> {
        self.http_requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Sends INFO to every client that understands it at any time.
    fn announce(&self) {
        for link in self.registry.open() {
            if link.options().protocol >= 1 {
                link.send(self.info_for(&link).line().as_bytes());
            }
        }
    }
}

/// The host and port clients are told: the advertised ones, where there are any.
fn advertised(options: &Options, port: u16) -> (String, u16) {
    let address = &options.client_advertise;
    match value::host_port(address) {
        _ if address.is_empty() => (options.host.clone(), port),
        Some((Some(host), port)) => (host, port),
        _ => (address.clone(), port),
    }
}

/// The server, not yet running.
///
/// ```no_run
/// # async fn run() -> Result<(), headwater_server::server::StartError> {
/// use headwater_server::{Options, Server};
///
/// let options = Options { host: "127.0.0.1".into(), port: 0, ..Options::default() };
/// let server = Server::start(options).await?;
/// println!("nats://{}", server.client_address());
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server;

/// A running server. Dropping it without `shutdown` leaves its tasks to the runtime.
#[derive(Debug)]
pub struct RunningServer {
    shared: Arc<Shared>,
    client_address: SocketAddr,
    monitoring_address: Option<SocketAddr>,
    services: Vec<InternalSubscription>,
    lame_duck_over: CancellationToken,
}

impl Server {
    /// Starts a server on the current tokio runtime; when this returns, clients can connect.
    pub async fn start(options: Options) -> Result<RunningServer, StartError> {
        tracing::info!("Starting headwater");
        tracing::info!("  Version:  {}", protocol::VERSION);
        tracing::info!("  As:       nats-server {}", protocol::COMPATIBLE_VERSION);
        let (listener, client_address) = listen(&options.host, options.port).await?;
        let shared = Shared::new(options, client_address.port());
        let info = shared.info();
        tracing::info!("  Name:     {}", info.server_name);
        tracing::info!("  ID:       {}", info.server_id);
        if let Some(path) = &shared.options.config_file {
            tracing::info!("Using configuration file: {}", path.display());
        }
        for warning in &shared.options.warnings {
            tracing::warn!("{warning}");
        }
        if shared.options.jetstream.is_some() {
            start_jetstream(&shared)?;
        }
        let services = monitoring::system::start(&shared);
        let monitoring_address = monitoring::start(&shared).await?;
        tokio::spawn(listener::run(shared.clone(), listener));
        let host = &shared.options.host;
        tracing::info!("Listening for client connections on {host}:{}", client_address.port());
        Ok(RunningServer {
            shared,
            client_address,
            monitoring_address,
            services,
            lame_duck_over: CancellationToken::new(),
        })
    }
}

impl RunningServer {
    /// Where clients connect.
    pub fn client_address(&self) -> SocketAddr {
        self.client_address
    }
    /// Where monitoring answers.
    pub fn monitoring_address(&self) -> Option<SocketAddr> {
        self.monitoring_address
    }
    /// What the connections share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
    /// Stops accepting, tells the clients to go elsewhere, and after the grace period closes them one after the other.
    pub fn start_lame_duck(&self) {
        if self.shared.info().ldm {
            return;
        }
        tracing::info!("Entering lame duck mode, stop accepting new clients");
        self.shared.listening.cancel();
        self.shared.change_info(|info| info.ldm = true);
        self.shared.announce();
        let (shared, over) = (self.shared.clone(), self.lame_duck_over.clone());
        tokio::spawn(async move {
            close_slowly(&shared).await;
            over.cancel();
        });
    }
    /// Waits until lame duck mode has closed every connection; for ever without it.
    pub async fn lame_duck_over(&self) {
        self.lame_duck_over.cancelled().await;
    }
    /// Stops accepting, closes every connection, and waits until all of it is done.
    pub async fn shutdown(self) {
        self.shared.listening.cancel();
        for link in self.shared.registry.open() {
            link.close(Close::Shutdown);
        }
        drop(self.services);
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// Starts JetStream on the options' volume and attaches it to the global account.
fn start_jetstream(shared: &Arc<Shared>) -> Result<(), StartError> {
    let storage = &shared.options.storage;
    if storage.store_dir.is_none() {
        let directory = storage.volume_directory();
        tracing::warn!(
            "Temporary storage directory used, data could be lost on system reboot: {}",
            directory.display()
        );
    }
    let foreign = storage.foreign_directory();
    if foreign.exists() {
        tracing::warn!("{} holds data of nats-server, which is not read", foreign.display());
    }
    Err(StartError::JetStream("it is not built into this version".into()))
}

/// Closes all connections over the lame duck duration, after the grace period.
async fn close_slowly(shared: &Shared) {
    if shared.registry.is_empty() {
        return;
    }
    let options = &shared.options;
    tokio::time::sleep(options.lame_duck_grace_period).await;
    let left = options.lame_duck_duration.saturating_sub(options.lame_duck_grace_period);
    let links = shared.registry.open();
    let count = u32::try_from(links.len()).unwrap_or(u32::MAX).max(1);
    let pause = (left / count).min(LAME_DUCK_PAUSE_MAX);
    for link in links {
        link.close(Close::Shutdown);
        tokio::time::sleep(pause).await;
    }
}

/// Listens on a host and port. The IPv4 wildcard takes IPv6 clients too, where the system can.
pub(crate) async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { address: format!("{host}:{port}"), source };
    let bound = match host {
        "0.0.0.0" | "" => match TcpListener::bind(("::", port)).await {
            Ok(listener) => Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(error),
            Err(_) => TcpListener::bind(("0.0.0.0", port)).await,
        },
        _ => TcpListener::bind((host, port)).await,
    };
    let listener = bound.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// A fresh id: N and 55 characters of base 32, as nats-server's look.
fn server_id() -> String {
    let bytes: [u8; 35] = std::array::from_fn(|_| rand::random());
    let text = data_encoding::BASE32_NOPAD.encode(&bytes);
    format!("N{}", text.get(..55).unwrap_or(&text))
}
