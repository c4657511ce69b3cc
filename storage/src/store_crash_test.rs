//! The store on the simulated disk: the power goes off at every write and sync of a workload, and during the recovery
//! after it; every acknowledged record is there afterwards, in order and byte for byte, and nothing that was not appended.

use crate::{
    DamagedBytes, Error, Result, Timestamp,
    disk::{Disk, Random, SimulatedDisk},
    log::{CommitListener, FrameBody, Group, LogId, LogRef, Position, Replay},
    store::{CommitMode, LogOptions, LogStore, LogStoreOptions},
    stream::config::{Compression, SyncPolicy},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const INTERVAL_LOG: u64 = 2;

fn store_options() -> LogStoreOptions {
    LogStoreOptions {
        journal_bytes_max: 256 << 10,
        journal_file_bytes: 64 << 10,
        mode: CommitMode::Manual,
    }
}

fn log_options(number: u64) -> LogOptions {
    let sync = if number == INTERVAL_LOG {
        SyncPolicy::Interval(Duration::from_secs(1))
    } else {
        SyncPolicy::Always
    };
    let compression = if number == 1 { Compression::Lz4 } else { Compression::None };
    LogOptions { compression, sync, segment_bytes: 6000 }
}

#[derive(Debug, Default)]
struct Owner {
    committed: AtomicU64,
    failed: Mutex<Option<Error>>,
}

impl CommitListener for Owner {
    fn committed(&self, through: Position) {
        assert!(through.0 >= self.committed.swap(through.0, Ordering::Relaxed));
    }
    fn failed(&self, error: &Error) {
        *self.failed.lock().unwrap() = Some(error.clone());
    }
}

/// A log as the test knows it.
#[derive(Debug, Default)]
struct Model {
    records: Vec<Vec<u8>>,
    /// Records below this survive whatever happens.
    durable: u64,
    /// Creation was acknowledged.
    created: bool,
}

type Models = BTreeMap<u64, Model>;

struct OpenLog {
    log: LogRef,
    owner: Arc<Owner>,
}

/// A run of the store, from opening to crash or close.
struct Life {
    store: Arc<LogStore>,
    logs: BTreeMap<u64, OpenLog>,
}

fn listened(log: LogRef) -> OpenLog {
    let owner = Arc::new(Owner::default());
    owner.committed.store(log.committed().0, Ordering::Relaxed);
    let weak: Weak<Owner> = Arc::downgrade(&owner);
    log.listen(weak);
    OpenLog { log, owner }
}

/// Opens everything and compares it with the model; damage is given back.
fn open(
    disk: &SimulatedDisk,
    models: &mut Models,
    strict: bool,
) -> Result<(Life, Vec<DamagedBytes>)> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (store, report) = LogStore::open(disk, store_options())?;
    let mut damage = report.damage;
    let mut logs = BTreeMap::new();
    let there = store.list_logs()?;
    for (number, model) in models.iter_mut() {
        let id = LogId(u128::from(*number));
        if !there.contains(&id) {
            assert!(!model.created, "log {number} is gone");
            continue;
        }
        let mut frames: Vec<FrameBody> = Vec::new();
        let log = store.open_log(id, log_options(*number), &mut |event| {
            match event {
                Replay::Frame(_, body) => frames.push(body),
                Replay::Summary(_) => panic!("nobody made an index"),
                Replay::Torn(_) => {}
                Replay::Damage { places, .. } => damage.extend(places),
            }
            Ok(None)
        })?;
        check_frames(*number, &frames, model);
        let end = log.committed().0;
        if strict {
            assert!(damage.is_empty(), "{damage:?}");
            let last =
                frames.last().map_or(end, |last| last.base_position.0 + u64::from(last.count));
            assert_eq!(last, end, "log {number}");
            assert!(
                end >= model.durable && end <= model.records.len() as u64,
                "log {number}: {end} of {} records, {} were durable",
                model.records.len(),
                model.durable
            );
            model.records.truncate(end as usize);
            model.durable = end;
        }
        model.created = true;
        logs.insert(*number, listened(log));
    }
    Ok((Life { store, logs }, damage))
}

/// Every frame holds what was appended at its positions, and they follow each other.
fn check_frames(number: u64, frames: &[FrameBody], model: &Model) {
    let mut before = None;
    for frame in frames {
        let start = frame.base_position.0 as usize;
        let end = start + frame.count as usize;
        assert!(before.is_none_or(|before| before <= start), "log {number} goes back");
        let expected = model.records.get(start..end).map(<[Vec<u8>]>::concat);
        let good = expected.is_some_and(|expected| expected == frame.records);
        assert!(good, "log {number}: records {start}..{end} are not what was appended");
        before = Some(end);
    }
}

impl Life {
    fn note_commits(&self, models: &mut Models) {
        for (number, open) in &self.logs {
            let Some(model) = models.get_mut(number) else { continue };
            let committed = open.owner.committed.load(Ordering::Relaxed);
            assert_eq!(committed, open.log.committed().0);
            if *number != INTERVAL_LOG {
                model.durable = model.durable.max(committed);
            }
        }
    }

    fn step(&mut self, random: &mut Random, models: &mut Models) -> Result<()> {
        let number = random.below(4);
        match random.below(20) {
            0 => {
                let committed = self.logs.get(&INTERVAL_LOG).map(|open| open.log.committed().0);
                self.store.checkpoint()?;
                if let (Some(model), Some(committed)) = (models.get_mut(&INTERVAL_LOG), committed) {
                    model.durable = committed;
                }
            }
            1 => {
                if let Some(open) = self.logs.get(&number) {
                    let segments = open.log.segments();
                    if let Some(segment) = segments.get(segments.len() / 2) {
                        open.log.remove_segments_before(segment.number)?;
                    }
                }
            }
            2..9 => {
                self.store.run_once();
            }
            _ => {
                let count = if random.below(8) == 0 { 40 } else { random.below(4) };
                self.append(number, count, random, models)?;
            }
        }
        self.note_commits(models);
        if let Some(error) = self.store.failure() {
            return Err(error);
        }
        self.read_back(number, models);
        Ok(())
    }

    fn append(
        &mut self,
        number: u64,
        count: u64,
        random: &mut Random,
        models: &mut Models,
    ) -> Result<()> {
        let model = models.entry(number).or_default();
        if !self.logs.contains_key(&number) {
            let log = self.store.create_log(LogId(u128::from(number)), log_options(number))?;
            model.created = true;
            self.logs.insert(number, listened(log));
        }
        let Some(open) = self.logs.get(&number) else { return Ok(()) };
        for _ in 0..count {
            let len = 1 + random.below(1500) as usize;
            let fill = random.number();
            let record: Vec<u8> = (0..len).map(|at| (fill >> (8 * (at / 64 % 8))) as u8).collect();
            let group = Group {
                records: &record,
                count: 1,
                base_sequence: model.records.len() as u64 + 1,
                time: Timestamp(1),
                starts_segment: open.log.wants_segment(),
                follows: false,
            };
            open.log.append(&group)?;
            model.records.push(record);
        }
        Ok(())
    }

    /// Reads some frame through the log.
    fn read_back(&self, number: u64, models: &Models) {
        let (Some(open), Some(model)) = (self.logs.get(&number), models.get(&number)) else {
            return;
        };
        let Some(sequence) = open.log.committed().0.checked_sub(1).map(|at| at / 2 + 1) else {
            return;
        };
        match open.log.frame_for_sequence(sequence) {
            Ok(Some(frame)) => check_frames(number, std::slice::from_ref(&frame), model),
            Ok(None) => {}
            Err(error) => assert!(error.to_string().contains("the power is off"), "{error}"),
        }
    }
}

/// Runs a workload until the power goes off or the steps end. Gives back the disk's trace.
fn live(
    disk: &SimulatedDisk,
    seed: u64,
    steps: u64,
    models: &mut Models,
    close: bool,
) -> Result<()> {
    let (mut life, _) = open(disk, models, true)?;
    let mut random = Random::new(seed);
    for _ in 0..steps {
        life.step(&mut random, models)?;
    }
    if close {
        life.store.close()?;
        life.note_commits(models);
        for model in models.values_mut() {
            model.durable = model.records.len() as u64;
        }
    }
    Ok(())
}

/// Three lives of one volume, the first two ended by a crash at a given operation, some during recovery.
fn check_crash(seed: u64, first: u64, second: u64, steps: u64) -> u64 {
    let mut models = Models::new();
    let disk = SimulatedDisk::new(seed);
    disk.crash_at(first);
    let ended = live(&disk, seed, steps, &mut models, false);
    assert!(ended.is_ok() || disk.is_crashed(), "seed {seed} first {first}: {ended:?}");
    let operations = disk.operations();
    // The process ends in some of the runs, the machine in the others.
    let disk =
        if first.is_multiple_of(3) { disk.kill(seed ^ first) } else { disk.restart(seed ^ first) };
    disk.crash_at(second);
    let ended = live(&disk, seed ^ 1, steps / 2, &mut models, false);
    assert!(ended.is_ok() || disk.is_crashed(), "seed {seed} second {second}: {ended:?}");
    let disk = disk.restart(seed ^ second ^ 7);
    live(&disk, seed ^ 2, steps / 4, &mut models, true).unwrap();
    open(&disk, &mut models, true).unwrap();
    operations
}

/// Prints what to run again when the test panics.
struct OnPanic(String);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with {}", self.0);
        }
    }
}

#[test]
fn acknowledged_records_survive_a_crash_at_every_operation() {
    let steps = 300;
    let total = check_crash(1, u64::MAX, u64::MAX, steps);
    assert!(total > 300, "{total} operations are too few to mean anything");
    for first in 1..=total {
        let second = 1 + first * 31 % 120;
        let _told = OnPanic(format!("check_crash(1, {first}, {second}, {steps})"));
        check_crash(1, first, second, steps);
    }
}

#[test]
fn acknowledged_records_survive_crashes_of_many_workloads() {
    for seed in 100..400 {
        let mut random = Random::new(seed);
        let (first, second) = (1 + random.below(700), 1 + random.below(200));
        let _told = OnPanic(format!("check_crash({seed}, {first}, {second}, 200)"));
        check_crash(seed, first, second, 200);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let disk = SimulatedDisk::new(seed);
        live(&disk, seed, 150, &mut Models::new(), true).unwrap();
        (disk.trace(), disk.operations())
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

#[test]
fn a_flipped_bit_is_named_and_never_read() {
    for seed in 1000..1400 {
        let _told = OnPanic(format!("seed {seed}"));
        let mut models = Models::new();
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new(seed);
        if random.coin() {
            disk.crash_at(1 + random.below(300));
        }
        let ended = live(&disk, seed, 60 + random.below(100), &mut models, random.coin());
        assert!(ended.is_ok() || disk.is_crashed(), "{ended:?}");
        let disk = disk.restart(seed);
        let paths = disk.paths();
        let Some(path) = paths.get(random.below(paths.len() as u64) as usize) else { continue };
        let file = disk.open(path, crate::disk::OpenMode::Read).unwrap();
        let bits = file.len().unwrap() * 8;
        disk.flip(path, random.below(bits));
        // The end of the journal cannot be told from a torn one; everything else is named.
        let journal = path.extension().is_some_and(|ending| ending == "jnl");
        let Ok((life, damage)) = open(&disk, &mut models, false) else { continue };
        for (number, open) in &life.logs {
            let Some(model) = models.get(number) else { continue };
            let mut position = open.log.segments().first().map_or(Position(0), |s| s.base_position);
            let mut missing = position.0 > 0 && open.log.committed().0 < model.durable;
            while position.0 < model.durable {
                match open.log.frame_at(position) {
                    Ok(Some(frame)) => {
                        check_frames(*number, std::slice::from_ref(&frame), model);
                        position.0 += u64::from(frame.count);
                    }
                    _ => {
                        missing = true;
                        break;
                    }
                }
            }
            assert!(
                journal || !missing || !damage.is_empty(),
                "log {number} lacks records: {path:?}"
            );
        }
    }
}

#[test]
fn a_failed_sync_stops_the_store_until_it_is_opened_again() {
    for checkpoint in [false, true] {
        let mut models = Models::new();
        let disk = SimulatedDisk::new(3);
        let (mut life, _) = open(&disk, &mut models, true).unwrap();
        let mut random = Random::new(3);
        for _ in 0..50 {
            life.step(&mut random, &mut models).unwrap();
        }
        while life.store.run_once() {}
        life.note_commits(&mut models);
        let before = models.clone_durable();
        life.append(0, 1, &mut random, &mut models).unwrap();
        if checkpoint {
            while life.store.run_once() {}
            life.note_commits(&mut models);
            life.append(0, 1, &mut random, &mut models).unwrap();
            disk.fail_next_sync();
            assert!(matches!(life.store.checkpoint(), Err(Error::ReadOnly(_))));
        } else {
            disk.fail_next_sync();
        }
        life.store.run_once();
        assert!(matches!(life.store.failure(), Some(Error::ReadOnly(_))));
        let open_log = life.logs.get(&0).unwrap();
        assert!(matches!(*open_log.owner.failed.lock().unwrap(), Some(Error::ReadOnly(_))));
        let group = Group {
            records: b"x",
            count: 1,
            base_sequence: 1,
            time: Timestamp(1),
            starts_segment: false,
            follows: false,
        };
        assert!(matches!(open_log.log.append(&group), Err(Error::ReadOnly(_))));
        assert_eq!(open_log.log.committed().0, before[&0] + u64::from(checkpoint));
        life.read_back(0, &models);
        drop(life);
        let disk = disk.restart(4);
        open(&disk, &mut models, true).unwrap();
    }
}

#[test]
fn a_failed_write_of_a_segment_stops_the_store() {
    let mut models = Models::new();
    let mut random = Random::new(8);
    let disk = SimulatedDisk::new(8);
    let (mut life, _) = open(&disk, &mut models, true).unwrap();
    life.append(0, 1, &mut random, &mut models).unwrap();
    while life.store.run_once() {}
    life.note_commits(&mut models);
    life.append(0, 1, &mut random, &mut models).unwrap();
    disk.fail_next_write();
    life.store.run_once();
    assert!(matches!(life.store.failure(), Some(Error::ReadOnly(_))));
    assert!(matches!(life.store.close(), Err(Error::ReadOnly(_))));
    assert_eq!(models[&0].durable, 1);
    open(&disk.restart(9), &mut models, true).unwrap();
}

#[test]
fn a_full_disk_fails_one_log_until_there_is_room() {
    let mut models = Models::new();
    let disk = SimulatedDisk::new(3);
    let mut random = Random::new(3);
    let (mut life, _) = open(&disk, &mut models, true).unwrap();
    for number in [0, 1] {
        life.append(number, 1, &mut random, &mut models).unwrap();
    }
    while life.store.run_once() {}
    life.note_commits(&mut models);
    disk.set_capacity(Some(disk.used()));
    life.append(0, 1, &mut random, &mut models).unwrap();
    while life.store.run_once() {}
    assert!(life.store.failure().is_none(), "one log has no room, the store is fine");
    let failed = life.logs.remove(&0).unwrap();
    assert!(matches!(*failed.owner.failed.lock().unwrap(), Some(Error::NoSpace)));
    assert_eq!(failed.log.committed().0, 1);
    disk.set_capacity(None);
    life.append(1, 1, &mut random, &mut models).unwrap();
    while life.store.run_once() {}
    assert_eq!(life.logs[&1].log.committed().0, 2);
    let mut count = 0;
    let log = life
        .store
        .reopen_log(LogId(0), log_options(0), &mut |_| {
            count += 1;
            Ok(None)
        })
        .unwrap();
    assert_eq!((count, log.committed().0), (1, 1));
    models.get_mut(&0).unwrap().records.truncate(1);
    life.logs.insert(0, listened(log));
    life.append(0, 1, &mut random, &mut models).unwrap();
    while life.store.run_once() {}
    life.note_commits(&mut models);
    assert_eq!(models[&0].durable, 2);
    let disk = disk.restart(9);
    open(&disk, &mut models, true).unwrap();
}

trait Durable {
    fn clone_durable(&self) -> BTreeMap<u64, u64>;
}

impl Durable for Models {
    fn clone_durable(&self) -> BTreeMap<u64, u64> {
        self.iter().map(|(number, model)| (*number, model.durable)).collect()
    }
}
