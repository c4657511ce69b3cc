//! What a stream is told to keep, and how.
//! Not here: the JSON form (the server), defaults of an API (the server).

use std::time::Duration;

/// Where the messages are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageKind {
    /// In segment files; survives restarts.
    #[default]
    File,
    /// In memory; gone, with its configuration, when the volume is closed.
    Memory,
}

/// What happens when a limit is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discard {
    /// The oldest messages go.
    #[default]
    Old,
    /// New messages are refused.
    New,
}

/// Compression of frames on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// LZ4 per frame; a frame that does not shrink is stored as it is.
    Lz4,
}

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Once it is on stable storage.
    #[default]
    Always,
    /// Once it is written to the file; synced at this interval. A crash of the machine can take back that much.
    Interval(Duration),
}

/// Limits of a stream; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Messages held.
    pub messages: Option<u64>,
    /// Bytes held (by the accounting of `StreamState::bytes`).
    pub bytes: Option<u64>,
    /// Age of a message.
    pub age: Option<Duration>,
    /// Messages held per subject.
    pub messages_per_subject: Option<u64>,
    /// Headers and payload of one message, in bytes.
    pub message_bytes: Option<u32>,
}

/// The message that says that a subject's last message went by itself. It has no payload, is stored in one step with the
/// removal, and replaces what is left of the subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteMarker {
    /// Header block of the marker.
    pub headers: Vec<u8>,
    /// How long the marker itself stays.
    pub lifetime: Duration,
}

/// Configuration of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamConfig {
    /// Unique in the volume; any text of 1 to 512 bytes.
    pub name: String,
    /// Where the messages are kept; cannot change.
    pub storage: StorageKind,
    /// What it holds at most.
    pub limits: Limits,
    /// What happens at a limit.
    pub discard: Discard,
    /// With `Discard::New`, refuse also at the limit per subject (instead of dropping the subject's oldest).
    pub discard_new_per_subject: bool,
    /// How long message ids are remembered; zero: not at all.
    pub dedup_window: Duration,
    /// Compression of frames.
    pub compression: Compression,
    /// When appends are acknowledged; `None`: as the volume says.
    pub sync: Option<SyncPolicy>,
    /// Sequence of the first message ever; 0 and 1 mean 1; cannot change.
    pub first_sequence: u64,
    /// No appends, deletes or purges any more, and nothing goes for its age; cannot be taken back.
    pub sealed: bool,
    /// Refuse `Stream::delete`.
    pub deny_delete: bool,
    /// Refuse `Stream::purge`.
    pub deny_purge: bool,
    /// Accept rollups.
    pub allow_rollup: bool,
    /// Messages go when their own lifetime is over; without, it is stored and not acted on.
    pub lifetimes: bool,
    /// What takes the place of the last message of a subject that goes for its age or the end of its lifetime; `None`:
    /// nothing does.
    pub delete_marker: Option<DeleteMarker>,
    /// Bytes of the application, kept with the configuration and never looked at.
    pub application: Vec<u8>,
}
