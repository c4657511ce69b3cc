//! Changes of streams, each made in the model first, and answered as the model says.
//! Not here: which change comes when (`steps`).

use crate::{
    answers::{Refusal, Told, kind},
    copies::is_origin,
    model::{IdStatus, matches},
    random::Random,
    tracked::Tracked,
    workload::{Short, config, filter},
    world::{World, at_once},
};
use anyhow::{Result, ensure};
use headwater_storage::{
    Error, Timestamp,
    message::Rollup,
    stream::{Batch, Discard, Item, Purge, Step, StorageKind},
};

/// Streams at a time.
const STREAMS_MAX: usize = 6;
/// Nanoseconds.
const MILLISECOND: i64 = 1_000_000;

impl World {
    pub(crate) fn append(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let mut new = self.message(random);
        let now = self.clock.now();
        let latest = self.latest;
        let (mut model, answers) = self.before(&name)?;
        match random.below(12) {
            0 => new.rollup = Some(Rollup::Subject),
            1 if random.one_in(3) => new.rollup = Some(Rollup::All),
            2..5 => {
                let id = format!("id {}", random.below(12));
                if model.id(id.as_bytes(), now, latest) != IdStatus::Unsure {
                    new.message_id = Some(id.into());
                }
            }
            5 => new.expect.last_sequence = Some(model.last - model.last.min(random.below(2))),
            6 => {
                let filter = filter(random);
                let mut fits = model.messages.iter().rev();
                let last = fits.find(|(_, held)| matches(&filter, &held.subject));
                let last = last.map_or(0, |(at, _)| *at) + random.below(2);
                new.expect.last_subject_sequence = Some((filter.into(), last));
            }
            _ => {}
        }
        let expected = model.append(&new, now, latest);
        self.note(format_args!("append to {name}: {expected:?}"));
        let told = expected.map(|told| Told::Appended(told.sequence, told.duplicate, told.time));
        let stores = matches!(told, Ok(Told::Appended(_, false, _)));
        let number = self.tracked(&name)?.push(Some(told), stores.then_some(model));
        self.stream(&name)?.append_with(new, answers.callback(number));
        self.counts.operations += 1;
        Ok(())
    }

    pub(crate) fn append_all(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let mut all: Vec<_> = (0..1 + random.below(6)).map(|_| self.message(random)).collect();
        if random.one_in(6)
            && let Some(new) = all.last_mut()
        {
            new.rollup = Some(if random.one_in(2) { Rollup::All } else { Rollup::Subject });
        }
        let now = self.clock.now();
        let (mut model, answers) = self.before(&name)?;
        if random.one_in(4)
            && let Some(new) = all.first_mut()
        {
            let id = format!("id {}", random.below(12));
            if model.id(id.as_bytes(), now, self.latest) == IdStatus::New {
                new.message_id = Some(id.into());
            }
        }
        let expected = model.append_all(&all, now);
        self.note(format_args!("append {} as one to {name}: {expected:?}", all.len()));
        let told = expected.map(|told| Told::Appended(told.sequence, false, told.time));
        let number = self.tracked(&name)?.push(Some(told), told.is_ok().then_some(model));
        self.stream(&name)?.append_all_with(all, answers.callback(number));
        self.counts.operations += 1;
        Ok(())
    }

    /// What a replication could bring: copies with their own sequences and times, gaps, progress.
    pub(crate) fn apply(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let (mut model, answers) = self.before(&name)?;
        if model.config.discard == Discard::New {
            return Ok(());
        }
        let mut next = model.last;
        let mut steps = Vec::new();
        for _ in 0..1 + random.below(4) {
            let mut items = Vec::new();
            for _ in 0..random.below(3) {
                let mut message = self.message(random);
                match random.below(4) {
                    0 => items.push(Item::Append(message)),
                    1 => {
                        next += random.below(5);
                        items.push(Item::Skip { through: next });
                    }
                    _ => {
                        next += 1 + random.below(3);
                        message.rollup = random.one_in(9).then_some(Rollup::Subject);
                        let time =
                            Timestamp(self.clock.now() - random.below(5000) as i64 * MILLISECOND);
                        items.push(Item::Copy { sequence: next, time, message });
                    }
                }
            }
            let key = format!("key {}", random.below(2));
            let value = vec![1; usize::try_from(random.below(9)).unwrap_or(0)];
            steps.push(Step { items, progress: (!random.one_in(3)).then_some((key, value)) });
        }
        let expect_progress = random.one_in(4).then(|| {
            let held = model.progress.get("key 0").cloned().unwrap_or_default();
            ("key 0".to_owned(), if random.one_in(3) { vec![9] } else { held })
        });
        let batch = Batch { expect_progress, steps };
        let applied = model.apply(&batch, self.clock.now());
        self.note(format_args!("apply to {name}: {applied} of {} steps", batch.steps.len()));
        let told = Ok(Told::Applied(applied, model.last));
        let number = self.tracked(&name)?.push(Some(told), (applied > 0).then_some(model));
        self.stream(&name)?.apply_with(batch, answers.callback(number));
        self.counts.operations += 1;
        Ok(())
    }

    /// A change that is waited for.
    fn wait_for<T: PartialEq + std::fmt::Debug>(
        &mut self,
        name: &str,
        number: u64,
        expected: Result<T, Refusal>,
        result: Option<headwater_storage::Result<T>>,
    ) -> Result<()> {
        self.counts.operations += 1;
        self.collect()?;
        let is_broken = self.is_broken();
        let tracked = self.tracked(name)?;
        match result {
            None => ensure!(is_broken, "{name}: a change is never answered"),
            Some(Err(error)) if kind(&error) == "Disk" => {}
            Some(result) => {
                let result = result.map_err(|error| kind(&error));
                ensure!(result == expected, "{name}: {result:?}, expected {expected:?}");
                if result.is_ok() && !tracked.doubt {
                    tracked.acknowledge(number);
                } else {
                    tracked.withdraw(number);
                }
                return Ok(());
            }
        }
        tracked.doubt = true;
        Ok(())
    }

    pub(crate) fn delete(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let (mut model, _) = self.before(&name)?;
        let held: Vec<u64> = model.messages.keys().copied().collect();
        let at = random.pick(&held).copied().filter(|_| !random.one_in(5));
        let at = at.unwrap_or_else(|| random.below(model.last + 2));
        let expected = model.delete(at);
        self.note(format_args!("delete {at} of {name}: {expected:?}"));
        let number = self.tracked(&name)?.push(None, expected.is_ok().then_some(model));
        let result = at_once(self.stream(&name)?.delete(at));
        self.wait_for(&name, number, expected, result)
    }

    pub(crate) fn purge(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let (mut model, _) = self.before(&name)?;
        let middle = model.first() + random.below(model.messages.len() as u64 * 2 + 1);
        let purge = match random.below(8) {
            0 => Purge::default(),
            1 | 2 => Purge { before: Some(middle), ..Purge::default() },
            3 => Purge { keep: Some(random.below(8)), ..Purge::default() },
            4 | 5 => Purge { filter: Some(filter(random)), ..Purge::default() },
            6 => Purge {
                filter: Some(filter(random)),
                keep: Some(random.below(4)),
                ..Purge::default()
            },
            _ => Purge { filter: Some(filter(random)), before: Some(middle), keep: None },
        };
        let expected = model.purge(&purge);
        self.note(format_args!("purge {name} {purge:?}: {expected:?}"));
        let changes = expected.is_ok_and(|count| count > 0);
        let number = self.tracked(&name)?.push(None, changes.then_some(model));
        let result = at_once(self.stream(&name)?.purge(purge));
        self.wait_for(&name, number, expected, result)
    }

    pub(crate) fn update(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let now = self.clock.now();
        let (mut model, _) = self.before(&name)?;
        let old = model.config.clone();
        let mut config = config(random, &name);
        config.storage = old.storage;
        config.sync = old.sync;
        config.first_sequence = old.first_sequence;
        config.sealed = random.one_in(25);
        if random.one_in(2) {
            config.dedup_window = old.dedup_window;
        }
        let expected = model.update(config.clone());
        self.note(format_args!("update {name}: {expected:?} {:?}", Short(&config)));
        let tracked = self.tracked(&name)?;
        let mut limited = model.clone();
        limited.limit(now);
        let first = tracked.push(None, expected.is_ok().then_some(model));
        let second = tracked.push(None, expected.is_ok().then_some(limited));
        let result = at_once(self.stream(&name)?.update(config.clone()));
        let is_refused = expected.is_err();
        self.wait_for(&name, second, expected, result)?;
        let tracked = self.tracked(&name)?;
        if is_refused {
            tracked.withdraw(first);
        } else if tracked.doubt {
            tracked.doubtful_configs.push(config);
        }
        Ok(())
    }

    pub(crate) fn create_stream(&mut self, random: &mut Random) -> Result<()> {
        let name = format!("s{}", random.below(9));
        let mut config = config(random, &name);
        if is_origin(&name) {
            (config.sync, config.storage) = (None, StorageKind::File);
        }
        if self.streams.len() >= STREAMS_MAX && !self.streams.contains_key(&name) {
            return Ok(());
        }
        let is_taken = self.streams.contains_key(&name);
        if self.streams.get(&name).is_some_and(|tracked| tracked.may_be_missing) {
            return Ok(());
        }
        self.note(format_args!("create {name}, taken: {is_taken}: {:?}", Short(&config)));
        let created = at_once(self.volume()?.create_stream(config.clone()));
        self.counts.operations += 1;
        if is_taken {
            let is_said = matches!(created, Some(Err(Error::StreamExists(_))));
            ensure!(is_said, "{name}: created twice: {created:?}");
            return Ok(());
        }
        let mut tracked = Tracked::new(config);
        match created {
            Some(Ok(stream)) => {
                tracked.incarnation = Some(stream.incarnation().0);
                tracked.may_be_missing = false;
                self.copies.appears(&name, &stream);
            }
            Some(Err(error)) => {
                ensure!(kind(&error) == "Disk", "{name}: cannot be created: {error}");
                tracked.doubt = true;
            }
            None => {
                ensure!(self.is_broken(), "{name}: creation is never answered");
                tracked.doubt = true;
            }
        }
        self.streams.insert(name, tracked);
        Ok(())
    }

    pub(crate) fn delete_stream(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        self.note(format_args!("delete stream {name}"));
        self.counts.operations += 1;
        let deleted = at_once(self.volume()?.delete_stream(&name));
        match deleted {
            Some(Ok(())) => {
                self.copies.disappears(&name);
                if let Some(tracked) = self.streams.remove(&name) {
                    self.copies.bury(tracked);
                }
            }
            Some(Err(error)) => {
                ensure!(kind(&error) == "Disk", "{name}: cannot be deleted: {error}");
                let tracked = self.tracked(&name)?;
                tracked.may_be_missing = true;
                tracked.doubt = true;
            }
            None => {
                ensure!(self.is_broken(), "{name}: deletion is never answered");
                let tracked = self.tracked(&name)?;
                tracked.may_be_missing = true;
                tracked.doubt = true;
            }
        }
        Ok(())
    }
}
