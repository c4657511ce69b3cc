//! What of a configuration the engine is told.
//! Not here: verdicts.

use super::{Compression, Discard, Storage, StreamConfig};
use headwater_storage::stream::{
    Compression as EngineCompression, DeleteMarker, Discard as EngineDiscard, Limits, StorageKind,
    StreamConfig as EngineConfig,
};
use std::time::Duration;

fn limit(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|number| *number > 0)
}

fn nanoseconds(number: i64) -> Duration {
    Duration::from_nanos(u64::try_from(number).unwrap_or(0))
}

/// What takes the place of a subject's last message, for so long. The lifetime is in whole seconds.
fn marker(lifetime: i64) -> DeleteMarker {
    let seconds = lifetime / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let text = match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{}s", seconds % 60),
        _ => format!("{hours}h{minutes}m{}s", seconds % 60),
    };
    let headers = format!(
        "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: {text}\r\nNats-Rollup: sub\r\n\r\n"
    );
    DeleteMarker { headers: headers.into_bytes(), lifetime: nanoseconds(seconds * 1_000_000_000) }
}

impl StreamConfig {
    /// The engine's configuration of this stream, under the name it has there. The whole configuration goes along.
    pub fn engine(&self, name: String) -> EngineConfig {
        EngineConfig {
            name,
            storage: match self.storage {
                Storage::File => StorageKind::File,
                Storage::Memory => StorageKind::Memory,
            },
            limits: Limits {
                messages: limit(self.max_msgs),
                bytes: limit(self.max_bytes),
                age: (self.max_age > 0).then(|| nanoseconds(self.max_age)),
                messages_per_subject: limit(self.max_msgs_per_subject),
                message_bytes: limit(i64::from(self.max_msg_size))
                    .and_then(|bytes| u32::try_from(bytes).ok()),
            },
            discard: match self.discard {
                Discard::Old => EngineDiscard::Old,
                Discard::New => EngineDiscard::New,
            },
            discard_new_per_subject: self.discard_new_per_subject,
            dedup_window: nanoseconds(self.duplicate_window),
            compression: match self.compression {
                Compression::None => EngineCompression::None,
                Compression::S2 => EngineCompression::Lz4,
            },
            sync: None,
            first_sequence: self.first_seq,
            sealed: self.sealed,
            deny_delete: self.deny_delete,
            deny_purge: self.deny_purge,
            allow_rollup: self.allow_rollup_hdrs,
            lifetimes: self.allow_msg_ttl,
            delete_marker: (self.subject_delete_marker_ttl > 0)
                .then(|| marker(self.subject_delete_marker_ttl)),
            application: serde_json::to_vec(self).unwrap_or_default(),
        }
    }
}
