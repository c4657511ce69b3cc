//! The steps of what goes by itself: lifetimes and markers, messages that are due, and those that are released.
//!
//! Runs of seeds below `SEED_MIN` have none of it: they do what they did when they were noted in `found.md`.
//! Not here: what has to come of it (`passing`).

use crate::{model::Refusal, random::Random, tracked::Told, world::World, world::at_once};
use anyhow::{Result, ensure};
use headwater_storage::{
    NewMessage, StreamConfig, Timestamp,
    message::{Fires, Lifetime},
    stream::DeleteMarker,
};
use std::time::Duration;

/// The first seed whose run knows lifetimes.
const SEED_MIN: u64 = 12_000_000;
const MILLISECOND: u64 = 1_000_000;

impl World {
    pub(crate) fn knows_lifetimes(&self) -> bool {
        self.seed >= SEED_MIN
    }

    /// Gives a stream what lifetimes need, or some of it.
    pub(crate) fn with_lifetimes(
        &self,
        mut config: StreamConfig,
        random: &mut Random,
    ) -> StreamConfig {
        if !self.knows_lifetimes() {
            return config;
        }
        config.lifetimes = !random.one_in(3);
        config.delete_marker = random.one_in(2).then(|| DeleteMarker {
            headers: b"NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n".to_vec(),
            lifetime: Duration::from_millis(1 + random.below(4000)),
        });
        config
    }

    /// Gives some messages a lifetime, a time at which they are due, or both.
    pub(crate) fn with_fate(&self, mut new: NewMessage, random: &mut Random) -> NewMessage {
        if !self.knows_lifetimes() {
            return new;
        }
        new.lifetime = match random.below(8) {
            0..3 => Lifetime::For(Duration::from_nanos(1 + random.below(4000) * MILLISECOND / 2)),
            3 => Lifetime::Forever,
            _ => Lifetime::Unset,
        };
        new.is_marker = random.one_in(10);
        let due = self.clock.now().saturating_add_unsigned(random.below(3000) * MILLISECOND);
        new.due = random.one_in(6).then_some(Timestamp(due));
        new
    }

    /// One of these steps.
    pub(crate) fn time_step(&mut self, random: &mut Random) -> Result<()> {
        match random.below(12) {
            0..4 => self.fire(random),
            4..6 => self.change_due(random),
            6..9 => self.release(random),
            _ => {
                self.pass_time(random);
                self.keep_house()
            }
        }
    }

    /// A message that is due, or one that is not; the earliest more often than others.
    fn some_due(&mut self, name: &str, random: &mut Random) -> Result<u64> {
        let stream = self.stream(name)?;
        let now = self.clock.now();
        let tracked = self.tracked(name)?;
        let dues = tracked.newest().dues();
        if tracked.is_settled() {
            let given = stream.due(Timestamp(now), usize::MAX);
            let expected = dues.iter().filter(|(due, _)| *due <= now);
            let is_same = expected.copied().eq(given.iter().map(|(at, due)| (due.0, *at)));
            ensure!(is_same, "{name}: {given:?} are due at {now}, expected of {dues:?}");
        }
        let last = tracked.newest().last;
        let of = if random.one_in(2) { dues.get(..1).unwrap_or_default() } else { &dues[..] };
        let picked = random.pick(of).map(|(_, at)| *at).filter(|_| !random.one_in(8));
        Ok(picked.unwrap_or_else(|| random.below(last + 2)))
    }

    /// Does what a message asked for: once more at another time, or for the last time.
    fn fire(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let sequence = self.some_due(&name, random)?;
        let message = self.message(random);
        let mut new = self.with_fate(message, random);
        let (mut model, answers) = self.before(&name)?;
        let now = self.clock.now();
        let next = now.saturating_add_unsigned(random.below(3000) * MILLISECOND);
        let next = (!random.one_in(3)).then_some(Timestamp(next));
        new.fires = Some(Fires { sequence, next });
        if next.is_none() {
            let subject = model.messages.get(&sequence).map(|held| held.subject.clone());
            new.purge = Some(subject.unwrap_or_else(|| "a.1".to_owned()).into());
        }
        let expected = model.append(&new, now, self.latest);
        self.note(format_args!("fire {sequence} of {name}, next {next:?}: {expected:?}"));
        let told = expected.map(|told| Told::Appended(told.sequence, told.duplicate, told.time));
        let number = self.tracked(&name)?.push(Some(told), told.is_ok().then_some(model));
        self.stream(&name)?.append_with(new, answers.callback(number));
        self.counts.operations += 1;
        self.counts.fired += u64::from(told.is_ok());
        Ok(())
    }

    fn change_due(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let at = self.some_due(&name, random)?;
        let due = self.clock.now().saturating_add_unsigned(random.below(3000) * MILLISECOND);
        let due = (!random.one_in(3)).then_some(due);
        let (mut model, _) = self.before(&name)?;
        let expected: Result<(), Refusal> = model.set_due(at, due);
        self.note(format_args!("{at} of {name} is due at {due:?}: {expected:?}"));
        let number = self.tracked(&name)?.push(None, expected.is_ok().then_some(model));
        let result = at_once(self.stream(&name)?.set_due(at, due.map(Timestamp)));
        self.wait_for(&name, number, expected, result)
    }

    /// Some messages have done their work.
    fn release(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let (mut model, answers) = self.before(&name)?;
        let held: Vec<u64> = model.messages.keys().copied().collect();
        let mut sequences = Vec::new();
        for _ in 0..random.below(5) {
            let any = random.below(model.last + 2);
            let picked = random.pick(&held).copied().filter(|_| !random.one_in(5));
            sequences.push(picked.unwrap_or(any));
        }
        let changes = model.release(&sequences);
        self.note(format_args!("release {sequences:?} of {name}: {changes}"));
        let number = self.tracked(&name)?.push(Some(Ok(Told::Released)), changes.then_some(model));
        self.stream(&name)?.release_with(&sequences, answers.callback(number));
        self.counts.operations += 1;
        Ok(())
    }
}
