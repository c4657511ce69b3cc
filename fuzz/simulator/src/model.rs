//! A stream written down as plainly as possible: a map of messages, and what each change does to it.
//!
//! It shares no code with the engine, only the words of its public interface. Whatever it takes for an answer is a claim of
//! `docs/GUARANTEES.md`.
//! Not here: what goes by itself (`passing`), what is durable when (`tracked`), what the engine answers (`world`).

use crate::passing::Fate;
use bytes::Bytes;
use headwater_storage::{
    Error, NewMessage, StreamConfig,
    message::Rollup,
    stream::{Batch, Item, Purge, StorageKind},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A message as it has to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Subject.
    pub subject: String,
    /// Header block.
    pub headers: Bytes,
    /// Payload.
    pub payload: Bytes,
}

/// A message id that was given with a message.
#[derive(Clone, Debug)]
struct KnownId {
    id: Bytes,
    sequence: u64,
    time: i64,
    /// The window changed since: whether it is still known is not said.
    unsure: bool,
}

/// What is known of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdStatus {
    /// It is not known.
    New,
    /// It is known with this sequence and time.
    Held(u64, i64),
    /// The clock or the window moved in such a way that both are right.
    Unsure,
}

/// Why something is refused, as a word.
pub type Refusal = &'static str;

/// What an append has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Sequence given.
    pub sequence: u64,
    /// Nothing was stored.
    pub duplicate: bool,
    /// Time of storing.
    pub time: i64,
}

/// The stream.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its configuration.
    pub config: StreamConfig,
    /// What it holds.
    pub messages: BTreeMap<u64, Arc<Stored>>,
    /// Highest sequence given out.
    pub last: u64,
    /// Time of the message that had it.
    pub last_time: Option<i64>,
    /// Replication progress.
    pub progress: BTreeMap<String, Vec<u8>>,
    ids: Vec<KnownId>,
    /// Those that were not stored like most, held or not.
    pub(crate) fates: BTreeMap<u64, Fate>,
    /// Messages stored since somebody took them from here, held or not.
    pub fresh: Vec<(u64, Arc<Stored>)>,
}

pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Whether a subject matches a filter.
pub fn matches(filter: &str, subject: &str) -> bool {
    let (mut filter, mut subject) = (filter.split('.'), subject.split('.'));
    loop {
        match (filter.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

impl Model {
    /// A new stream.
    pub fn new(config: StreamConfig) -> Self {
        let last = config.first_sequence.saturating_sub(1);
        Self {
            config,
            messages: BTreeMap::new(),
            last,
            last_time: None,
            progress: BTreeMap::new(),
            ids: Vec::new(),
            fates: BTreeMap::new(),
            fresh: Vec::new(),
        }
    }

    /// What a message counts for.
    pub(crate) fn bytes_of(&self, subject: &str, headers: usize, payload: usize) -> u64 {
        let bytes = match self.config.storage {
            StorageKind::Memory => subject.len() + headers + payload + 16,
            StorageKind::File if headers == 0 => subject.len() + payload + 30,
            StorageKind::File => subject.len() + headers + payload + 34,
        };
        bytes as u64
    }

    pub(crate) fn bytes_held(&self, message: &Stored) -> u64 {
        self.bytes_of(&message.subject, message.headers.len(), message.payload.len())
    }

    /// What all messages count for.
    pub fn bytes(&self) -> u64 {
        self.messages.values().map(|message| self.bytes_held(message)).sum()
    }

    /// First sequence that is shown.
    pub fn first(&self) -> u64 {
        match self.messages.keys().next() {
            Some(first) => *first,
            None if self.last == 0 => 0,
            None => self.last + 1,
        }
    }

    pub(crate) fn of<'a>(&'a self, filter: &'a str) -> impl DoubleEndedIterator<Item = u64> + 'a {
        let fits = move |(_, message): &(&u64, &Arc<Stored>)| matches(filter, &message.subject);
        self.messages.iter().filter(fits).map(|(at, _)| *at)
    }

    /// What is known of an id, where the clock never showed a later time than `latest`.
    pub fn id(&self, id: &[u8], now: i64, latest: i64) -> IdStatus {
        let window = nanoseconds(self.config.dedup_window);
        let Some(at) = self.ids.iter().rposition(|known| known.id == id) else {
            return IdStatus::New;
        };
        let Some((known, before)) = self.ids.get(..=at).and_then(<[_]>::split_last) else {
            return IdStatus::New;
        };
        if known.unsure {
            return IdStatus::Unsure;
        }
        if window > 0 && known.time >= latest - window {
            return IdStatus::Held(known.sequence, known.time);
        }
        let is_over = |known: &KnownId| !known.unsure && known.time < now - window;
        if window == 0 || (is_over(known) && before.iter().all(is_over)) {
            return IdStatus::New;
        }
        IdStatus::Unsure
    }

    pub(crate) fn store(&mut self, sequence: u64, time: i64, new: &NewMessage) {
        let subject = String::from_utf8_lossy(&new.subject).into_owned();
        if self.config.allow_rollup {
            match new.rollup {
                Some(Rollup::All) => self.messages.clear(),
                Some(Rollup::Subject) => self.messages.retain(|_, held| held.subject != subject),
                None => {}
            }
        }
        if let Some(purged) = &new.purge {
            // What came behind the message that was due is another one.
            let through = new.fires.map_or(u64::MAX, |fires| fires.sequence);
            self.messages.retain(|at, held| held.subject.as_bytes() != purged || *at > through);
        }
        if let Some(fires) = new.fires
            && let Some(next) = fires.next
            && let Some(fate) = self.fates.get_mut(&fires.sequence)
        {
            fate.due = Some(next.0);
        }
        self.fates.extend(Fate::of(new, time).map(|fate| (sequence, fate)));
        let (headers, payload) = (new.headers.clone(), new.payload.clone());
        let stored = Arc::new(Stored { time, subject, headers, payload });
        self.fresh.push((sequence, Arc::clone(&stored)));
        self.messages.insert(sequence, stored);
        self.last = sequence;
        self.last_time = Some(time);
        if let Some(id) = &new.message_id {
            let unsure = self.config.dedup_window.is_zero();
            self.ids.push(KnownId { id: id.clone(), sequence, time, unsure });
        }
    }

    /// Appends a message whose id is not `Unsure`.
    pub fn append(&mut self, new: &NewMessage, now: i64, latest: i64) -> Result<Answer, Refusal> {
        self.check_message(new)?;
        if self.config.sealed {
            return Err("Sealed");
        }
        if new.fires.is_some_and(|fires| !self.is_due(fires.sequence)) {
            return Err("MessageNotFound");
        }
        self.expected(new)?;
        if let Some(id) = &new.message_id
            && let IdStatus::Held(sequence, time) = self.id(id, now, latest)
        {
            return Ok(Answer { sequence, duplicate: true, time });
        }
        if new.rollup.is_some() && !self.config.allow_rollup {
            return Err("RollupDenied");
        }
        self.admit(new, &[])?;
        self.store(self.last + 1, now, new);
        self.limit(now);
        Ok(Answer { sequence: self.last, duplicate: false, time: now })
    }

    /// Appends messages as one; their ids are new.
    pub fn append_all(&mut self, all: &[NewMessage], now: i64) -> Result<Answer, Refusal> {
        if self.config.sealed {
            return Err("Sealed");
        }
        for (index, new) in all.iter().enumerate() {
            if new.rollup.is_some() && !self.config.allow_rollup {
                return Err("RollupDenied");
            }
            self.check_message(new)?;
            self.admit(new, all.get(..index).unwrap_or_default())?;
        }
        for new in all {
            self.store(self.last + 1, now, new);
        }
        self.limit(now);
        Ok(Answer { sequence: self.last, duplicate: false, time: now })
    }

    /// Applies a batch of replication to a stream that discards old messages; gives how many steps are applied.
    pub fn apply(&mut self, batch: &Batch, now: i64) -> usize {
        if self.config.sealed {
            return 0;
        }
        if let Some((key, expected)) = &batch.expect_progress
            && self.progress.get(key).map_or(&[][..], Vec::as_slice) != expected
        {
            return 0;
        }
        let (mut applied, last) = (0, self.last);
        let mut is_changed = false;
        for step in &batch.steps {
            let mut next = self.clone();
            if step.items.iter().any(|item| next.apply_item(item, now).is_err()) {
                break;
            }
            is_changed |= step.progress.is_some();
            if let Some((key, value)) = &step.progress {
                if value.is_empty() {
                    next.progress.remove(key);
                } else {
                    next.progress.insert(key.clone(), value.clone());
                }
            }
            *self = next;
            applied += 1;
        }
        if is_changed || self.last > last {
            self.limit(now);
        }
        applied
    }

    fn apply_item(&mut self, item: &Item, now: i64) -> Result<(), Refusal> {
        match item {
            Item::Skip { through } => self.last = self.last.max(*through),
            Item::Append(new) => {
                self.check_message(new)?;
                self.store(self.last + 1, now, new);
            }
            Item::Copy { sequence, time, message } => {
                if *sequence > self.last {
                    self.check_message(message)?;
                    self.store(*sequence, time.0, message);
                }
            }
        }
        Ok(())
    }

    /// Deletes one message.
    pub fn delete(&mut self, sequence: u64) -> Result<(), Refusal> {
        if self.config.sealed {
            return Err("Sealed");
        }
        if self.config.deny_delete {
            return Err("DeleteDenied");
        }
        self.messages.remove(&sequence).map(drop).ok_or("MessageNotFound")
    }

    /// Purges; gives how many went.
    pub fn purge(&mut self, purge: &Purge) -> Result<u64, Refusal> {
        if self.config.sealed {
            return Err("Sealed");
        }
        if self.config.deny_purge {
            return Err("PurgeDenied");
        }
        let mut goes: Vec<u64> = self.of(purge.filter.as_deref().unwrap_or(">")).collect();
        let stay = usize::try_from(purge.keep.unwrap_or(0)).unwrap_or(usize::MAX);
        goes.truncate(goes.len().saturating_sub(stay));
        goes.retain(|at| purge.before.is_none_or(|before| *at < before));
        for at in &goes {
            self.messages.remove(at);
        }
        Ok(goes.len() as u64)
    }

    /// Takes a configuration; its limits are not applied yet.
    pub fn update(&mut self, config: StreamConfig) -> Result<(), Refusal> {
        if self.config.sealed && !config.sealed {
            return Err("InvalidConfig");
        }
        if config.dedup_window != self.config.dedup_window {
            self.ids.iter_mut().for_each(|known| known.unsure = true);
        }
        self.config = config;
        Ok(())
    }

    /// Whether two are the same to a reader.
    pub fn looks_like(&self, other: &Self) -> bool {
        self.config == other.config
            && self.messages == other.messages
            && self.last == other.last
            && self.progress == other.progress
            && self.last_time == other.last_time
            && self.dues() == other.dues()
    }
}

/// The word for an error: a refusal by a rule, or what went wrong with the disk.
pub fn kind(error: &Error) -> Refusal {
    match error {
        Error::MessageTooLarge { .. } => "MessageTooLarge",
        Error::MaximumMessages => "MaximumMessages",
        Error::MaximumBytes => "MaximumBytes",
        Error::MaximumMessagesPerSubject => "MaximumMessagesPerSubject",
        Error::WrongLastSequence { .. } => "WrongLastSequence",
        Error::DuplicateMessageId { .. } => "DuplicateMessageId",
        Error::WrongProgress { .. } => "WrongProgress",
        Error::MessageNotFound(_) => "MessageNotFound",
        Error::InvalidConfig(_) => "InvalidConfig",
        Error::StreamExists(_) => "StreamExists",
        Error::StreamNotFound(_) => "StreamNotFound",
        Error::Sealed => "Sealed",
        Error::DeleteDenied => "DeleteDenied",
        Error::PurgeDenied => "PurgeDenied",
        Error::RollupDenied => "RollupDenied",
        _ => "Disk",
    }
}
