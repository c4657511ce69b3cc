//! What the publisher of a fast batch is told, byte for byte as nats-server writes it.
//! Not here: when it is told (`flow`).

use super::super::ack;
use super::super::settings::Settings;
use crate::jetstream::errors::ApiError;
use bytes::Bytes;
use headwater_storage::{Appended, Timestamp};

/// An answer to the publisher of a fast batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Messages up to this one are stored; the next answer comes after that many more.
    Flow { sequence: u64, every: u16 },
    /// Messages from the expected one up to the found one are missing.
    Gap { expected: u64, found: u64 },
    /// This message is not stored.
    Failed { sequence: u64, error: ApiError },
    /// The batch is over: where its last message lies, and how many came.
    Over { sequence: u64, count: u64 },
    /// The batch was one message, which was there before.
    Duplicate { sequence: u64 },
    /// The batch is refused.
    Refused(ApiError),
}

impl Answer {
    /// Its payload.
    pub(super) fn payload(&self, settings: &Settings, batch: &[u8]) -> Bytes {
        let appended = |sequence, duplicate| Appended { sequence, duplicate, time: Timestamp(0) };
        let batch = || String::from_utf8_lossy(batch);
        let text = match self {
            Self::Flow { sequence, every } => {
                format!("{{\"type\":\"ack\",\"seq\":{sequence},\"msgs\":{every}}}")
            }
            Self::Gap { expected, found } => {
                format!("{{\"type\":\"gap\",\"last_seq\":{expected},\"seq\":{found}}}")
            }
            Self::Failed { sequence, error } => {
                let error = serde_json::to_string(error).unwrap_or_default();
                format!("{{\"type\":\"err\",\"seq\":{sequence},\"error\":{error}}}")
            }
            Self::Over { sequence, count } => {
                return ack::committed(settings, &appended(*sequence, false), &batch(), *count);
            }
            Self::Duplicate { sequence } => {
                return ack::committed(settings, &appended(*sequence, true), &batch(), 1);
            }
            Self::Refused(error) => return ack::refused(settings, error),
        };
        Bytes::from(text)
    }
}
