//! The steps that make, change and delete streams.
//! Not here: messages (`steps`), what happens to the machine (`machine_steps`).

use crate::{
    copies::is_origin,
    model::kind,
    random::Random,
    tracked::Tracked,
    world::{World, at_once},
};
use anyhow::{Result, ensure};
use headwater_storage::{
    Error, StreamConfig,
    stream::{Compression, Discard, Limits, StorageKind, SyncPolicy},
};
use std::time::Duration;

/// Streams at a time.
const STREAMS_MAX: usize = 6;

/// Limits and options of any kind.
fn config(random: &mut Random, name: &str) -> StreamConfig {
    let some = |random: &mut Random, of: u64, least: u64, below: u64| {
        random.one_in(of).then(|| least + random.below(below))
    };
    let limits = Limits {
        messages: some(random, 3, 1, 30),
        bytes: some(random, 4, 200, 6000),
        age: some(random, 4, 10, 5000).map(Duration::from_millis),
        messages_per_subject: some(random, 3, 1, 6),
        message_bytes: some(random, 6, 100, 600).and_then(|bytes| u32::try_from(bytes).ok()),
    };
    let discard = if random.one_in(5) { Discard::New } else { Discard::Old };
    StreamConfig {
        name: name.to_owned(),
        limits,
        discard,
        discard_new_per_subject: discard == Discard::New && random.one_in(2),
        storage: if random.one_in(10) { StorageKind::Memory } else { StorageKind::File },
        dedup_window: Duration::from_millis(some(random, 2, 10, 8000).unwrap_or(0)),
        compression: if random.one_in(3) { Compression::Lz4 } else { Compression::None },
        sync: random.one_in(5).then(|| SyncPolicy::Interval(Duration::from_secs(1))),
        first_sequence: some(random, 6, 1, 1000).unwrap_or(0),
        deny_delete: random.one_in(12),
        deny_purge: random.one_in(12),
        allow_rollup: random.one_in(2),
        application: vec![7; usize::try_from(random.below(60)).unwrap_or(0)],
        ..StreamConfig::default()
    }
}

/// A configuration in few words.
struct Short<'a>(&'a StreamConfig);

impl std::fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let StreamConfig { storage, limits, discard, sync, compression, sealed, .. } = self.0;
        let Limits { messages, bytes, age, messages_per_subject, message_bytes } = limits;
        write!(f, "{storage:?} {compression:?} {sync:?} {discard:?} sealed: {sealed} ")?;
        write!(f, "messages {messages:?} bytes {bytes:?} age {age:?} ")?;
        write!(f, "per subject {messages_per_subject:?} message {message_bytes:?} ")?;
        write!(f, "window {:?} first {} ", self.0.dedup_window, self.0.first_sequence)?;
        let marker = self.0.delete_marker.as_ref().map(|marker| marker.lifetime);
        write!(f, "lifetimes {} marker {marker:?}", self.0.lifetimes)
    }
}

impl World {
    pub(crate) fn update(&mut self, random: &mut Random) -> Result<()> {
        let Some(name) = self.some_stream(random) else { return Ok(()) };
        let now = self.clock.now();
        let (mut model, _) = self.before(&name)?;
        let old = model.config.clone();
        let mut config = self.with_lifetimes(config(random, &name), random);
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
        limited.enforce(now);
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
        let mut config = self.with_lifetimes(config(random, &name), random);
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
