//! A batch of replication into a stream: its steps in order, each whole or not at all, all of them in one group.
//!
//! Invariants: a step is planned before anything of it counts, and planned so that no item of it can be refused later;
//! nothing changes here unless the log took the batch.
//! Not here: what a step is for (the crate `headwater-replication`).

use super::{
    Appended, Last,
    append::{check_size, size},
    batch::{Batch, BatchOutcome, Item, Step},
    core::{Core, Effect, set_progress},
    fate::Fate,
    limit::{self, Planned},
    record::Ranges,
};
use crate::{Error, NewMessage, Result, Timestamp, format::NUMBER_MAX, message::Rollup, subject};
use std::collections::HashSet;

/// A message that will be stored.
struct Copy {
    sequence: u64,
    time: Timestamp,
    bytes: u32,
    message: NewMessage,
}

/// What a batch will do.
pub(super) struct Plan {
    now: Timestamp,
    last_sequence: u64,
    copies: Vec<Copy>,
    /// What rollups take away.
    rolled_up: Ranges,
    ids: HashSet<bytes::Bytes>,
    progress: Vec<(String, Vec<u8>)>,
    applied: usize,
    refused: Option<Error>,
}

impl Plan {
    /// The last message of a subject among those that will be stored.
    pub(super) fn last_of(&self, subject: &[u8]) -> Option<Last> {
        let copy = self.copies.iter().rev().find(|copy| copy.message.subject == subject)?;
        let NewMessage { headers, payload, .. } = copy.message.clone();
        Some(Last { headers, payload })
    }

    fn new(last_sequence: u64, now: Timestamp) -> Self {
        Self {
            now,
            last_sequence,
            copies: Vec::new(),
            rolled_up: Ranges::new(),
            ids: HashSet::new(),
            progress: Vec::new(),
            applied: 0,
            refused: None,
        }
    }
}

impl Core {
    /// Applies a batch. The effect is `None` where nothing changes.
    pub(crate) fn apply(
        &mut self,
        batch: Batch,
        now: Timestamp,
    ) -> Result<(BatchOutcome, Option<Effect>)> {
        self.check()?;
        let mut plan = Plan::new(self.last_sequence, now);
        if let Some((key, expected)) = batch.expect_progress
            && self.progress.get(&key).map_or(&[][..], Vec::as_slice) != expected
        {
            plan.refused = Some(Error::WrongProgress { key });
        } else if self.config.sealed {
            plan.refused = Some(Error::Sealed);
        } else {
            self.roll()?;
            self.begin();
            let mut planned = Planned::default();
            for step in batch.steps {
                if let Err(error) = self.plan_step(step, &mut plan, &mut planned) {
                    plan.refused = Some(error);
                    break;
                }
                plan.applied += 1;
            }
        }
        let changes = plan.refused.is_none() || plan.applied > 0;
        let effect = match changes && self.encoder.count() > 0 {
            true => Some(self.carry_out(&mut plan)?),
            false => None,
        };
        let Plan { applied, refused, .. } = plan;
        Ok((BatchOutcome { applied, refused, last_sequence: self.last_sequence }, effect))
    }

    /// Appends messages as one.
    pub(crate) fn append_all(
        &mut self,
        messages: Vec<NewMessage>,
        now: Timestamp,
    ) -> Result<(Appended, Effect)> {
        self.check()?;
        if self.config.sealed {
            return Err(Error::Sealed);
        }
        if messages.is_empty() {
            return Err(Error::InvalidConfig("a batch holds a message".into()));
        }
        let mut plan = Plan::new(self.last_sequence, now);
        let mut planned = Planned::default();
        self.roll()?;
        self.begin();
        for message in messages {
            self.check_expectations(&message, &plan)?;
            if message.rollup.is_some() && !self.config.allow_rollup {
                return Err(Error::RollupDenied);
            }
            self.plan_item(Item::Append(message), &mut plan, &mut planned)?;
        }
        let effect = self.carry_out(&mut plan)?;
        let appended = Appended { sequence: self.last_sequence, duplicate: false, time: now };
        Ok((appended, effect))
    }

    /// What a message of an atomic batch expects, with the messages before it. An id that was seen comes before
    /// sequences, as in nats-server.
    fn check_expectations(&mut self, message: &NewMessage, plan: &Plan) -> Result<()> {
        if let Some(id) = &message.message_id {
            let seen = self.dedup.seen(id, plan.now).map(|seen| seen.sequence);
            if let Some(sequence) = seen.or(plan.ids.contains(id).then_some(0)) {
                return Err(Error::DuplicateMessageId { sequence });
            }
        }
        let expect = &message.expect;
        if let Some((filter, expected)) = &expect.last_subject_sequence {
            let matches = |subject: &[u8]| match str::from_utf8(filter).ok() {
                Some(filter) => str::from_utf8(subject).is_ok_and(|s| subject::matches(filter, s)),
                None => subject == &filter[..],
            };
            let planned = plan.copies.iter().rev().find(|copy| matches(&copy.message.subject));
            let actual =
                planned.map_or_else(|| self.last_live_sequence(filter), |copy| copy.sequence);
            if actual != *expected {
                return Err(Error::WrongLastSequence { actual });
            }
        }
        if expect.last_sequence.is_some_and(|expected| expected != plan.last_sequence) {
            return Err(Error::WrongLastSequence { actual: plan.last_sequence });
        }
        let last_id = plan.copies.last().map_or(&self.last_id[..], |copy| {
            copy.message.message_id.as_deref().unwrap_or_default()
        });
        match &expect.last_message_id {
            Some(expected) if expected != last_id => {
                let actual = String::from_utf8_lossy(last_id).into_owned();
                Err(Error::WrongLastMessageId { actual })
            }
            _ => Ok(()),
        }
    }

    /// Whether the dedup window holds an id, or will once the messages before are stored.
    fn is_remembered(&mut self, id: &[u8], plan: &Plan) -> bool {
        let is_planned = !self.config.dedup_window.is_zero() && plan.ids.contains(id);
        is_planned || self.dedup.seen(id, plan.now).is_some()
    }

    /// Plans and encodes one step, or leaves everything as it was.
    fn plan_step(&mut self, step: Step, plan: &mut Plan, planned: &mut Planned) -> Result<()> {
        let mark = self.encoder.mark();
        let (copies, last_sequence) = (plan.copies.len(), plan.last_sequence);
        let rolled_up = plan.rolled_up.len();
        for item in step.items {
            if let Err(error) = self.plan_item(item, plan, planned) {
                self.encoder.rewind(mark);
                plan.last_sequence = last_sequence;
                plan.rolled_up.truncate(rolled_up);
                for copy in plan.copies.drain(copies..) {
                    if let Some(id) = &copy.message.message_id {
                        plan.ids.remove(id);
                    }
                }
                return Err(error);
            }
        }
        if let Some((key, value)) = step.progress {
            self.encoder.progress(&key, &value);
            plan.progress.push((key, value));
        }
        Ok(())
    }

    fn plan_item(&mut self, item: Item, plan: &mut Plan, planned: &mut Planned) -> Result<()> {
        let (sequence, time, message) = match item {
            Item::Skip { through } => {
                if through > NUMBER_MAX {
                    return Err(Error::InvalidConfig("no sequences are left".into()));
                }
                if through > plan.last_sequence {
                    self.encoder.skip(through);
                    plan.last_sequence = through;
                }
                return Ok(());
            }
            Item::Append(message) => {
                if let Some(id) = &message.message_id
                    && self.is_remembered(id, plan)
                {
                    return Ok(());
                }
                let message = self.combined(&message, Some(plan))?.unwrap_or(message);
                (plan.last_sequence + 1, plan.now, message)
            }
            Item::Copy { sequence, .. } if sequence <= plan.last_sequence => return Ok(()),
            Item::Copy { sequence, time, mut message } => {
                message.message_id = None;
                (sequence, time, message)
            }
        };
        if sequence > NUMBER_MAX {
            return Err(Error::InvalidConfig("no sequences are left".into()));
        }
        check_size(&self.config, &message)?;
        let bytes = size(self.config.storage, &message);
        let before = (!plan.copies.is_empty()).then_some(&*planned);
        let is_rollup = message.rollup.is_some();
        limit::admit(&self.config, &self.contents, &message.subject, bytes, is_rollup, before)?;
        planned.add(&message.subject, bytes);
        let id = message.message_id.as_deref().unwrap_or_default();
        let texts = [&message.subject[..], id, &message.headers, &message.payload];
        self.encoder.message(sequence, time, Fate::of(&message, time), texts);
        if (self.config.allow_rollup && is_rollup) || message.purge.is_some() {
            let mut ranges = self.rolled_up(&message, sequence);
            let rolled = (message.rollup == Some(Rollup::Subject)).then_some(&message.subject);
            if rolled.is_some() || message.purge.is_some() {
                let older = plan.copies.iter().filter(|copy| {
                    let subject = Some(&copy.message.subject);
                    subject == rolled || subject == message.purge.as_ref()
                });
                ranges.extend(older.map(|copy| (copy.sequence, copy.sequence)));
                ranges = limit::joined(ranges);
            }
            if !ranges.is_empty() {
                self.encoder.remove(&ranges);
                plan.rolled_up.extend(ranges);
            }
        }
        plan.ids.extend(message.message_id.clone());
        plan.last_sequence = sequence;
        plan.copies.push(Copy { sequence, time, bytes, message });
        Ok(())
    }

    /// Appends what is encoded and makes it live.
    fn carry_out(&mut self, plan: &mut Plan) -> Result<Effect> {
        self.append_group(plan.now, false, false)?;
        let mut effect = Effect::default();
        let mut subjects = Vec::with_capacity(plan.copies.len());
        for copy in plan.copies.drain(..) {
            let Copy { sequence, time, bytes, message } = copy;
            self.take_in(&message, sequence, time, bytes, plan.now);
            effect.messages += 1;
            effect.bytes += u64::from(bytes);
            effect.last_time = Some(time);
            subjects.push(message.subject);
        }
        effect.removed = limit::joined(std::mem::take(&mut plan.rolled_up));
        self.contents.doom_ranges(&effect.removed);
        let mut over = Ranges::new();
        for subject in subjects {
            limit::over_subject_limit(&self.config, &mut self.contents, &subject, &mut over);
        }
        if plan.last_sequence > self.last_sequence {
            // Sequences were passed over behind the last message: the last sequence is none of a message.
            self.last_id.clear();
        }
        self.last_sequence = plan.last_sequence;
        effect.last_sequence = plan.last_sequence;
        for (key, value) in &plan.progress {
            set_progress(&mut self.progress, key.clone(), value.clone());
        }
        effect.progress = std::mem::take(&mut plan.progress);
        effect.removed.extend(self.removed_by_limits(over, plan.now)?);
        effect.removed = limit::joined(std::mem::take(&mut effect.removed));
        Ok(effect)
    }
}
