//! What all connections of a server share: options, accounts, the registry of connections, and what INFO says.
//! Not here: starting and stopping (`server`).

use crate::auth::{Accounts, Auth};
use crate::config::{Options, value};
use crate::monitoring::JetStreamView;
use crate::network::{Link, Registry};
use crate::protocol::{self, ServerInfo};
use crate::routing::Account;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all connections of a server share.
pub struct Shared {
    /// Options it was started with.
    pub options: Options,
    /// The accounts.
    pub accounts: Accounts,
    /// Who may log in.
    pub auth: Auth,
    /// Who may log in over WebSocket.
    websocket_auth: Auth,
    /// Connections of clients.
    pub registry: Registry,
    /// Links to other servers.
    pub leaf_links: Registry,
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
    system_messages: AtomicU64,
    jetstream_view: OnceLock<Arc<dyn JetStreamView>>,
    websocket_port: OnceLock<u16>,
    reload: OnceLock<mpsc::Sender<Reload>>,
}

/// Somebody wants the configuration read again, and to hear what came of it.
pub type Reload = oneshot::Sender<Result<(), String>>;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("info", &self.info()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(options: Options, port: u16) -> Arc<Self> {
        let accounts = Accounts { global: Account::new("$G"), system: Account::new("$SYS") };
        let auth = Auth::new(options.auth.clone(), accounts.clone());
        let own = options.websocket.as_ref().map(|websocket| websocket.auth.clone());
        let own = own.unwrap_or_default();
        let websocket_auth = Auth::for_websocket(&options.auth, &own, accounts.clone());
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
            websocket_auth,
            registry: Registry::default(),
            leaf_links: Registry::default(),
            started: SystemTime::now(),
            listening: CancellationToken::new(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            info: Mutex::new(info),
            http_requests: Mutex::default(),
            system_messages: AtomicU64::new(0),
            jetstream_view: OnceLock::new(),
            websocket_port: OnceLock::new(),
            reload: OnceLock::new(),
        })
    }
    /// What the server says of itself.
    pub fn info(&self) -> ServerInfo {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// What the server says of itself to this client.
    pub fn info_for(&self, link: &Link) -> ServerInfo {
        let client_ip = link.peer.ip().to_string();
        let mut info = ServerInfo { client_id: link.id, client_ip, ..self.info() };
        if let (true, Some(options)) = (link.transport.is_websocket(), &self.options.websocket) {
            info.host.clone_from(&options.host);
            info.port = self.websocket_port().unwrap_or(options.port);
            info.auth_required = self.websocket_auth.is_announced();
        }
        info
    }
    /// Who may log in the way this client came.
    pub fn auth_of(&self, link: &Link) -> &Auth {
        if link.transport.is_websocket() { &self.websocket_auth } else { &self.auth }
    }
    /// How often a client is pinged.
    pub fn ping_interval(&self, link: &Link) -> Duration {
        let own = self.options.websocket.as_ref().filter(|_| link.transport.is_websocket());
        own.and_then(|own| own.ping_interval).unwrap_or(self.options.limits.ping_interval)
    }
    /// Where clients over WebSocket connect; none where they do not.
    pub fn websocket_port(&self) -> Option<u16> {
        self.websocket_port.get().copied()
    }
    /// Says where clients over WebSocket connect; the first one stays.
    pub(crate) fn set_websocket_port(&self, port: u16) {
        let _ = self.websocket_port.set(port);
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
    /// Says who reads the configuration again; the first one stays.
    pub fn set_reload(&self, reloads: mpsc::Sender<Reload>) {
        let _ = self.reload.set(reloads);
    }
    /// Has the configuration read again, where the server has one.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        let reloads = self.reload.get();
        let reloads = reloads.ok_or("this server has no configuration to read again")?;
        let (reload, done) = oneshot::channel();
        reloads.try_send(reload).map_err(|_| "too many reloads at once, or the server stops")?;
        done.await.unwrap_or_else(|_| Err("the server stops".to_owned()))
    }
    /// The number of the next message that the server sends under `$SYS`.
    pub(crate) fn next_system_message(&self) -> u64 {
        self.system_messages.fetch_add(1, Ordering::Relaxed) + 1
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
    pub(crate) fn announce(&self) {
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

/// A fresh id: N and 55 characters of base 32, as nats-server's look.
fn server_id() -> String {
    let bytes: [u8; 35] = std::array::from_fn(|_| rand::random());
    let text = data_encoding::BASE32_NOPAD.encode(&bytes);
    format!("N{}", text.get(..55).unwrap_or(&text))
}
