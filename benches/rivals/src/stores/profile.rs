//! What the page says of each contestant: its version, how it was set to sync, and what its nearest notions are.
//! Not here: how it is called (the file of the store).

use super::Contestant;

/// What is said of a contestant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    /// Short name, in tables and plots.
    pub(crate) name: &'static str,
    /// Name of the crate.
    pub(crate) package: &'static str,
    /// The setting that syncs before it acknowledges, and what one commit of many records is.
    pub(crate) setting: &'static str,
    /// What stands for a stream.
    pub(crate) stream: &'static str,
    /// What it offers a reader that wants one stream or subject of many, in the order of the append.
    pub(crate) filter: &'static str,
}

impl Contestant {
    /// What is said of it.
    pub(crate) fn profile(self) -> Profile {
        match self {
            Self::Headwater | Self::HeadwaterPosix => Profile {
                name: "Headwater",
                package: "headwater-storage",
                setting: "the default (`SyncPolicy::Always`); many in flight by `append_with`, batches by `append_all`",
                stream: "a stream; a subject where one stream has many",
                filter: "a tail with a filter, by the subject index; order of the stream kept",
            },
            Self::Walrus => Profile {
                name: "walrus",
                package: "walrus-rust",
                setting: "`FsyncSchedule::SyncEach`; many by `batch_append_for_topic` (at most 2,000)",
                stream: "a topic; 16 threads append to many topics",
                filter: "a topic of its own; no order between topics",
            },
            Self::OkayWal => Profile {
                name: "okaywal",
                package: "okaywal",
                setting: "`commit` of an entry always syncs; many as chunks of one entry; segments of 64 MiB",
                stream: "none: all go into the one log",
                filter: "none: records are kept only until a checkpoint",
            },
            Self::WalDb => Profile {
                name: "wal-db",
                package: "wal-db",
                setting: "`append` for each and one `sync`; segments of 64 MiB",
                stream: "none: a number in front of the record",
                filter: "none: the whole log is read and looked through",
            },
            Self::Fjall => Profile {
                name: "fjall",
                package: "fjall",
                setting: "a batch with `PersistMode::SyncData`",
                stream: "the front of the key",
                filter: "a range of keys; no order between streams",
            },
            Self::Redb => Profile {
                name: "redb",
                package: "redb",
                setting: "a transaction with `Durability::Immediate`, the default",
                stream: "the front of the key",
                filter: "a range of keys; no order between streams",
            },
            Self::Sqlite => Profile {
                name: "SQLite",
                package: "rusqlite",
                setting: "a transaction with `journal_mode=WAL`, `synchronous=FULL`",
                stream: "the front of the key",
                filter: "a range of keys; no order between streams",
            },
        }
    }
}

impl Profile {
    /// Version of the crate in this package's lock file.
    pub(crate) fn version(&self) -> Option<&'static str> {
        let lock = include_str!("../../Cargo.lock");
        let wanted = format!("name = \"{}\"", self.package);
        let entry =
            lock.split("[[package]]").find(|entry| entry.lines().any(|line| line == wanted))?;
        entry.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
    }
}
