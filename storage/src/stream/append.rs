//! One message into a stream: the checks in their order, the record, and what the limits take away for it.
//!
//! The order of the checks is the one of nats-server: size, sealed, expected sequences, dedup window, expected id, rollup,
//! limits.
//! Invariants: nothing changes here unless the log took the message.
//! Not here: batches of replication (`apply`).

use super::{
    Appended,
    accounting::message_bytes,
    config::{StorageKind, StreamConfig},
    core::{Core, Effect},
    dedup::Seen,
    fate::Fate,
    limit,
    record::Ranges,
};
use crate::{Error, NewMessage, Result, Timestamp, limits, message::Rollup, subject};
use bytes::Bytes;

/// What an append came to.
pub(crate) enum Outcome {
    /// The message is in the log; `Effect` is queued with the one who waits.
    Stored(Appended, Effect),
    /// Its id was seen before.
    Duplicate(Seen),
}

impl Core {
    /// Checks a message and appends it.
    pub(crate) fn append(&mut self, message: &NewMessage, now: Timestamp) -> Result<Outcome> {
        self.check()?;
        check_size(&self.config, message)?;
        if self.config.sealed {
            return Err(Error::Sealed);
        }
        if let Some(fires) = message.fires
            && !self.is_due(fires.sequence)
        {
            return Err(Error::MessageNotFound(fires.sequence));
        }
        self.expected_sequences(message)?;
        if let Some(id) = &message.message_id
            && let Some(seen) = self.dedup.seen(id, now)
        {
            return Ok(Outcome::Duplicate(seen));
        }
        if let Some(expected) = &message.expect.last_message_id
            && *expected != self.last_id
        {
            let actual = String::from_utf8_lossy(&self.last_id).into_owned();
            return Err(Error::WrongLastMessageId { actual });
        }
        if message.rollup.is_some() && !self.config.allow_rollup {
            return Err(Error::RollupDenied);
        }
        let combined = self.combined(message, None)?;
        let message = combined.as_ref().unwrap_or(message);
        if combined.is_some() {
            check_size(&self.config, message)?;
        }
        let bytes = size(self.config.storage, message);
        let is_rollup = message.rollup.is_some();
        limit::admit(&self.config, &self.contents, &message.subject, bytes, is_rollup, None)?;
        let (appended, effect) = self.store(message, bytes, now)?;
        Ok(Outcome::Stored(appended, effect))
    }

    /// Appends a message that is let in, and what goes for it.
    pub(crate) fn store(
        &mut self,
        message: &NewMessage,
        bytes: u32,
        now: Timestamp,
    ) -> Result<(Appended, Effect)> {
        let sequence = self.next_sequence()?;
        self.roll()?;
        self.begin();
        let id = message.message_id.as_deref().unwrap_or_default();
        let texts = [&message.subject[..], id, &message.headers, &message.payload];
        self.encoder.message(sequence, now, Fate::of(message, now), texts);
        let mut removed = self.rolled_up(message, sequence);
        if !removed.is_empty() {
            self.encoder.remove(&removed);
        }
        let again =
            message.fires.and_then(|fires| Some((fires.sequence, fires.next?.0.max(i64::MIN + 1))));
        if let Some((sequence, due)) = again {
            self.encoder.schedule(sequence, due);
        }
        self.append_group(now, false, false)?;
        if let Some((sequence, due)) = again {
            self.contents.expiries.set_due(sequence, due);
        }
        self.take_in(message, sequence, now, bytes, now);
        self.contents.doom_ranges(&removed);
        let mut over = Ranges::new();
        limit::over_subject_limit(&self.config, &mut self.contents, &message.subject, &mut over);
        removed.extend(self.removed_by_limits(over, now)?);
        let removed = limit::joined(removed);
        let effect = Effect {
            last_sequence: sequence,
            last_time: Some(now),
            messages: 1,
            bytes: bytes.into(),
            removed,
            progress: Vec::new(),
        };
        Ok((Appended { sequence, duplicate: false, time: now }, effect))
    }

    /// The sequence of the next message.
    pub(crate) fn next_sequence(&self) -> Result<u64> {
        let next = self.last_sequence + 1;
        let full = || Error::InvalidConfig("no sequences are left".into());
        if next <= crate::format::NUMBER_MAX { Ok(next) } else { Err(full()) }
    }

    /// A message is in the log: it is live from now on.
    pub(crate) fn take_in(
        &mut self,
        message: &NewMessage,
        sequence: u64,
        time: Timestamp,
        bytes: u32,
        now: Timestamp,
    ) {
        self.last_sequence = sequence;
        self.last_time = Some(time);
        self.keep_last(message, sequence);
        let fate = Fate::of(message, time);
        self.contents.insert(sequence, &message.subject, bytes, time, fate);
        match &message.message_id {
            Some(id) => {
                self.dedup.insert(id, Seen { sequence, time }, now);
                self.last_id = Bytes::copy_from_slice(id);
            }
            None => self.last_id.clear(),
        }
    }

    /// What a rollup or a purge takes away: older live messages of its subject, or all.
    pub(crate) fn rolled_up(&self, message: &NewMessage, sequence: u64) -> Ranges {
        let contents = &self.contents;
        if let Some(subject) = &message.purge {
            let mut ranges = self.live_of(subject);
            if let Some(fires) = message.fires {
                // What came under its subject meanwhile is another message, and perhaps acknowledged.
                ranges.retain(|(first, _)| *first <= fires.sequence);
                for (_, last) in &mut ranges {
                    *last = fires.sequence.min(*last);
                }
            }
            if message.rollup.is_some() {
                let plain = NewMessage { purge: None, ..message.clone() };
                ranges.extend(self.rolled_up(&plain, sequence));
            }
            return limit::joined(ranges);
        }
        match message.rollup {
            None => Ranges::new(),
            Some(Rollup::All) => {
                let first = contents.live_first.max(1);
                (first < sequence).then_some((first, sequence - 1)).into_iter().collect()
            }
            Some(Rollup::Subject) => self.live_of(&message.subject),
        }
    }

    /// The live messages of a subject.
    fn live_of(&self, subject: &[u8]) -> Ranges {
        let contents = &self.contents;
        let id = contents.subjects.find(subject);
        let all = id.and_then(|id| contents.subjects.sequences(id)).into_iter();
        let live = all.flat_map(|all| all.iter_from(contents.live_first));
        limit::joined(live.filter(|at| contents.is_live(*at)).map(|at| (at, at)).collect())
    }

    /// Dooms what is over the limits too, and appends the record of all that goes.
    pub(crate) fn removed_by_limits(
        &mut self,
        mut removed: Ranges,
        now: Timestamp,
    ) -> Result<Ranges> {
        limit::over_limits(&self.config, &mut self.contents, now, &mut removed);
        self.removed_only(removed, now)
    }

    /// Appends the record of doomed messages.
    pub(crate) fn removed_only(&mut self, removed: Ranges, now: Timestamp) -> Result<Ranges> {
        if removed.is_empty() {
            return Ok(removed);
        }
        let removed = limit::joined(removed);
        self.begin();
        self.encoder.remove(&removed);
        self.append_group(now, false, true)?;
        Ok(removed)
    }

    fn expected_sequences(&self, message: &NewMessage) -> Result<()> {
        if let Some((filter, expected)) = &message.expect.last_subject_sequence {
            let actual = self.last_live_sequence(filter);
            if actual != *expected {
                return Err(Error::WrongLastSequence { actual });
            }
        }
        match message.expect.last_sequence {
            Some(expected) if expected != self.last_sequence => {
                Err(Error::WrongLastSequence { actual: self.last_sequence })
            }
            _ => Ok(()),
        }
    }

    /// The last sequence of the live messages that match; 0 for none.
    pub(crate) fn last_live_sequence(&self, filter: &[u8]) -> u64 {
        let contents = &self.contents;
        let literal = contents.subjects.find(filter).and_then(|id| contents.newest_live_of(id));
        let Ok(text) = std::str::from_utf8(filter) else { return literal.unwrap_or(0) };
        if !subject::has_wildcard(text) {
            return literal.unwrap_or(0);
        }
        let mut last = 0;
        contents.subjects.for_each_match(text, &mut |id| {
            last = last.max(contents.newest_live_of(id).unwrap_or(0));
        });
        last
    }
}

/// What a message counts for.
pub(crate) fn size(storage: StorageKind, message: &NewMessage) -> u32 {
    message_bytes(storage, message.subject.len(), message.headers.len(), message.payload.len())
}

/// Whether a message is within the bounds of the engine and of the stream.
pub(crate) fn check_size(config: &StreamConfig, message: &NewMessage) -> Result<()> {
    let is_literal = std::str::from_utf8(&message.subject).is_ok_and(subject::is_literal);
    if !is_literal {
        return Err(Error::InvalidSubject);
    }
    let id = message.message_id.as_ref().map_or(0, Bytes::len);
    let content = message.headers.len() + message.payload.len();
    let stream_max = config.limits.message_bytes.map_or(usize::MAX, |max| max as usize);
    for (bytes, max) in [
        (message.subject.len(), limits::SUBJECT_BYTES_MAX),
        (message.headers.len(), limits::HEADER_BYTES_MAX),
        (id, limits::MESSAGE_ID_BYTES_MAX),
        (message.subject.len() + id + content, limits::MESSAGE_BYTES_MAX),
        (content, stream_max),
    ] {
        if bytes > max {
            return Err(Error::MessageTooLarge { bytes, max });
        }
    }
    Ok(())
}
