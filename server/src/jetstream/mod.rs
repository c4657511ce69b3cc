//! The JetStream API on the engine.
//!
//! Life of a request: an account's handler takes it off the connection's task and queues it on one of a few lanes, always the
//! same one for a connection, so that its requests are answered in order (`api`); the endpoint's file does the work. Life
//! of a publish: the stream's handler checks headers on the connection's task and appends (`publish`); the commit thread
//! sends the acknowledgement. In the volume a stream is called `<account>/<name>`, and its whole configuration lies
//! beside the engine's.
//!
//! Not here: sockets, how messages are stored or copied.

mod accounting;
pub(crate) mod advisory;
mod api;
pub(crate) mod backup;
pub mod config;
mod consumer;
mod consumers;
mod copies;
mod counter;
mod domain;
mod entry;
pub mod errors;
mod info;
mod json;
mod keeper;
mod lifecycle;
mod lookup;
mod publish;
mod remote;
mod schedule;
mod tenant;
mod text_time;
mod validate;
mod view;

use crate::routing::Account;
use headwater_storage::{Timestamp, Volume};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tenant::Tenant;

/// Who this server is.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
}

/// How JetStream behaves.
#[derive(Clone, Debug)]
pub struct JetStreamOptions {
    /// Bytes that all memory streams may set aside; none for three quarters of the machine's.
    pub memory_bytes_max: Option<u64>,
    /// Bytes that all file streams may set aside; none for three quarters of what is free on the disk.
    pub file_bytes_max: Option<u64>,
    /// Whether unknown fields in requests are refused.
    pub is_strict: bool,
    /// The domain; empty for none.
    pub domain: String,
    /// Where the data lies, for monitoring and to find out how much room there is.
    pub directory: PathBuf,
}

/// What the accounts share.
pub(crate) struct Context {
    pub(crate) volume: Arc<Volume>,
    pub(crate) identity: Identity,
    pub(crate) options: JetStreamOptions,
    pub(crate) bounds: accounting::Bounds,
    pub(crate) batches: Arc<publish::Budget>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) started: Timestamp,
}

/// JetStream on one volume.
pub struct JetStream {
    context: Arc<Context>,
    tenants: Mutex<Vec<Arc<Tenant>>>,
}

impl fmt::Debug for JetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStream").field("options", &self.context.options).finish_non_exhaustive()
    }
}

impl JetStream {
    /// JetStream on an open volume. Called on a tokio runtime, which runs its tasks from then on.
    pub fn start(volume: Arc<Volume>, identity: Identity, options: JetStreamOptions) -> Arc<Self> {
        let bounds = accounting::Bounds::new(&options);
        let runtime = tokio::runtime::Handle::current();
        let started = Timestamp::now();
        let batches = Arc::default();
        let context = Context { volume, identity, options, bounds, batches, runtime, started };
        Arc::new(Self { context: Arc::new(context), tenants: Mutex::default() })
    }
    /// Serves an account: its streams come back, and its API answers from then on.
    pub fn attach(&self, account: &Arc<Account>) {
        let tenant = Tenant::start(account.clone(), self.context.clone());
        self.lock().push(tenant);
    }
    /// Stops serving: nothing is answered, captured or copied any more. The volume stays open.
    pub async fn stop(&self) {
        let tenants = std::mem::take(&mut *self.lock());
        for tenant in tenants {
            tenant.stop().await;
        }
    }

    fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.lock().clone()
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Tenant>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
