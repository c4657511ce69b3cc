//! Volumes: creating and deleting streams over crashes, names, the lock, memory, expiry, the dedup window over restarts,
//! segments that go, sync intervals, many streams in one round.
//! Not here: many threads (`volume_threads_test`).

use crate::{
    Error, NewMessage, StreamConfig, Volume, VolumeOptions,
    disk::SimulatedDisk,
    stream::{
        Limits, OnPanic, Purge, StorageKind, SyncPolicy,
        stream_test::{TestClock, message, now, open},
    },
    volume::DiskMethod,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const SECOND: i64 = 1_000_000_000;

pub(super) fn named(name: &str) -> StreamConfig {
    StreamConfig { name: name.into(), ..StreamConfig::default() }
}

fn with_id(id: u64, payload: &[u8]) -> NewMessage {
    NewMessage { message_id: Some(id.to_string().into_bytes().into()), ..message("a", payload) }
}

/// Files of the streams, the catalogue's left out.
fn stream_files(disk: &SimulatedDisk) -> usize {
    let catalogue = format!("logs/{:032x}", 0);
    let paths = disk.paths();
    paths.iter().filter(|path| path.starts_with("logs") && !path.starts_with(&catalogue)).count()
}

#[test]
fn a_stream_that_is_made_again_is_another() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let first = now(volume.create_stream(named("s"))).unwrap();
    now(first.append(message("a", b"old"))).unwrap();
    let mut tail = first.tail(1, Vec::new());
    assert!(matches!(now(volume.create_stream(named("s"))), Err(Error::StreamExists(_))));
    now(volume.delete_stream("s")).unwrap();
    assert!(matches!(now(volume.delete_stream("s")), Err(Error::StreamNotFound(_))));
    assert!(matches!(tail.try_next(1, 1), Err(Error::Closed)));
    assert!(matches!(now(first.append(message("a", b""))), Err(Error::Closed)));
    assert!(volume.stream("s").is_none() && volume.streams().is_empty());
    assert_eq!(stream_files(&disk), 0);
    let second = now(volume.create_stream(named("s"))).unwrap();
    assert_ne!(first.incarnation(), second.incarnation());
    assert_eq!(second.state().last_sequence, 0);
    let incarnation = second.incarnation();
    drop((first, second, tail, volume));
    let volume = open(&disk.restart(1), &clock).unwrap();
    assert_eq!(volume.stream("s").unwrap().incarnation(), incarnation);
    assert!(volume.recovery().damage.is_empty());
}

/// Makes two streams and deletes one of them; how far it got.
fn make_and_delete(disk: &SimulatedDisk, clock: &TestClock) -> crate::Result<Volume> {
    let volume = open(disk, clock)?;
    for name in ["goes", "stays"] {
        let stream = now(volume.create_stream(named(name)))?;
        for index in 0..5_u8 {
            now(stream.append(message("a", &[index; 900])))?;
        }
    }
    Ok(volume)
}

#[test]
fn a_delete_is_whole_or_not_at_all() {
    let clock = TestClock::default();
    let (start, end) = {
        let disk = SimulatedDisk::new(1);
        let volume = make_and_delete(&disk, &clock).unwrap();
        let start = disk.operations();
        now(volume.delete_stream("goes")).unwrap();
        volume.checkpoint().unwrap();
        (start, disk.operations())
    };
    for crash_at in start + 1..=end {
        for again_at in [3, 9, 17, 40, u64::MAX] {
            let _told = OnPanic(format!("crash_at {crash_at} again_at {again_at}"));
            let disk = SimulatedDisk::new(crash_at);
            let volume = make_and_delete(&disk, &clock).unwrap();
            disk.crash_at(crash_at);
            let deleted = now(volume.delete_stream("goes"));
            let _ = volume.checkpoint();
            drop(volume);
            let seed = crash_at ^ again_at;
            let disk = if again_at == 3 { disk.kill(seed) } else { disk.restart(seed) };
            disk.crash_at(again_at);
            drop(open(&disk, &clock));
            let disk = disk.restart(seed ^ 1);
            let volume = open(&disk, &clock).unwrap();
            let report = volume.recovery();
            assert!(report.damage.is_empty() && report.unreadable_streams.is_empty(), "{report:?}");
            assert_eq!(volume.stream("stays").unwrap().state().messages, 5);
            match volume.stream("goes") {
                Some(stream) => {
                    assert!(deleted.is_err(), "it came back");
                    assert_eq!(stream.state().messages, 5);
                    assert_eq!(stream.get(5).unwrap().payload, [4_u8; 900][..]);
                }
                None => {
                    assert_eq!(stream_files(&disk), 1, "files of the deleted stream are there");
                    now(volume.create_stream(named("goes"))).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_stream_that_cannot_be_opened_keeps_its_name_until_it_is_deleted() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let stream = now(volume.create_stream(named("s"))).unwrap();
    let id = crate::log::LogId(stream.incarnation().0);
    drop(stream);
    volume.close().unwrap();
    let disk = disk.restart(1);
    let directory = crate::segment::log_directory(id);
    {
        use crate::disk::Disk;
        for path in disk.paths().iter().filter(|path| path.starts_with(&directory)) {
            disk.remove_file(path).unwrap();
        }
        disk.remove_directory(&directory).unwrap();
    }
    let volume = open(&disk, &clock).unwrap();
    let [(name, Error::Damaged { .. })] = &volume.recovery().unreadable_streams[..] else {
        panic!("{:?}", volume.recovery());
    };
    assert!(name == "s" && volume.stream("s").is_none());
    assert!(matches!(now(volume.create_stream(named("s"))), Err(Error::StreamExists(_))));
    now(volume.delete_stream("s")).unwrap();
    now(volume.create_stream(named("s"))).unwrap();
    drop(volume);
    let volume = open(&disk.restart(2), &clock).unwrap();
    assert!(volume.recovery().unreadable_streams.is_empty() && volume.stream("s").is_some());
}

#[test]
fn names_are_checked_and_given_back() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    for name in ["", &"x".repeat(513)] {
        assert!(matches!(now(volume.create_stream(named(name))), Err(Error::InvalidConfig(_))));
    }
    now(volume.create_stream(named(&"x".repeat(512)))).unwrap();
    disk.set_capacity(Some(disk.used()));
    assert!(matches!(now(volume.create_stream(named("s"))), Err(Error::NoSpace)));
    disk.set_capacity(None);
    now(volume.create_stream(named("s"))).unwrap();
    drop(volume);
    let volume = open(&disk.restart(1), &clock).unwrap();
    assert_eq!(volume.streams().len(), 2);
}

#[test]
fn a_second_opening_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = VolumeOptions {
        disk: DiskMethod::Posix,
        journal_bytes_max: 16 << 20,
        ..VolumeOptions::new(directory.path())
    };
    let volume = Volume::open(options.clone()).unwrap();
    assert!(matches!(Volume::open(options.clone()), Err(Error::Locked(_))));
    volume.close().unwrap();
    Volume::open(options).unwrap();
}

#[test]
fn streams_in_memory_vanish() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let config = StreamConfig { storage: StorageKind::Memory, ..named("m") };
    let stream = now(volume.create_stream(config)).unwrap();
    let before = disk.operations();
    now(stream.append(message("a", b"1"))).unwrap();
    assert_eq!((stream.get(1).unwrap().sequence, disk.operations()), (1, before));
    assert!(matches!(now(volume.create_stream(named("m"))), Err(Error::StreamExists(_))));
    drop((stream, volume));
    let volume = open(&disk.restart(1), &clock).unwrap();
    assert!(volume.streams().is_empty());
    now(volume.create_stream(named("m"))).unwrap();
}

#[test]
fn messages_expire_exactly_whatever_the_clock_does() {
    let (mut disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    clock.advance(1_000_000);
    let volume = open(&disk, &clock).unwrap();
    let limits = Limits { age: Some(Duration::from_nanos(1000)), ..Limits::default() };
    let stream = now(volume.create_stream(StreamConfig { limits, ..named("s") })).unwrap();
    for _ in 0..3 {
        now(stream.append(message("a", b"x"))).unwrap();
        clock.advance(100);
    }
    let held = |volume: &Volume| {
        volume.tick();
        let state = volume.stream("s").unwrap().state();
        (state.first_sequence, state.messages)
    };
    clock.advance(699);
    assert_eq!(held(&volume), (1, 3), "one nanosecond is left");
    clock.advance(1);
    assert_eq!(held(&volume), (2, 2));
    drop((stream, volume));
    // The time goes on while the volume is closed.
    clock.advance(100);
    disk = disk.restart(1);
    let volume = open(&disk, &clock).unwrap();
    assert_eq!(held(&volume), (3, 1));
    // Set back, the clock makes nothing older; what is appended then stays behind what was before it.
    clock.advance(-500_000);
    assert_eq!(held(&volume), (3, 1));
    let stream = volume.stream("s").unwrap();
    now(stream.append(message("a", b"early"))).unwrap();
    drop((stream, volume));
    disk = disk.restart(2);
    let volume = open(&disk, &clock).unwrap();
    assert_eq!(held(&volume), (3, 2));
    // Set forth, it makes everything old at once, and for good.
    clock.advance(1_000_000_000);
    assert_eq!(held(&volume), (5, 0));
    clock.advance(-1_000_000_000);
    drop(volume);
    let volume = open(&disk.restart(3), &clock).unwrap();
    assert_eq!(held(&volume), (5, 0));
}

#[test]
fn the_dedup_window_outlives_restarts_purges_and_limits() {
    let (mut disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    clock.advance(SECOND);
    let mut volume = open(&disk, &clock).unwrap();
    let limits = Limits { messages: Some(2), ..Limits::default() };
    let config = StreamConfig { limits, dedup_window: Duration::from_secs(10), ..named("s") };
    let mut stream = now(volume.create_stream(config)).unwrap();
    for id in 0..30 {
        clock.advance(SECOND / 10);
        let appended = now(stream.append(with_id(id, &[7; 700]))).unwrap();
        assert_eq!((appended.sequence, appended.duplicate), (id + 1, false));
    }
    now(stream.purge(Purge::default())).unwrap();
    let segments = stream.disk_bytes();
    assert!(segments > 20_000, "the window needs the segments: {segments}");
    for round in 0..3 {
        drop(stream);
        if round == 1 {
            volume.close().unwrap();
        }
        drop(volume);
        disk = disk.restart(round);
        volume = open(&disk, &clock).unwrap();
        assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery());
        stream = volume.stream("s").unwrap();
        assert_eq!(stream.state().messages, 0);
        for id in [0, 13, 29] {
            let appended = now(stream.append(with_id(id, b"again"))).unwrap();
            assert_eq!((appended.sequence, appended.duplicate), (id + 1, true), "round {round}");
        }
    }
    // The first id is from one second and a tenth on; after its window it is new, the last one is not.
    clock.advance(10 * SECOND - 29 * SECOND / 10 + 1);
    let appended = now(stream.append(with_id(0, b"new"))).unwrap();
    assert_eq!((appended.sequence, appended.duplicate), (31, false));
    assert!(now(stream.append(with_id(29, b"old"))).unwrap().duplicate);
    clock.advance(12 * SECOND);
    volume.tick();
    assert!(stream.disk_bytes() < 12_500, "{} of {segments}", stream.disk_bytes());
    drop((stream, volume));
    let volume = open(&disk.restart(9), &clock).unwrap();
    assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery());
    assert_eq!(volume.stream("s").unwrap().state().last_sequence, 31);
}

#[test]
fn segments_go_when_their_messages_have() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let stream = now(volume.create_stream(named("s"))).unwrap();
    for index in 0..60_u8 {
        now(stream.append(message("a", &[index; 900]))).unwrap();
    }
    let full = stream.disk_bytes();
    assert!(full > 50_000 && stream_files(&disk) >= 9);
    clock.advance(2 * SECOND);
    // One message that stays keeps its segment and those behind it.
    now(stream.purge(Purge { before: Some(30), ..Purge::default() })).unwrap();
    assert!((full / 3..full * 2 / 3).contains(&stream.disk_bytes()), "{}", stream.disk_bytes());
    for sequence in 31..=60 {
        now(stream.delete(sequence)).unwrap();
    }
    assert!(stream.disk_bytes() > full / 3);
    clock.advance(2 * SECOND);
    now(stream.delete(30)).unwrap();
    volume.tick();
    assert!(stream.disk_bytes() < 12_500, "{} of {full}", stream.disk_bytes());
    assert!(stream_files(&disk) <= 2, "{:?}", disk.paths());
    drop((stream, volume));
    for seed in 0..20 {
        let volume = open(&disk.restart(seed), &clock).unwrap();
        assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery());
        let stream = volume.stream("s").unwrap();
        assert_eq!((stream.state().messages, stream.state().last_sequence), (0, 60));
    }
}

#[test]
fn a_sync_interval_is_for_machines_that_may_lose_as_much() {
    let mut lost = 0;
    for seed in 0..40 {
        let (disk, clock) = (SimulatedDisk::new(seed), TestClock::default());
        let volume = open(&disk, &clock).unwrap();
        let sync = Some(SyncPolicy::Interval(Duration::from_secs(1)));
        let stream = now(volume.create_stream(StreamConfig { sync, ..named("s") })).unwrap();
        for index in 0..8_u8 {
            now(stream.append(message("a", &[index; 900]))).unwrap();
            assert_eq!(stream.get(u64::from(index) + 1).unwrap().payload, [index; 900][..]);
            if index == 4 {
                volume.checkpoint().unwrap();
            }
        }
        drop(stream);
        // Killed, the process loses nothing; without power the machine may lose what came after the sync.
        let (disk, least) =
            if seed % 2 == 0 { (disk.kill(seed), 8) } else { (disk.restart(seed), 5) };
        let volume = open(&disk, &clock).unwrap();
        assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery());
        let stream = volume.stream("s").unwrap();
        let last = stream.state().last_sequence;
        assert!((least..=8).contains(&last), "seed {seed}: {last}");
        lost += 8 - last;
        for sequence in 1..=last {
            assert_eq!(stream.get(sequence).unwrap().payload, [sequence as u8 - 1; 900][..]);
        }
    }
    assert!(lost > 0, "nothing was ever at risk");
}

#[test]
fn many_streams_share_one_round() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let streams: Vec<_> = (0..40)
        .map(|number| now(volume.create_stream(named(&format!("s{number}")))).unwrap())
        .collect();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let before = disk.operations();
    for stream in &streams {
        let acknowledged = Arc::clone(&acknowledged);
        stream.append_with(message("a", b"x"), move |appended| {
            assert_eq!(appended.unwrap().sequence, 1);
            acknowledged.fetch_add(1, Ordering::Relaxed);
        });
    }
    assert_eq!(acknowledged.load(Ordering::Relaxed), 0, "nothing is durable yet");
    volume.environment_store().run_once();
    assert_eq!(acknowledged.load(Ordering::Relaxed), 40);
    // A write to each segment; one write of the journal, which begins and ends.
    assert_eq!(disk.operations() - before, 40 + 2);
}
