//! Streams on the real file system and in memory, against a plain model: appends, limits, removals, reads, and the same
//! again after the volume was opened anew.

use crate::{
    Error, NewMessage, Stream, StreamConfig, Timestamp, Volume, VolumeOptions,
    disk::{Random, SimulatedDisk},
    message::{Expect, Rollup},
    store::CommitMode,
    stream::{
        Batch, Compression, Discard, Item, Limits, Purge, Step, StorageKind, environment::Clock,
    },
    subject,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// Runs a future that is never really pending: without a commit thread whoever waits does the work.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("a future waits for something that nobody does"),
    }
}

/// A clock that the test sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn advance(&self, nanoseconds: i64) {
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
    }
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

pub(crate) fn open(disk: &SimulatedDisk, clock: &TestClock) -> crate::Result<Volume> {
    let options = VolumeOptions {
        segment_bytes: 6000,
        journal_bytes_max: 256 << 10,
        memory_bytes_max: 1 << 30,
        ..VolumeOptions::new("unused")
    };
    let disk = Arc::new(disk.clone());
    Volume::open_on(disk, &options, CommitMode::Manual, clock.clock(), 64 << 10)
}

pub(crate) fn message(subject: &str, payload: &[u8]) -> NewMessage {
    NewMessage {
        subject: subject.to_owned().into(),
        payload: payload.to_vec().into(),
        ..NewMessage::default()
    }
}

/// A message as the model has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    time: Timestamp,
    subject: String,
    payload: Vec<u8>,
}

/// A stream written down as plainly as possible.
#[derive(Debug, Default)]
struct Model {
    config: StreamConfig,
    messages: BTreeMap<u64, Kept>,
    last: u64,
    ids: BTreeMap<Vec<u8>, (u64, Timestamp)>,
    progress: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn bytes(&self) -> u64 {
        self.messages.values().map(|kept| self.bytes_of(kept)).sum()
    }
    fn bytes_of(&self, kept: &Kept) -> u64 {
        let content = (kept.subject.len() + kept.payload.len()) as u64;
        content + if self.config.storage == StorageKind::File { 30 } else { 16 }
    }
    fn of<'a>(&'a self, filter: &'a str) -> impl Iterator<Item = u64> + 'a {
        let matching =
            self.messages.iter().filter(|(_, kept)| subject::matches(filter, &kept.subject));
        matching.map(|(at, _)| *at)
    }
    fn limit(&mut self, now: Timestamp) {
        if let Some(max) = self.config.limits.messages_per_subject {
            let mut seen: BTreeMap<String, u64> = BTreeMap::new();
            let over: Vec<u64> = self
                .messages
                .iter()
                .rev()
                .filter(|(_, kept)| {
                    let count = seen.entry(kept.subject.clone()).or_default();
                    *count += 1;
                    *count > max
                })
                .map(|(at, _)| *at)
                .collect();
            for at in over {
                self.messages.remove(&at);
            }
        }
        let limits = self.config.limits.clone();
        let too_old =
            |kept: &Kept| limits.age.is_some_and(|age| kept.time <= now.saturating_sub(age));
        while limits.messages.is_some_and(|max| self.messages.len() as u64 > max)
            || limits.bytes.is_some_and(|max| self.bytes() > max)
            || self.messages.values().next().is_some_and(too_old)
        {
            self.messages.pop_first();
        }
    }
    fn append(&mut self, new: &NewMessage, now: Timestamp) -> (u64, bool) {
        if let Some(id) = &new.message_id
            && let Some((sequence, time)) = self.ids.get(&id[..])
            && !self.config.dedup_window.is_zero()
            && *time >= now.saturating_sub(self.config.dedup_window)
        {
            return (*sequence, true);
        }
        self.last += 1;
        if let Some(id) = &new.message_id {
            self.ids.insert(id.to_vec(), (self.last, now));
        }
        self.store(self.last, now, new);
        match new.rollup {
            Some(Rollup::All) => self.messages.retain(|at, _| *at == self.last),
            Some(Rollup::Subject) => {
                let subject = String::from_utf8_lossy(&new.subject).into_owned();
                self.messages.retain(|at, kept| *at == self.last || kept.subject != subject);
            }
            None => {}
        }
        self.limit(now);
        (self.last, false)
    }
    fn store(&mut self, sequence: u64, time: Timestamp, new: &NewMessage) {
        let subject = String::from_utf8_lossy(&new.subject).into_owned();
        self.messages.insert(sequence, Kept { time, subject, payload: new.payload.to_vec() });
        self.last = sequence;
    }
}

/// Everything that can be asked of the stream gives what the model says.
#[track_caller]
fn check(stream: &Arc<Stream>, model: &Model, random: &mut Random) {
    let state = stream.state();
    let first = model.messages.keys().next().copied();
    assert_eq!(state.messages, model.messages.len() as u64);
    assert_eq!(state.bytes, model.bytes());
    assert_eq!(state.last_sequence, model.last);
    let fresh = model.last == 0;
    assert_eq!(state.first_sequence, first.unwrap_or(if fresh { 0 } else { model.last + 1 }));
    assert_eq!(state.first_time, model.messages.values().next().map(|kept| kept.time));
    let mut subjects: BTreeMap<String, u64> = BTreeMap::new();
    for kept in model.messages.values() {
        *subjects.entry(kept.subject.clone()).or_default() += 1;
    }
    assert_eq!(state.subjects, subjects.len() as u64);
    assert_eq!(stream.subjects(">"), subjects.into_iter().collect::<Vec<_>>());
    let span = first.map_or(0, |first| model.last + 1 - first);
    assert_eq!(state.deleted, span - model.messages.len() as u64);
    let deleted: u64 = stream.deleted().iter().map(|(from, to)| to - from + 1).sum();
    assert_eq!(deleted, state.deleted);
    let from = random.below(model.last + 3);
    for filter in [">", "a.*", "a.1", "*.2", "b.>", "none"] {
        let filters = [filter.to_owned()];
        let of: Vec<u64> = model.of(filter).collect();
        let behind: Vec<u64> = of.iter().copied().filter(|at| *at >= from).collect();
        assert_eq!(stream.count_from(from, &filters), behind.len() as u64, "{filter} from {from}");
        let next = stream.next_by_subject(&filters, from).unwrap();
        assert_eq!(next.map(|found| found.sequence), behind.first().copied());
        let last = stream.last_by_subject(filter).unwrap();
        assert_eq!(last.map(|found| found.sequence), of.last().copied());
        let mut tail = stream.tail(from, filters.to_vec());
        let mut followed = Vec::new();
        while let Some(batch) = tail.try_next(3, 500).unwrap() {
            followed.extend(batch.messages.into_iter().map(|found| found.sequence));
        }
        assert_eq!((followed, tail.next_sequence()), (behind, (model.last + 1).max(from.max(1))));
    }
    for at in [from, first.unwrap_or(1), model.last] {
        match (stream.get(at), model.messages.get(&at)) {
            (Ok(found), Some(kept)) => {
                let found = Kept {
                    time: found.time,
                    subject: found.subject_str().to_owned(),
                    payload: found.payload.to_vec(),
                };
                assert_eq!(&found, kept);
            }
            (Err(Error::MessageNotFound(_)), None) => {}
            (found, kept) => panic!("{at}: {found:?} instead of {kept:?}"),
        }
    }
    let entries: Vec<_> = model.progress.clone().into_iter().collect();
    assert_eq!(stream.progress_entries(), entries);
}

fn config(random: &mut Random, storage: StorageKind) -> StreamConfig {
    let mut some = |below: u64, least: u64| match random.below(2) {
        0 => None,
        _ => Some(least + random.below(below)),
    };
    let limits = Limits {
        messages: some(30, 1),
        bytes: some(3000, 200),
        age: some(1000, 50).map(Duration::from_nanos),
        messages_per_subject: some(5, 1),
        message_bytes: None,
    };
    StreamConfig {
        name: "s".into(),
        storage,
        limits,
        dedup_window: Duration::from_nanos(random.below(2) * 400),
        compression: if random.coin() { Compression::Lz4 } else { Compression::None },
        allow_rollup: true,
        ..StreamConfig::default()
    }
}

fn step(stream: &Arc<Stream>, model: &mut Model, random: &mut Random, clock: &TestClock) {
    clock.advance(random.below(20) as i64);
    let time = clock.now();
    let subject = format!("{}.{}", ["a", "b"][random.below(2) as usize], random.below(4));
    let payload = vec![random.below(256) as u8; random.below(200) as usize];
    match random.below(20) {
        0 => {
            let sequence = random.below(model.last + 2);
            let deleted = now(stream.delete(sequence));
            assert_eq!(deleted.is_ok(), model.messages.remove(&sequence).is_some(), "{deleted:?}");
        }
        1 => {
            let filter = [None, Some(">"), Some("a.*"), Some("b.1")][random.below(4) as usize];
            let before = random.coin().then(|| random.below(model.last + 2)).filter(|at| *at > 0);
            let keep = (before.is_none() && random.coin()).then(|| random.below(5));
            let purge = Purge { filter: filter.map(str::to_owned), before, keep };
            let mut goes: Vec<u64> = model.of(filter.unwrap_or(">")).collect();
            goes.truncate(goes.len().saturating_sub(keep.unwrap_or(0) as usize));
            goes.retain(|at| before.is_none_or(|before| *at < before));
            assert_eq!(now(stream.purge(purge.clone())).unwrap(), goes.len() as u64, "{purge:?}");
            goes.iter().for_each(|at| drop(model.messages.remove(at)));
        }
        2 => {
            let through = model.last + random.below(4);
            let copy = Item::Copy {
                sequence: through + 2,
                time: Timestamp(time.0 - 7),
                message: message(&subject, &payload),
            };
            let value = vec![random.below(3) as u8; random.below(3) as usize];
            let progress = Some(("key".to_owned(), value.clone()));
            let steps = vec![
                Step { items: vec![Item::Skip { through }], progress: None },
                Step { items: vec![copy], progress },
            ];
            let batch = Batch { expect_progress: None, steps };
            let outcome = now(stream.apply(batch)).unwrap();
            assert!(outcome.applied == 2 && outcome.refused.is_none(), "{outcome:?}");
            model.store(through + 2, Timestamp(time.0 - 7), &message(&subject, &payload));
            match value.is_empty() {
                true => drop(model.progress.remove("key")),
                false => drop(model.progress.insert("key".into(), value)),
            }
            model.limit(time);
        }
        _ => {
            let mut new = message(&subject, &payload);
            if random.below(3) == 0 {
                new.message_id = Some(format!("id{}", random.below(9)).into_bytes().into());
            }
            new.rollup = match random.below(40) {
                0 => Some(Rollup::All),
                1 => Some(Rollup::Subject),
                _ => None,
            };
            let appended = now(stream.append(new.clone())).unwrap();
            let expected = model.append(&new, time);
            assert_eq!((appended.sequence, appended.duplicate), expected);
        }
    }
}

#[test]
fn a_stream_is_its_model_and_the_same_after_reopening() {
    for seed in 0..400 {
        let _told = super::OnPanic(format!("seed {seed}"));
        let mut random = Random::new(seed);
        let storage = if seed % 3 == 0 { StorageKind::Memory } else { StorageKind::File };
        let (mut disk, clock) = (SimulatedDisk::new(seed), TestClock::default());
        clock.advance(1_000_000);
        let mut volume = open(&disk, &clock).unwrap();
        let config = config(&mut random, storage);
        let mut model = Model { config: config.clone(), ..Model::default() };
        let mut stream = now(volume.create_stream(config)).unwrap();
        for round in 0..120 {
            step(&stream, &mut model, &mut random, &clock);
            volume.tick();
            model.limit(clock.now());
            if round % 5 == 0 {
                check(&stream, &model, &mut random);
            }
            if storage == StorageKind::File && random.below(30) == 0 {
                drop(stream);
                if random.coin() {
                    volume.close().unwrap();
                }
                drop(volume);
                disk = disk.restart(seed ^ round);
                volume = open(&disk, &clock).unwrap();
                assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery());
                stream = volume.stream("s").unwrap();
                check(&stream, &model, &mut random);
            }
        }
    }
}

#[test]
fn a_new_configuration_applies_its_limits_at_once_and_for_good() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let base = StreamConfig { name: "s".into(), ..StreamConfig::default() };
    let stream = now(volume.create_stream(base.clone())).unwrap();
    for index in 0..10_u8 {
        now(stream.append(message(&format!("a.{}", index % 2), &[index]))).unwrap();
    }
    let mut config = base.clone();
    config.limits.messages_per_subject = Some(3);
    now(stream.update(config.clone())).unwrap();
    assert_eq!((stream.state().messages, stream.state().first_sequence), (6, 5));
    config.limits.messages = Some(4);
    now(stream.update(config)).unwrap();
    assert_eq!((stream.state().messages, stream.state().first_sequence), (4, 7));
    // Limits that were raised again bring nothing back, not even after a crash.
    now(stream.update(base.clone())).unwrap();
    drop((stream, volume));
    let volume = open(&disk.restart(2), &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    assert_eq!((stream.config(), stream.state().messages), (base.clone(), 4));
    for refused in [
        StreamConfig { name: "other".into(), ..base.clone() },
        StreamConfig { storage: StorageKind::Memory, ..base.clone() },
        StreamConfig { first_sequence: 2, ..base.clone() },
    ] {
        assert!(matches!(now(stream.update(refused)), Err(Error::InvalidConfig(_))));
    }
    // Zero and one mean the same.
    now(stream.update(StreamConfig { first_sequence: 1, ..base.clone() })).unwrap();
    now(stream.update(StreamConfig { sealed: true, ..base.clone() })).unwrap();
    assert!(matches!(now(stream.append(message("a", b""))), Err(Error::Sealed)));
    assert!(matches!(now(stream.delete(7)), Err(Error::Sealed)));
    assert!(matches!(now(stream.purge(Purge::default())), Err(Error::Sealed)));
    assert!(matches!(now(stream.update(base)), Err(Error::InvalidConfig(_))));
}

#[test]
fn discard_new_refuses_what_does_not_fit() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let limits = Limits { messages: Some(3), messages_per_subject: Some(2), ..Limits::default() };
    let config =
        StreamConfig { name: "s".into(), limits, discard: Discard::New, ..StreamConfig::default() };
    let stream = now(volume.create_stream(config.clone())).unwrap();
    let append = |subject: &str| now(stream.append(message(subject, b"x")));
    for subject in ["a", "a", "b"] {
        append(subject).unwrap();
    }
    assert!(matches!(append("c"), Err(Error::MaximumMessages)));
    // At its own limit a subject replaces its oldest message.
    assert_eq!(append("a").unwrap().sequence, 4);
    assert_eq!(stream.subjects(">"), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    now(stream.update(StreamConfig { discard_new_per_subject: true, ..config })).unwrap();
    assert!(matches!(append("a"), Err(Error::MaximumMessagesPerSubject)));
    // A refused step leaves nothing, and the steps before it stay.
    now(stream.delete(3)).unwrap();
    let append = |subject: &str| Item::Append(message(subject, b"y"));
    let step = |items| Step { items, progress: Some(("k".into(), b"1".to_vec())) };
    let steps = vec![step(vec![append("c")]), step(vec![append("d"), append("e")])];
    let outcome = now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
    assert_eq!((outcome.applied, outcome.last_sequence), (1, 5));
    assert!(matches!(outcome.refused, Some(Error::MaximumMessages)));
    let wrong = Batch { expect_progress: Some(("k".into(), b"2".to_vec())), steps: Vec::new() };
    let refused = now(stream.apply(wrong)).unwrap().refused;
    assert!(matches!(refused, Some(Error::WrongProgress { .. })), "{refused:?}");
}

#[test]
fn lower_limits_take_nothing_from_a_stream_that_refuses_at_them() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let config =
        StreamConfig { name: "s".into(), discard: Discard::New, ..StreamConfig::default() };
    let stream = now(volume.create_stream(config.clone())).unwrap();
    for _ in 0..5 {
        now(stream.append(message("a", b"x"))).unwrap();
    }
    let lower = Limits { messages: Some(2), bytes: Some(1), ..Limits::default() };
    let lowered = StreamConfig { limits: lower, ..config };
    now(stream.update(lowered.clone())).unwrap();
    assert!(matches!(now(stream.append(message("a", b"x"))), Err(Error::MaximumMessages)));
    assert_eq!(stream.state().messages, 5);
    drop((stream, volume));
    let volume = open(&disk, &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    assert_eq!(stream.state().messages, 5, "after opening");
    now(stream.update(StreamConfig { discard: Discard::Old, ..lowered })).unwrap();
    assert_eq!(stream.state().messages, 0, "the oldest give way");
}

#[test]
fn expectations_are_checked_against_everything_appended() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let config = StreamConfig {
        name: "s".into(),
        dedup_window: Duration::from_secs(1),
        first_sequence: 10,
        ..StreamConfig::default()
    };
    let stream = now(volume.create_stream(config)).unwrap();
    let append = |subject: &str, id: Option<&'static [u8]>, expect: Expect| {
        let message_id = id.map(bytes::Bytes::from_static);
        now(stream.append(NewMessage { message_id, expect, ..message(subject, b"") }))
    };
    assert_eq!(append("a.1", Some(b"x"), Expect::default()).unwrap().sequence, 10);
    let of_subject = |filter: &'static str, sequence| Expect {
        last_subject_sequence: Some((bytes::Bytes::from_static(filter.as_bytes()), sequence)),
        ..Expect::default()
    };
    for (filter, sequence, actual) in [("a.1", 9, 10), ("a.*", 0, 10), ("b", 1, 0)] {
        let refused = append("b", None, of_subject(filter, sequence));
        assert!(matches!(refused, Err(Error::WrongLastSequence { actual: a }) if a == actual));
    }
    append("b", Some(b"y"), of_subject("b", 0)).unwrap();
    let last = |last_sequence| Expect { last_sequence: Some(last_sequence), ..Expect::default() };
    assert!(matches!(append("c", None, last(10)), Err(Error::WrongLastSequence { actual: 11 })));
    let id = |id: &'static [u8]| Expect {
        last_message_id: Some(bytes::Bytes::from_static(id)),
        ..Expect::default()
    };
    assert!(matches!(append("c", None, id(b"x")), Err(Error::WrongLastMessageId { .. })));
    assert!(append("c", Some(b"x"), id(b"none")).unwrap().duplicate, "seen before comes first");
    append("c", None, id(b"y")).unwrap();
    assert!(matches!(append("a..b", None, Expect::default()), Err(Error::InvalidSubject)));
}

#[test]
fn an_atomic_batch_is_stored_whole_or_not_at_all() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let limits = Limits { messages: Some(5), ..Limits::default() };
    let config = StreamConfig {
        name: "s".into(),
        limits,
        discard: Discard::New,
        dedup_window: Duration::from_secs(1),
        ..StreamConfig::default()
    };
    let stream = now(volume.create_stream(config)).unwrap();
    let batch = |subjects: &[&str]| subjects.iter().map(|subject| message(subject, b"x")).collect();
    assert_eq!(now(stream.append_all(batch(&["a", "b", "a"]))).unwrap().sequence, 3);
    assert!(matches!(now(stream.append_all(batch(&["a", "b", "c"]))), Err(Error::MaximumMessages)));
    let expecting = |subject: &'static str, sequence| Expect {
        last_subject_sequence: Some((bytes::Bytes::from_static(subject.as_bytes()), sequence)),
        ..Expect::default()
    };
    let pair = |sequence| {
        let second = NewMessage { expect: expecting("c", sequence), ..message("c", b"2") };
        vec![message("c", b"1"), second]
    };
    let refused = now(stream.append_all(pair(0)));
    assert!(matches!(refused, Err(Error::WrongLastSequence { actual: 4 })), "{refused:?}");
    assert_eq!(stream.state().messages, 3);
    let id = |id: &'static [u8]| NewMessage {
        message_id: Some(bytes::Bytes::from_static(id)),
        ..message("d", b"")
    };
    let twice = now(stream.append_all(vec![id(b"1"), id(b"1")]));
    assert!(matches!(twice, Err(Error::DuplicateMessageId { sequence: 0 })), "{twice:?}");
    assert_eq!(now(stream.append_all(pair(4))).unwrap().sequence, 5);
}

/// A disk with a stream of several sealed segments that have indexes, and what the stream holds.
fn indexed(seed: u64) -> (SimulatedDisk, TestClock, Vec<(u64, Vec<u8>)>) {
    let (disk, clock) = (SimulatedDisk::new(seed), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let limits = Limits { messages_per_subject: Some(40), ..Limits::default() };
    let config = StreamConfig { name: "s".into(), limits, ..StreamConfig::default() };
    let stream = now(volume.create_stream(config)).unwrap();
    for index in 0..200_u64 {
        let subject = format!("a.{}", index % 4);
        now(stream.append(message(&subject, &index.to_le_bytes().repeat(10)))).unwrap();
        volume.tick();
    }
    let held = held(&stream);
    volume.close().unwrap();
    (disk.kill(seed), clock, held)
}

fn held(stream: &Arc<Stream>) -> Vec<(u64, Vec<u8>)> {
    let mut tail = stream.tail(0, Vec::new());
    let mut found = Vec::new();
    while let Some(batch) = tail.try_next(50, 1 << 20).unwrap() {
        found.extend(batch.messages.into_iter().map(|m| (m.sequence, m.payload.to_vec())));
    }
    found
}

fn indexes(disk: &SimulatedDisk) -> Vec<std::path::PathBuf> {
    let is_index = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "idx");
    disk.paths().into_iter().filter(is_index).collect()
}

#[test]
fn a_segment_with_an_index_is_not_read_when_the_stream_is_opened() {
    let (disk, clock, expected) = indexed(1);
    let paths = indexes(&disk);
    assert!(paths.len() > 2, "{paths:?}");
    // A changed byte in the middle of a segment shows when its message is read, and not before.
    let segment = paths[1].with_extension("seg");
    disk.flip(&segment, 8 * 3000);
    let volume = open(&disk, &clock).unwrap();
    assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery().damage);
    let stream = volume.stream("s").unwrap();
    assert_eq!(stream.state().messages, expected.len() as u64);
    let found = held(&stream);
    let lost = stream.state().lost;
    assert!(found.len() < expected.len() && !lost.sequences.is_empty(), "{lost:?}");
    let is_lost = |at: u64| lost.sequences.iter().any(|(from, to)| (*from..=*to).contains(&at));
    let rest: Vec<_> = expected.into_iter().filter(|(at, _)| !is_lost(*at)).collect();
    assert_eq!(found, rest);
    assert_eq!(stream.state().messages, found.len() as u64);
}

#[test]
fn a_damaged_index_costs_time_and_nothing_else() {
    let (disk, clock, expected) = indexed(2);
    let mut random = Random::new(2);
    for path in indexes(&disk) {
        for _ in 0..40 {
            let disk = disk.kill(random.number());
            let file = crate::disk::Disk::open(&disk, &path, crate::disk::OpenMode::Write).unwrap();
            let len = file.len().unwrap();
            match random.below(4) {
                0 => file.truncate(random.below(len)).unwrap(),
                1 => file.write_at(&vec![0; random.below(len) as usize], 0).unwrap(),
                _ => disk.flip(&path, random.below(len * 8)),
            }
            let volume = open(&disk, &clock).unwrap();
            let stream = volume.stream("s").unwrap();
            assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery().damage);
            assert_eq!(held(&stream), expected);
            assert_eq!(now(stream.append(message("b", b""))).unwrap().sequence, 201);
        }
    }
}

#[test]
fn a_segment_that_is_mostly_dead_is_written_again() {
    let (disk, clock) = (SimulatedDisk::new(5), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let limits = Limits { messages_per_subject: Some(1), ..Limits::default() };
    let config = StreamConfig { name: "s".into(), limits, ..StreamConfig::default() };
    let stream = now(volume.create_stream(config)).unwrap();
    // One old message keeps the first segment, and every one behind it.
    now(stream.append(message("old", b"stays"))).unwrap();
    for index in 0..2000_u64 {
        let subject = format!("a.{}", index % 7);
        now(stream.append(message(&subject, &index.to_le_bytes().repeat(20)))).unwrap();
        if index % 100 == 0 {
            volume.tick();
        }
    }
    let expected = held(&stream);
    assert_eq!(expected.len(), 8);
    let before = stream.disk_bytes();
    clock.advance(1);
    for _ in 0..200 {
        volume.tick();
    }
    let after = stream.disk_bytes();
    assert!(after < before / 3, "{before} bytes, then {after}");
    assert_eq!(held(&stream), expected);
    let open_again = |disk: &SimulatedDisk| {
        let volume = open(disk, &clock).unwrap();
        assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery().damage);
        let stream = volume.stream("s").unwrap();
        assert_eq!(held(&stream), expected);
        assert_eq!(stream.state().last_sequence, 2001);
    };
    // The journal still holds rounds of the segments as they were.
    for seed in 0..20 {
        open_again(&disk.kill(seed));
        open_again(&disk.restart(seed));
    }
}

#[test]
fn a_stream_without_a_window_takes_the_same_id_twice_also_in_one_batch() {
    for (window, messages) in [(Duration::ZERO, 2), (Duration::from_secs(1), 1)] {
        let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
        let volume = open(&disk, &clock).unwrap();
        let config =
            StreamConfig { name: "s".into(), dedup_window: window, ..StreamConfig::default() };
        let stream = now(volume.create_stream(config)).unwrap();
        let copy = || {
            let message_id = Some("id".into());
            Item::Append(NewMessage { message_id, ..message("a", b"x") })
        };
        let steps = vec![
            Step { items: vec![copy()], progress: None },
            Step { items: vec![copy()], progress: None },
        ];
        let outcome = now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
        assert_eq!((outcome.applied, stream.state().messages), (2, messages), "{window:?}");
    }
}

/// The id of the last message is that of the last sequence, before a restart as after it.
#[test]
fn a_gap_behind_the_last_message_has_no_id() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let mut volume = open(&disk, &clock).unwrap();
    let config = StreamConfig { name: "s".into(), ..StreamConfig::default() };
    let mut stream = now(volume.create_stream(config)).unwrap();
    let first = NewMessage { message_id: Some("id".into()), ..message("a", b"x") };
    now(stream.append(first)).unwrap();
    let steps = vec![Step { items: vec![Item::Skip { through: 5 }], progress: None }];
    now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
    for _ in 0..2 {
        let expect = Expect { last_message_id: Some("id".into()), ..Expect::default() };
        let refused = now(stream.append(NewMessage { expect, ..message("a", b"x") }));
        let Err(Error::WrongLastMessageId { actual }) = refused else { panic!("{refused:?}") };
        assert_eq!(actual, "");
        drop((stream, volume));
        volume = open(&disk, &clock).unwrap();
        stream = volume.stream("s").unwrap();
    }
}
