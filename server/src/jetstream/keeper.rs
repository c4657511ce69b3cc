//! Retention by interest and of work queues: a message stays as long as a consumer, a mirror or a source needs it.
//!
//! A consumer needs a message until it is acknowledged, a copy until it is durable there. By interest a message goes when
//! nobody needs it, at once where nobody ever did; off a work queue when one had it and nobody needs it any more.
//! The message goes before its acknowledgement is confirmed. After a crash what is left over is found by looking at all.
//! Not here: limits, which remove messages as well (the engine).

use super::config::{OriginConfig, Retention};
use super::entry::Entry;
use super::tenant::Tenant;
use headwater_replication::progress::{MIRROR_KEY, Progress, source_key};
use headwater_storage::{Stream, subject};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Messages that are looked at in one go.
const LOOK_MESSAGES: usize = 512;
/// How often is looked whether copies are further.
const COPIES_PAUSE: Duration = Duration::from_millis(250);

/// See the top of the file.
pub(crate) struct Keeper {
    rule: Rule,
    stream: Arc<Stream>,
    asked: Arc<Notify>,
    task: tokio::task::AbortHandle,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("is_queue", &self.rule.is_queue).finish_non_exhaustive()
    }
}

/// Who decides about the messages of a stream, and how.
#[derive(Clone)]
struct Rule {
    tenant: Weak<Tenant>,
    entry: Weak<Entry>,
    is_queue: bool,
    copiers: Arc<Mutex<Copiers>>,
}

/// The streams that copy this one, as long as no configuration changes.
#[derive(Default)]
struct Copiers {
    configured: Option<u64>,
    all: Vec<Copier>,
}

/// A stream that copies another one, and under which key it stores how far it is.
struct Copier {
    entry: Weak<Entry>,
    origin: Arc<OriginConfig>,
    key: String,
}

impl Keeper {
    /// Looks after a stream as long as it is kept; `None` for one whose messages stay up to a limit.
    pub(crate) fn start(tenant: &Arc<Tenant>, entry: &Arc<Entry>) -> Option<Arc<Self>> {
        let is_queue = match entry.config().retention {
            Retention::Limits => return None,
            Retention::Interest => false,
            Retention::Workqueue => true,
        };
        let asked = Arc::new(Notify::new());
        let rule = Rule {
            tenant: Arc::downgrade(tenant),
            entry: Arc::downgrade(entry),
            is_queue,
            copiers: Arc::default(),
        };
        let stream = entry.stream.clone();
        let task = tenant.context.runtime.spawn(run(rule.clone(), stream.clone(), asked.clone()));
        Some(Arc::new(Self { rule, stream, asked, task: task.abort_handle() }))
    }
    /// Somebody may need less than before.
    pub(crate) fn look_again(&self) {
        self.asked.notify_one();
    }
    /// A consumer is done with messages: those that nobody else needs go. `then` is told whether that is durable, perhaps
    /// on the commit thread.
    pub(crate) fn settled(&self, sequences: &[u64], then: impl FnOnce(bool) + Send + 'static) {
        let subjects = sequences.iter().filter_map(|at| Some((*at, self.stream.subject_of(*at)?)));
        let released = self.rule.released(&subjects.collect::<Vec<_>>());
        self.stream.release_with(&released, move |result| {
            if let Err(error) = &result {
                tracing::warn!(%error, "messages that nobody needs stay");
            }
            then(result.is_ok());
        });
    }
}

async fn run(rule: Rule, stream: Arc<Stream>, asked: Arc<Notify>) {
    let mut changes = stream.changes();
    let mut next = 1;
    loop {
        changes.mark_unchanged();
        loop {
            let held = stream.held_from(next, LOOK_MESSAGES);
            let Some((last, _)) = held.last() else { break };
            next = last + 1;
            let released = rule.released(&held);
            if !released.is_empty() {
                stream.release_with(&released, |_| ());
            }
            tokio::task::coop::consume_budget().await;
        }
        tokio::select! {
            () = asked.notified() => next = 1,
            // What nobody needs from the start goes at once by interest.
            changed = changes.changed(), if !rule.is_queue => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(COPIES_PAUSE), if rule.has_copies() => next = 1,
        }
    }
}

impl Rule {
    /// Which of these messages nobody needs any more.
    fn released(&self, messages: &[(u64, String)]) -> Vec<u64> {
        let (Some(tenant), Some(entry)) = (self.tenant.upgrade(), self.entry.upgrade()) else {
            return Vec::new();
        };
        let consumers = entry.consumers.all();
        let copies = self.copies(&tenant, &entry);
        let is_released = |(sequence, subject): &&(u64, String)| {
            let of_consumers = consumers.iter().map(|each| each.needs(*sequence, subject));
            let of_copies = copies.iter().map(|copy| copy.needs(*sequence, subject));
            let mut had = !self.is_queue;
            for need in of_consumers.chain(of_copies).flatten() {
                if need {
                    return false;
                }
                had = true;
            }
            had
        };
        messages.iter().filter(is_released).map(|(sequence, _)| *sequence).collect()
    }
    /// What copies the stream, and how far each is.
    fn copies(&self, tenant: &Tenant, entry: &Entry) -> Vec<Copy> {
        let configured = tenant.configured();
        let mut known = self.copiers.lock().unwrap_or_else(PoisonError::into_inner);
        if known.configured != Some(configured) {
            *known = Copiers { configured: Some(configured), all: copiers(tenant, entry) };
        }
        let incarnation = entry.stream.incarnation();
        let copy = |copier: &Copier| {
            let stored = copier.entry.upgrade()?.stream.progress(&copier.key);
            let progress = stored.and_then(|bytes| Progress::decode(&copier.key, &bytes).ok());
            // Of another creation of the stream it says nothing of this one.
            let progress =
                progress.filter(|progress| progress.identity.incarnation == Some(incarnation));
            let through = progress.map_or(0, |progress| progress.sequence);
            Some(Copy { origin: copier.origin.clone(), through })
        };
        known.all.iter().filter_map(copy).collect()
    }
    fn has_copies(&self) -> bool {
        match (self.tenant.upgrade(), self.entry.upgrade()) {
            (Some(tenant), Some(entry)) => !self.copies(&tenant, &entry).is_empty(),
            _ => false,
        }
    }
}

/// A stream that copies another one, and how far it is.
struct Copy {
    origin: Arc<OriginConfig>,
    /// Everything up to here is durable there, or not wanted.
    through: u64,
}

impl Copy {
    fn needs(&self, sequence: u64, of: &str) -> Option<bool> {
        let OriginConfig { filter_subject, subject_transforms, .. } = &*self.origin;
        let is_matching = match (filter_subject.is_empty(), subject_transforms.is_empty()) {
            (true, true) => true,
            (false, _) => subject::matches(filter_subject, of),
            _ => subject_transforms.iter().any(|each| subject::matches(&each.src, of)),
        };
        is_matching.then_some(sequence > self.through)
    }
}

/// The streams that copy a stream.
fn copiers(tenant: &Tenant, entry: &Entry) -> Vec<Copier> {
    let name = entry.config().name.clone();
    let mut found = Vec::new();
    for other in tenant.entries() {
        let config = other.config();
        let mirror = config.mirror.iter().map(|origin| (origin, MIRROR_KEY.to_owned()));
        let sources = config.sources.iter().map(|each| (each, source_key(&each.index_name())));
        // One on another server only happens to have the same name, and a consumer of its own counts itself.
        let is_this = |origin: &OriginConfig| {
            origin.name == name && origin.external.is_none() && origin.consumer.is_none()
        };
        for (origin, key) in mirror.chain(sources).filter(|(origin, _)| is_this(origin)) {
            let (entry, origin) = (Arc::downgrade(&other), Arc::new(origin.clone()));
            found.push(Copier { entry, origin, key });
        }
    }
    found
}
