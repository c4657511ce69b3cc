//! What opening a log believes of what an earlier process left: pages whose sync failed, segments that were written again.
//! Not here: crashes at every operation (`store_crash_test`).

use super::{Group, LogId, LogRef, NewFrame, Position, Replay, SegmentNumber};
use crate::{
    Error, Result, Timestamp,
    disk::{Disk, SimulatedDisk},
    format::segment_header::SegmentId,
    log::Waiter,
    segment::segment_path,
    store::{CommitMode, LogOptions, LogStore, LogStoreOptions},
    stream::{Compression, SyncPolicy},
};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

const LOG: LogId = LogId(5);
/// Bytes of a record: some fill a segment.
const RECORD_BYTES: usize = 400;

/// A store and its log, which is not in the journal: what is not synced is only in its file.
struct Opened {
    store: Arc<LogStore>,
    log: LogRef,
    _waiter: Arc<Waiter>,
    /// What replay gave: positions of records, and damage.
    records: u64,
    damage: Vec<String>,
}

fn try_store(disk: &SimulatedDisk) -> Result<Arc<LogStore>> {
    let options = LogStoreOptions {
        journal_bytes_max: 128 << 10,
        journal_file_bytes: 64 << 10,
        mode: CommitMode::Manual,
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    LogStore::open(disk, options).map(|(store, _)| store)
}

fn options() -> LogOptions {
    LogOptions {
        compression: Compression::None,
        sync: SyncPolicy::Interval(Duration::from_secs(1)),
        segment_bytes: 2000,
    }
}

fn open(disk: &SimulatedDisk) -> Opened {
    try_open(disk).unwrap()
}

fn try_open(disk: &SimulatedDisk) -> Result<Opened> {
    let store = try_store(disk)?;
    let (mut records, mut damage) = (0, Vec::new());
    let log = match store.list_logs()?.is_empty() {
        true => store.create_log(LOG, options())?,
        false => store.open_log(LOG, options(), &mut |event| {
            match event {
                Replay::Frame(_, body) => records += u64::from(body.count),
                Replay::Damage { places, .. } => {
                    damage.extend(places.iter().map(ToString::to_string));
                }
                Replay::Torn(_) | Replay::Summary(_) => {}
            }
            Ok(None)
        })?,
    };
    let waiter = Arc::new(Waiter::default());
    let listener: Weak<Waiter> = Arc::downgrade(&waiter);
    log.listen(listener);
    Ok(Opened { store, log, _waiter: waiter, records, damage })
}

impl Opened {
    /// Appends so many records, each in a frame of its own.
    fn append(&self, count: usize) {
        for _ in 0..count {
            let record = [7; RECORD_BYTES];
            let group = Group {
                records: &record,
                count: 1,
                base_sequence: self.log.committed().0 + 1,
                time: Timestamp(1),
                starts_segment: self.log.wants_segment(),
                follows: false,
            };
            self.log.append(&group).unwrap();
            while self.store.run_once() {}
        }
    }

    fn last_segment(&self) -> SegmentNumber {
        self.log.segments().last().unwrap().number
    }

    /// A checkpoint whose end is in a segment that is sealed since, and then written again in fewer bytes.
    fn with_rewritten_segment(disk: &SimulatedDisk) -> Self {
        let opened = open(disk);
        opened.append(4);
        assert_eq!(opened.last_segment().0, 0);
        opened.store.checkpoint().unwrap();
        while opened.last_segment().0 == 0 {
            opened.append(1);
        }
        let count = opened.log.segments().last().unwrap().base_position.0 as u32;
        let frame =
            NewFrame { base_position: Position(0), base_sequence: 1, count, records: vec![1; 50] };
        let before = content(disk).len();
        opened.log.replace_segment(SegmentNumber(0), vec![frame]).unwrap();
        assert!(content(disk).len() < before / 2);
        opened
    }
}

fn path() -> std::path::PathBuf {
    segment_path(SegmentId { log: LOG, number: SegmentNumber(0) })
}

fn content(disk: &SimulatedDisk) -> Vec<u8> {
    disk.content(&path()).unwrap()
}

/// After a failed sync the system shows pages that it never writes. A process that ends before it comes to the log closes the
/// volume all the same: the next one must not take that for a word about these pages.
#[test]
fn what_a_closed_volume_shows_behind_its_durable_end_is_written_again() {
    let mut was_there = 0;
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        let opened = open(&disk);
        opened.append(1);
        opened.store.checkpoint().unwrap();
        opened.append(2);
        disk.fail_next_sync();
        assert!(matches!(opened.store.checkpoint(), Err(Error::ReadOnly(_))));
        drop(opened);
        let disk = disk.kill(seed);
        try_store(&disk).unwrap().close().unwrap();
        let disk = disk.kill(seed);
        let seen = open(&disk).records;
        was_there += u64::from(seen == 3);
        let found = open(&disk.restart(seed));
        assert_eq!((found.records, found.damage.len()), (seen, 0), "seed {seed}");
    }
    assert_eq!(was_there, 20);
}

#[test]
fn a_checkpoint_may_end_in_a_segment_that_is_shorter_since() {
    let disk = SimulatedDisk::new(1);
    let opened = Opened::with_rewritten_segment(&disk);
    let records = opened.log.committed().0;
    let killed = disk.kill(1);
    drop(opened);
    let found = open(&killed);
    assert_eq!(found.damage, Vec::<String>::new());
    assert_eq!((found.records, found.log.committed().0), (records, records));
}

/// Nothing of the journal belongs into such a segment, and all of it counts as durable.
#[test]
fn nothing_is_written_to_a_segment_that_was_written_again() {
    let mut was_last = 0;
    for seed in 0..40 {
        let disk = SimulatedDisk::new(seed);
        let opened = Opened::with_rewritten_segment(&disk);
        // The segment behind it may go with the power: nothing of it was synced.
        let disk = disk.restart(seed);
        drop(opened);
        let before = content(&disk);
        let opened = open(&disk);
        assert_eq!(opened.damage, Vec::<String>::new(), "seed {seed}");
        let segments = opened.log.segments();
        was_last += u64::from(opened.records == segments.last().unwrap().base_position.0);
        opened.append(1);
        opened.store.checkpoint().unwrap();
        let records = opened.log.committed().0;
        drop(opened);
        assert!(content(&disk) == before, "seed {seed}: it was written to");
        let found = open(&disk.restart(seed));
        assert_eq!((found.records, found.damage.len()), (records, 0), "seed {seed}");
    }
    assert!(was_last > 5, "{was_last}");
}

/// A torn end is cut, and the process ends before the sync of that: the next one finds the file as long as what was durable, and
/// writes to it. The bytes that were cut must not come back behind what it writes.
#[test]
fn a_cut_that_was_not_synced_is_made_again() {
    for seed in 0..40 {
        let disk = SimulatedDisk::new(seed);
        let opened = open(&disk);
        opened.append(1);
        opened.store.checkpoint().unwrap();
        opened.append(2);
        let whole = content(&disk);
        let next = disk.kill(seed);
        drop(opened);
        // The frames lie there with a wrong byte in the first one.
        let mut torn = whole.clone();
        torn[64 + RECORD_BYTES + 100] ^= 1;
        next.replace(&path(), &torn).unwrap();
        let disk = next.kill(seed);
        // The process ends at the cut, before the sync of it.
        let mut operation = 0;
        let disk = loop {
            operation += 1;
            let disk = disk.kill(seed);
            disk.crash_at(operation);
            let ended = try_open(&disk);
            assert!(disk.is_crashed(), "seed {seed}: nothing is cut");
            drop(ended);
            if content(&disk).len() < torn.len() {
                break disk.kill(seed);
            }
        };
        let opened = open(&disk);
        assert_eq!((opened.records, opened.damage.len()), (1, 0), "seed {seed}");
        opened.append(1);
        let disk = disk.restart(seed);
        drop(opened);
        let found = open(&disk);
        assert!(found.records <= 2 && found.damage.is_empty(), "seed {seed}: {:?}", found.damage);
    }
}
