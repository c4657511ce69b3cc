//! Typed options of a server, with nats-server's defaults.
//! Not here: reading them from files (`keys`) or flags (`flags`).

use super::web_origin::WebOrigin;
use headwater_storage::stream::SyncPolicy;
use headwater_storage::volume::DiskMethod;
use std::path::PathBuf;
use std::time::Duration;

/// Options of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on.
    pub host: String,
    /// Port for clients; 0 for any free one.
    pub port: u16,
    /// Name of the server; empty for its id.
    pub server_name: String,
    /// Address clients are told to connect to, `host:port`; empty for none.
    pub client_advertise: String,
    /// Tags, shown in monitoring.
    pub server_tags: Vec<String>,
    /// Where monitoring over HTTP listens; port 0 for any free one.
    pub monitoring: Option<(String, u16)>,
    /// What each connection may do.
    pub limits: ConnectionLimits,
    /// Over how long clients are moved away in lame duck mode.
    pub lame_duck_duration: Duration,
    /// How long clients get to move by themselves before that.
    pub lame_duck_grace_period: Duration,
    /// Who may log in.
    pub auth: AuthOptions,
    /// Where the log goes.
    pub log: LogOptions,
    /// File the process id is written to.
    pub pid_file: Option<PathBuf>,
    /// Directory the ports file is written to.
    pub ports_file_dir: Option<PathBuf>,
    /// Links to other servers.
    pub leaf_nodes: LeafNodeOptions,
    /// The listener for clients over WebSocket; none for no such listener.
    pub websocket: Option<WebSocketOptions>,
    /// JetStream; none when it is off.
    pub jetstream: Option<JetStreamOptions>,
    /// Where and how the engine stores.
    pub storage: StorageOptions,
    /// What was doubtful about the configuration, a sentence each.
    pub warnings: Vec<String>,
    /// The configuration file these came from.
    pub config_file: Option<PathBuf>,
}

/// Bounds of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Longest control line, in bytes.
    pub control_line_bytes_max: usize,
    /// Largest payload, headers included, in bytes.
    pub payload_bytes_max: usize,
    /// Bytes that may wait for one connection.
    pub pending_bytes_max: usize,
    /// Connections at one time.
    pub connections_max: usize,
    /// Subscriptions of one connection; 0 for any number.
    pub subscriptions_max: usize,
    /// How often clients are pinged.
    pub ping_interval: Duration,
    /// Pings that may be unanswered.
    pub pings_outstanding_max: u32,
    /// How long a write may make no progress.
    pub write_deadline: Duration,
}

/// Who may log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthOptions {
    /// Users.
    pub users: Vec<UserOptions>,
    /// Token of everybody.
    pub token: Option<String>,
    /// The user taken for those who give no credentials.
    pub no_auth_user: Option<String>,
    /// How long a client may take to log in; none for nats-server's 2 s.
    pub timeout: Option<Duration>,
}

/// One user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserOptions {
    /// Name.
    pub name: String,
    /// Password.
    pub password: String,
    /// Whether the user lives in the system account, not in the global one.
    pub is_system: bool,
}

impl std::fmt::Debug for UserOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserOptions({:?}, system: {})", self.name, self.is_system)
    }
}

/// Where the log goes and how much of it there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// File; standard error without one.
    pub file: Option<PathBuf>,
    /// Whether lines carry the time.
    pub with_time: bool,
    /// Whether the time is in UTC.
    pub is_utc: bool,
    /// Whether debug lines are written.
    pub debug: bool,
    /// Whether each protocol operation is written.
    pub trace: bool,
}

/// Links to other servers as leaf nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafNodeOptions {
    /// Where leaf nodes connect; port 0 for any free one.
    pub listen: Option<(String, u16)>,
    /// Where the hub is, one after the other until one answers; none for no hub.
    pub remote_urls: Vec<LeafUrl>,
}

/// Where a hub accepts leaf nodes, and who this server is there.
#[derive(Clone, PartialEq, Eq)]
pub struct LeafUrl {
    /// User, or a token where there is no password; empty for neither.
    pub user: String,
    /// Password.
    pub password: Option<String>,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl std::fmt::Debug for LeafUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LeafUrl({}:{})", self.host, self.port)
    }
}

/// The listener for clients over WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// Address to listen on.
    pub host: String,
    /// Port; 0 for any free one.
    pub port: u16,
    /// How long the request for an upgrade may take; none for the listener's own bound.
    pub handshake_timeout: Option<Duration>,
    /// How often these clients are pinged; none for as often as all.
    pub ping_interval: Option<Duration>,
    /// Whether a page may connect only to the server that it came from.
    pub same_origin: bool,
    /// Where pages that connect may come from; empty for anywhere.
    pub allowed_origins: Vec<WebOrigin>,
    /// Whether messages are compressed for clients that can.
    pub compression: bool,
    /// Headers of the answer to an upgrade.
    pub headers: Vec<(String, String)>,
    /// Who may log in.
    pub auth: WebSocketAuth,
}

/// Who may log in over WebSocket, where that is not as for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSocketAuth {
    /// The only user.
    pub user: Option<UserOptions>,
    /// Token of everybody.
    pub token: Option<String>,
    /// The user taken for those who give no credentials.
    pub no_auth_user: Option<String>,
    /// How long a client may take to log in.
    pub timeout: Option<Duration>,
}

/// JetStream. Its data lies where [`StorageOptions`] say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JetStreamOptions {
    /// Bytes that all memory streams may hold; none for no bound.
    pub memory_bytes_max: Option<u64>,
    /// Bytes that all file streams may hold; none for no bound.
    pub file_bytes_max: Option<u64>,
    /// Whether unknown fields in requests are refused.
    pub is_strict: bool,
    /// The domain: how other servers reach the API over a link. Empty for none.
    pub domain: String,
}

/// Where and how the engine stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageOptions {
    /// Directory given by the user; the engine's data lives in a folder inside.
    pub store_dir: Option<PathBuf>,
    /// When appends are acknowledged.
    pub sync: SyncPolicy,
    /// How bytes reach the disk.
    pub disk: DiskMethod,
    /// Size at which a segment is sealed, in bytes; none for the engine's own.
    pub segment_bytes: Option<u64>,
}

impl StorageOptions {
    /// The folder the user named, or the one nats-server takes under the directory for temporary files.
    pub fn base_directory(&self) -> PathBuf {
        self.store_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("nats"))
    }
    /// The directory of the engine's volume. It never coincides with what nats-server writes under the same folder.
    pub fn volume_directory(&self) -> PathBuf {
        self.base_directory().join("headwater")
    }
    /// Where nats-server would keep its streams under the same folder.
    pub fn foreign_directory(&self) -> PathBuf {
        self.base_directory().join("jetstream")
    }
}

impl Default for JetStreamOptions {
    fn default() -> Self {
        Self {
            memory_bytes_max: None,
            file_bytes_max: None,
            is_strict: true,
            domain: String::new(),
        }
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { file: None, with_time: true, is_utc: false, debug: false, trace: false }
    }
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 0,
            handshake_timeout: None,
            ping_interval: None,
            same_origin: false,
            allowed_origins: Vec::new(),
            compression: false,
            headers: Vec::new(),
            auth: WebSocketAuth::default(),
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            control_line_bytes_max: 4096,
            payload_bytes_max: 1024 * 1024,
            pending_bytes_max: 64 * 1024 * 1024,
            connections_max: 64 * 1024,
            subscriptions_max: 0,
            ping_interval: Duration::from_secs(120),
            pings_outstanding_max: 2,
            write_deadline: Duration::from_secs(10),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 4222,
            server_name: String::new(),
            client_advertise: String::new(),
            server_tags: Vec::new(),
            monitoring: None,
            limits: ConnectionLimits::default(),
            lame_duck_duration: Duration::from_secs(120),
            lame_duck_grace_period: Duration::from_secs(10),
            auth: AuthOptions::default(),
            log: LogOptions::default(),
            pid_file: None,
            ports_file_dir: None,
            leaf_nodes: LeafNodeOptions::default(),
            websocket: None,
            jetstream: None,
            storage: StorageOptions::default(),
            warnings: Vec::new(),
            config_file: None,
        }
    }
}

impl Options {
    /// JetStream's options, turned on if they were off.
    pub fn jetstream_mut(&mut self) -> &mut JetStreamOptions {
        self.jetstream.get_or_insert_default()
    }
    /// JetStream's domain; empty for none.
    pub fn domain(&self) -> &str {
        self.jetstream.as_ref().map_or("", |jetstream| jetstream.domain.as_str())
    }
    /// Names of the groups of options in which two sets differ, log levels aside.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let listen = |o: &Self| (o.host.clone(), o.port, o.client_advertise.clone());
        let lame_duck = |o: &Self| (o.lame_duck_duration, o.lame_duck_grace_period);
        let files = |o: &Self| (o.pid_file.clone(), o.ports_file_dir.clone(), o.log.file.clone());
        [
            ("the address", listen(self) != listen(other)),
            ("server_name", self.server_name != other.server_name),
            ("server_tags", self.server_tags != other.server_tags),
            ("monitoring", self.monitoring != other.monitoring),
            ("the limits of connections", self.limits != other.limits),
            ("lame duck mode", lame_duck(self) != lame_duck(other)),
            ("users", self.auth != other.auth),
            ("leafnodes", self.leaf_nodes != other.leaf_nodes),
            ("websocket", self.websocket != other.websocket),
            ("files", files(self) != files(other)),
            ("jetstream", self.jetstream != other.jetstream),
            ("storage", self.storage != other.storage),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}
