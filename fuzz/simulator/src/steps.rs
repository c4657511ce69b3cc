//! The steps of a run: which change comes when, the passing of time, and faults that are armed.
//!
//! Invariant: what a step does follows from its own numbers and what there is, so that a run with fewer steps is a run.
//! Not here: the changes (`changes`), the end of a life and recovery (`restart`), replication (`copies`), damage (`damage`).

use crate::{
    answers::kind,
    random::Random,
    tracked::Tracked,
    world::{World, at_once},
};
use anyhow::{Result, ensure};
use headwater_storage::{Error, testing};

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1000 * MILLISECOND;
/// Acknowledged states of a stream with an interval that are kept before a checkpoint is made.
const UNSYNCED_MAX: usize = 40;

impl World {
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
        match random.below(100) {
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

    fn commit(&mut self) -> Result<()> {
        let did = testing::commit(self.volume()?);
        self.note(format_args!("commit: {did}"));
        Ok(())
    }

    /// Expiry, compaction, indexes; streams that had no room are taken up again.
    pub(crate) fn keep_house(&mut self) -> Result<()> {
        let now = self.clock.now();
        if !self.settle()? {
            return Ok(());
        }
        let full: Vec<String> =
            self.streams.values().filter(|t| t.doubt).map(|t| t.name.clone()).collect();
        // One that could not be deleted goes on too.
        let goes_on = |tracked: &&mut Tracked| tracked.is_settled() || tracked.may_be_missing;
        for tracked in self.streams.values_mut().filter(goes_on) {
            let mut model = tracked.newest().clone();
            model.expire(now);
            tracked.push(None, Some(model));
        }
        testing::keep_house(self.volume()?);
        self.note(format_args!("keep house"));
        if !self.settle()? {
            return Ok(());
        }
        for name in full {
            let Some(stream) = self.volume()?.stream(&name) else { continue };
            let tracked = self.tracked(&name)?;
            if stream.failure().is_some() || tracked.may_be_missing || tracked.in_memory() {
                continue;
            }
            let mut candidates = tracked.candidates(false);
            candidates.iter_mut().for_each(|candidate| candidate.reopen(now));
            let found = tracked.recognize(&stream, candidates)?;
            tracked.resolve(found);
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        let result = self.volume()?.checkpoint();
        self.note(format_args!("checkpoint: {}", result.is_ok()));
        self.collect()?;
        if result.is_ok() {
            self.streams.values_mut().for_each(Tracked::synced);
            self.copies.synced();
        }
        Ok(())
    }

    fn pass_time(&mut self, random: &mut Random) {
        let by = match random.below(12) {
            0 if self.faults.clock => {
                self.counts.clock += 1;
                -(random.below(20_000) as i64) * MILLISECOND
            }
            1 if self.faults.clock => {
                self.counts.clock += 1;
                random.below(40) as i64 * SECOND
            }
            2..6 => random.below(3000) as i64 * MILLISECOND,
            _ => random.below(1000) as i64 * MILLISECOND / 10,
        };
        self.clock.advance(by);
        self.note(format_args!("time passes: {by}"));
    }

    fn follow(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let most = 1 + usize::try_from(random.below(20)).unwrap_or(0);
        let stream = self.stream(&name)?;
        self.counts.messages += self.tracked(&name)?.follow(&stream, most)?;
        Ok(())
    }

    /// A call that will fail, or a crash that will come.
    fn arm(&mut self, random: &mut Random) -> Result<()> {
        let at = self.disk.operations() + 1 + random.below(40);
        match random.below(4) {
            0 | 1 if self.faults.crash => self.disk.crash_at(at),
            2 if self.faults.io => self.disk.fail_at(at),
            3 if self.faults.io => self.disk.fail_next_sync(),
            _ => return Ok(()),
        }
        self.armed = true;
        self.note(format_args!("armed at operation {at}"));
        Ok(())
    }

    /// The disk is full for a while, and then is not.
    fn fill(&mut self, random: &mut Random) -> Result<()> {
        if !self.faults.space {
            return Ok(());
        }
        let is_full = !random.one_in(3);
        self.disk.set_capacity(is_full.then(|| self.disk.used() + random.below(3000)));
        self.note(format_args!("full: {is_full}"));
        if is_full {
            self.was_full = true;
            self.counts.space += 1;
        } else {
            self.keep_house()?;
        }
        Ok(())
    }

    /// A broken volume refuses changes and goes on to be read.
    fn refused(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        if self.disk.is_crashed() || self.tracked(&name)?.in_memory() {
            return Ok(());
        }
        let new = self.message(random);
        let stream = self.stream(&name)?;
        self.collect()?;
        self.tracked(&name)?.check_visible(&stream)?;
        let result = at_once(stream.append(new));
        let is_said = matches!(&result, Some(Err(error)) if kind(error) != "Disk" || matches!(error, Error::ReadOnly(_) | Error::NoSpace | Error::Closed));
        ensure!(is_said, "{name}: a volume that failed answers an append with {result:?}");
        Ok(())
    }
}
