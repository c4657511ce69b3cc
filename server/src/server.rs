//! The server as a library call: `Server::start` gives a running server with its addresses and ways to stop it.
//! Not here: the command line (`cli`), process signals (`signals`).

use crate::config::Options;
use crate::config::options::{JetStreamOptions, StorageOptions};
use crate::damage_log;
use crate::jetstream::{self, Identity, JetStream};
use crate::leaf;
use crate::monitoring::{self, events};
use crate::network::{Close, listener, websocket};
use crate::protocol;
use crate::routing::InternalSubscription;
use crate::shared::Shared;
use headwater_storage::{Volume, VolumeOptions};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
        source: io::Error,
    },
    /// JetStream cannot start.
    #[error("cannot start JetStream: {0}")]
    JetStream(String),
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
    leaf_address: Option<SocketAddr>,
    websocket_address: Option<SocketAddr>,
    services: Vec<InternalSubscription>,
    jetstream: Option<(Arc<JetStream>, Arc<Volume>)>,
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
        let jetstream = match &shared.options.jetstream {
            Some(options) => Some(start_jetstream(&shared, options).await?),
            None => None,
        };
        let services = monitoring::system::start(&shared);
        let monitoring_address = monitoring::start(&shared).await?;
        let leaf_address = leaf::start(&shared).await?;
        let websocket_address = websocket::start(&shared).await?;
        tokio::spawn(listener::run(shared.clone(), listener));
        events::start(&shared);
        let host = &shared.options.host;
        tracing::info!("Listening for client connections on {host}:{}", client_address.port());
        Ok(RunningServer {
            shared,
            client_address,
            monitoring_address,
            leaf_address,
            websocket_address,
            services,
            jetstream,
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
    /// Where leaf nodes connect.
    pub fn leaf_address(&self) -> Option<SocketAddr> {
        self.leaf_address
    }
    /// Where clients over WebSocket connect.
    pub fn websocket_address(&self) -> Option<SocketAddr> {
        self.websocket_address
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
        events::leaving(&self.shared, "LAMEDUCK");
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
        events::leaving(&self.shared, "SHUTDOWN");
        for link in self.shared.registry.open() {
            link.close(Close::Shutdown);
        }
        drop(self.services);
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        if let Some((jetstream, volume)) = self.jetstream {
            jetstream.stop().await;
            let closed = tokio::task::spawn_blocking(move || volume.close()).await;
            if let Ok(Err(error)) = closed {
                tracing::error!("the volume was not closed well: {error}");
            }
        }
    }
}

/// Starts JetStream on the options' volume and attaches it to the global account.
async fn start_jetstream(
    shared: &Arc<Shared>,
    options: &JetStreamOptions,
) -> Result<(Arc<JetStream>, Arc<Volume>), StartError> {
    let storage = &shared.options.storage;
    let directory = storage.volume_directory();
    if storage.store_dir.is_none() {
        tracing::warn!(
            "Temporary storage directory used, data could be lost on system reboot: {}",
            directory.display()
        );
    }
    let foreign = storage.foreign_directory();
    if foreign.exists() {
        tracing::warn!("{} holds data of nats-server, which is not read", foreign.display());
    }
    let volume = open_volume(storage, options, directory.clone()).await?;
    let info = shared.info();
    let identity = Identity { name: info.server_name, id: info.server_id };
    let jetstream = JetStream::start(
        volume.clone(),
        identity,
        jetstream::JetStreamOptions {
            memory_bytes_max: options.memory_bytes_max,
            file_bytes_max: options.file_bytes_max,
            is_strict: options.is_strict,
            domain: options.domain.clone(),
            directory,
        },
    );
    jetstream.attach(&shared.accounts.global);
    shared.set_jetstream_view(jetstream.clone());
    shared.change_info(|info| {
        info.jetstream = true;
        info.domain.clone_from(&options.domain);
    });
    Ok((jetstream, volume))
}

/// Opens the volume, which may have to recover what a crash left, and says what was found.
async fn open_volume(
    storage: &StorageOptions,
    options: &JetStreamOptions,
    directory: PathBuf,
) -> Result<Arc<Volume>, StartError> {
    let refused = |error: String| StartError::JetStream(error);
    let defaults = VolumeOptions::new(directory);
    let volume_options = VolumeOptions {
        disk: storage.disk,
        sync: storage.sync,
        segment_bytes: storage.segment_bytes.unwrap_or(defaults.segment_bytes),
        memory_bytes_max: options.memory_bytes_max.unwrap_or(u64::MAX),
        ..defaults
    };
    let opened = tokio::task::spawn_blocking(move || Volume::open(volume_options)).await;
    let volume = opened
        .map_err(|error| refused(error.to_string()))?
        .map_err(|error| refused(error.to_string()))?;
    tracing::info!("Opened the volume, disk method: {}", volume.disk_method());
    damage_log::log(&volume);
    Ok(Arc::new(volume))
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

/// Listens, and says where when it cannot.
pub(crate) async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { address: format!("{host}:{port}"), source };
    listener::listen(host, port).await.map_err(refused)
}
