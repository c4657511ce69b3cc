//! What a stream copies: the running mirror or sources, started, stopped and exchanged as its configuration says, and how
//! they go.
//! Not here: copying itself (crate `headwater-replication`).

use super::config::{OriginConfig, StreamConfig, TransformConfig};
use super::entry::Entry;
use super::errors::{self, ApiError};
use super::remote::{self, Copier, RemoteOrigin};
use super::tenant::Tenant;
use super::text_time;
use headwater_replication::mirror::Mirror;
use headwater_replication::plugin::Plugin;
use headwater_replication::progress::{Progress, source_key};
use headwater_replication::source::Source;
use headwater_replication::target::StreamTarget;
use headwater_replication::{
    Error, MirrorConfig, Replication, Replicator, SourceConfig, Status, Transform,
};
use headwater_storage::Stream;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Clients take nanoseconds up to 0 for a copy that never heard of its origin.
const ACTIVE_MIN: i64 = 1_000;
/// Clients refuse the largest number.
const ACTIVE_MAX: i64 = i64::MAX - 1_000_000;

/// One running copy.
struct Running {
    is_mirror: bool,
    origin: OriginConfig,
    transform: Option<TransformConfig>,
    handle: Handle,
}

/// A running replication, until it is taken out to be stopped.
type Handle = Arc<Mutex<Option<Replication>>>;

/// The copies of one stream.
#[derive(Default)]
pub(crate) struct Copies {
    running: Vec<Running>,
}

/// What tells how copies go: the origin of each, and its handle.
pub(crate) type Statuses = Arc<Vec<(OriginConfig, Handle)>>;

/// Runs what the stream's configuration says.
pub(crate) async fn follow_config(tenant: Arc<Tenant>, entry: Arc<Entry>) {
    let mut copies = entry.copies.lock().await;
    let config = entry.config();
    entry.republish(&tenant.account, &tenant.context.runtime);
    entry.schedule(&tenant.context.runtime);
    copies.follow(&entry.stream, &config, &tenant).await;
    let handles = copies.running.iter();
    let statuses =
        handles.map(|each| (each.origin.clone(), each.handle.clone())).collect::<Vec<_>>();
    entry.set_statuses(Arc::new(statuses));
    // What keeps messages for those who copy them has to know that there are some.
    for origin in config.mirror.iter().chain(&config.sources) {
        if let Some(keeper) = tenant.entry(&origin.name).and_then(|origin| origin.keeper()) {
            keeper.look_again();
        }
    }
}

impl Copies {
    /// Stops what the configuration no longer has, starts what is new, and lets the rest go on.
    async fn follow(&mut self, stream: &Arc<Stream>, config: &StreamConfig, tenant: &Arc<Tenant>) {
        let transform = &config.subject_transform;
        let mut kept = Vec::new();
        for running in std::mem::take(&mut self.running) {
            let same = running.transform == *transform
                && match running.is_mirror {
                    true => config.mirror.as_ref() == Some(&running.origin),
                    false => config.sources.contains(&running.origin),
                };
            if same {
                kept.push(running);
                continue;
            }
            stop(&running.handle).await;
            let index = running.origin.index_name();
            let is_gone = match running.is_mirror {
                true => config.mirror.as_ref() != Some(&running.origin),
                false => !config.sources.iter().any(|source| source.index_name() == index),
            };
            if is_gone {
                let copier = copier(running.is_mirror, stream, &config.name, tenant);
                remote::forget(&tenant.account, &running.origin, &copier);
            }
            if !running.is_mirror && is_gone {
                forget(stream, &running.origin).await;
            }
        }
        self.running = kept;
        let origins = config.mirror.iter().map(|origin| (true, origin));
        let origins = origins.chain(config.sources.iter().map(|origin| (false, origin)));
        for (is_mirror, origin) in origins {
            if self.running.iter().any(|each| each.origin == *origin) {
                continue;
            }
            let copier = copier(is_mirror, stream, &config.name, tenant);
            let started = start(&copier, stream, origin, transform.as_ref(), tenant);
            match started {
                Ok(replication) => self.running.push(Running {
                    is_mirror,
                    origin: origin.clone(),
                    transform: transform.clone(),
                    handle: Arc::new(Mutex::new(Some(replication))),
                }),
                Err(error) => {
                    tracing::error!(stream = config.name, origin = origin.name, "no copy: {error}");
                }
            }
        }
    }
    /// Tells the servers they copy from that the stream is deleted.
    pub(crate) fn forget(origins: &StreamConfig, stream: &Stream, tenant: &Tenant) {
        let mirror = origins.mirror.iter().map(|origin| (true, origin));
        let sources = origins.sources.iter().map(|origin| (false, origin));
        for (is_mirror, origin) in mirror.chain(sources) {
            let copier = copier(is_mirror, stream, &origins.name, tenant);
            remote::forget(&tenant.account, origin, &copier);
        }
    }
    /// Stops all of them; nothing is on its way into the stream when this returns.
    pub(crate) async fn stop(&mut self) {
        for running in std::mem::take(&mut self.running) {
            stop(&running.handle).await;
        }
    }
}

async fn stop(handle: &Handle) {
    let replication = handle.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(replication) = replication {
        replication.stop().await;
    }
}

async fn forget(stream: &Stream, origin: &OriginConfig) {
    let Ok(config) = source(origin, None) else { return };
    if let Err(error) = Replicator::forget_source(stream, &config).await {
        tracing::warn!(origin = origin.name, "position of a removed source is kept: {error}");
    }
}

/// What other servers are told of a stream that copies. Names of streams are the same on many servers, those of domains are
/// not; where there is none, the creation of the stream tells.
fn copier(is_mirror: bool, stream: &Stream, name: &str, tenant: &Tenant) -> Copier {
    let domain = &tenant.context.options.domain;
    let place = match domain.is_empty() {
        true => format!("{:032x}", stream.incarnation().0),
        false => domain.clone(),
    };
    Copier { stream: name.to_owned(), place, is_mirror }
}

fn start(
    copier: &Copier,
    stream: &Arc<Stream>,
    origin: &OriginConfig,
    transform: Option<&TransformConfig>,
    tenant: &Arc<Tenant>,
) -> Result<Replication, Error> {
    let is_mirror = copier.is_mirror;
    if remote::is_read_by_consumer(origin) {
        let remote = RemoteOrigin::new(tenant.account.clone(), origin, copier);
        let plugin: Box<dyn Plugin> = match is_mirror {
            true => Box::new(Mirror::new(mirror(origin, transform)?)?),
            false => Box::new(Source::new(source(origin, transform)?)?),
        };
        let target = Arc::new(StreamTarget(stream.clone()));
        return Ok(Replicator::start(target, plugin, Arc::new(remote)));
    }
    let (stream, directory) = (stream.clone(), tenant.directory());
    match is_mirror {
        true => Replicator::mirror(stream, mirror(origin, transform)?, directory),
        false => Replicator::source(stream, source(origin, transform)?, directory),
    }
}

fn checked(transform: &TransformConfig) -> Result<Transform, Error> {
    Transform::new(&transform.src, &transform.dest)
        .map_err(|error| Error::InvalidConfig(error.to_string()))
}

fn mirror(
    origin: &OriginConfig,
    transform: Option<&TransformConfig>,
) -> Result<MirrorConfig, Error> {
    let origin = source(origin, transform)?;
    Ok(MirrorConfig {
        name: origin.name,
        start_sequence: origin.start_sequence,
        start_time: origin.start_time,
        filter: origin.filter,
        transforms: origin.transforms,
        stream_transform: origin.stream_transform,
    })
}

fn source(
    origin: &OriginConfig,
    transform: Option<&TransformConfig>,
) -> Result<SourceConfig, Error> {
    Ok(SourceConfig {
        name: origin.name.clone(),
        api_prefix: origin.external.as_ref().map(|external| external.api.clone()),
        consumer: origin.consumer.as_ref().map(|consumer| consumer.name.clone()),
        start_sequence: Some(origin.opt_start_seq).filter(|sequence| *sequence > 0),
        start_time: origin.opt_start_time.map(text_time::stored),
        filter: Some(origin.filter_subject.clone()).filter(|filter| !filter.is_empty()),
        transforms: origin.subject_transforms.iter().map(checked).collect::<Result<_, _>>()?,
        stream_transform: transform.map(checked).transpose()?,
    })
}

/// The status of the mirror and of the sources, as replies have them.
pub(crate) fn statuses(entry: &Entry, config: &StreamConfig) -> (Value, Vec<Value>) {
    let running = entry.statuses();
    let status = |origin: &OriginConfig| {
        let found = running.iter().find(|(each, _)| each == origin);
        let (_, handle) = found?;
        let replication = handle.lock().unwrap_or_else(PoisonError::into_inner);
        replication.as_ref().map(Replication::status)
    };
    let mirror = config.mirror.as_ref().map(|origin| {
        let status = status(origin);
        let is_shown = status.as_ref().is_some_and(|status| status.active.is_some());
        Value::Object(status_json(origin, status.as_ref(), is_shown, true))
    });
    let sources = config.sources.iter().map(|origin| {
        let mut value = status_json(origin, status(origin).as_ref(), true, false);
        let key = source_key(&origin.index_name());
        let progress = entry.stream.progress(&key);
        let progress = progress.and_then(|bytes| Progress::decode(&key, &bytes).ok());
        if let Some(sequence) = progress.map(|progress| progress.sequence).filter(|at| *at > 0) {
            value.insert("seq".into(), sequence.into());
        }
        Value::Object(value)
    });
    (mirror.unwrap_or(Value::Null), sources.collect())
}

fn status_json(
    origin: &OriginConfig,
    status: Option<&Status>,
    is_filter_shown: bool,
    is_mirror: bool,
) -> Map<String, Value> {
    let active = status.and_then(|status| status.active).map_or(-1, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(ACTIVE_MAX).clamp(ACTIVE_MIN, ACTIVE_MAX)
    });
    let mut value = Map::new();
    value.insert("name".into(), origin.name.as_str().into());
    if is_filter_shown && !origin.filter_subject.is_empty() {
        value.insert("filter_subject".into(), origin.filter_subject.as_str().into());
    }
    if !origin.subject_transforms.is_empty() {
        value.insert("subject_transforms".into(), json!(origin.subject_transforms));
    }
    if let Some(external) = &origin.external {
        value.insert("external".into(), json!(external));
    }
    value.insert("lag".into(), status.and_then(|status| status.lag).unwrap_or(0).into());
    value.insert("active".into(), active.into());
    if let Some(error) = status.and_then(|status| status.error.as_ref()) {
        value.insert("error".into(), json!(status_error(error, is_mirror)));
    }
    value
}

fn status_error(error: &Error, is_mirror: bool) -> ApiError {
    match error {
        Error::ConsumerUnfit(_) if is_mirror => errors::MIRROR_CONSUMER_UNFIT,
        Error::ConsumerUnfit(_) => errors::SOURCE_CONSUMER_UNFIT,
        Error::OriginNotFound(_) => errors::STREAM_NOT_FOUND,
        Error::Refused { reason, .. } => ApiError::of_append(reason),
        other => ApiError::config(other.to_string()),
    }
}
