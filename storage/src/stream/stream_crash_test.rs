//! Streams on the simulated disk: the power goes off at every write and sync of a workload of appends, copies, deletes,
//! purges, releases and limits. Afterwards the stream is what it was after some operation, and none that was acknowledged is missing.

use super::{
    OnPanic,
    stream_damage_test::offline_test::assert_no_damage,
    stream_test::{TestClock, message, now, open},
};
use crate::{
    Error, NewMessage, Stream, StreamConfig, Timestamp, Volume,
    disk::{Random, SimulatedDisk},
    message::Rollup,
    stream::{Batch, Item, Limits, Purge, Step},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Everything that a reader can see of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    messages: Vec<(u64, Timestamp, Vec<u8>, Vec<u8>)>,
    last_sequence: u64,
    progress: Vec<(String, Vec<u8>)>,
}

pub(super) fn seen(stream: &Arc<Stream>) -> Seen {
    let mut tail = stream.tail(0, Vec::new());
    let mut messages = Vec::new();
    while let Some(batch) = tail.try_next(100, 1 << 20).unwrap() {
        messages.extend(batch.messages.into_iter().map(|found| {
            (found.sequence, found.time, found.subject.to_vec(), found.payload.to_vec())
        }));
    }
    let state = stream.state();
    assert_eq!(state.messages, messages.len() as u64);
    assert!(state.lost.sequences.is_empty(), "{state:?}");
    let progress = stream.progress_entries();
    Seen { messages, last_sequence: state.last_sequence, progress }
}

fn config(random: &mut Random) -> StreamConfig {
    let mut some = |below: u64| random.coin().then(|| 2 + random.below(below));
    let limits = Limits {
        messages: some(20),
        bytes: some(2).map(|_| 2500),
        messages_per_subject: some(4),
        ..Limits::default()
    };
    StreamConfig {
        name: "s".into(),
        limits,
        dedup_window: Duration::from_secs(3600),
        allow_rollup: true,
        ..StreamConfig::default()
    }
}

/// How many changes are acknowledged, up to the first one that was refused.
#[derive(Debug, Default)]
struct Acknowledged {
    count: AtomicUsize,
    failed: AtomicBool,
}

impl Acknowledged {
    /// Takes an answer in. After a failure only a change of nothing is acknowledged, and it says nothing of the one that
    /// failed before it.
    fn answer(&self, result: &crate::Result<()>, may_change_nothing: bool) {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        } else if self.failed.load(Ordering::Relaxed) {
            assert!(may_change_nothing, "a change is acknowledged after one that failed");
        } else {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// One change, by a number: the same number makes the same change of the same stream.
fn change(stream: &Arc<Stream>, number: u64, acknowledged: &Arc<Acknowledged>) {
    let mut random = Random::new(number);
    let subject = format!("a.{}", random.below(5));
    let payload = vec![number as u8; random.below(300) as usize];
    let acknowledged = Arc::clone(acknowledged);
    let choice = random.below(10);
    let told = move |result: crate::Result<()>| acknowledged.answer(&result, choice == 4);
    match choice {
        4 => {
            let last = stream.core().last_sequence;
            let sequences = [1, 2, 5].map(|back| last.saturating_sub(back + random.below(4)));
            stream.release_with(&sequences, told);
        }
        0 => {
            let through = stream.core().last_sequence + random.below(3);
            let copy = Item::Copy {
                sequence: through + 1,
                time: Timestamp(5),
                message: message(&subject, &payload),
            };
            let value = number.to_le_bytes().to_vec();
            let items = vec![Item::Skip { through }, copy];
            let steps = vec![Step { items, progress: Some(("key".into(), value)) }];
            stream.apply_with(Batch { expect_progress: None, steps }, move |outcome| {
                told(outcome.map(|outcome| assert!(outcome.refused.is_none())));
            });
        }
        choice => {
            let rollup = match choice {
                1 => Some(Rollup::Subject),
                2 if random.below(4) == 0 => Some(Rollup::All),
                _ => None,
            };
            let message_id = (choice == 3).then(|| number.to_le_bytes().to_vec().into());
            let new = NewMessage { rollup, message_id, ..message(&subject, &payload) };
            stream.append_with(new, move |appended| told(appended.map(drop)));
        }
    }
}

/// One life of the volume: changes from `first` on, some at a time, until the power goes off or `count` are made. After
/// each the sequence of what readers would see once it is committed is in `history`. Gives how many were acknowledged.
struct Life<'a> {
    disk: &'a SimulatedDisk,
    clock: &'a TestClock,
    seed: u64,
}

impl Life<'_> {
    /// What the stream is after each number of changes, on a disk that does not fail.
    fn history(&self, config: &StreamConfig, count: u64) -> crate::Result<Vec<Seen>> {
        let volume = open(self.disk, self.clock)?;
        let stream = now(volume.create_stream(config.clone()))?;
        let acknowledged = Arc::new(Acknowledged::default());
        let mut history = vec![seen(&stream)];
        for number in 0..count {
            change(&stream, self.seed * 1000 + number, &acknowledged);
            while volume.environment_store().run_once() {}
            history.push(seen(&stream));
        }
        volume.close()?;
        Ok(history)
    }

    /// The same changes, until the power goes off. Gives how many were acknowledged; `None` before the stream was.
    fn until_crash(&self, config: &StreamConfig, count: u64) -> Option<usize> {
        let volume = open(self.disk, self.clock).ok()?;
        let stream = now(volume.create_stream(config.clone())).ok()?;
        let acknowledged = Arc::new(Acknowledged::default());
        let mut random = Random::new(self.seed);
        for number in 0..count {
            change(&stream, self.seed * 1000 + number, &acknowledged);
            if random.below(3) == 0 {
                volume.environment_store().run_once();
            }
            if random.below(15) == 0 {
                let _ = volume.checkpoint();
            }
        }
        let _ = volume.close();
        Some(acknowledged.count())
    }
}

fn check(seed: u64, crash_at: u64, again_at: u64, history: &[Seen], config: &StreamConfig) -> u64 {
    let clock = TestClock::default();
    let disk = SimulatedDisk::new(seed);
    disk.crash_at(crash_at);
    let count = history.len() as u64 - 1;
    let acknowledged = Life { disk: &disk, clock: &clock, seed }.until_crash(config, count);
    let operations = disk.operations();
    let mut disk = if crash_at.is_multiple_of(3) {
        disk.kill(seed ^ crash_at)
    } else {
        disk.restart(seed ^ crash_at)
    };
    assert_no_damage(&disk);
    // The power goes off during recovery too.
    disk.crash_at(again_at);
    if open(&disk, &clock).is_err() {
        disk = disk.restart(seed ^ again_at ^ 5);
    } else {
        disk = disk.restart(seed ^ again_at ^ 9);
    }
    assert_no_damage(&disk);
    let volume = open(&disk, &clock).unwrap();
    let damage = &volume.recovery().damage;
    assert!(damage.iter().all(|what| what.contains("taken up")), "{damage:?}");
    let Some(stream) = volume.stream("s") else {
        assert!(acknowledged.is_none(), "the stream is gone");
        return operations;
    };
    let found = seen(&stream);
    let least = acknowledged.unwrap_or(0);
    let is_known = history[least..].contains(&found);
    assert!(is_known, "{least} acknowledged, found {found:#?}\nof {:#?}", &history[least..]);
    // It goes on: another change is accepted and readable.
    let appended = now(stream.append(message("z", b"after"))).unwrap();
    assert_eq!(stream.get(appended.sequence).unwrap().payload, b"after"[..]);
    operations
}

#[test]
fn a_stream_survives_a_crash_at_every_operation() {
    for seed in [3, 4] {
        let config = config(&mut Random::new(seed));
        let (disk, clock) = (SimulatedDisk::new(seed), TestClock::default());
        let history = Life { disk: &disk, clock: &clock, seed }.history(&config, 60).unwrap();
        let total = check(seed, u64::MAX, u64::MAX, &history, &config);
        assert!(total > 100, "{total} operations are too few to mean anything");
        for crash_at in 1..=total {
            let again_at = 1 + crash_at * 31 % 40;
            let _told = OnPanic(format!("seed {seed} crash_at {crash_at}"));
            check(seed, crash_at, again_at, &history, &config);
        }
    }
}

#[test]
fn streams_survive_crashes_of_many_workloads() {
    for seed in 100..300 {
        let mut random = Random::new(seed);
        let config = config(&mut random);
        let (disk, clock) = (SimulatedDisk::new(seed), TestClock::default());
        let history = Life { disk: &disk, clock: &clock, seed }.history(&config, 80).unwrap();
        for _ in 0..4 {
            let (crash_at, again_at) = (1 + random.below(250), 1 + random.below(60));
            let _told = OnPanic(format!("seed {seed} crash_at {crash_at} again_at {again_at}"));
            check(seed, crash_at, again_at, &history, &config);
        }
    }
}

#[test]
fn deletes_and_purges_survive_a_crash_once_they_are_acknowledged() {
    for seed in 0..60 {
        let _told = OnPanic(format!("seed {seed}"));
        let clock = TestClock::default();
        let mut disk = SimulatedDisk::new(seed);
        let mut random = Random::new(seed);
        let config = StreamConfig { name: "s".into(), ..StreamConfig::default() };
        let mut expected = {
            let volume = open(&disk, &clock).unwrap();
            let stream = now(volume.create_stream(config)).unwrap();
            for index in 0..50_u64 {
                let subject = format!("a.{}", index % 7);
                now(stream.append(message(&subject, &[index as u8; 100]))).unwrap();
            }
            seen(&stream)
        };
        for round in 0..6 {
            disk = disk.restart(seed ^ round);
            let volume = open(&disk, &clock).unwrap();
            let stream = volume.stream("s").unwrap();
            assert_eq!(seen(&stream), expected);
            for _ in 0..3 {
                let at = random.below(60);
                let deleted = now(stream.delete(at));
                assert!(matches!(deleted, Ok(()) | Err(Error::MessageNotFound(_))), "{deleted:?}");
                let filter = Some(format!("a.{}", random.below(9)));
                let before = Some(random.below(60));
                now(stream.purge(Purge { filter, before, keep: None })).unwrap();
            }
            expected = seen(&stream);
        }
    }
}

#[test]
fn a_full_disk_is_said_and_the_stream_goes_on_when_there_is_room() {
    let (disk, clock) = (SimulatedDisk::new(9), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let config = StreamConfig { name: "s".into(), ..StreamConfig::default() };
    let stream = now(volume.create_stream(config)).unwrap();
    now(stream.append(message("a", b"1"))).unwrap();
    disk.set_capacity(Some(disk.used()));
    assert!(matches!(now(stream.append(message("a", b"2"))), Err(Error::NoSpace)));
    assert!(matches!(stream.failure(), Some(Error::NoSpace)));
    assert_eq!(stream.get(1).unwrap().payload, b"1"[..]);
    assert!(matches!(stream.get(2), Err(Error::MessageNotFound(2))));
    disk.set_capacity(None);
    volume.tick();
    assert_eq!(now(stream.append(message("a", b"3"))).unwrap().sequence, 2);
    drop((stream, volume));
    let volume = open(&disk.restart(1), &clock).unwrap();
    assert_eq!(volume.stream("s").unwrap().get(2).unwrap().payload, b"3"[..]);
}

#[test]
fn a_failed_sync_is_said_and_nothing_in_doubt_is_acknowledged() {
    let (disk, clock) = (SimulatedDisk::new(9), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let config = StreamConfig { name: "s".into(), ..StreamConfig::default() };
    let stream = now(volume.create_stream(config)).unwrap();
    now(stream.append(message("a", b"1"))).unwrap();
    disk.fail_next_sync();
    assert!(matches!(now(stream.append(message("a", b"2"))), Err(Error::ReadOnly(_))));
    assert!(matches!(now(stream.append(message("a", b"3"))), Err(Error::ReadOnly(_))));
    assert!(matches!(volume.failure(), Some(Error::ReadOnly(_))));
    assert_eq!((stream.state().messages, stream.get(1).is_ok()), (1, true));
    drop((stream, volume));
    let volume: Volume = open(&disk.restart(1), &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    now(stream.append(message("a", b"4"))).unwrap();
}
