//! A stream under test: the model of what is acknowledged, and of each change that is on its way.
//!
//! After a crash the stream has to be one of these models, and none before what was acknowledged or seen.
//! Not here: what makes the changes (`world`), copies of other streams (`copies`).

use crate::{
    model::{Model, Refusal, Stored, kind},
    observed::{difference, dues, observe, stored},
};
use anyhow::{Result, bail, ensure};
use headwater_storage::{
    Appended, Error, Stream, StreamConfig, Tail,
    stream::{BatchOutcome, StorageKind, SyncPolicy},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// What a change was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// An append: sequence, whether it was a duplicate, time.
    Appended(u64, bool, i64),
    /// A batch of replication: steps applied, last sequence.
    Applied(usize, u64),
    /// Messages that were taken out.
    Released,
}

impl From<Appended> for Told {
    fn from(appended: Appended) -> Self {
        Self::Appended(appended.sequence, appended.duplicate, appended.time.0)
    }
}

impl From<BatchOutcome> for Told {
    fn from(outcome: BatchOutcome) -> Self {
        Self::Applied(outcome.applied, outcome.last_sequence)
    }
}

impl From<()> for Told {
    fn from((): ()) -> Self {
        Self::Released
    }
}

/// An answer, with the number of the change that it is to.
type Numbered = (u64, Result<Told, Error>);

/// Answers as they come, with the number of the change.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Vec<Numbered>>>);

impl Answers {
    /// A callback for the change with this number.
    pub fn callback<T: Into<Told>>(
        &self,
        number: u64,
    ) -> impl FnOnce(Result<T, Error>) + Send + use<T> {
        let answers = Arc::clone(&self.0);
        move |answer| {
            let answer = (number, answer.map(Into::into));
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
        }
    }

    pub(crate) fn take(&self) -> Vec<(u64, Result<Told, Error>)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A change on its way.
#[derive(Debug)]
struct Pending {
    number: u64,
    /// What its callback has to say; `None` where there is none.
    expected: Option<Result<Told, Refusal>>,
    /// The stream after it; `None` where it changes nothing.
    after: Option<Model>,
}

/// The stream.
#[derive(Debug)]
pub struct Tracked {
    /// Its name.
    pub name: String,
    /// Which creation; `None` where the creation was not acknowledged.
    pub incarnation: Option<u128>,
    /// What is acknowledged.
    pub base: Model,
    pending: VecDeque<Pending>,
    /// Acknowledged states that a power cut may bring back: those since the last checkpoint, with a sync interval.
    unsynced: Vec<Model>,
    /// Configurations that may be stored though their update failed.
    pub doubtful_configs: Vec<StreamConfig>,
    /// Every message that was ever given a sequence, while it may be on the disk.
    pub ever: BTreeMap<u64, Arc<Stored>>,
    /// Messages that were not acknowledged and are gone; their bytes may still be on the disk.
    pub never_acknowledged: Vec<(u64, Arc<Stored>)>,
    /// Answers that came.
    pub answers: Answers,
    next_number: u64,
    /// A change failed: what is on the disk is not known.
    pub doubt: bool,
    /// Creating or deleting it failed.
    pub may_be_missing: bool,
    /// Highest sequence that a reader saw.
    pub seen: u64,
    tail: Option<Tail>,
}

impl Tracked {
    /// A stream that is about to be created.
    pub fn new(config: StreamConfig) -> Self {
        Self {
            name: config.name.clone(),
            incarnation: None,
            base: Model::new(config),
            pending: VecDeque::new(),
            unsynced: Vec::new(),
            doubtful_configs: Vec::new(),
            ever: BTreeMap::new(),
            never_acknowledged: Vec::new(),
            answers: Answers::default(),
            next_number: 0,
            doubt: false,
            may_be_missing: true,
            seen: 0,
            tail: None,
        }
    }

    /// The model with everything that is on its way.
    pub fn newest(&self) -> &Model {
        self.pending.iter().rev().find_map(|pending| pending.after.as_ref()).unwrap_or(&self.base)
    }

    /// Whether a loss of power may take back what was acknowledged.
    pub fn has_interval(&self) -> bool {
        matches!(self.base.config.sync, Some(SyncPolicy::Interval(_)))
    }

    /// Whether it goes with the process.
    pub fn in_memory(&self) -> bool {
        self.base.config.storage == StorageKind::Memory
    }

    /// Whether changes are on their way.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && !self.doubt
    }

    /// Notes a change that is about to be made, with what has to be answered; gives its number.
    pub fn push(&mut self, expected: Option<Result<Told, Refusal>>, after: Option<Model>) -> u64 {
        let after = after.map(|mut after| {
            for (at, message) in std::mem::take(&mut after.fresh) {
                self.note_ever(at, message);
            }
            after
        });
        self.next_number += 1;
        self.pending.push_back(Pending { number: self.next_number, expected, after });
        self.next_number
    }

    /// Time passes for a stream of which is not known what it holds: for each that it may be.
    pub fn expire_doubtful(&mut self, now: i64) {
        self.may_become(|state| state.expire(now));
    }

    /// Same, where its log is opened again.
    pub fn reopen_doubtful(&mut self, now: i64) {
        self.may_become(|state| {
            let mut opened = state.clone();
            opened.reopen(now);
            vec![opened]
        });
    }

    fn may_become(&mut self, change: impl Fn(&Model) -> Vec<Model>) {
        let known = self.candidates(false);
        for model in known.iter().flat_map(change).collect::<Vec<_>>() {
            if !known.iter().any(|state| state.looks_like(&model)) {
                self.push(None, Some(model));
            }
        }
    }

    /// A message was given a sequence; another one that was given it before is not acknowledged.
    fn note_ever(&mut self, at: u64, message: Arc<Stored>) {
        let before = self.ever.insert(at, Arc::clone(&message));
        self.never_acknowledged.extend(before.filter(|before| *before != message).map(|b| (at, b)));
    }

    /// Takes back a change that was refused by a rule.
    pub fn withdraw(&mut self, number: u64) {
        self.pending.retain(|pending| pending.number != number);
    }

    /// Everything up to this change is durable.
    pub fn acknowledge(&mut self, number: u64) {
        let has_interval = self.has_interval();
        while self.pending.front().is_some_and(|pending| pending.number <= number) {
            let Some(after) = self.pending.pop_front().and_then(|pending| pending.after) else {
                continue;
            };
            let before = std::mem::replace(&mut self.base, after);
            if has_interval {
                self.unsynced.push(before);
            }
            self.may_be_missing = false;
        }
    }

    /// A checkpoint is done: what is acknowledged outlives a power cut.
    pub fn synced(&mut self) {
        self.unsynced.clear();
    }

    /// Acknowledged states that a power cut may bring back.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Takes in the answers that came.
    pub fn collect(&mut self) -> Result<()> {
        for (number, answer) in self.answers.take() {
            let Some(pending) = self.pending.iter().find(|pending| pending.number == number) else {
                bail!("{}: change {number} is answered twice or too late: {answer:?}", self.name);
            };
            let answer = match answer {
                Ok(told) => Ok(told),
                Err(error) => match kind(&error) {
                    "Disk" => {
                        self.doubt = true;
                        continue;
                    }
                    refusal => Err(refusal),
                },
            };
            let expected = &pending.expected;
            ensure!(
                *expected == Some(answer),
                "{}: change {number} is answered {answer:?}, expected {expected:?}",
                self.name
            );
            if !self.doubt {
                self.acknowledge(number);
            }
        }
        Ok(())
    }

    /// Nothing is on its way any more: all must have been answered.
    pub fn settle(&mut self) -> Result<()> {
        self.collect()?;
        if self.doubt {
            return Ok(());
        }
        if let Some(open) = self.pending.iter().find(|pending| pending.expected.is_some()) {
            bail!("{}: change {} was never answered", self.name, open.number);
        }
        self.acknowledge(u64::MAX);
        Ok(())
    }

    /// What the stream may be when it is opened again.
    pub fn candidates(&self, power_was_cut: bool) -> Vec<Model> {
        let after = self.pending.iter().filter_map(|pending| pending.after.as_ref());
        let unsynced = if power_was_cut { &self.unsynced[..] } else { &[] };
        let states: Vec<&Model> =
            unsynced.iter().chain(std::iter::once(&self.base)).chain(after).collect();
        let floor = if power_was_cut && self.has_interval() { 0 } else { self.seen };
        let acknowledged = unsynced.len();
        let mut found: Vec<Model> = Vec::new();
        for (index, state) in states.iter().enumerate().filter(|(_, state)| state.last >= floor) {
            // A configuration is in the catalogue before it is in the log.
            let later = states.iter().skip(index.max(acknowledged)).map(|state| &state.config);
            for config in later.chain(&self.doubtful_configs) {
                let mut candidate = Model::clone(state);
                if candidate.config != *config && candidate.update(config.clone()).is_err() {
                    continue;
                }
                if !found.iter().any(|known| known.looks_like(&candidate)) {
                    found.push(candidate);
                }
            }
        }
        found
    }

    /// Goes on from what was found; with an interval a power cut may bring back one of the states before it.
    pub fn resolve(&mut self, found: Model, before: Vec<Model>) {
        self.unsynced = if self.has_interval() { before } else { Vec::new() };
        self.never_acknowledged.extend(self.ever.split_off(&(found.last + 1)));
        for (at, message) in &found.messages {
            self.note_ever(*at, Arc::clone(message));
        }
        self.base = found;
        self.base.fresh.clear();
        self.pending.clear();
        self.doubtful_configs.clear();
        self.answers = Answers::default();
        self.doubt = false;
        self.may_be_missing = false;
        self.seen = self.base.last;
        self.tail = None;
    }

    /// The one of the candidates that the stream is.
    pub fn recognize(&self, stream: &Arc<Stream>, candidates: Vec<Model>) -> Result<Model> {
        let observed = observe(stream)?;
        let (progress, config) = (stream.progress_entries(), stream.config());
        let (dues, last_time) = (dues(stream), stream.state().last_time.map(|time| time.0));
        let fits = |candidate: &Model| {
            difference(candidate, &observed).is_none()
                && candidate.dues() == dues
                && candidate.last_time == last_time
                && candidate.progress.clone().into_iter().eq(progress.iter().cloned())
                && candidate.config == config
        };
        if let Some(at) = candidates.iter().position(fits) {
            let found = candidates.into_iter().nth(at);
            return found.ok_or_else(|| anyhow::anyhow!("no candidate"));
        }
        let mut text = format!(
            "{}: what is found is none of {} possible states; found last {} holding {:?} progress {progress:?}",
            self.name,
            candidates.len(),
            observed.last,
            observed.messages.keys().collect::<Vec<_>>(),
        );
        for candidate in &candidates {
            let what = difference(candidate, &observed).unwrap_or_else(|| {
                if candidate.dues() != dues {
                    format!("due {dues:?} instead of {:?}", candidate.dues())
                } else if candidate.last_time != last_time {
                    format!("last time {last_time:?} instead of {:?}", candidate.last_time)
                } else if candidate.config == config {
                    format!("progress {:?}", candidate.progress)
                } else {
                    format!("configuration {config:?} instead of {:?}", candidate.config)
                }
            });
            text.push_str(&format!("\n  last {}: {what}", candidate.last));
        }
        bail!(text)
    }

    /// Everything that can be asked of a settled stream gives what the model says.
    pub fn check(&mut self, stream: &Arc<Stream>) -> Result<u64> {
        let model = &self.base;
        let observed = observe(stream)?;
        if let Some(what) = difference(model, &observed) {
            bail!("{}: {what}", self.name);
        }
        let state = stream.state();
        let subjects: std::collections::BTreeSet<_> =
            model.messages.values().map(|message| &message.subject).collect();
        let shown = (
            (state.messages, state.bytes, state.first_sequence, state.last_sequence),
            (state.subjects, state.last_time.map(|time| time.0), state.lost.sequences.len()),
        );
        let expected = (
            (model.messages.len() as u64, model.bytes(), model.first(), model.last),
            (subjects.len() as u64, model.last_time, 0),
        );
        ensure!(shown == expected, "{}: state {shown:?}, expected {expected:?}", self.name);
        for (at, message) in model.messages.iter().take(3) {
            ensure!(stored(&stream.get(*at)?) == **message, "{}: get {at}", self.name);
        }
        ensure!(stream.config() == model.config, "{}: configuration", self.name);
        let progress = stream.progress_entries();
        ensure!(model.progress.clone().into_iter().eq(progress), "{}: progress", self.name);
        let (due, expected) = (dues(stream), model.dues());
        ensure!(due == expected, "{}: due {due:?}, expected {expected:?}", self.name);
        let next = stream.next_due().map(|due| due.0);
        ensure!(next == due.first().map(|(due, _)| *due), "{}: next due at {next:?}", self.name);
        self.seen = self.seen.max(model.last);
        Ok(observed.messages.len() as u64)
    }

    /// What readers see is one of the states since the last acknowledgement.
    pub fn check_visible(&self, stream: &Arc<Stream>) -> Result<()> {
        let observed = observe(stream)?;
        let after = self.pending.iter().filter_map(|pending| pending.after.as_ref());
        let mut states = std::iter::once(&self.base).chain(after);
        if states.any(|state| difference(state, &observed).is_none()) {
            return Ok(());
        }
        let what = difference(&self.base, &observed).unwrap_or_default();
        bail!("{}: readers see what never was: {what}", self.name)
    }

    /// Follows the stream a little: what a tail gives was stored, comes once and in order, and stays.
    pub fn follow(&mut self, stream: &Arc<Stream>, most: usize) -> Result<u64> {
        let from = self.seen + 1;
        let tail = self.tail.get_or_insert_with(|| stream.tail(from, Vec::new()));
        let next = tail.next_sequence();
        let Some(batch) = tail.try_next(most, 1 << 16)? else { return Ok(0) };
        let mut last = next - 1;
        for message in &batch.messages {
            ensure!(message.sequence > last, "{}: a tail goes back", self.name);
            last = message.sequence;
            let given = self.ever.get(&last).map(|given| &**given);
            ensure!(given == Some(&stored(message)), "{}: a tail gives {last} wrongly", self.name);
        }
        ensure!(batch.examined >= last, "{}: a tail looked at less than it gave", self.name);
        ensure!(
            self.newest().last >= batch.examined,
            "{}: a tail sees what was not appended",
            self.name
        );
        self.seen = self.seen.max(batch.examined);
        Ok(batch.messages.len() as u64)
    }

    /// Forgets its reader, before the volume is closed.
    pub fn stop_following(&mut self) {
        self.tail = None;
    }
}
