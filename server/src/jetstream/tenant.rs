//! One account's streams by name, its API's handler, and word of streams that appear and disappear.
//! Not here: what requests do (`api`, `lifecycle`).

use super::api::Queue;
use super::config::{StreamConfig, from_stored};
use super::consumer::Status;
use super::entry::Entry;
use super::{Context, accounting, backup, config::Storage, consumers, domain};
use crate::routing::{Account, InternalSubscription};
use headwater_replication::Directory;
use headwater_storage::Stream;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use tokio::sync::watch;

/// One account's streams.
pub(crate) struct Tenant {
    /// The account.
    pub(crate) account: Arc<Account>,
    /// What all accounts share.
    pub(crate) context: Arc<Context>,
    /// Held while a stream is created, changed or deleted: one at a time.
    pub(crate) changing: Arc<tokio::sync::Mutex<()>>,
    /// Snapshots and restores under way.
    pub(crate) backups: Arc<backup::Slots>,
    /// What of it is being restored.
    pub(crate) staged: backup::Staged,
    /// Requests answered.
    pub(crate) requests: AtomicU64,
    /// Requests answered with an error.
    pub(crate) errors: AtomicU64,
    streams: RwLock<BTreeMap<String, Arc<Entry>>>,
    configured: AtomicU64,
    changes: watch::Sender<u64>,
    api: Mutex<Vec<InternalSubscription>>,
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({:?})", self.account.name())
    }
}

/// Bytes in use and set aside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) memory: u64,
    pub(crate) file: u64,
    pub(crate) reserved_memory: u64,
    pub(crate) reserved_file: u64,
    pub(crate) messages: u64,
    pub(crate) consumers: usize,
}

impl Tenant {
    /// Brings the account's streams back and serves its API.
    pub(crate) fn start(account: Arc<Account>, context: Arc<Context>) -> Arc<Self> {
        let tenant = Arc::new(Self {
            account,
            context,
            changing: Arc::default(),
            backups: Arc::default(),
            staged: backup::Staged::default(),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            streams: RwLock::default(),
            configured: AtomicU64::new(0),
            changes: watch::Sender::new(0),
            api: Mutex::default(),
        });
        tenant.load();
        let queue = Queue::start(&tenant);
        let api = tenant.account.subscribe("$JS.API.>", queue);
        let elsewhere = domain::serve(&tenant.account, &tenant.context.options.domain);
        let mut served = tenant.api.lock().unwrap_or_else(PoisonError::into_inner);
        served.extend(std::iter::once(api).chain(elsewhere));
        drop(served);
        tenant
    }
    /// Whether it answers, captures and copies.
    pub(crate) fn is_serving(&self) -> bool {
        !self.api.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
    /// What a stream is called in the volume.
    pub(crate) fn stored_name(&self, name: &str) -> String {
        format!("{}/{name}", self.account.name())
    }
    /// The stream of that name.
    pub(crate) fn entry(&self, name: &str) -> Option<Arc<Entry>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
    /// All streams, sorted by name.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
    /// The configuration of the stream of that name.
    pub(crate) fn config(&self, name: &str) -> Option<Arc<StreamConfig>> {
        self.entry(name).map(|entry| entry.config())
    }
    /// Configurations of all streams but one.
    pub(crate) fn other_configs(&self, name: &str) -> Vec<Arc<StreamConfig>> {
        let configs = self.entries().into_iter().map(|entry| entry.config());
        configs.filter(|config| config.name != name).collect()
    }
    /// Adds a stream, and tells those who wait for it.
    pub(crate) fn insert(&self, name: &str, entry: Arc<Entry>) {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        streams.insert(name.to_owned(), entry);
        drop(streams);
        self.note_configured();
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
    /// Takes a stream out, and tells those who copy it.
    pub(crate) fn remove(&self, name: &str) {
        self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.note_configured();
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
    /// A stream is there, or has another configuration, or is gone.
    pub(crate) fn note_configured(&self) {
        self.configured.fetch_add(1, Ordering::AcqRel);
    }
    /// How often that was: what is known of all configurations holds as long as this number stays.
    pub(crate) fn configured(&self) -> u64 {
        self.configured.load(Ordering::Acquire)
    }
    /// Counts an answered request.
    pub(crate) fn count(&self, is_error: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(u64::from(is_error), Ordering::Relaxed);
    }
    /// Bytes in use and set aside.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let entries = self.entries();
        let configs: Vec<_> = entries.iter().map(|entry| entry.config()).collect();
        for (entry, config) in entries.iter().zip(&configs) {
            let state = entry.stream.state();
            usage.messages += state.messages;
            usage.consumers += entry.consumers.all().len();
            match config.storage {
                Storage::Memory => usage.memory += state.bytes,
                Storage::File => usage.file += state.bytes,
            }
        }
        let reserved = |kind| accounting::reserved(configs.iter().map(AsRef::as_ref), kind);
        (usage.reserved_memory, usage.reserved_file) =
            (reserved(Storage::Memory), reserved(Storage::File));
        usage
    }
    /// Stops answering, capturing and copying.
    pub(crate) async fn stop(&self) {
        self.api.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let _changing = self.changing.lock().await;
        for entry in self.entries() {
            entry.release();
            entry.consumers.stop(Status::new(409, "Server Shutdown")).await;
            entry.copies.lock().await.stop().await;
        }
        self.streams.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
    /// The account's streams, for those who copy from them.
    pub(crate) fn directory(self: &Arc<Self>) -> Arc<dyn Directory> {
        Arc::new(TenantDirectory {
            tenant: Arc::downgrade(self),
            changes: self.changes.subscribe(),
        })
    }

    /// Takes up the streams that the volume holds for this account. One whose configuration cannot be read is left
    /// alone, and said.
    fn load(self: &Arc<Self>) {
        let prefix = self.stored_name("");
        let (mut entries, mut staged) = (Vec::new(), Vec::new());
        for stream in self.context.volume.streams() {
            let stored = stream.config();
            let Some(name) = stored.name.strip_prefix(&prefix) else { continue };
            if backup::is_staged(&stream) {
                staged.push(name.to_owned());
                continue;
            }
            match from_stored(&stored.application) {
                Ok(config) => {
                    let entry = Entry::new(stream, Arc::new(config), &self.context);
                    self.insert(name, entry.clone());
                    entries.push(entry);
                }
                Err(error) => tracing::error!(
                    stream = stored.name,
                    "stream is left alone, its configuration cannot be read: {}",
                    error.description
                ),
            }
        }
        if let (false, Ok(changing)) = (staged.is_empty(), self.changing.clone().try_lock_owned()) {
            let tenant = self.clone();
            self.context.runtime.spawn(async move {
                backup::remove_staged(tenant, staged).await;
                drop(changing);
            });
        }
        for entry in entries {
            entry.capture(&self.account);
            consumers::load(self, &entry);
            entry.keep(self);
            self.context.runtime.spawn(super::copies::follow_config(self.clone(), entry));
        }
    }
}

/// The account's streams for the drivers of copies, which must not keep the account alive.
struct TenantDirectory {
    tenant: Weak<Tenant>,
    changes: watch::Receiver<u64>,
}

impl Directory for TenantDirectory {
    fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.tenant.upgrade()?.entry(name).map(|entry| entry.stream.clone())
    }
    fn changes(&self) -> watch::Receiver<u64> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        changes
    }
}
