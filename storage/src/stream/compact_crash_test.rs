//! A segment is written again, and that is cut short at every operation by a kill or a power cut, and the next start by a
//! power cut at each of its operations: nothing is lost, and nothing is named as damage.

use super::{
    OnPanic,
    stream_crash_test::seen,
    stream_test::{TestClock, message, now, open},
};
use crate::{
    StreamConfig, disk::SimulatedDisk, format::segment_header::SegmentHeader, stream::Purge,
};
use std::{path::PathBuf, time::Duration};

/// Operations of writing a segment again, and a few more.
const FIRST_MAX: u64 = 8;
/// Operations of a start that does it once more, and a few more.
const SECOND_MAX: u64 = 60;
const SEEDS: u64 = 4;

fn is_rewritten(disk: &SimulatedDisk) -> bool {
    let is_first = |path: &PathBuf| {
        path.ends_with("00000000000000000000.seg")
            && !path.to_string_lossy().contains("00000000000000000000000000000000/")
    };
    let path = disk.paths().into_iter().find(is_first).unwrap();
    SegmentHeader::decode(&disk.content(&path).unwrap()).unwrap().is_rewritten
}

/// True where the segment is another one in the end.
fn check(first: u64, is_kill: bool, second: u64, seed: u64) -> bool {
    let _told = OnPanic(format!("{first} {is_kill} {second} {seed}"));
    let clock = TestClock::default();
    let disk = SimulatedDisk::new(seed);
    let expected = {
        let volume = open(&disk, &clock).unwrap();
        let dedup_window = Duration::from_secs(1);
        let config = StreamConfig { name: "s".into(), dedup_window, ..StreamConfig::default() };
        let stream = now(volume.create_stream(config)).unwrap();
        // Two segments, and too few rounds for a checkpoint.
        for index in 0..16_u64 {
            let subject = if index % 5 == 0 { "stays" } else { "goes" };
            now(stream.append(message(subject, &[index as u8; 600]))).unwrap();
        }
        now(stream.purge(Purge { filter: Some("goes".into()), before: None, keep: None })).unwrap();
        let expected = seen(&stream);
        // A segment with messages of the window stays as it is.
        clock.advance(2_000_000_000);
        disk.crash_at(disk.operations() + first);
        volume.tick();
        expected
    };
    let disk = if is_kill { disk.kill(seed) } else { disk.restart(seed) };
    disk.crash_at(disk.operations() + second);
    if let Ok(volume) = open(&disk, &clock) {
        volume.tick();
    }
    let disk = disk.restart(seed);
    let volume = open(&disk, &clock).unwrap();
    assert_eq!(volume.recovery().damage, Vec::<String>::new());
    assert_eq!(seen(&volume.stream("s").unwrap()), expected);
    is_rewritten(&disk)
}

#[test]
fn a_segment_is_written_again_through_kills_and_power_cuts() {
    let mut outcomes = [0_u64; 2];
    for (first, second) in (1..=FIRST_MAX).flat_map(|a| (1..=SECOND_MAX).map(move |b| (a, b))) {
        for seed in 0..SEEDS {
            for is_kill in [false, true] {
                outcomes[usize::from(check(first, is_kill, second, seed))] += 1;
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 100), "{outcomes:?}");
}
