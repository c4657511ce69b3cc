//! Sizes and counts of a data directory.

/// What a log is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogKind {
    /// A stream of the catalogue.
    Stream,
    /// A stream that the catalogue lacks, known from its own log.
    Stray,
    /// The catalogue.
    Catalogue,
    /// A stream that was removed; the next start removes its files.
    Removed,
    /// A stream whose creation was not acknowledged; the next start removes its files.
    Nobody,
    /// Nothing says which stream it is of.
    #[default]
    Unknown,
}

/// Records of a log, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Messages, removed ones included.
    pub messages: u64,
    /// Removals, each of some ranges.
    pub removals: u64,
    /// Skips over sequences that hold nothing.
    pub skips: u64,
    /// Times at which messages are due.
    pub schedules: u64,
    /// Entries of replication progress.
    pub progress: u64,
    /// States, one at the start of each segment.
    pub states: u64,
    /// Configurations.
    pub configurations: u64,
    /// Places of messages that were left out when a segment was written again.
    pub voids: u64,
}

/// Figures of one log, or the sum of some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Identity of the log: the name of its directory below `logs`.
    pub log: String,
    /// What it is of.
    pub kind: LogKind,
    /// Name of its stream, where it has one.
    pub stream: Option<String>,
    /// Segment files.
    pub segments: u64,
    /// Bytes of the segment files.
    pub bytes: u64,
    /// Index files.
    pub indexes: u64,
    /// Bytes of the index files.
    pub index_bytes: u64,
    /// Bytes that messages take which are held. In a compressed frame a record counts for its share.
    pub live_bytes: u64,
    /// Bytes that messages take which were removed. What is neither live nor dead is headers and other records.
    pub dead_bytes: u64,
    /// Messages held.
    pub messages: u64,
    /// What the messages count for, by the formula that the stream's limits use.
    pub message_bytes: u64,
    /// Distinct subjects of the messages held.
    pub subjects: u64,
    /// First sequence held; 0 for none.
    pub first_sequence: u64,
    /// Highest sequence given out; 0 for none.
    pub last_sequence: u64,
    /// Frames that can be read.
    pub frames: u64,
    /// Groups that were appended together.
    pub groups: u64,
    /// Frames that are compressed.
    pub compressed_frames: u64,
    /// Bytes of the frames' bodies as stored.
    pub body_bytes: u64,
    /// The same, decompressed.
    pub record_bytes: u64,
    /// Records by kind; all 0 for the catalogue.
    pub records: RecordCounts,
}

impl LogFigures {
    /// Adds the sizes and counts of another log. Sequences are no sum, and stay.
    pub fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.indexes += other.indexes;
        self.index_bytes += other.index_bytes;
        self.live_bytes += other.live_bytes;
        self.dead_bytes += other.dead_bytes;
        self.messages += other.messages;
        self.message_bytes += other.message_bytes;
        self.subjects += other.subjects;
        self.frames += other.frames;
        self.groups += other.groups;
        self.compressed_frames += other.compressed_frames;
        self.body_bytes += other.body_bytes;
        self.record_bytes += other.record_bytes;
        self.records.messages += other.records.messages;
        self.records.removals += other.records.removals;
        self.records.skips += other.records.skips;
        self.records.schedules += other.records.schedules;
        self.records.progress += other.records.progress;
        self.records.states += other.records.states;
        self.records.configurations += other.records.configurations;
        self.records.voids += other.records.voids;
    }
}

/// Figures of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalFigures {
    /// Files.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Whole rounds in them, those that are not needed any more included.
    pub rounds: u64,
    /// Rounds that the next start reads.
    pub needed_rounds: u64,
    /// Bytes of those.
    pub needed_bytes: u64,
}
