//! What the counts of a stream say after damage that an opened volume does not know of yet.

use super::{offline_test::survey, *};
use crate::StreamConfig;

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

/// Damages the second frame of a sealed segment with an index; gives the sequences in it.
fn damage(disk: &SimulatedDisk, number: usize) -> (u64, u64) {
    let paths = disk.paths();
    let has_index = |path: &&PathBuf| {
        let is_segment = path.extension().is_some_and(|ending| ending == "seg");
        let of_catalogue = path.starts_with(format!("logs/{}", "0".repeat(32)));
        is_segment && !of_catalogue && paths.contains(&path.with_extension("idx"))
    };
    let path = paths.iter().filter(has_index).nth(number).unwrap();
    let mut bytes = content(disk, path);
    let body = |at: usize| u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    // Behind the headers of the segment and of its first frame, which has the state only or messages too.
    let second = 64 + 64 + body(64);
    let at = second + 64 + body(second) / 2;
    bytes[at] ^= 4;
    replace(disk, path, &bytes);
    let name = path.clone();
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
