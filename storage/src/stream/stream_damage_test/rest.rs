//! Volumes with streams of several kinds, at rest: closed, killed, or without power.
//! Not here: the damage.

use crate::{
    Message, StreamConfig, Timestamp, Volume, VolumeOptions,
    disk::{Disk, OpenMode, Random, SimulatedDisk},
    store::CommitMode,
    stream::{
        Batch, Compression, Item, Limits, Purge, Step,
        stream_test::{TestClock, message, now},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Small segments, so that every log has some, the catalogue included.
pub(super) fn open(disk: &SimulatedDisk, clock: &TestClock) -> crate::Result<Volume> {
    let options = VolumeOptions {
        segment_bytes: 2500,
        journal_bytes_max: 256 << 10,
        ..VolumeOptions::new("unused")
    };
    let disk = Arc::new(disk.clone());
    Volume::open_on(disk, &options, CommitMode::Manual, clock.clock(), 64 << 10)
}

/// What one stream was when the damage came.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) config: StreamConfig,
    /// Every message ever stored, with the number of the operation that did.
    pub(super) ever: BTreeMap<u64, (u64, Message)>,
    pub(super) held: BTreeSet<u64>,
    pub(super) last: u64,
    pub(super) progress: Vec<(String, Vec<u8>)>,
}

/// A volume at rest.
pub(super) struct Rest {
    pub(super) disk: SimulatedDisk,
    pub(super) streams: BTreeMap<String, Kept>,
    /// The files, in an order that does not depend on the random names of logs.
    pub(super) files: Vec<(String, PathBuf)>,
    /// All files as they were in the middle of the work.
    pub(super) older: BTreeMap<PathBuf, Vec<u8>>,
    /// All files as they are.
    pub(super) now: BTreeMap<PathBuf, Vec<u8>>,
    pub(super) end: End,
    /// Operations so far.
    pub(super) operations: u64,
}

/// How the volume came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    Killed,
    PowerCut,
}

pub(super) fn content(disk: &SimulatedDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

pub(super) fn replace(disk: &SimulatedDisk, path: &Path, bytes: &[u8]) {
    let file =
        disk.open(path, OpenMode::Write).or_else(|_| disk.open(path, OpenMode::Create)).unwrap();
    file.truncate(0).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
    disk.sync_directory(path.parent().unwrap()).unwrap();
}

pub(super) fn all_files(disk: &SimulatedDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    disk.paths().into_iter().map(|path| (path.clone(), content(disk, &path))).collect()
}

/// Makes changes and writes down what came of them.
struct Work {
    volume: Volume,
    clock: TestClock,
    random: Random,
    streams: BTreeMap<String, Kept>,
    operations: u64,
}

impl Work {
    fn create(&mut self, config: StreamConfig) {
        let kept = Kept { config: config.clone(), ..Kept::default() };
        self.streams.insert(config.name.clone(), kept);
        now(self.volume.create_stream(config)).unwrap();
    }

    fn update(&mut self, name: &str, change: impl FnOnce(&mut StreamConfig)) {
        let kept = self.streams.get_mut(name).unwrap();
        change(&mut kept.config);
        now(self.volume.stream(name).unwrap().update(kept.config.clone())).unwrap();
    }

    /// Appends a message that says where it is.
    fn append(&mut self, name: &str) {
        let stream = self.volume.stream(name).unwrap();
        let subject = format!("a.{}", self.random.below(6));
        let next = self.streams[name].last + 1;
        let payload = format!("{name} {next} ").repeat(1 + self.random.below(12) as usize);
        let sequence = match name {
            "mirror" => {
                let through = next - 1 + self.random.below(3);
                let copy = Item::Copy {
                    sequence: through + 1,
                    time: Timestamp(7),
                    message: message(&subject, payload.as_bytes()),
                };
                let items = vec![Item::Skip { through }, copy];
                let progress = Some(("origin".into(), (through + 1).to_le_bytes().to_vec()));
                let steps = vec![Step { items, progress }];
                now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
                through + 1
            }
            _ => now(stream.append(message(&subject, payload.as_bytes()))).unwrap().sequence,
        };
        let stored = stream.get(sequence).unwrap();
        let kept = self.streams.get_mut(name).unwrap();
        kept.ever.insert(sequence, (self.operations, stored));
        kept.last = sequence;
    }

    fn step(&mut self) {
        self.operations += 1;
        self.clock.advance(1 + self.random.below(1000) as i64);
        let names: Vec<String> = self.streams.keys().cloned().collect();
        let name = names[self.random.below(names.len() as u64) as usize].clone();
        let stream = self.volume.stream(&name).unwrap();
        match self.random.below(30) {
            0 if self.streams[&name].last > 0 => {
                let _ = now(stream.delete(1 + self.random.below(self.streams[&name].last)));
            }
            1 => {
                let filter = Some(format!("a.{}", self.random.below(6)));
                now(stream.purge(Purge { filter, ..Purge::default() })).unwrap();
            }
            2 => {
                let before = Some(self.streams[&name].last / 3);
                now(stream.purge(Purge { before, ..Purge::default() })).unwrap();
            }
            3 if self.random.below(3) == 0 => self.volume.checkpoint().unwrap(),
            _ => self.append(&name),
        }
    }

    fn note_held(&mut self) {
        for (name, kept) in &mut self.streams {
            let stream = self.volume.stream(name).unwrap();
            let held = |at: &u64| stream.get(*at).is_ok();
            kept.held = kept.ever.keys().copied().filter(held).collect();
            kept.progress = stream.progress_entries();
        }
    }
}

fn named(name: &str) -> StreamConfig {
    StreamConfig { name: name.into(), application: vec![7; 100], ..StreamConfig::default() }
}

/// The files of a volume, sorted by what they are.
fn labelled(disk: &SimulatedDisk, volume: &Volume) -> Vec<(String, PathBuf)> {
    let label = |path: PathBuf| {
        let mut label = path.display().to_string();
        for stream in volume.streams() {
            label =
                label.replace(&format!("{:032x}", stream.incarnation().0), &stream.config().name);
        }
        (label, path)
    };
    let mut files: Vec<_> = disk.paths().into_iter().map(label).collect();
    files.sort();
    files
}

/// A volume with streams of several kinds, at rest.
pub(super) fn rest(seed: u64, end: End) -> Rest {
    let (disk, clock) = (SimulatedDisk::new(seed), TestClock::default());
    clock.advance(1_000_000);
    let volume = open(&disk, &clock).unwrap();
    let random = Random::new(seed);
    let mut work = Work { volume, clock, random, streams: BTreeMap::new(), operations: 0 };
    let limits = Limits { messages_per_subject: Some(4), ..Limits::default() };
    work.create(StreamConfig { limits, dedup_window: Duration::from_secs(9), ..named("limited") });
    work.create(StreamConfig { compression: Compression::Lz4, ..named("packed") });
    work.create(named("gone"));
    let limits = Limits { messages: Some(10), ..Limits::default() };
    work.create(StreamConfig { limits, ..named("raised") });
    for _ in 0..60 {
        work.step();
    }
    work.volume.checkpoint().unwrap();
    let older = all_files(&disk);
    now(work.volume.delete_stream("gone")).unwrap();
    work.streams.remove("gone");
    work.update("raised", |config| config.limits.messages = Some(1000));
    work.create(named("mirror"));
    for _ in 0..170 {
        work.step();
    }
    for name in ["mirror", "raised", "packed"] {
        work.operations += 1;
        work.append(name);
    }
    work.note_held();
    let files = labelled(&disk, &work.volume);
    let Work { volume, streams, operations, .. } = work;
    let disk = match end {
        End::Closed => {
            volume.close().unwrap();
            disk.restart(seed)
        }
        End::Killed => disk.kill(seed),
        End::PowerCut => disk.restart(seed),
    };
    drop(volume);
    let now = all_files(&disk);
    let files: Vec<_> = files.into_iter().filter(|(_, path)| now.contains_key(path)).collect();
    Rest { disk, streams, files, older, now, end, operations }
}

impl Rest {
    /// A copy to damage.
    pub(super) fn copy(&self) -> SimulatedDisk {
        match self.end {
            End::Killed => self.disk.kill(1),
            End::Closed | End::PowerCut => self.disk.restart(1),
        }
    }
}
