//! One point of the sweep: the engine's settings and the load on them.
//! Not here: which points there are (`plan`), what came out (`load`).

use headwater_storage::stream::{Compression, SyncPolicy};
use headwater_storage::volume::DiskMethod;
use serde::{Serialize, Serializer};

/// Settings and load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Point {
    #[serde(serialize_with = "disk_text")]
    pub(super) disk: DiskMethod,
    /// Appends that are not acknowledged yet, at any time.
    pub(super) inflight: usize,
    pub(super) payload_bytes: usize,
    pub(super) segment_bytes: u64,
    #[serde(serialize_with = "sync_text")]
    pub(super) sync: SyncPolicy,
    #[serde(serialize_with = "compression_text")]
    pub(super) compression: Compression,
    pub(super) payload: Payload,
}

/// What the payloads are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Payload {
    /// Does not compress.
    Random,
    /// Lines of JSON with changing values.
    Text,
}

/// What a point differs in from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Axis {
    Disk,
    Inflight,
    MessageSize,
    SegmentSize,
    Sync,
    Compression,
}

impl Axis {
    pub(super) const ALL: [Self; 6] = [
        Self::Disk,
        Self::Inflight,
        Self::MessageSize,
        Self::SegmentSize,
        Self::Sync,
        Self::Compression,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk method",
            Self::Inflight => "appends in flight",
            Self::MessageSize => "message size",
            Self::SegmentSize => "segment size",
            Self::Sync => "sync policy",
            Self::Compression => "compression",
        }
    }

    /// For a reader who has not seen the code: what is changed, and who decides on it.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Disk => {
                "How the journal's synced writes are handed to the kernel: through an io_uring, or by the plain system call \
                 pwritev2. The configuration decides (key disk)."
            }
            Self::Inflight => {
                "How many appends wait for their acknowledgement at the same time. One synced write acknowledges everything \
                 that waits, so more in flight means more throughput and longer waits. The clients decide, not the \
                 configuration."
            }
            Self::MessageSize => {
                "Bytes of payload in a message. Small messages are bound by the work per message, large ones by the bytes the \
                 disk takes. The clients decide."
            }
            Self::SegmentSize => {
                "Size at which a stream's file is closed and the next one begun. Disk space of removed messages comes back by \
                 whole files, so smaller ones give it back sooner. The configuration decides (key segment_size)."
            }
            Self::Sync => {
                "When an append is acknowledged: once it is on stable storage (always), or once it is written, with a sync at \
                 an interval. With an interval a crash of the machine can take back what was acknowledged since the last \
                 sync. The configuration decides (key sync_interval)."
            }
            Self::Compression => {
                "LZ4 over each group of messages before it is written, with payloads that compress well (lines of JSON) and \
                 payloads that do not (random bytes). Each stream decides (compression s2 in its configuration)."
            }
        }
    }

    /// Where a point stands on this axis.
    pub(super) fn order(self, point: &Point) -> u128 {
        match self {
            Self::Disk => u128::from(point.disk == DiskMethod::Posix),
            Self::Inflight => point.inflight as u128,
            Self::MessageSize => point.payload_bytes as u128,
            Self::SegmentSize => u128::from(point.segment_bytes),
            Self::Sync => match point.sync {
                SyncPolicy::Always => 0,
                SyncPolicy::Interval(interval) => interval.as_nanos(),
            },
            Self::Compression => {
                let is_packed = point.compression == Compression::Lz4;
                u128::from(is_packed) * 2 + u128::from(point.payload == Payload::Text)
            }
        }
    }

    /// The value of a point on this axis, for people.
    pub(super) fn label(self, point: &Point) -> String {
        match self {
            Self::Disk => disk_name(point.disk).to_owned(),
            Self::Inflight => point.inflight.to_string(),
            Self::MessageSize => bytes_text(point.payload_bytes as u64),
            Self::SegmentSize => bytes_text(point.segment_bytes),
            Self::Sync => sync_name(point.sync),
            Self::Compression => {
                let payload = match point.payload {
                    Payload::Random => "random",
                    Payload::Text => "text",
                };
                format!("{}, {payload}", compression_name(point.compression))
            }
        }
    }
}

impl Point {
    /// What it differs in from another one, for people; "as the base" where it does not.
    pub(super) fn difference(&self, base: &Self) -> String {
        let differing: Vec<_> = Axis::ALL
            .iter()
            .filter(|axis| axis.label(self) != axis.label(base))
            .map(|axis| axis.with_label(self))
            .collect();
        if differing.is_empty() { "as the base".to_owned() } else { differing.join(", ") }
    }

    /// All of it, for people.
    pub(super) fn description(&self) -> String {
        Axis::ALL.map(|axis| axis.with_label(self)).join(", ")
    }
}

impl Axis {
    fn with_label(self, point: &Point) -> String {
        format!("{} {}", self.name(), self.label(point))
    }
}

/// As the configuration has it.
pub(super) fn disk_name(method: DiskMethod) -> &'static str {
    match method {
        DiskMethod::Auto => "auto",
        DiskMethod::Uring => "uring",
        DiskMethod::Posix => "posix",
    }
}

/// As the configuration has it.
pub(super) fn sync_name(sync: SyncPolicy) -> String {
    match sync {
        SyncPolicy::Always => "always".to_owned(),
        SyncPolicy::Interval(interval) if interval.subsec_nanos() == 0 => {
            format!("{}s", interval.as_secs())
        }
        SyncPolicy::Interval(interval) if interval.subsec_nanos().is_multiple_of(1_000_000) => {
            format!("{}ms", interval.as_millis())
        }
        SyncPolicy::Interval(interval) => format!("{}ns", interval.as_nanos()),
    }
}

fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
    }
}

/// A size in the largest unit that divides it.
pub(super) fn bytes_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

/// For serde.
pub(super) fn disk_text<S: Serializer>(disk: &DiskMethod, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(disk_name(*disk))
}

/// For serde.
pub(super) fn sync_text<S: Serializer>(sync: &SyncPolicy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&sync_name(*sync))
}

fn compression_text<S: Serializer>(compression: &Compression, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(compression_name(*compression))
}
