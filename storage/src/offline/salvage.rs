//! Copies what can be read of a data directory into a new one.
//!
//! Invariants: the old directory stays as it is; the new one is whole. A stream keeps its identity, so that its copies
//! elsewhere go on, unless nothing tells how far it went: then its sequences may be given out again, and it is another.
//! Not here: the records of one log (`copy`).

use super::{
    LogFigures, LogKind, OfflineVolume, Progress, Survey, Verdict, copy::Copy, log_walk::WalkedLog,
    survey::SurveyedLog,
};
use crate::{
    Error, Result, VolumeOptions,
    catalogue::Catalogue,
    disk::{Disk, open_directory},
    log::{LogId, Replay, SegmentNumber},
    store::{CommitMode, JOURNAL_FILE_BYTES, LogOptions, LogStore, LogStoreOptions},
    stream::{SyncPolicy, replay::of_another_history, stored::StoredConfig, summary::Summary},
    volume::{DiskMethod, LogOwner, new_incarnation},
};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

/// How often the new files are synced while they are written. They are all synced at the end.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// What was copied, and what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvage {
    /// The old directory: everything that is wrong with it.
    pub survey: Survey,
    /// The streams of the new directory.
    pub streams: Vec<SalvagedStream>,
    /// Logs that nothing says the stream of. They are not copied.
    pub left: Vec<LogFigures>,
    /// The new directory, read again after it was written. It has no damage.
    pub copy: Survey,
}

/// A stream in the new directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalvagedStream {
    /// Its name.
    pub name: String,
    /// Messages that it holds.
    pub messages: u64,
    /// Lost sequences, as inclusive ranges in order. Sequences that are known to have been removed are not among them.
    pub lost: Vec<(u64, u64)>,
    /// More may be lost than `lost` says: how far the stream went is not known.
    pub end_is_unknown: bool,
    /// The catalogue lacked it: its configuration is the one of its log.
    pub is_stray: bool,
    /// Nothing of it could be read. It is empty, and another creation of the stream.
    pub is_new: bool,
}

impl OfflineVolume {
    /// Copies everything readable into `target`, which must be missing or empty. `segment_bytes` is the size at which a
    /// segment is sealed. `progress` begins three times: while the old directory is looked at, while it is copied, and while
    /// the new one is read again. `Damaged` where that finds damage.
    pub fn salvage(
        &self,
        target: &Path,
        segment_bytes: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Salvage> {
        let failed = |error| Error::io(format!("look at {}", target.display()), error);
        match std::fs::read_dir(target).map(Iterator::count) {
            Ok(0) => {}
            Ok(_) => return Err(Error::NotNew(target.display().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if let Some(directory) = &self.directory {
            let parent = target.ancestors().find(|parent| parent.exists());
            let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
            let inside = parent.unwrap_or(Path::new(".")).canonicalize().map_err(failed)?;
            if inside.starts_with(directory.canonicalize().map_err(failed)?) {
                return Err(Error::NotNew(target.display().to_string()));
            }
        }
        let disk = open_directory(target, DiskMethod::Auto)?;
        self.salvage_to(disk, segment_bytes, JOURNAL_FILE_BYTES, progress)
    }

    /// Same, to an empty disk.
    pub(crate) fn salvage_to(
        &self,
        disk: Arc<dyn Disk>,
        segment_bytes: u64,
        journal_file_bytes: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Salvage> {
        let (survey, logs) = self.survey_logs(progress)?;
        let options = LogStoreOptions {
            journal_bytes_max: VolumeOptions::new("").journal_bytes_max,
            journal_file_bytes,
            mode: CommitMode::default(),
        };
        let (store, _) = LogStore::open(Arc::clone(&disk), options)?;
        let (catalogue, _) = Catalogue::open(&store, segment_bytes)?;
        let mut target = Target { store, catalogue, segment_bytes };
        let bytes_total = logs.iter().map(|log| log.walked.figures.bytes).sum();
        let mut bytes = 0;
        let mut examined = |more: u64| {
            bytes += more;
            progress(Progress { bytes: bytes.min(bytes_total), bytes_total });
        };
        let mut salvage = Salvage { survey, ..Salvage::default() };
        for log in &logs {
            let config = match &log.owner {
                LogOwner::Known(config) | LogOwner::Newer(config) | LogOwner::Stray(config) => {
                    config
                }
                LogOwner::Removed | LogOwner::Nobody => continue,
                LogOwner::Unknown => {
                    salvage.left.push(log.walked.figures.clone());
                    continue;
                }
            };
            let salvaged = salvaged(log, config);
            let is_new = log.walked.figures.frames == 0 && salvaged.end_is_unknown;
            match is_new {
                true => target.make(config)?,
                false => self.copy(log, config, &mut target, &mut examined)?,
            }
            salvage.streams.push(SalvagedStream { is_new, ..salvaged });
        }
        let is_found =
            |entry: &StoredConfig| logs.iter().any(|log| log.walked.id.0 == entry.incarnation().0);
        for entry in self.entries.iter().filter(|entry| !is_found(entry)) {
            target.make(entry)?;
            salvage.streams.push(SalvagedStream {
                name: entry.name().to_owned(),
                is_new: true,
                end_is_unknown: true,
                ..SalvagedStream::default()
            });
        }
        salvage.streams.sort_by(|one, other| one.name.cmp(&other.name));
        drop(target.catalogue);
        target.store.close()?;
        salvage.copy = Self::open_on(disk)?.survey(progress)?;
        let damage = salvage.copy.findings.iter().find(|found| found.verdict == Verdict::Damage);
        if let Some(place) = damage.and_then(|found| found.places.first()) {
            let (place, what) = (place.path.display().to_string(), place.what.clone());
            return Err(Error::Damaged { place, what });
        }
        for stream in &mut salvage.streams {
            let copied =
                salvage.copy.logs.iter().find(|log| log.stream.as_ref() == Some(&stream.name));
            stream.messages = copied.map_or(0, |log| log.messages);
        }
        Ok(salvage)
    }

    fn copy(
        &self,
        log: &SurveyedLog,
        config: &StoredConfig,
        target: &mut Target,
        examined: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let WalkedLog { id, notes, refused, .. } = &log.walked;
        target.add(config, notes, examined, &mut |copy| {
            let mut take = |event| match event {
                // It comes again as damage.
                Replay::Frame(found, _)
                    if refused.contains(&(found.segment.number, found.offset)) =>
                {
                    Err(of_another_history(&found))
                }
                event => copy.event(event).map(|()| copy.next_sequence()),
            };
            self.walk(*id, &mut take).map(drop)
        })
    }
}

fn salvaged(log: &SurveyedLog, config: &StoredConfig) -> SalvagedStream {
    let findings = &log.walked.findings;
    let mut lost: Vec<_> = findings.iter().flat_map(|finding| finding.lost.clone()).collect();
    lost.sort_unstable();
    SalvagedStream {
        name: config.name().to_owned(),
        messages: 0,
        lost,
        end_is_unknown: findings.iter().any(|finding| finding.end_is_unknown),
        is_stray: log.walked.figures.kind == LogKind::Stray,
        is_new: false,
    }
}

/// The new directory.
struct Target {
    store: Arc<LogStore>,
    catalogue: Arc<Catalogue>,
    segment_bytes: u64,
}

impl Target {
    /// Makes an empty stream of this configuration, with a new identity.
    fn make(&mut self, config: &StoredConfig) -> Result<()> {
        let config = StoredConfig::new(&config.config(), new_incarnation(), config.created());
        self.add(&config, &BTreeMap::new(), &mut |_| {}, &mut |_| Ok(()))
    }

    /// Makes a stream; `fill` copies into it.
    fn add(
        &mut self,
        config: &StoredConfig,
        notes: &BTreeMap<SegmentNumber, Summary>,
        examined: &mut dyn FnMut(u64),
        fill: &mut dyn FnMut(&mut Copy<'_>) -> Result<()>,
    ) -> Result<()> {
        let options = LogOptions {
            compression: config.config().compression,
            sync: SyncPolicy::Interval(SYNC_INTERVAL),
            segment_bytes: self.segment_bytes,
        };
        let log = self.store.create_log(LogId(config.incarnation().0), options)?;
        let mut copy = Copy::new(log, config.clone(), notes, examined);
        fill(&mut copy)?;
        copy.finish()?;
        self.catalogue.put(config.clone())?.wait_blocking()
    }
}
