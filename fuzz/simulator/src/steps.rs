//! The steps of a run: changes of streams, the passing of time, and faults that are armed.
//!
//! Invariant: what a step does follows from its own numbers and what there is, so that a run with fewer steps is a run.
//! Not here: the end of a life and recovery (`restart`), replication (`copies`), damage (`damage`).

use crate::{
    model::{IdStatus, Refusal, kind},
    random::Random,
    tracked::Told,
    world::{World, at_once},
};
use anyhow::{Result, ensure};
use headwater_storage::{
    NewMessage, Timestamp,
    message::Rollup,
    stream::{Batch, Discard, Item, Purge, Step},
    testing,
};

const MILLISECOND: i64 = 1_000_000;
/// Acknowledged states of a stream with an interval that are kept before a checkpoint is made.
const UNSYNCED_MAX: usize = 40;

fn subject(random: &mut Random) -> String {
    match random.below(8) {
        0 => format!("b.{}.x", random.below(3)),
        _ => format!("a.{}", random.below(6)),
    }
}

fn filter(random: &mut Random) -> String {
    ["a.*", "b.>", "a.1", ">", "*.*.x"]
        .get(usize::try_from(random.below(8)).unwrap_or(0))
        .map_or_else(|| subject(random), |text| (*text).to_owned())
}

impl World {
    /// A message like no other.
    pub(crate) fn message(&mut self, random: &mut Random) -> NewMessage {
        self.tag += 1;
        let length = match random.below(60) {
            0 => 60_000 + random.below(20_000),
            1..5 => random.below(5000),
            _ => random.below(300),
        };
        let mut payload = format!("message {} ", self.tag).into_bytes();
        let is_random = random.one_in(2);
        for index in 0..length {
            payload.push(if is_random { (random.number() & 0xff) as u8 } else { index as u8 / 16 });
        }
        let headers = match random.below(4) {
            0 => format!("NATS/1.0\r\nTag: {}\r\n\r\n", self.tag),
            _ => String::new(),
        };
        NewMessage {
            subject: subject(random).into(),
            headers: headers.into(),
            payload: payload.into(),
            ..NewMessage::default()
        }
    }

    /// Does one step.
    pub(crate) fn step(&mut self, number: u64) -> Result<()> {
        let mut random = Random::of_step(self.seed, number);
        let random = &mut random;
        if self.is_broken() {
            // A while longer everything is refused.
            if !random.one_in(4) {
                return self.refused(random);
            }
            return self.restart_broken(random);
        }
        self.tick_clock();
        let is_of_time = self.knows_lifetimes() && random.one_in(9);
        match random.below(100) {
            _ if is_of_time => self.time_step(random)?,
            0..30 => self.append(random)?,
            30..36 => self.append_all(random)?,
            36..41 => self.apply(random)?,
            41..46 => self.delete(random)?,
            46..50 => self.purge(random)?,
            50..53 => self.update(random)?,
            53..57 => self.create_stream(random)?,
            57 => self.delete_stream(random)?,
            58..66 => self.commit()?,
            66..70 => self.keep_house()?,
            70..72 => self.checkpoint()?,
            72..77 => self.pass_time(random),
            77..81 => self.follow(random)?,
            81..90 => self.replicate(random)?,
            90..92 => self.arm(random)?,
            92..94 => self.fill(random)?,
            94..96 => {
                if self.settle()? {
                    self.check()?;
                    self.check_copies()?;
                }
            }
            _ => self.end_life(random)?,
        }
        self.collect()?;
        let crowded = self.streams.values().any(|tracked| tracked.unsynced() > UNSYNCED_MAX);
        if crowded && !self.is_broken() {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn append(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let message = self.message(random);
        let mut new = self.with_fate(message, random);
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
                let last = fits.find(|(_, held)| crate::model::matches(&filter, &held.subject));
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

    fn append_all(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let mut all: Vec<_> = (0..1 + random.below(6)).map(|_| self.message(random)).collect();
        all = all.into_iter().map(|new| self.with_fate(new, random)).collect();
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
    fn apply(&mut self, random: &mut Random) -> Result<()> {
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
                let message = self.message(random);
                let mut message = self.with_fate(message, random);
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

    /// Commits what is on its way to a stream; whether something of it failed.
    fn is_in_doubt(&mut self, name: &str) -> Result<bool> {
        while testing::commit(self.volume()?) {}
        self.collect()?;
        Ok(self.is_broken() || self.tracked(name)?.doubt)
    }

    /// A change that is waited for.
    pub(crate) fn wait_for<T: PartialEq + std::fmt::Debug>(
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
                if result != expected && self.is_in_doubt(name)? {
                    // A change before it failed, and that was not said yet: this one is refused for what that would have made.
                    ensure!(result.is_err(), "{name}: {result:?} behind a change that failed");
                    self.tracked(name)?.withdraw(number);
                    return Ok(());
                }
                let tracked = self.tracked(name)?;
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

    fn delete(&mut self, random: &mut Random) -> Result<()> {
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

    fn purge(&mut self, random: &mut Random) -> Result<()> {
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
}
