//! Mirrors and sources between streams of the volume, run by the real replication driver.
//!
//! Each replication has a runtime of its own, whose time stands still unless the run moves it: the run decides who gets on and
//! when, so that a seed replays exactly.
//! Invariant: origins are streams whose acknowledged messages no crash takes back.
//! Not here: what a copy has to be (`copy_check`).

use crate::{
    copy_check::Target,
    random::Random,
    tracked::Tracked,
    world::{World, at_once},
};
use anyhow::{Context as _, Result, bail, ensure};
use headwater_replication::{
    MirrorConfig, Replication, Replicator, SourceConfig, State, Streams, identity::identity_hash,
};
use headwater_storage::{
    Stream, StreamConfig,
    stream::{Compression, Limits, SyncPolicy},
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
    time::Duration,
};
use tokio::runtime::Runtime;

/// Rounds after which a copy has to have caught up.
const ROUNDS_MAX: u32 = 400;

/// What a target copies.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Mirror(MirrorConfig),
    Sources(Vec<SourceConfig>),
}

/// A replication and the runtime that it runs on.
struct Running {
    replication: Option<Replication>,
    runtime: Runtime,
}

impl Running {
    fn start(start: impl FnOnce() -> headwater_replication::Result<Replication>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        let replication = {
            let _entered = runtime.enter();
            start()?
        };
        Ok(Self { replication: Some(replication), runtime })
    }

    fn pump(&self, turns: u64, time: Duration) {
        self.runtime.block_on(async {
            if !time.is_zero() {
                tokio::time::advance(time).await;
            }
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
    }

    /// False where it did not stop.
    fn stop(mut self) -> bool {
        let Some(replication) = self.replication.take() else { return true };
        let stopped = async {
            // Time that stands still moves on when nothing else can.
            tokio::time::timeout(Duration::from_secs(600), replication.stop()).await.is_ok()
        };
        self.runtime.block_on(stopped)
    }
}

/// All replications of a run.
#[derive(Default)]
pub(crate) struct Copies {
    directory: Arc<Streams>,
    running: BTreeMap<String, Running>,
    pub(crate) targets: BTreeMap<String, Target>,
    /// Streams that were deleted, by incarnation.
    pub(crate) graves: BTreeMap<u128, Tracked>,
    /// Names and incarnations by the hash that stands in copies.
    pub(crate) identities: BTreeMap<(String, String), u128>,
}

impl Copies {
    /// A stream is there from now on.
    pub(crate) fn appears(&mut self, name: &str, stream: &Arc<Stream>) {
        let identity = (name.to_owned(), identity_hash(stream.created()));
        self.identities.insert(identity, stream.incarnation().0);
        self.directory.insert(name, Arc::clone(stream));
    }

    /// A stream is gone.
    pub(crate) fn disappears(&self, name: &str) {
        self.directory.remove(name);
    }

    /// Keeps what is known of a stream that is gone.
    pub(crate) fn bury(&mut self, tracked: Tracked) {
        if let Some(incarnation) = tracked.incarnation {
            self.graves.insert(incarnation, tracked);
        }
    }

    pub(crate) fn collect(&mut self) -> Result<()> {
        self.targets.values_mut().try_for_each(Target::collect)
    }

    pub(crate) fn synced(&mut self) {
        self.targets.values_mut().for_each(Target::synced);
    }

    /// The process is gone: nothing of a replication is left.
    pub(crate) fn abandon(&mut self) {
        self.running.clear();
        self.directory = Arc::new(Streams::default());
    }

    /// Stops all; false where one did not.
    pub(crate) fn stop_all(&mut self) -> bool {
        let mut are_stopped = true;
        for each in std::mem::take(&mut self.running).into_values() {
            are_stopped &= each.stop();
        }
        are_stopped
    }
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").field("targets", &self.targets).finish_non_exhaustive()
    }
}

/// Names of streams that are safe to copy from: on disk, and acknowledged when they are there.
pub(crate) fn is_origin(name: &str) -> bool {
    matches!(name, "s0" | "s1" | "s2" | "s3" | "s4")
}

fn plan(random: &mut Random, name: &str) -> Plan {
    let filter = |random: &mut Random| match random.below(4) {
        0 => Some("a.>".to_owned()),
        1 => Some("a.1".to_owned()),
        _ => None,
    };
    let origin = |random: &mut Random| format!("s{}", random.below(5));
    match name {
        // Behind another copy.
        "m1" => Plan::Mirror(MirrorConfig { name: "m0".into(), ..MirrorConfig::default() }),
        "c1" => Plan::Sources(vec![SourceConfig { name: "m0".into(), ..SourceConfig::default() }]),
        "m0" => {
            let (name, filter) = (origin(random), filter(random));
            Plan::Mirror(MirrorConfig { name, filter, ..MirrorConfig::default() })
        }
        _ => {
            let mut sources: Vec<SourceConfig> = Vec::new();
            for _ in 0..1 + random.below(3) {
                let (name, filter) = (origin(random), filter(random));
                let source = SourceConfig { name, filter, ..SourceConfig::default() };
                if sources.iter().all(|known| known.name != source.name) {
                    sources.push(source);
                }
            }
            Plan::Sources(sources)
        }
    }
}

impl World {
    /// One step of replication: a target is made, a replication begins, goes on, or ends.
    pub(crate) fn replicate(&mut self, random: &mut Random) -> Result<()> {
        const NAMES: [&str; 4] = ["m0", "c0", "m1", "c1"];
        match random.below(12) {
            0..2 => {
                let Some(name) = random.pick(&NAMES) else { return Ok(()) };
                self.create_target(random, name)
            }
            2..4 => self.start_replications(),
            4 if random.one_in(3) => {
                let names: Vec<String> = self.copies.running.keys().cloned().collect();
                let Some(name) = random.pick(&names) else { return Ok(()) };
                self.note(format_args!("stop {name}"));
                // The answers that it waits for come from commits.
                while headwater_storage::testing::commit(self.volume()?) {}
                let stopped = self.copies.running.remove(name).is_none_or(Running::stop);
                ensure!(stopped || self.is_broken(), "{name}: the replication does not stop");
                Ok(())
            }
            5 => self.append_beside(random),
            _ => {
                let names: Vec<String> = self.copies.running.keys().cloned().collect();
                let Some(name) = random.pick(&names) else { return Ok(()) };
                let (turns, time) = (1 + random.below(30), random.below(3) * random.below(900));
                if let Some(running) = self.copies.running.get(name) {
                    running.pump(turns, Duration::from_millis(time));
                }
                self.note(format_args!("pump {name} {turns} {time}"));
                Ok(())
            }
        }
    }

    fn create_target(&mut self, random: &mut Random, name: &str) -> Result<()> {
        if self.copies.targets.contains_key(name) {
            return Ok(());
        }
        let plan = plan(
            &mut Random::of_step(
                self.seed,
                u64::from_le_bytes(*b"0000plan") ^ u64::from(name.ends_with('1')),
            ),
            name,
        );
        let is_limited = name == "m1" && random.one_in(2);
        let config = StreamConfig {
            name: name.to_owned(),
            limits: Limits {
                messages: is_limited.then(|| 3 + random.below(20)),
                ..Limits::default()
            },
            compression: if random.one_in(2) { Compression::Lz4 } else { Compression::None },
            sync: (name == "m1" || name == "c1")
                .then(|| SyncPolicy::Interval(Duration::from_secs(1)))
                .filter(|_| random.one_in(2)),
            ..StreamConfig::default()
        };
        self.note(format_args!("create {name} as {plan:?}"));
        let created = at_once(self.volume()?.create_stream(config.clone()));
        let mut target = Target::new(config, plan);
        match created {
            Some(Ok(stream)) => {
                target.exists = true;
                self.copies.appears(name, &stream);
            }
            Some(Err(error)) => {
                let is_disk = crate::model::kind(&error) == "Disk";
                ensure!(is_disk, "{name}: cannot be created: {error}");
            }
            None => ensure!(self.is_broken(), "{name}: creation is never answered"),
        }
        self.copies.targets.insert(name.to_owned(), target);
        Ok(())
    }

    /// Starts what does not run.
    pub(crate) fn start_replications(&mut self) -> Result<()> {
        for (name, plan) in self
            .copies
            .targets
            .values()
            .filter(|target| target.exists)
            .map(|target| (target.config.name.clone(), target.plan.clone()))
            .collect::<Vec<_>>()
        {
            let stream = self.stream(&name)?;
            let directory = Arc::clone(&self.copies.directory);
            match plan {
                Plan::Mirror(config) => {
                    if let Entry::Vacant(place) = self.copies.running.entry(name) {
                        let start = || Replicator::mirror(stream, config, directory);
                        place.insert(Running::start(start)?);
                    }
                }
                Plan::Sources(sources) => {
                    for config in sources {
                        let key = format!("{name} {}", config.name);
                        if let Entry::Vacant(place) = self.copies.running.entry(key) {
                            let (stream, directory) = (Arc::clone(&stream), Arc::clone(&directory));
                            let start = move || Replicator::source(stream, config, directory);
                            place.insert(Running::start(start)?);
                        }
                    }
                }
            }
        }
        self.note(format_args!("replications run"));
        Ok(())
    }

    /// A message of its own for a stream that has sources.
    fn append_beside(&mut self, random: &mut Random) -> Result<()> {
        let Some(exists) = self.copies.targets.get("c0").map(|target| target.exists) else {
            return Ok(());
        };
        if !exists {
            return Ok(());
        }
        let new = self.message(random);
        let stream = self.stream("c0")?;
        let Some(target) = self.copies.targets.get_mut("c0") else { return Ok(()) };
        let callback = target.own(&new);
        stream.append_with(new, callback);
        self.counts.operations += 1;
        self.note(format_args!("append beside the sources"));
        Ok(())
    }

    /// Lets all copies catch up, and checks that they did.
    pub(crate) fn catch_up(&mut self) -> Result<()> {
        self.start_replications()?;
        let mut quiet = 0;
        for round in 0..ROUNDS_MAX {
            for running in self.copies.running.values() {
                running.pump(20, Duration::from_millis(if round % 8 == 7 { 700 } else { 0 }));
            }
            if !self.settle()? {
                return Ok(());
            }
            let is_done = |running: &Running| {
                running.replication.as_ref().is_none_or(|replication| {
                    let status = replication.status();
                    match status.state {
                        State::Copying => status.lag == Some(0),
                        State::WaitingForOrigin | State::Halted => true,
                        State::Starting | State::Retrying | State::Stopped => false,
                    }
                })
            };
            quiet = if self.copies.running.values().all(is_done) { quiet + 1 } else { 0 };
            if quiet == 3 {
                self.note(format_args!("caught up in {round} rounds"));
                self.check_copies()?;
                return self.check_caught_up();
            }
        }
        let name_and_status = |(name, running): (&String, &Running)| {
            Some(format!("{name}: {:?}", running.replication.as_ref()?.status()))
        };
        let all: Vec<_> = self.copies.running.iter().filter_map(name_and_status).collect();
        bail!("replication does not catch up: {all:#?}")
    }

    /// A mirror of what is there ends where its origin ends.
    fn check_caught_up(&self) -> Result<()> {
        for (key, running) in &self.copies.running {
            let Some(replication) = &running.replication else { continue };
            let status = replication.status();
            if status.state != State::Copying {
                continue;
            }
            let name = key.split(' ').next().unwrap_or_default();
            let target = self.copies.targets.get(name).context("a target")?;
            let origin = self.stream(&status.origin)?;
            target.check_complete(&self.stream(name)?, &status.origin, &origin)?;
        }
        Ok(())
    }
}
