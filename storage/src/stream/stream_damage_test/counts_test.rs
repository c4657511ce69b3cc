//! What the counts of a stream say after damage that an opened volume does not know of yet.

use super::{offline_test::survey, *};
use crate::StreamConfig;
use std::ops::Range;

const BATCHES: u64 = 60;
const BATCH: u64 = 5;

/// A closed volume with one stream whose frames hold `BATCH` messages each, and indexes beside its sealed segments.
fn indexed_batches(clock: &TestClock) -> SimulatedDisk {
    let disk = SimulatedDisk::new(3);
    let volume = open(&disk, clock).unwrap();
    let config = StreamConfig { name: "s".into(), ..StreamConfig::default() };
    let stream = now(volume.create_stream(config)).unwrap();
    for _ in 0..BATCHES {
        for _ in 1..BATCH {
            stream.append_with(message("a", &[7; 60]), |_| {});
        }
        now(stream.append(message("a", &[7; 60]))).unwrap();
    }
    for _ in 0..300 {
        volume.tick();
        clock.advance(1_000_000_000);
    }
    volume.close().unwrap();
    drop((stream, volume));
    // Indexes are not synced, and may be torn.
    for path in disk.paths().iter().filter(|path| path.extension().is_some_and(|e| e == "idx")) {
        replace(&disk, path, &content(&disk, path));
    }
    disk.restart(1)
}

/// A sealed segment with an index, and where its second frame is, the first one with messages only.
fn second_frame(disk: &SimulatedDisk, number: usize) -> (PathBuf, Range<usize>) {
    let paths = disk.paths();
    let has_index = |path: &&PathBuf| {
        let is_segment = path.extension().is_some_and(|ending| ending == "seg");
        let of_catalogue = path.starts_with(format!("logs/{}", "0".repeat(32)));
        is_segment && !of_catalogue && paths.contains(&path.with_extension("idx"))
    };
    let path = paths.iter().filter(has_index).nth(number).unwrap();
    let bytes = content(disk, path);
    let body = |at: usize| u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    // Behind the headers of the segment and of its first frame, which has the state only or messages too.
    let second = 64 + 64 + body(64);
    (path.clone(), second..second + 64 + body(second))
}

/// Damages the second frame of a sealed segment with an index; gives the sequences in it.
fn damage(disk: &SimulatedDisk, number: usize) -> (u64, u64) {
    let (name, frame) = second_frame(disk, number);
    let mut bytes = content(disk, &name);
    bytes[(frame.start + 64 + frame.end) / 2] ^= 4;
    replace(disk, &name, &bytes);
    let found = survey(disk).findings.into_iter();
    let found = found.filter(|found| found.places.iter().any(|place| place.path == name));
    let lost: Vec<_> = found.flat_map(|found| found.lost).collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0].1 - lost[0].0 + 1, BATCH, "{lost:?}");
    lost[0]
}

#[test]
fn what_compaction_cannot_read_counts_no_more() {
    let clock = TestClock::default();
    clock.advance(1_000_000);
    let disk = indexed_batches(&clock);
    let (first, last) = damage(&disk, 2);
    let volume = open(&disk, &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    // One message of the damaged frame stays of the segments around it.
    for at in (1..last + 3 * BATCH).filter(|at| *at != first && *at != 1) {
        now(stream.delete(at)).unwrap();
    }
    let before = stream.state();
    for _ in 0..20 {
        clock.advance(1_000_000_000);
        volume.tick();
    }
    let after = stream.state();
    assert_eq!(after.lost.sequences, [(first, first)]);
    assert_eq!(after.messages, before.messages - 1);
}

#[test]
fn a_sector_that_goes_bad_under_a_running_volume_costs_what_was_in_it() {
    let clock = TestClock::default();
    clock.advance(1_000_000);
    let disk = indexed_batches(&clock);
    let (path, frame) = second_frame(&disk, 2);
    let volume = open(&disk, &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    let before = stream.state();
    // The segment is mapped from now on.
    let expected = served(&stream, before.last_sequence);
    let rot = || disk.rot(&path, frame.start as u64 + 99..frame.start as u64 + 100);
    rot();
    let is_away = |at: &u64| matches!(stream.get(*at), Err(Error::Io { .. }));
    let away = (1..=before.last_sequence).find(is_away).unwrap();
    disk.rot(&path, 0..0);
    assert_eq!(stream.get(away).unwrap().sequence, away, "it was away for a moment");
    rot();
    assert!(is_away(&away));
    let found = served(&stream, before.last_sequence);
    let lost = stream.state().lost.sequences;
    let [(first, last)] = lost[..] else { panic!("{lost:?}") };
    assert_eq!((first, last), (away, away + BATCH - 1));
    let rest = expected.into_iter().filter(|(at, _)| !(first..=last).contains(at));
    assert_eq!(found, rest.collect());
    now(stream.append(message("a", b"goes on"))).unwrap();
}
