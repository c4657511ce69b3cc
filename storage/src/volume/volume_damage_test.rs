//! Volumes that were damaged once, opened, and damaged again somewhere else: what a stream is does not hang on one place.
//! Not here: one damaged volume and what it serves (`stream_damage_test`).

use super::volume_test::named;
use crate::{
    Stream, Volume,
    disk::SimulatedDisk,
    log::{LogId, SegmentNumber},
    segment::{log_directory, segment_path},
    stream::{
        Batch, Item, OnPanic, Purge, Step,
        stream_test::{TestClock, message, now, open},
    },
};
use std::path::PathBuf;

/// A byte of the header of the first frame of a segment.
const FIRST_FRAME: u64 = 127;

fn segment(log: u128, number: u64) -> PathBuf {
    let (log, number) = (LogId(log), SegmentNumber(number));
    segment_path(crate::format::segment_header::SegmentId { log, number })
}

fn damage_first_frame(disk: &SimulatedDisk, log: u128, number: u64) {
    disk.flip(&segment(log, number), FIRST_FRAME * 8);
}

fn remove_catalogue(disk: &SimulatedDisk) {
    let catalogue = log_directory(LogId(0));
    for path in disk.paths().iter().filter(|path| path.starts_with(&catalogue)) {
        disk.remove(path).unwrap();
    }
}

/// Makes streams until the catalogue has begun its second segment; gives the log of the first one. The first segment of the
/// catalogue is there too, as a crash before its removal leaves it.
fn with_two_segments(disk: &SimulatedDisk, clock: &TestClock) -> u128 {
    let volume = open(disk, clock).unwrap();
    let log = now(volume.create_stream(named("s"))).unwrap().incarnation().0;
    let mut oldest = Vec::new();
    for index in 0.. {
        if disk.content(&segment(0, 1)).is_some() {
            break;
        }
        oldest = disk.content(&segment(0, 0)).unwrap();
        now(volume.create_stream(named(&format!("{index}")))).unwrap();
    }
    volume.close().unwrap();
    drop(volume);
    assert!(disk.content(&segment(0, 0)).is_none());
    disk.put(&segment(0, 0), &oldest);
    log
}

/// Appends until the stream's log has this segment, and once more.
fn fill(disk: &SimulatedDisk, stream: &Stream, number: u64) {
    let path = segment(stream.incarnation().0, number);
    while disk.content(&path).is_none() {
        now(stream.append(message("a", &[7; 900]))).unwrap();
    }
    now(stream.append(message("a", &[7; 900]))).unwrap();
}

fn goes_on(volume: &Volume) {
    let stream = volume.stream("s").unwrap();
    now(stream.append(message("a", b"x"))).unwrap();
}

/// The segment that begins with all entries is damaged, or missing: the one before it stays.
#[test]
fn a_catalogue_that_lost_its_newest_entries_keeps_the_older_ones() {
    for is_missing in [false, true] {
        let _told = OnPanic(format!("is_missing {is_missing}"));
        let clock = TestClock::default();
        let disk = SimulatedDisk::new(1);
        let log = with_two_segments(&disk, &clock);
        match is_missing {
            true => disk.remove(&segment(0, 1)).unwrap(),
            false => damage_first_frame(&disk, 0, 1),
        }
        let volume = open(&disk, &clock).unwrap();
        assert!(!volume.recovery().damage.is_empty());
        goes_on(&volume);
        // A change of the catalogue, and what follows one.
        now(volume.create_stream(named("new"))).unwrap();
        volume.checkpoint().unwrap();
        volume.close().unwrap();
        drop(volume);
        // Now the stream's own log forgets which stream it is.
        for path in disk.paths().iter().filter(|path| path.starts_with(log_directory(LogId(log)))) {
            disk.replace(path, &[0; 300]).unwrap();
        }
        let volume = open(&disk.restart(2), &clock).unwrap();
        assert!(volume.stream("s").is_some(), "{:?}", volume.recovery());
        assert!(volume.stream("new").is_some());
    }
}

/// A segment with all entries that was read or written lets the ones before it go, damage or not.
#[test]
fn a_damaged_catalogue_is_small_again_when_all_was_written() {
    let clock = TestClock::default();
    let disk = SimulatedDisk::new(1);
    with_two_segments(&disk, &clock);
    damage_first_frame(&disk, 0, 1);
    let volume = open(&disk, &clock).unwrap();
    for index in 0.. {
        if disk.content(&segment(0, 2)).is_some() {
            break;
        }
        assert!(disk.content(&segment(0, 0)).is_some());
        now(volume.create_stream(named(&format!("more {index}")))).unwrap();
    }
    let names = volume.streams().len();
    volume.close().unwrap();
    assert!(disk.content(&segment(0, 0)).is_none() && disk.content(&segment(0, 1)).is_none());
    drop(volume);
    let volume = open(&disk.restart(2), &clock).unwrap();
    assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery());
    assert_eq!(volume.streams().len(), names);
}

/// A log that lost the state that it begins with is told it again by the catalogue, before that is lost too.
#[test]
fn a_log_that_forgot_its_stream_is_told() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let stream = now(volume.create_stream(named("s"))).unwrap();
    let incarnation = stream.incarnation();
    goes_on(&volume);
    drop(stream);
    volume.close().unwrap();
    drop(volume);
    damage_first_frame(&disk, incarnation.0, 0);
    let volume = open(&disk, &clock).unwrap();
    assert!(!volume.recovery().damage.is_empty());
    goes_on(&volume);
    volume.close().unwrap();
    drop(volume);
    remove_catalogue(&disk);
    let volume = open(&disk.restart(2), &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    assert_eq!((stream.incarnation(), stream.state().messages), (incarnation, 2));
}

/// The state that a segment begins with is damaged: the segments before it stay until a later segment begins with another.
#[test]
fn progress_outlives_a_damaged_state_and_the_segments_before_it() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let stream = now(volume.create_stream(named("s"))).unwrap();
    let log = stream.incarnation().0;
    let items = vec![Item::Append(message("a", b"x"))];
    let steps = vec![Step { items, progress: Some(("key".into(), b"value".to_vec())) }];
    now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
    fill(&disk, &stream, 1);
    now(stream.append(message("a", b"stays"))).unwrap();
    let last = stream.state().last_sequence;
    drop(stream);
    volume.close().unwrap();
    drop(volume);
    damage_first_frame(&disk, log, 1);
    let mut restarted = disk;
    for (seed, is_filled) in [(2, false), (3, true), (4, false)] {
        let _told = OnPanic(format!("seed {seed}"));
        restarted = restarted.restart(seed);
        let volume = open(&restarted, &clock).unwrap();
        let stream = volume.stream("s").unwrap();
        assert_eq!(stream.progress("key").as_deref(), Some(&b"value"[..]));
        if is_filled {
            fill(&restarted, &stream, 2);
        }
        let before = Some(if is_filled { last + 10 } else { last });
        clock.advance(300_000_000_000);
        now(stream.purge(Purge { before, ..Purge::default() })).unwrap();
        clock.advance(300_000_000_000);
        volume.tick();
        drop(stream);
        volume.close().unwrap();
        assert_eq!(restarted.content(&segment(log, 0)).is_some(), seed == 2);
    }
}
