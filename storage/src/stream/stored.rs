//! Structures that are stored whole: a stream's configuration and the state that opens each of its segments.
//!
//! Invariants: the types here are the disk format (bincode, under a limit, after a version number), apart from the public
//! ones, which may change. A field is only ever added together with a new version.
//! Not here: messages and removals (`record`).

use super::{
    Incarnation,
    config::{Compression, DeleteMarker, Discard, Limits, StorageKind, StreamConfig, SyncPolicy},
};
use crate::Timestamp;
use bincode::{
    Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use std::time::Duration;

/// Version of the structures here.
const VERSION: u16 = 1;

/// A stream as the catalogue and its own log describe it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredConfig {
    incarnation: u128,
    created_ns: i64,
    name: String,
    messages_max: Option<u64>,
    bytes_max: Option<u64>,
    age_max_ns: Option<u64>,
    subject_messages_max: Option<u64>,
    message_bytes_max: Option<u32>,
    discard_new: bool,
    discard_new_per_subject: bool,
    dedup_window_ns: u64,
    lz4: bool,
    /// `None`: as the volume says; 0: always; otherwise the interval.
    sync_interval_ns: Option<u64>,
    first_sequence: u64,
    sealed: bool,
    deny_delete: bool,
    deny_purge: bool,
    options: Options,
    application: Vec<u8>,
}

/// Bits of the byte that options begin with.
const OPTION_ROLLUP: u8 = 1;
const OPTION_LIFETIMES: u8 = 2;

/// A byte, and what its bits say that follows it. Where there are no lifetimes it is what a flag for rollups was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    allow_rollup: bool,
    lifetimes: Option<Lifetimes>,
}

/// Settings on lifetimes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Lifetimes {
    is_on: bool,
    /// Headers of a delete marker, and its lifetime in nanoseconds.
    marker: Option<(Vec<u8>, u64)>,
}

impl Encode for Options {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let rollup = if self.allow_rollup { OPTION_ROLLUP } else { 0 };
        let lifetimes = if self.lifetimes.is_some() { OPTION_LIFETIMES } else { 0 };
        (rollup | lifetimes).encode(encoder)?;
        self.lifetimes.as_ref().map_or(Ok(()), |lifetimes| lifetimes.encode(encoder))
    }
}

impl<Context> Decode<Context> for Options {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let bits = u8::decode(decoder)?;
        if bits & !(OPTION_ROLLUP | OPTION_LIFETIMES) != 0 {
            return Err(DecodeError::Other("unknown options"));
        }
        let lifetimes = match bits & OPTION_LIFETIMES {
            0 => None,
            _ => Some(Lifetimes::decode(decoder)?),
        };
        Ok(Self { allow_rollup: bits & OPTION_ROLLUP != 0, lifetimes })
    }
}

impl<'de, Context> bincode::BorrowDecode<'de, Context> for Options {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl StoredConfig {
    /// Of a stream in files.
    pub(crate) fn new(config: &StreamConfig, incarnation: Incarnation, created: Timestamp) -> Self {
        Self {
            incarnation: incarnation.0,
            created_ns: created.0,
            name: config.name.clone(),
            messages_max: config.limits.messages,
            bytes_max: config.limits.bytes,
            age_max_ns: config.limits.age.map(nanoseconds),
            subject_messages_max: config.limits.messages_per_subject,
            message_bytes_max: config.limits.message_bytes,
            discard_new: config.discard == Discard::New,
            discard_new_per_subject: config.discard_new_per_subject,
            dedup_window_ns: nanoseconds(config.dedup_window),
            lz4: config.compression == Compression::Lz4,
            sync_interval_ns: config.sync.map(|sync| match sync {
                SyncPolicy::Always => 0,
                SyncPolicy::Interval(interval) => nanoseconds(interval).max(1),
            }),
            first_sequence: config.first_sequence,
            sealed: config.sealed,
            deny_delete: config.deny_delete,
            deny_purge: config.deny_purge,
            options: Options {
                allow_rollup: config.allow_rollup,
                lifetimes: (config.lifetimes || config.delete_marker.is_some()).then(|| {
                    Lifetimes {
                        is_on: config.lifetimes,
                        marker: config
                            .delete_marker
                            .as_ref()
                            .map(|marker| (marker.headers.clone(), nanoseconds(marker.lifetime))),
                    }
                }),
            },
            application: config.application.clone(),
        }
    }

    /// The public form.
    pub(crate) fn config(&self) -> StreamConfig {
        let lifetimes = self.options.lifetimes.as_ref();
        StreamConfig {
            name: self.name.clone(),
            storage: StorageKind::File,
            limits: Limits {
                messages: self.messages_max,
                bytes: self.bytes_max,
                age: self.age_max_ns.map(Duration::from_nanos),
                messages_per_subject: self.subject_messages_max,
                message_bytes: self.message_bytes_max,
            },
            discard: if self.discard_new { Discard::New } else { Discard::Old },
            discard_new_per_subject: self.discard_new_per_subject,
            dedup_window: Duration::from_nanos(self.dedup_window_ns),
            compression: if self.lz4 { Compression::Lz4 } else { Compression::None },
            sync: self.sync_interval_ns.map(|interval| match interval {
                0 => SyncPolicy::Always,
                interval => SyncPolicy::Interval(Duration::from_nanos(interval)),
            }),
            first_sequence: self.first_sequence,
            sealed: self.sealed,
            deny_delete: self.deny_delete,
            deny_purge: self.deny_purge,
            allow_rollup: self.options.allow_rollup,
            lifetimes: lifetimes.is_some_and(|lifetimes| lifetimes.is_on),
            delete_marker: lifetimes.and_then(|lifetimes| lifetimes.marker.as_ref()).map(
                |(headers, lifetime)| DeleteMarker {
                    headers: headers.clone(),
                    lifetime: Duration::from_nanos(*lifetime),
                },
            ),
            application: self.application.clone(),
        }
    }

    /// Which creation of the stream it is.
    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(self.incarnation)
    }

    /// When it was created.
    pub(crate) fn created(&self) -> Timestamp {
        Timestamp(self.created_ns)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// From bytes; what is wrong with them otherwise.
    pub(crate) fn decode(bytes: &[u8], bytes_max: usize) -> Result<Self, &'static str> {
        decode(bytes, bytes_max)
    }
}

/// What the records behind it do not tell: it opens every segment, so that the segments before it may go.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StateRecord {
    /// The stream, so that its log alone is enough to find it again.
    pub(crate) config: StoredConfig,
    /// Highest sequence given out.
    pub(crate) last_sequence: u64,
    /// Time of the message that had it, in nanoseconds since 1970.
    pub(crate) last_time_ns: Option<i64>,
    /// Progress entries.
    pub(crate) progress: Vec<(String, Vec<u8>)>,
}

impl StateRecord {
    /// As bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// From bytes; what is wrong with them otherwise.
    pub(crate) fn decode(bytes: &[u8], bytes_max: usize) -> Result<Self, &'static str> {
        let state: Self = decode(bytes, bytes_max)?;
        if state.last_sequence > crate::format::NUMBER_MAX {
            return Err("sequence out of range");
        }
        Ok(state)
    }
}

/// Version, then the structure.
#[expect(clippy::expect_used, reason = "a vector takes everything, and the types are plain data")]
pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    let mut bytes = VERSION.to_le_bytes().to_vec();
    bincode::encode_into_std_write(value, &mut bytes, bincode::config::standard())
        .expect("plain data is encoded into memory");
    bytes
}

/// The structure behind its version. `bytes_max` bounds what is read, whatever lengths the bytes claim.
pub(crate) fn decode<T: Decode<()>>(bytes: &[u8], bytes_max: usize) -> Result<T, &'static str> {
    let Some((version, rest)) = bytes.split_first_chunk::<2>() else {
        return Err("structure is cut short");
    };
    if u16::from_le_bytes(*version) != VERSION {
        return Err("structure is of another version");
    }
    if rest.len() > bytes_max {
        return Err("structure is too large");
    }
    match decode_bounded(rest) {
        Ok((value, read)) if read == rest.len() => Ok(value),
        Ok(_) => Err("structure has bytes behind its end"),
        Err(_) => Err("structure cannot be decoded"),
    }
}

/// Decodes under a bound of the memory that lengths in the bytes can claim, in proportion to the bytes. An item of a list takes
/// more in memory than on disk: an empty text 24 bytes for one.
fn decode_bounded<T: Decode<()>>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    fn within<const BYTES_MAX: usize, T: Decode<()>>(
        bytes: &[u8],
    ) -> Result<(T, usize), DecodeError> {
        let config = bincode::config::standard().with_limit::<BYTES_MAX>();
        bincode::decode_from_slice(bytes, config)
    }
    match bytes.len() {
        0..0x200 => within::<0x4000, T>(bytes),
        0x200..0x800 => within::<0x1_0000, T>(bytes),
        0x800..0x2000 => within::<0x4_0000, T>(bytes),
        0x2000..0x8000 => within::<0x10_0000, T>(bytes),
        0x8000..0x2_0000 => within::<0x40_0000, T>(bytes),
        0x2_0000..0x8_0000 => within::<0x100_0000, T>(bytes),
        0x8_0000..0x20_0000 => within::<0x400_0000, T>(bytes),
        _ => within::<0x1000_0000, T>(bytes),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists whose items take the most memory for their bytes, of every size, come back; a length that is not there is
    /// refused before anything is set aside for it.
    #[test]
    fn lists_claim_memory_in_proportion_to_their_bytes() {
        for items in [0, 1, 200, 700, 3000, 20_000, 100_000, 3_000_000] {
            let texts = vec![(String::new(), Vec::<u8>::new()); items];
            let bytes = encode(&texts);
            assert_eq!(decode::<Vec<(String, Vec<u8>)>>(&bytes, usize::MAX), Ok(texts), "{items}");
        }
        for claimed in [0x4001_u64, 12_000_000, u64::MAX] {
            let mut bytes = Vec::new();
            let config = bincode::config::standard();
            bincode::encode_into_std_write(claimed, &mut bytes, config).unwrap();
            let refused = decode_bounded::<Vec<u8>>(&bytes);
            assert!(matches!(refused, Err(DecodeError::LimitExceeded)), "{claimed}: {refused:?}");
        }
    }

    #[test]
    fn configurations_come_back() {
        let config = StreamConfig {
            name: "A/ORDERS".into(),
            limits: Limits {
                messages: Some(5),
                bytes: Some(1 << 40),
                age: Some(Duration::from_secs(3)),
                messages_per_subject: Some(1),
                message_bytes: Some(9),
            },
            discard: Discard::New,
            discard_new_per_subject: true,
            dedup_window: Duration::from_secs(120),
            compression: Compression::Lz4,
            sync: Some(SyncPolicy::Interval(Duration::from_millis(5))),
            first_sequence: 7,
            sealed: true,
            deny_delete: true,
            deny_purge: true,
            allow_rollup: true,
            lifetimes: true,
            delete_marker: Some(DeleteMarker {
                headers: b"h".to_vec(),
                lifetime: Duration::from_secs(9),
            }),
            application: vec![1, 2, 3],
            ..StreamConfig::default()
        };
        for config in [config, StreamConfig::default()] {
            let stored = StoredConfig::new(&config, Incarnation(5), Timestamp(-1));
            let state = StateRecord {
                config: stored,
                last_sequence: 9,
                last_time_ns: Some(3),
                progress: vec![("a".into(), vec![1])],
            };
            let bytes = state.encode();
            let back = StateRecord::decode(&bytes, bytes.len()).unwrap();
            assert_eq!(back, state);
            assert_eq!(back.config.config(), config);
            for len in 0..bytes.len() {
                assert!(StateRecord::decode(&bytes[..len], bytes.len()).is_err(), "{len}");
            }
        }
    }
}
