//! A stream written down as plainly as possible: a map from sequences to messages, and the rules.
//!
//! A batch into a stream that refuses at its limits is the one thing it does not foresee: how many messages of it fit is
//! taken from the stream.
//! Not here: durability (the target opens the volume again and compares).

use headwater_storage::{
    Error, Message, NewMessage, StreamConfig, Timestamp,
    message::{Expect, Rollup},
    stream::{Discard, Item, Step, StorageKind},
    subject,
};
use std::collections::BTreeMap;

/// A stream at one moment, with everything that was appended.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Its configuration.
    pub config: StreamConfig,
    /// What it holds.
    pub messages: BTreeMap<u64, Message>,
    /// Highest sequence given out.
    pub last: u64,
    /// Time of the message with the highest sequence.
    pub last_time: Option<Timestamp>,
    /// Id of the last message; empty for none.
    pub last_id: Vec<u8>,
    /// Progress entries.
    pub progress: BTreeMap<String, Vec<u8>>,
    ids: BTreeMap<Vec<u8>, (u64, Timestamp)>,
}

/// What becomes of an append: sequence, and whether its id was seen before; or the name of the error.
pub type Verdict = Result<(u64, bool), &'static str>;

/// The name of an error.
pub fn name(error: &Error) -> &'static str {
    match error {
        Error::MessageTooLarge { .. } => "too large",
        Error::InvalidSubject => "subject",
        Error::MaximumMessages | Error::MaximumBytes | Error::MaximumMessagesPerSubject => FULL,
        Error::WrongLastSequence { .. } => "last sequence",
        Error::WrongLastMessageId { .. } => "last id",
        Error::DuplicateMessageId { .. } => "duplicate",
        Error::WrongProgress { .. } => "progress",
        Error::Sealed => "sealed",
        Error::DeleteDenied | Error::PurgeDenied | Error::RollupDenied => "denied",
        Error::MessageNotFound(_) => "not found",
        Error::InvalidConfig(_) => "configuration",
        other => panic!("nothing failed, and yet: {other}"),
    }
}

/// Name of the errors of a stream that is full and refuses.
pub const FULL: &str = "full";

impl Model {
    /// A stream that never held anything.
    pub fn new(config: StreamConfig) -> Self {
        Self { last: config.first_sequence.saturating_sub(1), config, ..Self::default() }
    }

    /// Whether it refuses at its limits.
    pub fn refuses(&self) -> bool {
        self.config.discard == Discard::New
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.messages.values().map(|message| self.bytes_of(message)).sum()
    }

    fn bytes_of(&self, message: &Message) -> u64 {
        let [subject, headers, payload] =
            [&message.subject, &message.headers, &message.payload].map(|text| text.len() as u64);
        match self.config.storage {
            StorageKind::Memory => 16 + subject + headers + payload,
            StorageKind::File if headers == 0 => 30 + subject + payload,
            StorageKind::File => 34 + subject + headers + payload,
        }
    }

    /// The sequences whose subject matches.
    pub fn of(&self, filter: &str) -> Vec<u64> {
        let matching =
            |(_, message): &(&u64, &Message)| subject::matches(filter, message.subject_str());
        self.messages.iter().filter(matching).map(|(at, _)| *at).collect()
    }

    /// The sequence that an id inside the window got.
    pub fn seen(&self, id: &[u8], now: Timestamp) -> Option<u64> {
        let (sequence, time) = self.ids.get(id)?;
        let window = self.config.dedup_window;
        (!window.is_zero() && *time >= now.saturating_sub(window)).then_some(*sequence)
    }

    /// Removes what is over the limits, or too old.
    pub fn limit(&mut self, now: Timestamp) {
        let limits = self.config.limits.clone();
        if let Some(max) = limits.messages_per_subject {
            let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
            let mut newest = Vec::new();
            for (at, message) in self.messages.iter().rev() {
                let count = counts.entry(message.subject.to_vec()).or_default();
                *count += 1;
                if *count <= max {
                    newest.push(*at);
                }
            }
            self.messages.retain(|at, _| newest.contains(at));
        }
        loop {
            let is_over = !self.refuses()
                && (limits.messages.is_some_and(|max| self.messages.len() as u64 > max)
                    || limits.bytes.is_some_and(|max| self.bytes() > max));
            let Some((_, oldest)) = self.messages.first_key_value() else { return };
            let is_old = limits.age.is_some_and(|age| oldest.time <= now.saturating_sub(age));
            if !is_over && !is_old {
                return;
            }
            self.messages.pop_first();
        }
    }

    /// Removes what a purge takes; gives how many.
    pub fn purge(&mut self, filter: &str, before: Option<u64>, keep: Option<u64>) -> u64 {
        let mut goes = self.of(filter);
        goes.truncate(goes.len().saturating_sub(keep.unwrap_or(0) as usize));
        goes.retain(|at| before.is_none_or(|before| *at < before));
        goes.iter().for_each(|at| drop(self.messages.remove(at)));
        goes.len() as u64
    }

    /// Appends a message.
    pub fn append(&mut self, new: &NewMessage, now: Timestamp) -> Verdict {
        self.check_size(new)?;
        if self.config.sealed {
            return Err("sealed");
        }
        self.check_sequences(&new.expect)?;
        if let Some(sequence) = new.message_id.as_ref().and_then(|id| self.seen(id, now)) {
            return Ok((sequence, true));
        }
        self.check_last_id(&new.expect)?;
        if new.rollup.is_some() && !self.config.allow_rollup {
            return Err("denied");
        }
        self.check_room(new)?;
        self.store(self.last + 1, now, new);
        self.limit(now);
        Ok((self.last, false))
    }

    /// Appends messages as one; `fits` says whether a stream that refuses at its limits took them.
    pub fn append_all(&mut self, news: &[NewMessage], now: Timestamp, fits: bool) -> Verdict {
        let before = self.clone();
        let appended = self.append_each(news, now);
        let appended = if fits { appended } else { Err(FULL) };
        match appended {
            Ok(()) => self.limit(now),
            Err(_) => *self = before,
        }
        appended.map(|()| (self.last, false))
    }

    fn append_each(&mut self, news: &[NewMessage], now: Timestamp) -> Result<(), &'static str> {
        if self.config.sealed {
            return Err("sealed");
        }
        if news.is_empty() {
            return Err("configuration");
        }
        let mut ids = Vec::new();
        for new in news {
            if new.message_id.as_ref().is_some_and(|id| ids.contains(&id)) {
                return Err("duplicate");
            }
            ids.extend(&new.message_id);
            if new.message_id.as_ref().is_some_and(|id| self.seen(id, now).is_some()) {
                return Err("duplicate");
            }
            self.check_sequences(&new.expect)?;
            self.check_last_id(&new.expect)?;
            if new.rollup.is_some() && !self.config.allow_rollup {
                return Err("denied");
            }
            self.check_size(new)?;
            self.store(self.last + 1, now, new);
        }
        Ok(())
    }

    /// Applies steps of a replication up to the first that is refused, and no more than `most`; gives how many.
    pub fn apply(&mut self, steps: &[Step], now: Timestamp, most: usize) -> usize {
        let (mut applied, mut is_changed) = (0, false);
        for step in steps.iter().take(most) {
            let before = self.clone();
            if step.items.iter().try_for_each(|item| self.apply_item(item, now)).is_err() {
                *self = before;
                break;
            }
            is_changed |= self.last != before.last || step.progress.is_some();
            match &step.progress {
                Some((key, value)) if value.is_empty() => drop(self.progress.remove(key)),
                Some((key, value)) => drop(self.progress.insert(key.clone(), value.clone())),
                None => {}
            }
            applied += 1;
        }
        if is_changed {
            self.limit(now);
        }
        applied
    }

    fn apply_item(&mut self, item: &Item, now: Timestamp) -> Result<(), &'static str> {
        let (sequence, time, message) = match item {
            Item::Skip { through } => {
                if *through > self.last {
                    self.last = *through;
                    self.last_id.clear();
                }
                return Ok(());
            }
            Item::Append(new) => {
                if new.message_id.as_ref().is_some_and(|id| self.seen(id, now).is_some()) {
                    return Ok(());
                }
                (self.last + 1, now, new.clone())
            }
            Item::Copy { sequence, .. } if *sequence <= self.last => return Ok(()),
            Item::Copy { sequence, time, message } => {
                (*sequence, *time, NewMessage { message_id: None, ..message.clone() })
            }
        };
        self.check_size(&message)?;
        let rollup = message.rollup.filter(|_| self.config.allow_rollup);
        self.store(sequence, time, &NewMessage { rollup, ..message });
        Ok(())
    }

    fn check_size(&self, new: &NewMessage) -> Result<(), &'static str> {
        if !std::str::from_utf8(&new.subject).is_ok_and(subject::is_literal) {
            return Err("subject");
        }
        let bytes = new.headers.len() + new.payload.len();
        let is_over = self.config.limits.message_bytes.is_some_and(|max| bytes > max as usize);
        if is_over { Err("too large") } else { Ok(()) }
    }

    fn check_sequences(&self, expect: &Expect) -> Result<(), &'static str> {
        if let Some((filter, expected)) = &expect.last_subject_sequence {
            let filter = std::str::from_utf8(filter).unwrap_or_default();
            if self.of(filter).last().copied().unwrap_or(0) != *expected {
                return Err("last sequence");
            }
        }
        match expect.last_sequence {
            Some(expected) if expected != self.last => Err("last sequence"),
            _ => Ok(()),
        }
    }

    fn check_last_id(&self, expect: &Expect) -> Result<(), &'static str> {
        match &expect.last_message_id {
            Some(expected) if *expected != self.last_id => Err("last id"),
            _ => Ok(()),
        }
    }

    /// Whether a stream that refuses at its limits takes a message. At its limit per subject it takes the place of the oldest.
    fn check_room(&self, new: &NewMessage) -> Result<(), &'static str> {
        if !self.refuses() {
            return Ok(());
        }
        let limits = &self.config.limits;
        let of: Vec<&Message> =
            self.messages.values().filter(|message| message.subject == new.subject).collect();
        let is_subject_full = limits.messages_per_subject.is_some_and(|max| of.len() as u64 >= max);
        if is_subject_full && self.config.discard_new_per_subject && new.rollup.is_none() {
            return Err(FULL);
        }
        let count = self.messages.len() as u64;
        if limits.messages.is_some_and(|max| count >= max) && !is_subject_full {
            return Err(FULL);
        }
        let bytes = self.bytes_of(&message(0, Timestamp(0), new));
        let replaced = of.first().filter(|_| is_subject_full).map(|oldest| self.bytes_of(oldest));
        if limits.bytes.is_some_and(|max| self.bytes() + bytes > max)
            && replaced.is_none_or(|replaced| replaced < bytes)
        {
            return Err(FULL);
        }
        Ok(())
    }

    fn store(&mut self, sequence: u64, time: Timestamp, new: &NewMessage) {
        match new.rollup {
            Some(Rollup::All) => self.messages.clear(),
            Some(Rollup::Subject) => self.messages.retain(|_, kept| kept.subject != new.subject),
            None => {}
        }
        self.messages.insert(sequence, message(sequence, time, new));
        (self.last, self.last_time) = (sequence, Some(time));
        self.last_id = new.message_id.as_deref().unwrap_or_default().to_vec();
        if let Some(id) = &new.message_id {
            self.ids.insert(id.to_vec(), (sequence, time));
        }
    }
}

fn message(sequence: u64, time: Timestamp, new: &NewMessage) -> Message {
    let NewMessage { subject, headers, payload, .. } = new.clone();
    Message { sequence, time, subject, headers, payload }
}
