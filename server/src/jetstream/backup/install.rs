//! Builds a stream from the entries of an archive where nobody sees it, and lets it be seen when the archive is whole.
//!
//! The stream stands in the volume under its own name, with `STAGED` in the place of its configuration and no limits. One
//! change of the catalogue, the last step, gives it its configuration: a crash before that leaves a stream that the next start
//! removes, with what was stored of its consumers.
//! Not here: bytes (`archive`), who sends them (`restore`).

use super::CONSUMER_BYTES_MAX;
use super::archive::{CONSUMERS, Item, STATE};
use super::consumer::{self, Archived};
use super::room::Room;
use crate::jetstream::config::{ConfigRequest, StreamConfig};
use crate::jetstream::consumer::ledger::Ledger;
use crate::jetstream::entry::Entry;
use crate::jetstream::errors::{self, ApiError};
use crate::jetstream::tenant::Tenant;
use crate::jetstream::{consumers, copies, lifecycle, schedule};
use headwater_replication::time_to_live::{self, TimeToLive};
use headwater_storage::limits::FRAME_BYTES_TARGET;
use headwater_storage::stream::{
    Batch, Item as Change, Limits, Step, StreamConfig as EngineConfig,
};
use headwater_storage::{Error, NewMessage, Stream, Timestamp, subject};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// What stands in the place of its configuration until a stream is whole.
const STAGED: &[u8] = b"being restored";
/// Error code of a restore that failed.
const RESTORE_FAILED: u16 = 10062;

/// A restore that failed, and why.
pub(super) fn failed(reason: impl std::fmt::Display) -> ApiError {
    ApiError::with(500, RESTORE_FAILED, format!("restore failed: {reason}"))
}

/// Whether a stream of the volume was being restored when the process ended.
pub(crate) fn is_staged(stream: &Stream) -> bool {
    stream.config().application == STAGED
}

/// Removes streams that were being restored when the process ended.
pub(crate) async fn remove_staged(tenant: Arc<Tenant>, names: Vec<String>) {
    for name in names {
        tracing::warn!(stream = name, "a stream that was not restored to the end is removed");
        remove(&tenant, &name).await;
    }
}

async fn remove(tenant: &Tenant, name: &str) {
    let volume = &tenant.context.volume;
    let forgotten = Ledger::delete(volume, tenant.account.name(), name).await;
    let removed = match forgotten {
        Ok(()) => volume.delete_stream(&tenant.stored_name(name)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::warn!(stream = name, %error, "a stream that was not restored stays until the next start");
    }
}

/// What the archive says of the stream before its messages.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Figures {
    first_seq: u64,
    last_seq: u64,
    bytes: u64,
    consumer_count: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    State,
    /// So many consumers, then messages.
    Consumers(usize),
    Messages,
    /// The archive is whole.
    Whole,
}

/// See the top of the file.
pub(super) struct Install {
    tenant: Arc<Tenant>,
    request: ConfigRequest,
    config: StreamConfig,
    stage: Stage,
    figures: Figures,
    stream: Option<Arc<Stream>>,
    consumers: Vec<Archived>,
    consumer_bytes: usize,
    room: Room,
    /// Sequence of the last message that was taken, or that the stream has left behind.
    last_sequence: u64,
    steps: Vec<Step>,
    step_bytes: usize,
}

impl Install {
    /// A stream with a checked configuration, of which nothing is there yet.
    pub(super) fn new(tenant: Arc<Tenant>, request: ConfigRequest, config: StreamConfig) -> Self {
        let room = Room::new(&tenant, config.storage);
        Self {
            tenant,
            request,
            config,
            stage: Stage::State,
            figures: Figures::default(),
            stream: None,
            consumers: Vec::new(),
            consumer_bytes: 0,
            room,
            last_sequence: 0,
            steps: Vec::new(),
            step_bytes: 0,
        }
    }
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.config.name
    }
    /// Whether the archive has come to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.stage == Stage::Whole
    }
    /// Takes the next entry.
    pub(super) async fn take(&mut self, item: Item) -> Result<(), ApiError> {
        match self.stage {
            Stage::State => self.begin(&item).await,
            Stage::Consumers(left) => self.take_consumer(&item, left),
            Stage::Messages => self.take_message(item).await,
            Stage::Whole => Ok(()),
        }
    }

    async fn begin(&mut self, item: &Item) -> Result<(), ApiError> {
        if item.name != STATE.as_bytes() {
            return Err(failed("expected state.json first"));
        }
        let figures: Figures = serde_json::from_slice(&item.payload)
            .map_err(|error| failed(format_args!("error in state.json: {error}")))?;
        self.room.grow(figures.bytes)?;
        self.stage = match figures.consumer_count {
            0 => Stage::Messages,
            count if count <= consumers::CONSUMERS_MAX => Stage::Consumers(count),
            _ => return Err(errors::CONSUMERS_MAXIMUM),
        };
        let staged = EngineConfig {
            limits: Limits::default(),
            dedup_window: Duration::ZERO,
            sealed: false,
            // Nothing goes, and nothing is put in its place, before the stream is whole.
            lifetimes: false,
            delete_marker: None,
            application: STAGED.to_vec(),
            ..self.config.engine(self.tenant.stored_name(self.name()))
        };
        let created = self.tenant.context.volume.create_stream(staged).await;
        let stream = created.map_err(|error| match error {
            Error::StreamExists(_) => errors::STREAM_NAME_EXISTS_RESTORE,
            other => failed(other),
        })?;
        self.stream = Some(stream);
        self.figures = figures;
        // What lies before the first message is over also where no message is left.
        self.last_sequence = figures.first_seq.saturating_sub(1);
        self.skip(self.last_sequence).await
    }
    fn take_consumer(&mut self, item: &Item, left: usize) -> Result<(), ApiError> {
        let name = String::from_utf8_lossy(&item.name);
        let Some(consumer) = name.strip_prefix(CONSUMERS) else {
            return Err(failed(format_args!("expected consumer, found {name:?}")));
        };
        self.consumer_bytes += item.bytes();
        if self.consumer_bytes > CONSUMER_BYTES_MAX {
            return Err(failed("the states of the consumers are too large"));
        }
        let read = consumer::read(consumer, &item.payload, self.figures.last_seq);
        self.consumers.push(read.map_err(failed)?);
        self.stage = if left > 1 { Stage::Consumers(left - 1) } else { Stage::Messages };
        Ok(())
    }
    async fn take_message(&mut self, item: Item) -> Result<(), ApiError> {
        let sequence = item.sequence;
        if item.is_end() {
            self.flush().await?;
            self.skip(self.figures.last_seq).await?;
            self.stage = Stage::Whole;
            return Ok(());
        }
        if sequence == 0 {
            return Err(failed("expected message sequence"));
        }
        if sequence <= self.last_sequence {
            return Err(failed(format_args!("message sequence {sequence} out of order")));
        }
        let limit = usize::try_from(self.config.max_msg_size).unwrap_or(usize::MAX);
        if item.headers.len() + item.payload.len() > limit {
            let text = format!("message sequence {sequence} exceeds maximum message size");
            return Err(failed(text));
        }
        let subject = str::from_utf8(&item.name).unwrap_or_default();
        if !subject::is_literal(subject) {
            return Err(failed(format_args!("message sequence {sequence} has no valid subject")));
        }
        self.last_sequence = sequence;
        self.step_bytes += item.bytes();
        let lifetime = TimeToLive::of(&item.headers).lifetime();
        let has_markers = self.config.subject_delete_marker_ttl > 0;
        let due = match self.config.allow_msg_schedules {
            true => schedule::due_since(&item.headers, Timestamp(item.time)),
            false => None,
        };
        let message = NewMessage {
            subject: item.name,
            is_marker: has_markers && time_to_live::is_delete_marker(&item.headers),
            headers: item.headers,
            payload: item.payload,
            lifetime,
            due,
            ..NewMessage::default()
        };
        let copy = Change::Copy { sequence, time: Timestamp(item.time), message };
        self.steps.push(Step { items: vec![copy], progress: None });
        if self.step_bytes >= FRAME_BYTES_TARGET { self.flush().await } else { Ok(()) }
    }
    /// Stores the messages that were taken.
    async fn flush(&mut self) -> Result<(), ApiError> {
        self.step_bytes = 0;
        let steps = std::mem::take(&mut self.steps);
        self.apply(steps).await?;
        let bytes = self.stream.as_ref().map_or(0, |stream| stream.state().bytes);
        self.room.grow(bytes)
    }
    async fn skip(&self, through: u64) -> Result<(), ApiError> {
        if through == 0 {
            return Ok(());
        }
        self.apply(vec![Step { items: vec![Change::Skip { through }], progress: None }]).await
    }
    async fn apply(&self, steps: Vec<Step>) -> Result<(), ApiError> {
        let Some(stream) = self.stream.as_ref().filter(|_| !steps.is_empty()) else {
            return Ok(());
        };
        let applied = stream.apply(Batch { expect_progress: None, steps }).await;
        let refused = applied.map_err(failed)?.refused;
        refused.map_or(Ok(()), |error| Err(failed(error)))
    }

    /// Lets the stream be seen.
    pub(super) async fn finish(&mut self) -> Result<Arc<Entry>, ApiError> {
        let (true, Some(stream)) = (self.is_whole(), self.stream.clone()) else {
            return Err(failed("backup was truncated"));
        };
        // With a sync interval it may not be on disk yet: a crash is to show all of it or nothing.
        let volume = self.tenant.context.volume.clone();
        let synced = tokio::task::spawn_blocking(move || volume.checkpoint()).await;
        synced.map_err(failed)?.map_err(failed)?;
        let (tenant, name) = (self.tenant.clone(), self.config.name.clone());
        let _changing = tenant.changing.lock().await;
        if !tenant.is_serving() {
            return Err(failed(Error::Closed));
        }
        // Others may have come since it was checked first.
        let config = lifecycle::check_restore(&tenant, &name, &self.request)?;
        let mut stored = config.engine(tenant.stored_name(&name));
        stored.first_sequence = stream.config().first_sequence;
        let entry = Entry::new(stream.clone(), Arc::new(config), &tenant.context);
        let mut restored = Vec::new();
        for each in std::mem::take(&mut self.consumers) {
            let Archived { name, config, state } = each;
            let consumer = consumers::restore(&tenant, &entry, &name, config, state).await?;
            restored.push(consumer);
        }
        stream.update(stored).await.map_err(failed)?;
        self.stream = None;
        entry.keep(&tenant);
        entry.capture(&tenant.account);
        tenant.insert(&name, entry.clone());
        restored.iter().for_each(|consumer| consumer.run(&tenant));
        copies::follow_config(tenant.clone(), entry.clone()).await;
        Ok(entry)
    }
    /// Takes away what is there of a stream that was not let be seen.
    pub(super) async fn abandon(&mut self) {
        if self.stream.take().is_some() {
            let _changing = self.tenant.changing.lock().await;
            remove(&self.tenant, &self.config.name).await;
        }
    }
}
