//! Sequences that damage, or a file of another history, might have given to two messages.

use super::*;
use crate::{
    StreamConfig,
    stream::{Batch, Item, Step, stream_damage_test::rest::all_files, stream_test},
};

fn path_of(stream: &Stream, file: &str) -> PathBuf {
    PathBuf::from(format!("logs/{:032x}/{file}", stream.incarnation().0))
}

/// A copy behind nine sequences that are skipped.
fn copy_behind_a_gap(stream: &Stream) -> u64 {
    let sequence = stream.state().last_sequence + 10;
    let copy = Item::Copy { sequence, time: Timestamp(7), message: message("a", &[7; 300]) };
    let items = vec![Item::Skip { through: sequence - 1 }, copy];
    let steps = vec![Step { items, progress: None }];
    now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
    sequence
}

fn created(disk: &SimulatedDisk, clock: &TestClock) -> (Volume, Arc<Stream>) {
    let volume = open(disk, clock).unwrap();
    let config = StreamConfig { name: "s".into(), ..StreamConfig::default() };
    let stream = now(volume.create_stream(config)).unwrap();
    (volume, stream)
}

/// The files as a killed process leaves them, on a disk of their own.
fn copied(disk: &SimulatedDisk) -> SimulatedDisk {
    let copy = SimulatedDisk::new(2);
    all_files(disk).iter().for_each(|(path, bytes)| copy.put(path, bytes));
    copy
}

fn opened(disk: &SimulatedDisk, clock: &TestClock) -> (Volume, Arc<Stream>) {
    let volume = open(disk, clock).unwrap();
    let stream = volume.stream("s").unwrap();
    (volume, stream)
}

/// Appends, and looks for it after another start.
fn check_goes_on(disk: &SimulatedDisk, clock: &TestClock, above: u64) {
    let (volume, stream) = opened(disk, clock);
    let new = now(stream.append(message("new", b"goes on"))).unwrap().sequence;
    assert!(new > above, "{new} came before: {:?}", stream.state());
    drop((volume, stream));
    let (_volume, stream) = opened(&disk.restart(3), clock);
    assert_eq!(stream.get(new).unwrap().payload, b"goes on"[..]);
}

/// What a crash leaves that takes the second segment of a stream, once the first one has its index: the volume, closed.
struct Crashed {
    disk: SimulatedDisk,
    clock: TestClock,
    first: PathBuf,
    second: PathBuf,
    index: PathBuf,
    last_sequence: u64,
}

fn crashed(append: impl Fn(&Stream) -> u64) -> Crashed {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let (volume, stream) = created(&disk, &clock);
    let [first, second, index] =
        ["00000000000000000000.seg", "00000000000000000001.seg", "00000000000000000000.idx"]
            .map(|file| path_of(&stream, file));
    let (before, last_sequence) = loop {
        let before = (copied(&disk), stream.state().last_sequence);
        append(&stream);
        if disk.paths().contains(&second) {
            break before;
        }
    };
    while !disk.paths().contains(&index) {
        clock.advance(1_000_000_000);
        volume.tick();
    }
    let (again, _) = opened(&before, &clock);
    again.close().unwrap();
    drop(again);
    before.put(&index, &content(&disk, &index));
    Crashed { disk: before, clock, first, second, index, last_sequence }
}

/// Damage of the last frame leaves the index alone to know how far the stream was.
#[test]
fn the_index_of_the_last_segment_says_how_far_the_stream_was() {
    let Crashed { disk, clock, first, last_sequence: last, .. } = crashed(copy_behind_a_gap);
    let mut bytes = content(&disk, &first);
    *bytes.last_mut().unwrap() ^= 1;
    replace(&disk, &first, &bytes);
    let (volume, stream) = opened(&disk, &clock);
    assert_eq!(stream.state().last_sequence, last);
    assert!(matches!(stream.get(last), Err(Error::Damaged { .. })));
    assert_eq!(stream.state().lost.sequences, [(last, last)]);
    drop((volume, stream));
    check_goes_on(&disk.restart(1), &clock, last);
}

#[test]
fn a_segment_that_is_written_to_again_gets_another_index() {
    let append = |stream: &Stream| now(stream.append(message("a", &[7; 300]))).unwrap().sequence;
    let Crashed { disk, clock, first, second, index, .. } = crashed(append);
    let (old, before) = (content(&disk, &index), content(&disk, &first).len());
    // Its segments are larger: the last one has room.
    let volume = stream_test::open(&disk, &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    while !disk.paths().contains(&second) {
        append(&stream);
    }
    assert!(content(&disk, &first).len() > before, "it was not written to");
    for _ in 0..100 {
        clock.advance(1_000_000_000);
        volume.tick();
    }
    assert!(content(&disk, &index) != old, "the old index stands");
}

/// The last messages of a segment are gone when the segment is written again: what is left, and the index of it, say that its
/// sequence was given out.
#[test]
fn a_segment_that_was_written_again_says_how_far_it_went() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let (volume, stream) = created(&disk, &clock);
    let [first, second, index] =
        ["00000000000000000000.seg", "00000000000000000001.seg", "00000000000000000000.idx"]
            .map(|file| path_of(&stream, file));
    let append = || now(stream.append(message("a", &[7; 300]))).unwrap().sequence;
    let last = (0..5).map(|_| append()).max().unwrap();
    (2..=last).for_each(|at| now(stream.delete(at)).unwrap());
    let application = vec![1; 300];
    now(stream.update(StreamConfig { application, ..stream.config() })).unwrap();
    let len = content(&disk, &first).len();
    assert!(!disk.paths().contains(&second), "the removals have to be in the first one");
    append();
    assert!(disk.paths().contains(&second));
    for _ in 0..500 {
        clock.advance(1_000_000_000);
        volume.tick();
    }
    assert!(content(&disk, &first).len() < len / 2, "it was not written again");
    assert!(disk.paths().contains(&index));
    drop(stream);
    volume.close().unwrap();
    drop(volume);

    let damaged = copied(&disk);
    let mut bytes = content(&disk, &first);
    *bytes.last_mut().unwrap() ^= 1;
    replace(&damaged, &first, &bytes);
    let (salvage, _) = offline_test::salvage(&damaged);
    assert_eq!(salvage.streams[0].lost, [(1, 1)]);

    // Nothing else is there to say it.
    for has_index in [true, false] {
        let alone = copied(&disk);
        let is_gone = |path: &PathBuf| {
            !path.starts_with("logs") || *path == second || (*path == index && !has_index)
        };
        alone.paths().iter().filter(|path| is_gone(path)).for_each(|path| {
            alone.remove_file(path).unwrap();
        });
        check_goes_on(&alone.restart(1), &clock, last);
    }
}

/// A stream of three messages, and behind them a frame of another history: the position is right, and the sequences were
/// there before. `change` makes it, where the first message is another one.
fn behind_another(change: impl Fn(&Stream)) -> (SimulatedDisk, TestClock, PathBuf, u64) {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let (volume, stream) = created(&disk, &clock);
    let segment = path_of(&stream, "00000000000000000000.seg");
    let other = copied(&disk);
    for payload in [b"one", b"two", b"thr"] {
        now(stream.append(message("a", payload))).unwrap();
    }
    drop(stream);
    volume.close().unwrap();
    drop(volume);

    // As many records, of which two are no messages.
    let (volume, stream) = opened(&other, &clock);
    now(stream.append(message("b", b"one instead"))).unwrap();
    for application in [vec![1], vec![2]] {
        now(stream.update(StreamConfig { application, ..stream.config() })).unwrap();
    }
    let before = content(&other, &segment).len();
    change(&stream);
    let frame = content(&other, &segment)[before..].to_vec();
    drop((volume, stream));

    let mut bytes = content(&disk, &segment);
    let offset = bytes.len() as u64;
    bytes.extend(frame);
    replace(&disk, &segment, &bytes);
    (disk, clock, segment, offset)
}

/// All ways of reading find the same messages, and the frame is named.
#[test]
fn a_frame_of_another_history_is_damage() {
    let (disk, clock, _, _) = behind_another(|stream| {
        now(stream.append(message("b", b"two instead"))).unwrap();
    });
    let (volume, stream) = opened(&disk, &clock);
    let damage = &volume.recovery().damage;
    assert!(matches!(&damage[..], [one] if one.contains("come a second time")), "{damage:?}");
    let payloads: Vec<_> = served(&stream, 3).into_values().map(|found| found.payload).collect();
    assert_eq!(payloads, [&b"one"[..], b"two", b"thr"]);
    drop((volume, stream));
    let found = offline_test::survey(&disk.restart(1)).findings;
    assert!(found.iter().any(|finding| {
        finding.places.iter().any(|place| place.what.contains("come a second time"))
    }));
    check_goes_on(&disk.restart(1), &clock, 3);
}

/// Nor does a copy have any of it: neither its messages, though one has a sequence that is free, nor what it removes.
#[test]
fn salvage_copies_nothing_of_another_history() {
    let removal = |stream: &Stream| now(stream.delete(1)).unwrap();
    let messages = |stream: &Stream| {
        let copy =
            |sequence| Item::Copy { sequence, time: Timestamp(7), message: message("b", b"") };
        let steps = vec![Step { items: (2..=4).map(copy).collect(), progress: None }];
        now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
    };
    let of_removal = (behind_another(removal), (4, 4));
    let of_messages = (behind_another(messages), (4, 6));
    for (damaged, expected) in [of_removal, of_messages] {
        let (disk, clock, segment, offset) = damaged;
        let (salvage, copy) = offline_test::salvage(&copied(&disk));
        let named = salvage.survey.findings.iter().find(|finding| {
            finding.places.iter().any(|place| (&place.path, place.offset) == (&segment, offset))
        });
        let named = named.unwrap_or_else(|| panic!("{:?}", salvage.survey.findings));
        assert_eq!(named.lost, [expected]);
        assert_eq!(salvage.streams[0].lost, [expected]);
        let (volume, stream) = opened(&copy, &clock);
        let payloads: Vec<_> = served(&stream, 9).into_values().map(|it| it.payload).collect();
        assert_eq!(payloads, [&b"one"[..], b"two", b"thr"]);
        drop((volume, stream));
        check_goes_on(&copy.restart(1), &clock, expected.1);

        let (_volume, stream) = opened(&disk, &clock);
        assert_eq!(stream.state().lost.sequences, [expected], "a start says otherwise");
    }
}

/// Nothing in it is damaged: that there was more is seen where the next segment begins.
#[test]
fn a_segment_that_is_cut_between_frames_loses_what_its_index_says() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let (volume, stream) = created(&disk, &clock);
    let [first, second, index] =
        ["00000000000000000000.seg", "00000000000000000001.seg", "00000000000000000000.idx"]
            .map(|file| path_of(&stream, file));
    let append = || now(stream.append(message("a", &[7; 300]))).unwrap().sequence;
    for _ in 0..3 {
        append();
    }
    now(stream.delete(2)).unwrap();
    while !disk.paths().contains(&second) {
        append();
    }
    let last = append();
    while !disk.paths().contains(&index) {
        clock.advance(1_000_000_000);
        volume.tick();
    }
    drop(stream);
    volume.close().unwrap();
    drop(volume);

    let bytes = content(&disk, &first);
    let (mut at, mut cuts) = (64, 0);
    while let Some(header) = bytes.get(at..at + 64) {
        let damaged = copied(&disk);
        replace(&damaged, &first, &bytes[..at]);
        let (salvage, copy) = offline_test::salvage(&damaged);
        let (_copy, stream) = opened(&copy, &clock);
        let there = served(&stream, last);
        let gone: Vec<u64> = (1..=last).filter(|at| *at != 2 && !there.contains_key(at)).collect();
        let lost: Vec<u64> =
            salvage.streams[0].lost.iter().flat_map(|(from, to)| *from..=*to).collect();
        assert_eq!(lost, gone, "{at}: {:?}", salvage.survey.findings);
        assert!(!gone.is_empty() && !there.contains_key(&2), "{at}: it came back");

        let (_volume, stream) = opened(&damaged, &clock);
        let lost = stream.state().lost.sequences;
        let is_lost = |at: &u64| lost.iter().any(|(from, to)| (from..=to).contains(&at));
        assert!(gone.iter().all(is_lost), "{at}: {gone:?} {lost:?}");
        at += 64 + u32::from_le_bytes(header[4..8].try_into().unwrap()) as usize;
        cuts += 1;
    }
    assert!(cuts > 5, "{cuts}");
}

/// The frame before goes further than it has records, as copies leave sequences out.
#[test]
fn sound_copies_before_a_damaged_header_stay_readable() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let (volume, stream) = created(&disk, &clock);
    let segment = path_of(&stream, "00000000000000000000.seg");
    let mut ends = Vec::new();
    for base in [0, 1000, 2000] {
        let copy = |sequence| {
            let message = message("a", &[7; 30]);
            [
                Item::Skip { through: sequence - 1 },
                Item::Copy { sequence, time: Timestamp(7), message },
            ]
        };
        let items = [100, 200, 300].into_iter().flat_map(|at| copy(base + at)).collect();
        let steps = vec![Step { items, progress: None }];
        now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
        ends.push(content(&disk, &segment).len() as u64);
    }
    drop(stream);
    volume.close().unwrap();
    drop(volume);
    let disk = disk.restart(1);
    disk.flip(&segment, ends[0] * 8 + 77);
    let (_volume, stream) = opened(&disk, &clock);
    let there: Vec<u64> = served(&stream, 2300).into_keys().collect();
    assert_eq!(there, [100, 200, 300, 2100, 2200, 2300]);
    let state = stream.state();
    assert_eq!((state.messages, &state.lost.sequences[..]), (6, &[(301, 1300)][..]));
}
