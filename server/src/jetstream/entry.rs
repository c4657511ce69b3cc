//! One stream of an account: the engine's stream, its configuration, what captures its subjects, and what it copies.
//! Not here: how any of these is changed (`lifecycle`).

use super::Context;
use super::config::StreamConfig;
use super::consumers::Consumers;
use super::copies::Copies;
use super::counter::Counter;
use super::keeper::Keeper;
use super::publish::Publisher;
use super::publish::republish::{AbortOnDrop, follow};
use super::schedule;
use super::tenant::Tenant;
use crate::routing::{Account, InternalSubscription};
use headwater_storage::Stream;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// One stream of an account.
pub(crate) struct Entry {
    /// The engine's stream.
    pub(crate) stream: Arc<Stream>,
    /// What it copies. Held over waits, so it has the lock of the runtime.
    pub(crate) copies: tokio::sync::Mutex<Copies>,
    /// Its consumers.
    pub(crate) consumers: Consumers,
    keeper: Mutex<Option<Arc<Keeper>>>,
    publisher: Arc<Publisher>,
    config: RwLock<Arc<StreamConfig>>,
    captures: Mutex<Vec<(String, InternalSubscription)>>,
    statuses: Mutex<super::copies::Statuses>,
    republishing: Mutex<Option<AbortOnDrop>>,
    scheduling: Mutex<Option<AbortOnDrop>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({:?})", self.config().name)
    }
}

impl Entry {
    /// A stream that captures nothing yet.
    pub(crate) fn new(
        stream: Arc<Stream>,
        config: Arc<StreamConfig>,
        context: &Context,
    ) -> Arc<Self> {
        if config.allow_msg_counter {
            stream.combine_with(Arc::new(Counter));
        }
        let (budget, runtime) = (&context.batches, context.runtime.clone());
        let publisher =
            Publisher::new(stream.clone(), &config, &context.options.domain, budget, runtime);
        Arc::new(Self {
            stream,
            copies: tokio::sync::Mutex::default(),
            consumers: Consumers::default(),
            keeper: Mutex::default(),
            publisher,
            config: RwLock::new(config),
            captures: Mutex::default(),
            statuses: Mutex::default(),
            republishing: Mutex::default(),
            scheduling: Mutex::default(),
        })
    }
    /// Its configuration now.
    pub(crate) fn config(&self) -> Arc<StreamConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Goes by another configuration from now on.
    pub(crate) fn set_config(&self, config: Arc<StreamConfig>) {
        self.publisher.configure(&config);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
    /// Captures the subjects of its configuration, and no others any more.
    pub(crate) fn capture(&self, account: &Arc<Account>) {
        let config = self.config();
        let mut captures = self.captures.lock().unwrap_or_else(PoisonError::into_inner);
        captures.retain(|(subject, _)| config.subjects.contains(subject));
        for subject in &config.subjects {
            if !captures.iter().any(|(captured, _)| captured == subject) {
                let handler = self.publisher.clone();
                captures.push((subject.clone(), account.subscribe(subject, handler)));
            }
        }
    }
    /// Publishes again what copies bring, if the configuration says so. Called before the copies begin.
    pub(crate) fn republish(&self, account: &Arc<Account>, runtime: &tokio::runtime::Handle) {
        let following = follow(&self.stream, account, &self.config(), runtime);
        *self.republishing.lock().unwrap_or_else(PoisonError::into_inner) = following;
    }
    /// Publishes what its schedules ask for, if it has some.
    pub(crate) fn schedule(&self, runtime: &tokio::runtime::Handle) {
        let mut scheduling = self.scheduling.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.config().allow_msg_schedules {
            scheduling.take();
        } else if scheduling.is_none() {
            let task = runtime.spawn(schedule::run(Arc::downgrade(&self.stream)));
            *scheduling = Some(AbortOnDrop(task.abort_handle()));
        }
    }
    /// Captures nothing any more.
    pub(crate) fn release(&self) {
        self.republishing.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.scheduling.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.captures.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.publisher.abandon();
    }
    /// What lets messages go that stay only for those who need them; none where they stay up to a limit.
    pub(crate) fn keeper(&self) -> Option<Arc<Keeper>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Lets messages go as its configuration says. Called when its consumers are there.
    pub(crate) fn keep(self: &Arc<Self>, tenant: &Arc<Tenant>) {
        let keeper = Keeper::start(tenant, self);
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = keeper;
    }
    /// How its copies go, to be asked without waiting.
    pub(crate) fn statuses(&self) -> super::copies::Statuses {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Notes what tells how its copies go.
    pub(crate) fn set_statuses(&self, statuses: super::copies::Statuses) {
        *self.statuses.lock().unwrap_or_else(PoisonError::into_inner) = statuses;
    }
}
