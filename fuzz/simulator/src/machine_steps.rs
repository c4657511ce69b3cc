//! The steps that commit, keep house, let time pass, and arm the faults of the disk.
//! Not here: changes of streams (`steps`, `stream_steps`).

use crate::{
    model::kind,
    random::Random,
    tracked::Tracked,
    world::{World, at_once},
};
use anyhow::{Result, ensure};
use headwater_storage::{Error, testing};

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1000 * MILLISECOND;

impl World {
    pub(crate) fn commit(&mut self) -> Result<()> {
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
        let mut full = Vec::new();
        for tracked in self.streams.values_mut() {
            if tracked.is_settled() {
                let steps = tracked.newest().expire(now);
                self.counts.markers += steps.len().saturating_sub(1) as u64;
                if let Some(after) = steps.last() {
                    let before = tracked.newest().messages.keys();
                    let goes = before.filter(|at| !after.messages.contains_key(at));
                    self.counts.expired += goes.count() as u64;
                }
                for model in steps {
                    tracked.push(None, Some(model));
                }
                continue;
            }
            let stream = self.volume.as_ref().and_then(|volume| volume.stream(&tracked.name));
            let has_failed = stream.is_none_or(|stream| stream.failure().is_some());
            full.push((tracked.name.clone(), has_failed));
            if !has_failed {
                tracked.expire_doubtful(now);
            }
        }
        testing::keep_house(self.volume()?);
        self.note(format_args!("keep house"));
        if !self.settle()? {
            return Ok(());
        }
        for (name, had_failed) in full {
            let Some(stream) = self.volume()?.stream(&name) else { continue };
            let tracked = self.tracked(&name)?;
            if stream.failure().is_some() || tracked.in_memory() {
                continue;
            }
            if tracked.may_be_missing {
                // Its deletion failed, and it goes on from what was committed.
                if had_failed {
                    tracked.reopen_doubtful(now);
                }
                continue;
            }
            let mut candidates = tracked.candidates(false);
            if had_failed {
                candidates.iter_mut().for_each(|candidate| candidate.reopen(now));
            }
            let found = tracked.recognize(&stream, candidates)?;
            tracked.resolve(found, tracked.candidates(true));
        }
        Ok(())
    }

    pub(crate) fn checkpoint(&mut self) -> Result<()> {
        let result = self.volume()?.checkpoint();
        self.note(format_args!("checkpoint: {}", result.is_ok()));
        self.collect()?;
        if result.is_ok() {
            self.streams.values_mut().for_each(Tracked::synced);
            self.copies.synced();
        }
        Ok(())
    }

    pub(crate) fn pass_time(&mut self, random: &mut Random) {
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

    pub(crate) fn follow(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let most = 1 + usize::try_from(random.below(20)).unwrap_or(0);
        let stream = self.stream(&name)?;
        self.counts.messages += self.tracked(&name)?.follow(&stream, most)?;
        Ok(())
    }

    /// A call that will fail, or a crash that will come.
    pub(crate) fn arm(&mut self, random: &mut Random) -> Result<()> {
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
    pub(crate) fn fill(&mut self, random: &mut Random) -> Result<()> {
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
    pub(crate) fn refused(&mut self, random: &mut Random) -> Result<()> {
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
