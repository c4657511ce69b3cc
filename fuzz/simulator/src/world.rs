//! One run: a disk, a clock, a volume on them, and the streams with their models.
//!
//! Invariant: a seed, the faults that are allowed and the list of steps determine everything that happens; what happens goes
//! into the digest.
//! Not here: what the steps do (`steps`, `restart`, `copies`, `damage`).

use crate::{
    copies::Copies,
    model::Model,
    random::{Digest, Random},
    restart::End,
    tracked::{Answers, Tracked},
};
use anyhow::{Context as _, Result, bail};
use headwater_storage::{
    Stream, Timestamp, Volume, VolumeOptions,
    testing::{self, SimulatedDisk},
};
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Size of a journal file: the smallest, so that the ring goes round often.
const JOURNAL_FILE_BYTES: u64 = 64 << 10;
/// A nanosecond of 2023.
const START: i64 = 1_700_000_000_000_000_000;

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Crashes and kills, in the middle of anything, recovery included.
    pub crash: bool,
    /// Calls that fail.
    pub io: bool,
    /// A full disk.
    pub space: bool,
    /// A clock that jumps.
    pub clock: bool,
    /// Damaged files.
    pub damage: bool,
}

impl Faults {
    /// All of them.
    pub const ALL: Self = Self { crash: true, io: true, space: true, clock: true, damage: true };
    /// None.
    pub const NONE: Self =
        Self { crash: false, io: false, space: false, clock: false, damage: false };
}

/// What was done, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Crashes (power cuts and kills) that were recovered from.
    pub crashes: u64,
    /// Crashes during a recovery.
    pub recovery_crashes: u64,
    /// Clean ends.
    pub closes: u64,
    /// Calls that failed.
    pub io: u64,
    /// Times that the disk was full.
    pub space: u64,
    /// Jumps of the clock.
    pub clock: u64,
    /// Damaged volumes that were opened.
    pub damage: u64,
    /// Changes of streams.
    pub operations: u64,
    /// Messages that went because their time was over.
    pub expired: u64,
    /// Markers that took the place of one.
    pub markers: u64,
    /// Messages that were due, and for which what they asked for was done.
    pub fired: u64,
    /// Times that a volume was opened.
    pub recoveries: u64,
    /// Messages compared with the model.
    pub messages: u64,
    /// Messages of mirrors and sources compared with their origins.
    pub copies: u64,
}

impl Counts {
    /// Faults that were survived.
    pub fn points(&self) -> u64 {
        let Self { crashes, recovery_crashes, closes, io, space, clock, damage, .. } = self;
        crashes + recovery_crashes + closes + io + space + clock + damage
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.crashes, other.crashes),
            (&mut self.recovery_crashes, other.recovery_crashes),
            (&mut self.closes, other.closes),
            (&mut self.io, other.io),
            (&mut self.space, other.space),
            (&mut self.clock, other.clock),
            (&mut self.damage, other.damage),
            (&mut self.operations, other.operations),
            (&mut self.expired, other.expired),
            (&mut self.markers, other.markers),
            (&mut self.fired, other.fired),
            (&mut self.recoveries, other.recoveries),
            (&mut self.messages, other.messages),
            (&mut self.copies, other.copies),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
    }
}

/// A clock that the run sets.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Nanoseconds since 1970.
    pub fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves it.
    pub fn advance(&self, nanoseconds: i64) {
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// The run.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Clock,
    /// The latest time that the clock ever showed.
    pub(crate) latest: i64,
    pub(crate) options: VolumeOptions,
    pub(crate) volume: Option<Volume>,
    pub(crate) streams: BTreeMap<String, Tracked>,
    pub(crate) copies: Copies,
    /// A call that will fail, or a crash that will come, was asked for.
    pub(crate) armed: bool,
    /// The disk was full since the volume was opened.
    pub(crate) was_full: bool,
    /// Names of messages, so that no two are the same.
    pub(crate) tag: u64,
    /// What was done.
    pub counts: Counts,
    /// A hash of what happened.
    pub digest: Digest,
    is_loud: bool,
}

/// Polls a future that waits for nobody: without threads whoever waits does the work. `None` where nobody will answer.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl World {
    /// An empty volume.
    pub fn new(seed: u64, faults: Faults, is_loud: bool) -> Result<Self> {
        let mut random = Random::of_step(seed, u64::MAX);
        let options = VolumeOptions {
            segment_bytes: 1500 + random.below(8000),
            journal_bytes_max: (128 + 64 * random.below(3)) << 10,
            memory_bytes_max: 1 << 30,
            ..VolumeOptions::new("simulated")
        };
        let mut world = Self {
            seed,
            faults,
            disk: SimulatedDisk::new(seed),
            clock: Clock(Arc::new(AtomicI64::new(START))),
            latest: START,
            options,
            volume: None,
            streams: BTreeMap::new(),
            copies: Copies::default(),
            armed: false,
            was_full: false,
            tag: 0,
            counts: Counts::default(),
            digest: Digest::default(),
            is_loud,
        };
        world.volume = Some(world.open(&world.disk).context("a new volume does not open")?);
        Ok(world)
    }

    /// Opens a volume on a disk.
    pub(crate) fn open(&self, disk: &SimulatedDisk) -> headwater_storage::Result<Volume> {
        let clock = self.clock.clone();
        let now = move || Timestamp(clock.now());
        testing::open_volume(disk, &self.options, JOURNAL_FILE_BYTES, now)
    }

    /// Notes what happens.
    pub(crate) fn note(&mut self, what: fmt::Arguments<'_>) {
        let text = what.to_string();
        self.digest.add(text.as_bytes());
        if self.is_loud {
            eprintln!("{text}");
        }
    }

    /// The time, which goes on a little with every look.
    pub(crate) fn tick_clock(&mut self) -> i64 {
        self.clock.advance(1);
        self.latest = self.latest.max(self.clock.now());
        self.clock.now()
    }

    pub(crate) fn volume(&self) -> Result<&Volume> {
        self.volume.as_ref().context("the volume is closed")
    }

    pub(crate) fn stream(&self, name: &str) -> Result<Arc<Stream>> {
        self.volume()?.stream(name).with_context(|| format!("{name}: the stream is gone"))
    }

    pub(crate) fn tracked(&mut self, name: &str) -> Result<&mut Tracked> {
        self.streams.get_mut(name).with_context(|| format!("{name}: no model"))
    }

    /// Begins a change: a number and a callback, and the model before it.
    pub(crate) fn before(&mut self, name: &str) -> Result<(Model, Answers)> {
        let tracked = self.tracked(name)?;
        Ok((tracked.newest().clone(), tracked.answers.clone()))
    }

    /// A stream that takes changes now.
    pub(crate) fn some_stream(&self, random: &mut Random) -> Option<String> {
        let names: Vec<_> = self
            .streams
            .values()
            .filter(|tracked| !tracked.doubt && !tracked.may_be_missing)
            .map(|tracked| tracked.name.clone())
            .collect();
        random.pick(&names).cloned()
    }

    /// Takes in all answers.
    pub(crate) fn collect(&mut self) -> Result<()> {
        self.streams.values_mut().try_for_each(Tracked::collect)?;
        self.copies.collect()
    }

    /// Whether the disk or the volume has failed, so that only opening it again helps.
    pub(crate) fn is_broken(&self) -> bool {
        let has_failed = |volume: &Volume| volume.failure().is_some();
        self.disk.is_crashed() || self.volume.as_ref().is_none_or(has_failed)
    }

    /// Commits what is on its way. False where the disk failed.
    pub(crate) fn settle(&mut self) -> Result<bool> {
        while testing::commit(self.volume()?) {}
        self.collect()?;
        if self.is_broken() {
            return Ok(false);
        }
        for tracked in self.streams.values_mut() {
            let full = self.volume.as_ref().and_then(|volume| volume.stream(&tracked.name));
            if full.is_some_and(|stream| stream.failure().is_some()) {
                tracked.doubt = true;
            }
            tracked.settle()?;
        }
        Ok(true)
    }

    /// After the last step: everything is repaired, settles, catches up, and is compared once more, also after a restart.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let mut random = Random::of_step(self.seed, u64::MAX - 1);
        self.disk.set_capacity(None);
        if self.is_broken() || self.armed {
            self.restart(End::PowerCut, &mut random)?;
        }
        self.tick_clock();
        self.keep_house()?;
        self.catch_up()?;
        self.check()?;
        self.restart(End::Closed, &mut random)?;
        let is_settled = self.settle()? && self.streams.values().all(Tracked::is_settled);
        if self.faults.damage && is_settled {
            self.damage_copies(&mut random)?;
        }
        Ok(())
    }

    /// Compares every stream with its model.
    pub(crate) fn check(&mut self) -> Result<()> {
        for name in self.streams.keys().cloned().collect::<Vec<_>>() {
            let Some(tracked) = self.streams.get(&name) else { continue };
            let Some(stream) = self.volume()?.stream(&name) else {
                if tracked.may_be_missing {
                    continue;
                }
                bail!("{name}: the stream is gone");
            };
            let Some(tracked) = self.streams.get_mut(&name) else { continue };
            if tracked.may_be_missing {
                continue;
            }
            if !tracked.is_settled() {
                tracked.check_visible(&stream)?;
            } else {
                self.counts.messages += tracked.check(&stream)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seed", &self.seed).finish_non_exhaustive()
    }
}
