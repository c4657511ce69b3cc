//! A data directory with one writer: journal, catalogue and streams.
//!
//! Invariants: a stream's entry in the catalogue is durable before anybody may append to it, and gone, durably, before its
//! files go; files that no entry speaks of are kept and reported.
//! Not here: how streams are found again (`recover`); expiry and recovery of streams while the volume is open
//! (`housekeeper`).

mod housekeeper;
mod names;
mod owner;
mod recover;

use crate::{
    Error, Result, Stream, StreamConfig, Timestamp,
    catalogue::Catalogue,
    disk::{Disk, open_directory},
    log::{LogId, MemoryBudget, MemoryLog},
    store::{CommitMode, JOURNAL_FILE_BYTES, LogStore, LogStoreOptions},
    stream::{
        Core, Incarnation, StorageKind, SyncPolicy,
        environment::{Clock, Environment},
        log_options,
        record::message_sequences,
        stored::StoredConfig,
    },
};
pub(crate) use owner::{LogFacts, LogOwner};

use housekeeper::Housekeeper;
use names::{Named, Names, Reservation, all_streams};
use recover::open_streams;
use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Longest name of a stream, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// How bytes reach the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskMethod {
    /// io_uring where the system allows it (probed), else `Posix`.
    #[default]
    Auto,
    /// io_uring, or an error.
    Uring,
    /// `pwritev2` with `RWF_DSYNC`.
    Posix,
}

/// How to open a volume.
#[derive(Clone, Debug)]
pub struct VolumeOptions {
    /// The data directory; created where missing.
    pub directory: PathBuf,
    /// How bytes reach the disk.
    pub disk: DiskMethod,
    /// When appends are acknowledged, for streams that do not say.
    pub sync: SyncPolicy,
    /// Size at which a segment is sealed, in bytes.
    pub segment_bytes: u64,
    /// Size to which the journal may grow, in bytes.
    pub journal_bytes_max: u64,
    /// Bytes that all memory streams may hold together.
    pub memory_bytes_max: u64,
}

impl VolumeOptions {
    /// The defaults, for `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            disk: DiskMethod::Auto,
            sync: SyncPolicy::Always,
            segment_bytes: 64 * 1024 * 1024,
            journal_bytes_max: 256 * 1024 * 1024,
            memory_bytes_max: u64::MAX,
        }
    }
}

/// What opening a volume found and did.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    /// The volume was not closed before, or closed with a stream that could not be opened.
    pub unclean: bool,
    /// Journal rounds replayed.
    pub rounds_replayed: u64,
    /// Damage found, a sentence each, with file and offset.
    pub damage: Vec<String>,
    /// Streams that could not be opened, with the reason; their files are kept.
    pub unreadable_streams: Vec<(String, Error)>,
}

/// An open data directory. Dropping it closes it as well as it can; `close` says how that went.
pub struct Volume {
    environment: Arc<Environment>,
    names: Arc<Names>,
    housekeeper: Housekeeper,
    report: RecoveryReport,
    method: String,
}

impl Volume {
    /// Opens a directory, recovering what a crash left. One process at a time: `Error::Locked` otherwise.
    pub fn open(options: VolumeOptions) -> Result<Self> {
        let disk = open_directory(&options.directory, options.disk)?;
        let clock: Clock = Arc::new(Timestamp::now);
        Self::open_on(disk, &options, CommitMode::Thread, clock, JOURNAL_FILE_BYTES)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        options: &VolumeOptions,
        mode: CommitMode,
        clock: Clock,
        journal_file_bytes: u64,
    ) -> Result<Self> {
        let store_options = LogStoreOptions {
            journal_bytes_max: options.journal_bytes_max,
            journal_file_bytes,
            mode,
        };
        let (store, found) = LogStore::open(disk, store_options)?;
        let method = store.disk_method();
        let (catalogue, damage) = Catalogue::open(&store, options.segment_bytes)?;
        let catalogue_is_whole = damage.is_empty();
        let mut report = RecoveryReport {
            unclean: found.unclean,
            rounds_replayed: found.rounds_replayed,
            damage: found.damage.iter().map(ToString::to_string).collect(),
            unreadable_streams: Vec::new(),
        };
        report.damage.extend(damage.iter().map(|damaged| format!("catalogue: {damaged}")));
        let environment = Arc::new(Environment {
            store,
            catalogue,
            clock,
            memory: MemoryBudget::new(options.memory_bytes_max),
            sync: options.sync,
            segment_bytes: options.segment_bytes,
            mode,
        });
        let streams = open_streams(&environment, catalogue_is_whole, &mut report)?;
        let names = Arc::new(Mutex::new(streams));
        let housekeeper = Housekeeper::start(&environment, &names)?;
        Ok(Self { environment, names, housekeeper, report, method })
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, Named>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What opening found.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.report
    }

    /// The method in use, in words, such as `io_uring (O_DIRECT)`.
    pub fn disk_method(&self) -> &str {
        &self.method
    }

    /// Creates a stream; durable on return. `StreamExists` where the name is taken.
    pub async fn create_stream(&self, config: StreamConfig) -> Result<Arc<Stream>> {
        if config.name.is_empty() || config.name.len() > NAME_BYTES_MAX {
            return Err(Error::InvalidConfig("a stream has a name of 1 to 512 bytes".into()));
        }
        if config.first_sequence > crate::format::NUMBER_MAX {
            return Err(Error::InvalidConfig("the first sequence is too large".into()));
        }
        let name = config.name.clone();
        {
            let mut names = self.names();
            if names.contains_key(&name) {
                return Err(Error::StreamExists(name));
            }
            names.insert(name.clone(), Named::Reserved);
        }
        let reserved = Reservation { names: &self.names, name: &name };
        let stream = match config.storage {
            StorageKind::Memory => self.create_in_memory(config),
            StorageKind::File => self.create_in_files(config).await?,
        };
        reserved.keep(Named::Stream(Arc::clone(&stream)));
        Ok(stream)
    }

    fn new_incarnation(&self) -> Incarnation {
        Incarnation(self.environment.store.new_id().0)
    }

    fn create_in_memory(&self, config: StreamConfig) -> Arc<Stream> {
        let environment = &self.environment;
        let log = Arc::new(MemoryLog::new(Arc::clone(&environment.memory), message_sequences));
        let core = Core::new(config, self.new_incarnation(), environment.now(), log);
        Stream::new(environment, core)
    }

    async fn create_in_files(&self, config: StreamConfig) -> Result<Arc<Stream>> {
        let environment = Arc::clone(&self.environment);
        let incarnation = self.new_incarnation();
        let id = LogId(incarnation.0);
        let options = log_options(&config, environment.sync, environment.segment_bytes);
        let log = self
            .housekeeper
            .run(move |environment| environment.store.create_log(id, options))
            .await??;
        let created = environment.now();
        let stored = StoredConfig::new(&config, incarnation, created);
        let stream = Stream::new(&environment, Core::new(config, incarnation, created, log));
        let made = async {
            stream.core().open_log_with_state()?;
            // The state was appended before, and rounds are acknowledged in order: this waits for both.
            environment.catalogue.put(stored)?.wait(&environment).await
        };
        if let Err(error) = made.await {
            // After a failed write nobody knows whether the catalogue has it: the next opening decides.
            if environment.store.failure().is_some() {
                return Err(error);
            }
            let remove = move |environment: &Environment| environment.store.remove_log(id);
            if let Err(error) = self.housekeeper.run(remove).await? {
                tracing::warn!(%error, "the log of a stream that could not be made stays");
            }
            return Err(error);
        }
        Ok(stream)
    }

    /// The stream of that name.
    pub fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        match self.names().get(name) {
            Some(Named::Stream(stream)) => Some(Arc::clone(stream)),
            _ => None,
        }
    }

    /// All streams, sorted by name.
    pub fn streams(&self) -> Vec<Arc<Stream>> {
        all_streams(&self.names)
    }

    /// Deletes a stream with its files, also one that cannot be opened; durable on return. Tails of it end with `Closed`.
    pub async fn delete_stream(&self, name: &str) -> Result<()> {
        let named = {
            let mut names = self.names();
            match names.get_mut(name) {
                Some(named) => std::mem::replace(named, Named::Reserved),
                None => return Err(Error::StreamNotFound(name.to_owned())),
            }
        };
        let id = match &named {
            Named::Stream(stream) => LogId(stream.incarnation().0),
            Named::Unreadable(id) => *id,
            Named::Reserved => return Err(Error::StreamNotFound(name.to_owned())),
        };
        let reserved = Reservation { names: &self.names, name };
        if let Named::Stream(stream) = &named
            && stream.core().is_in_memory()
        {
            stream.end();
            return Ok(());
        }
        let environment = &self.environment;
        let removed = match environment.catalogue.remove(id) {
            Ok(submitted) => submitted.wait(environment).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            reserved.keep(named);
            return Err(error);
        }
        if let Named::Stream(stream) = &named {
            stream.end();
        }
        self.housekeeper
            .run(move |environment| {
                environment.store.remove_log(id)?;
                environment.catalogue.forget(id);
                Ok(())
            })
            .await?
    }

    /// What is below the streams.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn environment_store(&self) -> &LogStore {
        &self.environment.store
    }

    /// Does what the housekeeper does over and over, once.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn tick(&self) {
        self.housekeeper.tick(&self.names);
        while self.environment.store.run_once() {}
    }

    /// Why the volume takes no appends, if it does not.
    pub fn failure(&self) -> Option<Error> {
        self.environment.store.failure()
    }

    /// Syncs what is dirty and empties the journal.
    pub fn checkpoint(&self) -> Result<()> {
        self.environment.store.checkpoint()
    }

    /// Refuses new appends, waits for those under way, checkpoints, and lets the directory go.
    pub fn close(&self) -> Result<()> {
        self.housekeeper.stop();
        let closed = self.environment.store.close();
        for stream in self.streams() {
            stream.end();
        }
        closed
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the volume was dropped and could not be closed");
        }
    }
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("environment", &self.environment).finish_non_exhaustive()
    }
}

/// Identity of a new stream.
pub(crate) fn new_incarnation() -> Incarnation {
    // 0 is the catalogue's log.
    Incarnation(rand::random::<u128>().max(1))
}

#[cfg(test)]
mod volume_damage_test;
#[cfg(test)]
mod volume_test;
#[cfg(test)]
mod volume_threads_test;
