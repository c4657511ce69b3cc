//! The end of a life of the volume, in one of its ways, and the recovery behind it, which may be cut short too.
//!
//! Invariant: a volume always opens in the end, and each of its streams is one of the states that its model allows.
//! Not here: damage (`damage`).

use crate::{model::Model, random::Random, world::World};
use anyhow::{Context as _, Result, bail, ensure};
use headwater_storage::{Volume, testing::SimulatedDisk};
use std::collections::BTreeMap;

/// Recoveries that are cut short, at most.
const INTERRUPTIONS_MAX: u64 = 3;

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The volume is closed, then the power goes.
    Closed,
    /// The process is gone, what it wrote is not.
    Killed,
    /// The power goes.
    PowerCut,
}

/// A state that a stream may have been found in by the last recovery, and what that made of it.
type Candidate = (Model, Model);
type Candidates = BTreeMap<String, Vec<Candidate>>;

/// What recoveries at these times make of some states; all but the last were cut short, and may have done it or not.
fn recovered(mut states: Vec<Model>, attempts: &[i64]) -> Vec<Candidate> {
    let Some((last, interrupted)) = attempts.split_last() else { return Vec::new() };
    let reopened = |state: &Model, now: i64| {
        let mut after = state.clone();
        after.reopen(now);
        after
    };
    for now in interrupted {
        for after in states.iter().map(|state| reopened(state, *now)).collect::<Vec<_>>() {
            if !states.iter().any(|known| known.looks_like(&after)) {
                states.push(after);
            }
        }
    }
    let pair = |before: Model| {
        let after = reopened(&before, *last);
        (before, after)
    };
    states.into_iter().map(pair).collect()
}

impl World {
    /// Ends the life of a sound volume.
    pub(crate) fn end_life(&mut self, random: &mut Random) -> Result<()> {
        let end = match random.below(6) {
            0..2 => End::Closed,
            2..4 if self.faults.crash => End::Killed,
            _ if self.faults.crash => End::PowerCut,
            _ => End::Closed,
        };
        self.restart(end, random)
    }

    /// The disk failed, or the power went off: only another start helps.
    pub(crate) fn restart_broken(&mut self, random: &mut Random) -> Result<()> {
        if self.disk.is_crashed() {
            let end = if random.one_in(3) { End::Killed } else { End::PowerCut };
            return self.restart(end, random);
        }
        self.counts.io += 1;
        let end = [End::Closed, End::Killed, End::PowerCut];
        let end = random.pick(&end).copied().unwrap_or(End::PowerCut);
        self.restart(end, random)
    }

    /// Ends this life and begins the next one.
    pub(crate) fn restart(&mut self, end: End, random: &mut Random) -> Result<()> {
        let disk = self.disk.clone();
        self.note(format_args!("{end:?} after {disk:?}"));
        let mut disk = self.go_down(end, random)?;
        let mut power_was_cut = end != End::Killed;
        self.digest.add(&self.disk.trace().to_le_bytes());
        self.armed = false;
        let mut candidates: Candidates = BTreeMap::new();
        // A recovery that is cut short may have applied limits at its time.
        let mut attempts: Vec<i64> = Vec::new();
        let interruptions = random.below(INTERRUPTIONS_MAX + 1);
        for attempt in 0..=interruptions {
            self.clock.advance(random.below(3_000_000_000) as i64);
            let now = self.tick_clock();
            attempts.push(now);
            let is_last = attempt == interruptions;
            let fault = if is_last { None } else { self.arm_recovery(&disk, random) };
            let is_faulty = fault.is_some();
            match self.open(&disk) {
                Ok(volume) if is_last => {
                    self.volume = Some(volume);
                    break;
                }
                Ok(volume) => drop(volume),
                Err(error) => ensure!(is_faulty, "the volume does not open: {error}"),
            }
            if is_faulty {
                self.counts.recovery_crashes += 1;
            }
            let is_kill = random.one_in(3);
            power_was_cut |= !is_kill;
            let seed = random.number();
            disk = if is_kill { disk.kill(seed) } else { disk.restart(seed) };
            self.counts.recoveries += 1;
            self.note(format_args!(
                "recovery {attempt} was cut short, fault: {fault:?}, killed: {is_kill}"
            ));
        }
        self.disk = disk;
        self.counts.recoveries += 1;
        for (name, tracked) in &self.streams {
            let states = tracked.candidates(power_was_cut);
            candidates.insert(name.clone(), recovered(states, &attempts));
        }
        self.examine(candidates, power_was_cut, interruptions > 0)
    }

    /// A fault during recovery, in words; `None` where there is none.
    fn arm_recovery(&self, disk: &SimulatedDisk, random: &mut Random) -> Option<&'static str> {
        let at = disk.operations() + 1 + random.below(25);
        match random.below(6) {
            0..3 if self.faults.crash => {
                disk.crash_at(at);
                Some("crash")
            }
            3 if self.faults.io => {
                disk.fail_at(at);
                Some("a call")
            }
            4 if self.faults.io => {
                disk.fail_next_sync();
                Some("a sync")
            }
            5 if self.faults.io => {
                disk.fail_read_in(random.below(20));
                Some("a read")
            }
            _ => None,
        }
    }

    /// Ends the process; gives the disk as the next one finds it.
    fn go_down(&mut self, end: End, random: &mut Random) -> Result<SimulatedDisk> {
        self.collect()?;
        for tracked in self.streams.values_mut() {
            tracked.stop_following();
        }
        if end == End::Closed {
            if random.one_in(2) && !self.is_broken() {
                while headwater_storage::testing::commit(self.volume()?) {}
                let stopped = self.copies.stop_all();
                ensure!(stopped || self.is_broken(), "a replication does not stop");
            }
            self.copies.abandon();
            let volume = self.volume.take().context("a volume")?;
            let closed = volume.close();
            self.note(format_args!("closed: {}", closed.is_ok()));
            self.collect()?;
            if closed.is_ok() {
                for tracked in self.streams.values_mut() {
                    tracked.settle()?;
                    tracked.synced();
                }
                self.copies.synced();
                self.counts.closes += 1;
            }
            drop(volume);
            return Ok(self.disk.restart(random.number()));
        }
        let seed = random.number();
        let disk = if end == End::Killed { self.disk.kill(seed) } else { self.disk.restart(seed) };
        self.copies.abandon();
        drop::<Option<Volume>>(self.volume.take());
        self.collect()?;
        self.counts.crashes += 1;
        Ok(disk)
    }

    /// Compares what was recovered with what may be.
    fn examine(
        &mut self,
        mut candidates: Candidates,
        power_was_cut: bool,
        was_interrupted: bool,
    ) -> Result<()> {
        // What opening removes, because it is over a limit, goes with the first round.
        while headwater_storage::testing::commit(self.volume()?) {}
        let report = self.volume()?.recovery().clone();
        let was_full = std::mem::take(&mut self.was_full);
        let is_expected = |what: &&String| {
            // A stream whose creation was not acknowledged. Segments that were given up while no checkpoint could say so.
            what.contains("taken up") || (was_full && what.contains("segments are missing"))
                // Two crashes, one in the checkpoint that a recovery ends with: said though nothing is lost.
                || (was_interrupted && what.contains("checkpoint"))
        };
        let unexpected = report.damage.iter().find(|what| !is_expected(what));
        ensure!(unexpected.is_none(), "damage without damage: {:?}", report.damage);
        ensure!(report.unreadable_streams.is_empty(), "unreadable: {report:?}");
        for stream in self.volume()?.streams() {
            let name = stream.config().name;
            let is_known =
                self.streams.contains_key(&name) || self.copies.targets.contains_key(&name);
            ensure!(is_known, "{name}: a stream that nobody made, or that was deleted");
            self.copies.appears(&name, &stream);
        }
        for name in self.streams.keys().cloned().collect::<Vec<_>>() {
            let Some(stream) = self.volume()?.stream(&name) else {
                let Some(tracked) = self.streams.remove(&name) else { continue };
                ensure!(
                    tracked.may_be_missing || tracked.in_memory(),
                    "{name}: the stream is gone"
                );
                self.copies.bury(tracked);
                continue;
            };
            let tracked = self.tracked(&name)?;
            ensure!(!tracked.in_memory(), "{name}: a stream in memory came back");
            let found = stream.incarnation().0;
            ensure!(
                tracked.incarnation.is_none_or(|known| known == found),
                "{name}: another incarnation"
            );
            tracked.incarnation = Some(found);
            let pairs = candidates.remove(&name).unwrap_or_default();
            let states = pairs.iter().map(|(_, after)| after.clone()).collect();
            let state = tracked.recognize(&stream, states)?;
            // What was found is synced when it is opened; what opening removed is not.
            let fits = |(before, after): Candidate| after.looks_like(&state).then_some(before);
            let before = pairs.into_iter().filter_map(fits).collect();
            tracked.resolve(state, before);
        }
        for name in self.copies.targets.keys().cloned().collect::<Vec<_>>() {
            let stream = self.volume()?.stream(&name);
            let Some(target) = self.copies.targets.get_mut(&name) else { continue };
            match stream {
                Some(stream) => target.restarted(&stream, power_was_cut)?,
                None if target.exists => bail!("{name}: the stream is gone"),
                None => drop(self.copies.targets.remove(&name)),
            }
        }
        self.settle()?;
        self.check()?;
        self.check_copies()
    }
}
