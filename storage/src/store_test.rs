//! The store on the real file system: appends, reopening, removal, damage, and what a killed process leaves.

use crate::{
    Error, Result, Timestamp,
    disk::{self, Disk},
    log::{CommitListener, FrameBody, Group, LogId, LogRef, Position, Replay},
    store::{CommitMode, LogOptions, LogStore, LogStoreOptions},
    stream::config::{Compression, SyncPolicy},
    volume::DiskMethod,
};
use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex, Weak},
    time::Duration,
};

#[derive(Debug, Default)]
struct Owner {
    state: Mutex<(Position, Option<Error>)>,
    changed: Condvar,
}

impl CommitListener for Owner {
    fn committed(&self, through: Position) {
        let mut state = self.state.lock().unwrap();
        assert!(through >= state.0, "committed went back");
        state.0 = through;
        self.changed.notify_all();
    }
    fn failed(&self, error: &Error) {
        self.state.lock().unwrap().1 = Some(error.clone());
        self.changed.notify_all();
    }
}

impl Owner {
    fn of(log: &LogRef) -> Arc<Self> {
        let owner = Arc::new(Self::default());
        let weak: Weak<Self> = Arc::downgrade(&owner);
        log.listen(weak);
        owner
    }
    fn wait(&self, through: Position) {
        let state = self.state.lock().unwrap();
        let (state, timeout) = self
            .changed
            .wait_timeout_while(state, Duration::from_secs(20), |state| {
                state.0 < through && state.1.is_none()
            })
            .unwrap();
        assert!(!timeout.timed_out(), "not committed in time: {state:?}");
        assert!(state.1.is_none(), "failed: {state:?}");
    }
}

fn options() -> LogStoreOptions {
    LogStoreOptions {
        journal_bytes_max: 32 << 20,
        journal_file_bytes: 8 << 20,
        mode: CommitMode::Thread,
    }
}

fn log_options() -> LogOptions {
    LogOptions { compression: Compression::None, sync: SyncPolicy::Always, segment_bytes: 1 << 20 }
}

fn open(path: &Path, method: DiskMethod) -> (Arc<LogStore>, crate::store::LogStoreReport) {
    let disk: Arc<dyn Disk> = disk::open_directory(path, method).unwrap();
    LogStore::open(disk, options()).unwrap()
}

fn group<'a>(records: &'a [u8], sequence: u64, starts_segment: bool) -> Group<'a> {
    Group {
        records,
        count: 1,
        base_sequence: sequence,
        time: Timestamp(7),
        starts_segment,
        follows: false,
    }
}

/// Record number `index` of a log: bytes that differ in content and length.
fn record(index: u64) -> Vec<u8> {
    let len = 1 + (index * 7919) % 3000;
    (0..len).map(|at| (index.wrapping_mul(31).wrapping_add(at) % 251) as u8).collect()
}

/// Appends records `from..to`, starting segments where the log wants one.
fn append(log: &LogRef, from: u64, to: u64) -> Position {
    let mut end = Position(0);
    for index in from..to {
        let bytes = record(index);
        end = log.append(&group(&bytes, index + 1, log.wants_segment())).unwrap();
        assert_eq!(end, Position(index + 1));
    }
    end
}

/// Opens a log and gives what was replayed.
fn replayed(
    store: &LogStore,
    id: LogId,
    options: LogOptions,
) -> (LogRef, Vec<FrameBody>, Vec<String>) {
    let (mut frames, mut damage) = (Vec::new(), Vec::new());
    let log = store
        .open_log(id, options, &mut |event| {
            match event {
                Replay::Frame(_, body) => frames.push(body),
                Replay::Summary(_) => panic!("nobody made an index"),
                Replay::Torn(_) => {}
                Replay::Damage { from_sequence, to_sequence, places } => {
                    damage.push(format!("{from_sequence}..{to_sequence:?}: {places:?}"));
                }
            }
            Ok(None)
        })
        .unwrap();
    (log, frames, damage)
}

/// Checks that frames hold records `0..count`, one after the other.
fn check_frames(frames: &[FrameBody], count: u64) {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.records.to_vec()).collect();
    let expected: Vec<u8> = (0..count).flat_map(record).collect();
    assert!(bytes == expected, "{} bytes instead of {}", bytes.len(), expected.len());
    let mut position = 0;
    for frame in frames {
        assert_eq!((frame.base_position.0, frame.base_sequence), (position, position + 1));
        position += u64::from(frame.count);
    }
    assert_eq!(position, count);
}

/// Reads every frame through the log.
fn read_all(log: &LogRef) -> Result<Vec<FrameBody>> {
    let mut frames = Vec::new();
    let mut position = log.segments().first().map_or(Position(0), |first| first.base_position);
    while let Some(frame) = log.frame_at(position)? {
        position = Position(position.0 + u64::from(frame.count));
        frames.push(frame);
    }
    assert_eq!(position, log.committed());
    Ok(frames)
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn check_reopening(method: DiskMethod, options: LogOptions) {
    let directory = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let id = LogId(0x1234);
    {
        let (store, report) = open(directory.path(), method);
        assert!(!report.unclean && report.damage.is_empty(), "{report:?}");
        let log = store.create_log(id, options).unwrap();
        let owner = Owner::of(&log);
        owner.wait(append(&log, 0, 1000));
        owner.wait(append(&log, 1000, 3000));
        check_frames(&read_all(&log).unwrap(), 3000);
        assert!(log.segments().len() > 2, "{:?}", log.segments());
        // What a killed process leaves is what is in the files now.
        copy_directory(directory.path(), killed.path());
        assert!(matches!(
            LogStore::open(
                disk::open_directory(directory.path(), method).unwrap(),
                self::options()
            ),
            Err(Error::Locked(_))
        ));
        store.close().unwrap();
        let refused = log.append(&group(b"x", 3001, false));
        assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
    }
    for (path, unclean) in [(directory.path(), false), (killed.path(), true)] {
        let (store, report) = open(path, method);
        assert_eq!(report.unclean, unclean);
        assert!(report.damage.is_empty(), "{report:?}");
        assert_eq!(report.rounds_replayed > 0, unclean && options.sync == SyncPolicy::Always);
        assert_eq!(store.list_logs().unwrap(), [id]);
        let (log, frames, damage) = replayed(&store, id, options);
        assert!(damage.is_empty(), "{damage:?}");
        check_frames(&frames, 3000);
        let owner = Owner::of(&log);
        owner.wait(append(&log, 3000, 3100));
        check_frames(&read_all(&log).unwrap(), 3100);
        for sequence in [1, 2, 1500, 3100] {
            let frame = log.frame_for_sequence(sequence).unwrap().unwrap();
            let offset = sequence - frame.base_sequence;
            assert!(offset < u64::from(frame.count), "{sequence} is not in {frame:?}");
        }
        assert!(log.frame_for_sequence(0).unwrap().is_none());
    }
}

#[test]
fn a_log_is_the_same_after_close_and_after_a_kill() {
    check_reopening(DiskMethod::Auto, log_options());
}

#[test]
fn a_log_is_the_same_with_plain_synced_writes() {
    check_reopening(DiskMethod::Posix, log_options());
}

#[test]
fn a_log_is_the_same_with_compression() {
    check_reopening(
        DiskMethod::Posix,
        LogOptions { compression: Compression::Lz4, ..log_options() },
    );
}

#[test]
fn a_log_with_an_interval_skips_the_journal() {
    let sync = SyncPolicy::Interval(Duration::from_millis(20));
    check_reopening(DiskMethod::Auto, LogOptions { sync, ..log_options() });
}

#[test]
fn segments_go_from_the_start_and_readers_keep_their_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let id = LogId(1);
    {
        let (store, _) = open(directory.path(), DiskMethod::Auto);
        let log = store.create_log(id, log_options()).unwrap();
        let owner = Owner::of(&log);
        owner.wait(append(&log, 0, 3000));
        let segments = log.segments();
        let second = segments.get(1).unwrap();
        let held = log.frame_at(Position(0)).unwrap().unwrap();
        log.remove_segments_before(second.number).unwrap();
        assert!(log.frame_at(Position(0)).unwrap().is_none());
        assert!(log.frame_for_sequence(1).unwrap().is_none());
        assert!(log.frame_at(second.base_position).unwrap().is_some());
        assert!(held.records.starts_with(&record(0)));
        log.remove_segments_before(crate::log::SegmentNumber(u64::MAX)).unwrap();
        assert_eq!(log.segments().len(), 1, "the active segment stays");
        store.close().unwrap();
    }
    let (store, _) = open(directory.path(), DiskMethod::Auto);
    let (log, frames, damage) = replayed(&store, id, log_options());
    assert!(damage.is_empty(), "{damage:?}");
    assert_eq!(frames.first().unwrap().base_position, log.segments()[0].base_position);
    assert_eq!(log.committed(), Position(3000));
    store.remove_log(id).unwrap();
    assert!(store.list_logs().unwrap().is_empty());
    assert!(matches!(log.append(&group(b"x", 1, false)), Err(Error::Closed)));
    assert!(store.create_log(LogId(2), log_options()).is_ok());
}

#[test]
fn large_records_pass_beside_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let large = vec![7_u8; 5 << 20];
    {
        let (store, _) = open(directory.path(), DiskMethod::Auto);
        let log = store.create_log(LogId(1), log_options()).unwrap();
        let owner = Owner::of(&log);
        append(&log, 0, 1);
        log.append(&group(&large, 2, false)).unwrap();
        owner.wait(log.append(&group(b"after", 3, log.wants_segment())).unwrap());
        copy_directory(directory.path(), killed.path());
    }
    let (store, _) = open(killed.path(), DiskMethod::Auto);
    let (_, frames, damage) = replayed(&store, LogId(1), log_options());
    assert!(damage.is_empty(), "{damage:?}");
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.records.to_vec()).collect();
    assert!(bytes == [record(0), large, b"after".to_vec()].concat());
}

/// Flips a byte of a closed log's segment, and checks what is lost and what is not.
fn check_damage(place: impl Fn(&[(u64, u64)]) -> u64, lost: std::ops::Range<usize>) {
    let directory = tempfile::tempdir().unwrap();
    let id = LogId(9);
    let mut frames = Vec::new();
    {
        let (store, _) = open(directory.path(), DiskMethod::Posix);
        let log = store.create_log(id, log_options()).unwrap();
        let owner = Owner::of(&log);
        let mut offset = 64;
        for index in 0..10 {
            owner.wait(append(&log, index, index + 1));
            let bytes = 64 + record(index).len() as u64;
            frames.push((offset, bytes));
            offset += bytes;
        }
        store.close().unwrap();
    }
    let path = directory.path().join(crate::segment::segment_path(
        crate::format::segment_header::SegmentId { log: id, number: crate::log::SegmentNumber(0) },
    ));
    let mut bytes = std::fs::read(&path).unwrap();
    let at = place(&frames) as usize;
    bytes[at] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    for _ in 0..2 {
        let (store, _) = open(directory.path(), DiskMethod::Posix);
        let (log, found, damage) = replayed(&store, id, log_options());
        assert_eq!(damage.len(), 1, "byte {at}: {damage:?}");
        let expected: Vec<_> = (0..10).filter(|index| !lost.contains(index)).collect();
        let positions: Vec<_> = found.iter().map(|frame| frame.base_position.0 as usize).collect();
        assert_eq!(positions, expected, "byte {at}: {damage:?}");
        for index in lost.clone() {
            let read = log.frame_for_sequence(index as u64 + 1);
            assert!(matches!(read, Err(Error::Damaged { .. })), "byte {at}, {index}: {read:?}");
        }
        assert_eq!(log.committed(), Position(10), "positions are never used again");
        // A new log's first segment is made before the sequence of its first message is known.
        let first = if lost.start == 0 { 0 } else { lost.start + 1 };
        let (from, rest) = damage[0].split_once("..").unwrap();
        let is_bounded = from.parse::<usize>().unwrap() <= first
            && rest.starts_with(&format!("Some({})", lost.end + 1));
        assert!(lost.is_empty() || is_bounded, "{first}: {damage:?}");
    }
    // The log goes on after damage at its end, and the damage stays where it is.
    let (store, _) = open(directory.path(), DiskMethod::Posix);
    let (log, ..) = replayed(&store, id, log_options());
    let owner = Owner::of(&log);
    owner.wait(append(&log, 10, 12));
    drop(store);
    let (store, _) = open(directory.path(), DiskMethod::Posix);
    let (_, found, damage) = replayed(&store, id, log_options());
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert_eq!(found.last().map(|frame| frame.base_position.0 + u64::from(frame.count)), Some(12));
}

#[test]
fn damage_costs_its_frame_and_is_named() {
    check_damage(|_| 5, 0..0);
    check_damage(|frames| frames[0].0, 0..1);
    check_damage(|frames| frames[4].0 + 10, 4..5);
    check_damage(|frames| frames[4].0 + 64, 4..5);
    check_damage(|frames| frames[4].0 + frames[4].1 - 1, 4..5);
    check_damage(|frames| frames[9].0 + 3, 9..10);
    check_damage(|frames| frames[9].0 + 64, 9..10);
}

#[test]
fn nothing_is_cut_without_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let id = LogId(9);
    {
        let (store, _) = open(directory.path(), DiskMethod::Posix);
        let log = store.create_log(id, log_options()).unwrap();
        let owner = Owner::of(&log);
        owner.wait(append(&log, 0, 100));
        copy_directory(directory.path(), killed.path());
    }
    for slot in ["checkpoint.0", "checkpoint.1"] {
        std::fs::write(killed.path().join(slot), [1; 4096]).unwrap();
    }
    for damaged in [true, false] {
        let (store, report) = open(killed.path(), DiskMethod::Posix);
        assert!(report.unclean == damaged && report.damage.is_empty() != damaged, "{report:?}");
        let (_, frames, damage) = replayed(&store, id, log_options());
        assert!(damage.is_empty(), "{damage:?}");
        check_frames(&frames, 100);
    }
}

/// A copy of a store's files after `count` rounds of one record each, and where each round is in the first journal file.
fn killed_after_rounds(count: u64) -> (tempfile::TempDir, Vec<u64>) {
    let directory = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path(), DiskMethod::Posix);
    let log = store.create_log(LogId(9), log_options()).unwrap();
    let owner = Owner::of(&log);
    let mut rounds = Vec::new();
    for index in 0..count {
        owner.wait(append(&log, index, index + 1));
        rounds.push(4096 * (index + 1));
    }
    copy_directory(directory.path(), killed.path());
    (killed, rounds)
}

fn change(path: &Path, offset: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset as usize] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_round_that_a_later_one_vouches_for_is_named() {
    for (damaged, offset) in [(0, 0), (4, 0), (4, 100), (8, 50), (9, 0), (9, 100)] {
        let (killed, rounds) = killed_after_rounds(10);
        change(&killed.path().join("journal/0000.jnl"), rounds[damaged] + offset);
        let (store, report) = open(killed.path(), DiskMethod::Posix);
        // Nothing vouches for the last round: it is taken for torn.
        let named = damaged < 9;
        assert_eq!(report.damage.len(), usize::from(named), "{damaged}: {report:?}");
        assert_eq!(report.rounds_replayed, 9);
        let (_, frames, damage) = replayed(&store, LogId(9), log_options());
        assert!(damage.is_empty(), "{damage:?}");
        check_frames(&frames, 10);
    }
}

#[test]
fn a_round_written_over_shows_that_the_checkpoint_is_old() {
    let directory = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    {
        let options = LogStoreOptions {
            journal_bytes_max: 128 << 10,
            journal_file_bytes: 64 << 10,
            // Without threads checkpoints are made when the journal is full, and at no other time.
            mode: CommitMode::Manual,
        };
        let disk = disk::open_directory(directory.path(), DiskMethod::Posix).unwrap();
        let (store, _) = LogStore::open(disk, options).unwrap();
        let log = store.create_log(LogId(9), log_options()).unwrap();
        let owner = Owner::of(&log);
        for index in 0..100 {
            let end = append(&log, index, index + 1);
            while store.run_once() {}
            owner.wait(end);
        }
        copy_directory(directory.path(), killed.path());
    }
    // The newer slot is damaged; the older one starts in a file that was used again since.
    let slots = [0, 1].map(|index| killed.path().join(format!("checkpoint.{index}")));
    let generation = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        crate::format::checkpoint::GENERATION.u64(&bytes)
    };
    let newer = usize::from(generation(&slots[1]) > generation(&slots[0]));
    change(&slots[newer], 33);
    let (store, report) = open(killed.path(), DiskMethod::Posix);
    assert_eq!(report.damage.len(), 2, "{report:?}");
    let (_, frames, damage) = replayed(&store, LogId(9), log_options());
    assert!(damage.is_empty(), "{damage:?}");
    check_frames(&frames, 100);
}

#[test]
fn many_threads_share_a_small_journal() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogStoreOptions {
        journal_bytes_max: 512 << 10,
        journal_file_bytes: 128 << 10,
        mode: CommitMode::Thread,
    };
    let small = LogOptions { segment_bytes: 100_000, ..log_options() };
    let disk = || disk::open_directory(directory.path(), DiskMethod::Auto).unwrap();
    let count = 1500;
    {
        let (store, _) = LogStore::open(disk(), options.clone()).unwrap();
        std::thread::scope(|scope| {
            for number in 0..6 {
                let store = &store;
                scope.spawn(move || {
                    let id = LogId(number);
                    let log = store.create_log(id, small).unwrap();
                    let owner = Owner::of(&log);
                    for index in 0..count {
                        let end = append(&log, index, index + 1);
                        if index % 100 == number as u64 {
                            owner.wait(end);
                            let frame = log.frame_at(Position(0)).unwrap().unwrap();
                            assert!(frame.records.starts_with(&record(0)));
                        }
                        if number == 5 && index % 500 == 499 {
                            owner.wait(end);
                            store.remove_log(id).unwrap();
                            return;
                        }
                    }
                    owner.wait(Position(count));
                    check_frames(&read_all(&log).unwrap(), count);
                });
            }
        });
    }
    let (store, report) = LogStore::open(disk(), options).unwrap();
    assert!(!report.unclean, "dropping a store closes it");
    assert_eq!(store.list_logs().unwrap().len(), 5);
    for number in 0..5 {
        let (_, frames, damage) = replayed(&store, LogId(number), small);
        assert!(damage.is_empty(), "{damage:?}");
        check_frames(&frames, count);
    }
}

/// Holds the store, as a stream holds its volume.
struct Holder {
    store: Mutex<Option<Arc<LogStore>>>,
    dropped: Condvar,
}

impl CommitListener for Holder {
    fn committed(&self, _through: Position) {
        drop(self.store.lock().unwrap().take());
        self.dropped.notify_all();
    }
    fn failed(&self, _error: &Error) {}
}

#[test]
fn the_last_handle_may_be_dropped_on_the_commit_thread() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path(), DiskMethod::Auto);
    let log = store.create_log(LogId(1), log_options()).unwrap();
    let holder = Arc::new(Holder { store: Mutex::new(Some(store)), dropped: Condvar::new() });
    let weak: Weak<Holder> = Arc::downgrade(&holder);
    log.listen(weak);
    append(&log, 0, 1);
    let held = holder.store.lock().unwrap();
    let (held, timeout) = holder
        .dropped
        .wait_timeout_while(held, Duration::from_secs(20), |held| held.is_some())
        .unwrap();
    assert!(held.is_none() && !timeout.timed_out());
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let disk = || disk::open_directory(directory.path(), DiskMethod::Auto).unwrap();
    let report = loop {
        match LogStore::open(disk(), options()) {
            Ok((_, report)) => break report,
            Err(Error::Locked(_)) if std::time::Instant::now() < deadline => {
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(!report.unclean, "it was closed by another thread");
}

#[test]
fn a_stray_name_in_the_journal_makes_no_files() {
    for name in ["9999.jnl", "4294967295.jnl", "+1.jnl", "1.jnl"] {
        let (killed, _) = killed_after_rounds(3);
        let journal = killed.path().join("journal");
        std::fs::write(journal.join(name), b"no journal file").unwrap();
        let before = std::fs::read_dir(&journal).unwrap().count();
        let (store, report) = open(killed.path(), DiskMethod::Posix);
        assert!(std::fs::read_dir(&journal).unwrap().count() <= before, "{name}");
        assert!(report.damage.len() <= 1, "{name}: {report:?}");
        let (_, frames, damage) = replayed(&store, LogId(9), log_options());
        assert!(damage.is_empty(), "{name}: {damage:?}");
        check_frames(&frames, 3);
    }
}
