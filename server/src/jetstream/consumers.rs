//! The consumers of a stream: creating, changing, deleting them, and bringing them back.
//! Invariant: one change at a time in a stream, so that verdicts hold until they are acted on.
//! Not here: requests and replies (`api`), what one consumer does (`consumer`).

use super::config::{Retention, StreamConfig};
use super::consumer::config::{
    AckPolicy, Action, ConsumerConfig, DeliverPolicy, PriorityPolicy, ZERO_TIME, check, fill,
    updated,
};
use super::consumer::ledger::{Described, Ledger};
use super::consumer::{Consumer, Event, State, Status, resumed, start};
use super::entry::Entry;
use super::errors::{self, ApiError};
use super::tenant::Tenant;
use super::validate::{DYNAMIC_KEYS, NAME_BYTES_MAX, REQUIRED_LEVEL_KEY, is_name};
use headwater_storage::{Timestamp, subject};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Consumers of a stream whose configuration sets no bound.
pub(crate) const CONSUMERS_MAX: usize = 1000;
/// Error code of a consumer that the engine cannot store.
const STORE_FAILED: u16 = 10104;
/// How long one that is not durable stays without anybody using it, in nanoseconds.
const INACTIVE_DEFAULT: i64 = 5_000_000_000;
/// Characters of a name that the server makes.
const MADE_NAME_BYTES: usize = 8;

/// The consumers of one stream.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    by_name: RwLock<BTreeMap<String, Arc<Consumer>>>,
    /// Held while a consumer is created, changed or deleted.
    changing: tokio::sync::Mutex<()>,
}

impl Consumers {
    /// The consumer of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Consumer>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
    /// All of them but hidden ones, sorted by name.
    pub(crate) fn listed(&self) -> Vec<Arc<Consumer>> {
        let mut all = self.all();
        all.retain(|consumer| !consumer.config().direct);
        all
    }
    /// Those of clients: not the ones of mirrors and sources, for which no bound counts.
    pub(crate) fn of_clients(&self) -> Vec<Arc<Consumer>> {
        let mut all = self.listed();
        all.retain(|consumer| !consumer.config().sourcing);
        all
    }
    /// All of them, sorted by name.
    pub(crate) fn all(&self) -> Vec<Arc<Consumer>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.values().cloned().collect()
    }
    fn insert(&self, consumer: &Arc<Consumer>) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(consumer.name.clone(), consumer.clone());
    }
    fn remove(&self, name: &str) -> Option<Arc<Consumer>> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }
    /// The stream is purged, or has been.
    pub(crate) fn set_purging(&self, is_purging: bool) {
        self.all().iter().for_each(|consumer| consumer.set_purging(is_purging));
    }
    /// Stops all of them, for good or until they are brought back.
    pub(crate) async fn stop(&self, why: Status) {
        let _changing = self.changing.lock().await;
        for consumer in self.all() {
            self.remove(&consumer.name);
            let tells = consumer.stop(&why).await;
            consumer.send(tells);
        }
    }
}

/// Brings a stream's consumers back as they are stored.
pub(crate) fn load(tenant: &Arc<Tenant>, entry: &Arc<Entry>) {
    let config = entry.config();
    let name = config.name.as_str();
    let volume = &tenant.context.volume;
    let found = Ledger::find(volume, tenant.account.name(), name, &entry.stream);
    let Some(ledger) = found else { return };
    let stored = match ledger.load() {
        Ok(stored) => stored,
        Err(error) => {
            tracing::error!(stream = name, %error, "the consumers of a stream cannot be read");
            return;
        }
    };
    for (name, described, state) in stored {
        let ledger = Some(ledger.clone());
        let consumer = Consumer::new(&name, entry, &tenant.account, &described, state, ledger);
        entry.consumers.insert(&consumer);
        consumer.run(tenant);
    }
}

/// Creates a consumer, or changes the one of its name.
pub(crate) async fn create(
    tenant: &Arc<Tenant>,
    entry: &Arc<Entry>,
    mut config: ConsumerConfig,
    action: Action,
    is_pedantic: bool,
) -> Result<Arc<Consumer>, ApiError> {
    let _changing = entry.consumers.changing.lock().await;
    let stream = entry.config();
    let name = match config.is_durable() {
        true => config.durable_name.clone(),
        false => config.name.clone(),
    };
    let known = entry.consumers.find(&name);
    if let Some(known) = &known {
        // It is changed by a request of its own.
        config.pause_until = known.config().pause_until;
    }
    metadata(&mut config);
    fill(&mut config, &stream, is_pedantic)?;
    check(&config, &stream)?;
    match (known, action) {
        (Some(known), action) => change(tenant, entry, &stream, &known, config, action).await,
        (None, Action::Update) => Err(errors::CONSUMER_MISSING),
        (None, _) => {
            let consumer = add(tenant, entry, &stream, name, config, None).await?;
            consumer.run(tenant);
            Ok(consumer)
        }
    }
}

async fn change(
    tenant: &Arc<Tenant>,
    entry: &Arc<Entry>,
    stream: &StreamConfig,
    known: &Arc<Consumer>,
    mut config: ConsumerConfig,
    action: Action,
) -> Result<Arc<Consumer>, ApiError> {
    let old = known.config();
    if *old == config {
        begin_again(known);
        return Ok(known.clone());
    }
    if action == Action::Create {
        return Err(errors::CONSUMER_EXISTS);
    }
    stays(&mut config);
    let is_bound = old.is_push() && tenant.account.has_interest(&old.deliver_subject);
    updated(&old, &config, is_bound)?;
    let is_alone = stream.retention != Retention::Workqueue || config.sourcing;
    if !is_alone && !is_unique(entry, &config) {
        return Err(errors::CONSUMER_QUEUE_NOT_UNIQUE);
    }
    store(known, config).await?;
    begin_again(known);
    if let Some(keeper) = entry.keeper() {
        keeper.look_again();
    }
    Ok(known.clone())
}

/// Who copies and asks for its consumer again has lost the thread: what it did not acknowledge comes again.
fn begin_again(consumer: &Consumer) {
    if consumer.config().sourcing {
        consumer.reset(None);
    }
}

/// Brings a consumer back as an archive has it. It does not run yet.
pub(crate) async fn restore(
    tenant: &Arc<Tenant>,
    entry: &Arc<Entry>,
    name: &str,
    mut config: ConsumerConfig,
    state: State,
) -> Result<Arc<Consumer>, ApiError> {
    let _changing = entry.consumers.changing.lock().await;
    if config.is_durable() && config.durable_name != name {
        return Err(errors::CONSUMER_DURABLE_MISMATCH);
    }
    if entry.consumers.find(name).is_some() {
        return Err(errors::CONSUMER_EXISTS);
    }
    let stream = entry.config();
    name.clone_into(&mut config.name);
    metadata(&mut config);
    fill(&mut config, &stream, false)?;
    check(&config, &stream)?;
    add(tenant, entry, &stream, name.to_owned(), config, Some(state)).await
}

/// Stores another configuration of a consumer, and goes by it.
async fn store(consumer: &Arc<Consumer>, config: ConsumerConfig) -> Result<(), ApiError> {
    if let Some(ledger) = &consumer.ledger {
        let described = consumer.described(config.clone());
        let stored = ledger.update(&consumer.name, &described).await;
        stored.map_err(|error| ApiError::of_storage(&error, STORE_FAILED))?;
    }
    consumer.set_config(config);
    Ok(())
}

async fn add(
    tenant: &Arc<Tenant>,
    entry: &Arc<Entry>,
    stream: &StreamConfig,
    name: String,
    mut config: ConsumerConfig,
    known: Option<State>,
) -> Result<Arc<Consumer>, ApiError> {
    let bound = match stream.max_consumers {
        max if max > 0 => usize::try_from(max).unwrap_or(usize::MAX),
        _ => CONSUMERS_MAX,
    };
    let is_copying = config.direct || config.sourcing;
    if !is_copying && entry.consumers.of_clients().len() >= bound
        || entry.consumers.all().len() >= bound.saturating_add(CONSUMERS_MAX)
    {
        return Err(errors::CONSUMERS_MAXIMUM);
    }
    if stream.retention == Retention::Workqueue && !is_copying {
        queued(entry, &config)?;
    }
    let name = if name.is_empty() { made_name(entry) } else { name };
    if name.len() > NAME_BYTES_MAX {
        let text = format!("consumer name is too long, maximum allowed is {NAME_BYTES_MAX}");
        return Err(ApiError::with(400, 10102, text));
    }
    if !is_name(&name) || !subject::is_literal(&name) {
        return Err(errors::CONSUMER_BAD_NAME);
    }
    config.name.clone_from(&name);
    stays(&mut config);
    let failed = |error| ApiError::of_storage(&error, STORE_FAILED);
    let (state, chosen_through) = match known.and_then(|state| resumed(&config, state)) {
        Some(state) => (state, 0),
        None => start(&config, &entry.stream, stream.max_msgs_per_subject).map_err(failed)?,
    };
    let described = Described { config, created: Timestamp::now(), chosen_through };
    let is_stored = !described.config.mem_storage
        && !described.config.direct
        && stream.storage == super::config::Storage::File;
    let ledger = match is_stored {
        false => None,
        true => {
            let (volume, account) = (&tenant.context.volume, tenant.account.name());
            let opened = Ledger::open(volume, account, &stream.name, &entry.stream).await;
            let ledger = opened.map_err(failed)?;
            ledger.create(&name, &described, &state).await.map_err(failed)?;
            Some(ledger)
        }
    };
    let consumer = Consumer::new(&name, entry, &tenant.account, &described, state, ledger);
    entry.consumers.insert(&consumer);
    Ok(consumer)
}

/// Whether the consumers there are keep to bounds that a stream's update changes.
pub(crate) fn within_limits(
    entry: &Entry,
    old: &StreamConfig,
    new: &StreamConfig,
) -> Result<(), ApiError> {
    let (old, new) = (&old.consumer_limits, &new.consumer_limits);
    let bound = |old: i64, new: i64| (new > 0 && old != new).then_some(new);
    let idle = bound(old.inactive_threshold, new.inactive_threshold);
    let pending = bound(old.max_ack_pending, new.max_ack_pending);
    if idle.is_none() && pending.is_none() {
        return Ok(());
    }
    let (idle, pending) = (new.inactive_threshold, new.max_ack_pending);
    let mut all = entry.consumers.all();
    all.retain(|consumer| {
        let config = consumer.config();
        (idle > 0 && config.inactive_threshold > idle)
            || (pending > 0 && config.max_ack_pending > pending)
    });
    if all.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = all.iter().map(|consumer| consumer.name.as_str()).collect();
    let text = format!("change to limits violates consumers: {}", names.join(", "));
    Err(ApiError::with(500, 10069, text))
}

/// Nothing is delivered before then; `None` goes on at once.
pub(crate) async fn pause(
    entry: &Entry,
    consumer: &Arc<Consumer>,
    until: Option<jiff::Timestamp>,
) -> Result<(), ApiError> {
    let _changing = entry.consumers.changing.lock().await;
    let mut config = ConsumerConfig { pause_until: until, ..(*consumer.config()).clone() };
    metadata(&mut config);
    store(consumer, config).await?;
    let is_paused = until.filter(|until| *until > jiff::Timestamp::now());
    consumer.publish(&Event::Paused(is_paused));
    Ok(())
}

/// Deletes a consumer by name.
pub(crate) async fn delete(
    tenant: &Arc<Tenant>,
    entry: &Arc<Entry>,
    name: &str,
) -> Result<(), ApiError> {
    let consumer = entry.consumers.find(name).ok_or(errors::CONSUMER_NOT_FOUND)?;
    delete_this(tenant, &consumer).await
}

/// Deletes this consumer, unless another one has its name by now.
pub(crate) async fn delete_this(
    tenant: &Arc<Tenant>,
    consumer: &Arc<Consumer>,
) -> Result<(), ApiError> {
    let entry = tenant.entry(&consumer.stream).ok_or(errors::STREAM_NOT_FOUND)?;
    let _changing = entry.consumers.changing.lock().await;
    let found = entry.consumers.find(&consumer.name);
    if !found.is_some_and(|found| Arc::ptr_eq(&found, consumer)) {
        return Err(errors::CONSUMER_NOT_FOUND);
    }
    let tells = consumer.stop(&Status::new(409, "Consumer Deleted")).await;
    entry.consumers.remove(&consumer.name);
    let removed = match &consumer.ledger {
        Some(ledger) => ledger.remove(&consumer.name).await,
        None => Ok(()),
    };
    consumer.publish(&Event::Deleted);
    consumer.send(tells);
    if let Some(keeper) = entry.keeper() {
        keeper.look_again();
    }
    removed.map_err(|error| ApiError::of_storage(&error, STORE_FAILED))
}

/// What a work queue asks of its consumers: every message has one that takes it off.
fn queued(entry: &Entry, config: &ConsumerConfig) -> Result<(), ApiError> {
    if !matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::FlowControl) {
        return Err(errors::CONSUMER_QUEUE_EXPLICIT);
    }
    if config.deliver_policy != DeliverPolicy::All {
        return Err(errors::CONSUMER_QUEUE_ALL);
    }
    if entry.consumers.of_clients().is_empty() {
        return Ok(());
    }
    if config.filters().is_empty() {
        return Err(errors::CONSUMER_QUEUE_UNFILTERED);
    }
    if is_unique(entry, config) { Ok(()) } else { Err(errors::CONSUMER_QUEUE_NOT_UNIQUE) }
}

/// Whether no other consumer of a queue gets messages that this one gets.
fn is_unique(entry: &Entry, config: &ConsumerConfig) -> bool {
    let all = || vec![">".to_owned()];
    let filters = Some(config.filters()).filter(|filters| !filters.is_empty()).unwrap_or_else(all);
    let others = entry.consumers.of_clients();
    others.iter().filter(|other| other.name != config.name).all(|other| {
        let others = other.config().filters();
        let others = if others.is_empty() { all() } else { others };
        !filters.iter().any(|one| others.iter().any(|other| subject::collides(one, other)))
    })
}

pub(crate) fn made_name(entry: &Entry) -> String {
    loop {
        let name = nuid::next();
        let name = name.as_str();
        let name = name.get(name.len().saturating_sub(MADE_NAME_BYTES)..).unwrap_or(name);
        if entry.consumers.find(name).is_none() {
            return name.to_owned();
        }
    }
}

/// One that is not durable never stays for ever.
fn stays(config: &mut ConsumerConfig) {
    if !config.is_durable() && config.inactive_threshold == 0 {
        config.inactive_threshold = INACTIVE_DEFAULT;
    }
}

/// The level is stored with the consumer, what replies add is not.
fn metadata(config: &mut ConsumerConfig) {
    for key in DYNAMIC_KEYS {
        config.metadata.remove(key);
    }
    let is_paused = config.pause_until.is_some_and(|until| until.as_second() > ZERO_TIME);
    let has_priority = config.priority_policy != PriorityPolicy::None
        || config.priority_timeout != 0
        || !config.priority_groups.is_empty();
    let level = match config.ack_policy {
        AckPolicy::FlowControl => "4",
        _ if is_paused || has_priority => "1",
        _ => "0",
    };
    config.metadata.insert(REQUIRED_LEVEL_KEY.to_owned(), level.to_owned());
}
