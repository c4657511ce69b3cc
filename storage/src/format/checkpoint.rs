//! The checkpoint: where the journal starts, and how far every log is durable in its segments.
//!
//! Invariants: two files are written in turn, so that one of them is whole at any time; the one with the higher
//! generation counts.
//! Not here: when a checkpoint is made (`journal::checkpoint`).

use super::{FORMAT_VERSION, NUMBER_MAX, OFFSET_MAX, checksum, fields::Field};
use crate::log::{LogId, Position, SegmentNumber};
use std::collections::BTreeMap;

const MAGIC_VALUE: [u8; 8] = *b"HWCHECKP";
/// The volume was closed, with all of its logs opened: nothing is in the journal.
pub(crate) const FLAG_CLOSED: u32 = 1;
/// Bound of the number of logs in a checkpoint, so that a damaged count cannot ask for much memory.
pub(crate) const CHECKPOINT_LOGS_MAX: usize = 4_000_000;

pub(crate) const MAGIC: Field = Field::first(8);
pub(crate) const VERSION: Field = MAGIC.then(4);
pub(crate) const FLAGS: Field = VERSION.then(4);
pub(crate) const VOLUME: Field = FLAGS.then(16);
pub(crate) const GENERATION: Field = VOLUME.then(8);
pub(crate) const START_USE: Field = GENERATION.then(8);
pub(crate) const START_ROUND: Field = START_USE.then(8);
pub(crate) const START_OFFSET: Field = START_ROUND.then(8);
pub(crate) const START_FILE: Field = START_OFFSET.then(4);
pub(crate) const LOGS: Field = START_FILE.then(4);
pub(crate) const BODY_CRC: Field = LOGS.then(4);
pub(crate) const HEADER_CRC: Field = BODY_CRC.then(4);
/// Size of the checkpoint's header; the logs follow.
pub(crate) const CHECKPOINT_HEADER_BYTES: usize = HEADER_CRC.end();

pub(crate) const LOG_ID: Field = Field::first(16);
pub(crate) const LOG_SEGMENT: Field = LOG_ID.then(8);
pub(crate) const LOG_OFFSET: Field = LOG_SEGMENT.then(8);
pub(crate) const LOG_POSITION: Field = LOG_OFFSET.then(8);
pub(crate) const LOG_FIRST: Field = LOG_POSITION.then(8);
/// Size of the entry of a log.
pub(crate) const CHECKPOINT_LOG_BYTES: usize = LOG_FIRST.end();

const _: () = assert!(CHECKPOINT_HEADER_BYTES == 80 && CHECKPOINT_LOG_BYTES == 48);

/// A place in the journal: the round that is, or will be, there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalPlace {
    /// Number of the file.
    pub(crate) file: u32,
    /// Which use of it.
    pub(crate) use_number: u64,
    /// Offset in it.
    pub(crate) offset: u64,
    /// Number of the round.
    pub(crate) round: u64,
}

/// How far a log is durable: everything below is on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogEnd {
    /// The segment.
    pub(crate) segment: SegmentNumber,
    /// Offset in its file.
    pub(crate) offset: u64,
    /// Position of the record that comes next.
    pub(crate) position: Position,
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) closed: bool,
    pub(crate) volume: u128,
    pub(crate) generation: u64,
    pub(crate) start: JournalPlace,
    pub(crate) ends: BTreeMap<LogId, LogEnd>,
    /// The first segment of each log that was not given up: one above it that is missing is damage.
    pub(crate) firsts: BTreeMap<LogId, SegmentNumber>,
}

impl Checkpoint {
    /// The checkpoint's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; CHECKPOINT_HEADER_BYTES];
        for (id, end) in &self.ends {
            let mut entry = [0; CHECKPOINT_LOG_BYTES];
            LOG_ID.put(&mut entry, &id.0.to_le_bytes());
            LOG_SEGMENT.put(&mut entry, &end.segment.0.to_le_bytes());
            LOG_OFFSET.put(&mut entry, &end.offset.to_le_bytes());
            LOG_POSITION.put(&mut entry, &end.position.0.to_le_bytes());
            let first = self.firsts.get(id).map_or(end.segment.0, |first| first.0);
            LOG_FIRST.put(&mut entry, &first.to_le_bytes());
            bytes.extend_from_slice(&entry);
        }
        let body_crc = checksum(0, bytes.get(CHECKPOINT_HEADER_BYTES..).unwrap_or_default());
        let flags = if self.closed { FLAG_CLOSED } else { 0 };
        let logs = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        MAGIC.put(&mut bytes, &MAGIC_VALUE);
        VERSION.put(&mut bytes, &FORMAT_VERSION.to_le_bytes());
        FLAGS.put(&mut bytes, &flags.to_le_bytes());
        VOLUME.put(&mut bytes, &self.volume.to_le_bytes());
        GENERATION.put(&mut bytes, &self.generation.to_le_bytes());
        START_USE.put(&mut bytes, &self.start.use_number.to_le_bytes());
        START_ROUND.put(&mut bytes, &self.start.round.to_le_bytes());
        START_OFFSET.put(&mut bytes, &self.start.offset.to_le_bytes());
        START_FILE.put(&mut bytes, &self.start.file.to_le_bytes());
        LOGS.put(&mut bytes, &logs.to_le_bytes());
        BODY_CRC.put(&mut bytes, &body_crc.to_le_bytes());
        let crc = checksum(0, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        HEADER_CRC.put(&mut bytes, &crc.to_le_bytes());
        bytes
    }

    /// How long the whole checkpoint is, from its first bytes; what is wrong with them otherwise.
    pub(crate) fn encoded_bytes(bytes: &[u8]) -> Result<usize, &'static str> {
        let Some(bytes) = bytes.get(..CHECKPOINT_HEADER_BYTES) else {
            return Err("checkpoint is cut short");
        };
        if MAGIC.bytes(bytes) != MAGIC_VALUE {
            return Err("checkpoint has another magic number");
        }
        let crc = checksum(0, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        if HEADER_CRC.u32(bytes) != crc {
            return Err("checksum of the checkpoint's header does not match");
        }
        if VERSION.u32(bytes) != FORMAT_VERSION {
            return Err("checkpoint is of another format version");
        }
        let logs = LOGS.u32(bytes) as usize;
        if logs > CHECKPOINT_LOGS_MAX {
            return Err("checkpoint has impossible values");
        }
        Ok(CHECKPOINT_HEADER_BYTES + logs * CHECKPOINT_LOG_BYTES)
    }

    /// Reads a checkpoint; what is wrong with it otherwise.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let len = Self::encoded_bytes(bytes)?;
        let Some(body) = bytes.get(CHECKPOINT_HEADER_BYTES..len) else {
            return Err("checkpoint is cut short");
        };
        if BODY_CRC.u32(bytes) != checksum(0, body) {
            return Err("checksum of the checkpoint's logs does not match");
        }
        let numbers = [GENERATION, START_USE, START_ROUND].map(|field| field.u64(bytes));
        let places = body.chunks_exact(CHECKPOINT_LOG_BYTES).all(|entry| {
            LOG_OFFSET.u64(entry) <= OFFSET_MAX
                && LOG_POSITION.u64(entry).max(LOG_SEGMENT.u64(entry)) <= NUMBER_MAX
        });
        let start = START_OFFSET.u64(bytes) <= OFFSET_MAX;
        if !places || !start || numbers.iter().any(|number| *number > NUMBER_MAX) {
            return Err("checkpoint has impossible values");
        }
        let firsts = body
            .chunks_exact(CHECKPOINT_LOG_BYTES)
            .map(|entry| (LogId(LOG_ID.u128(entry)), SegmentNumber(LOG_FIRST.u64(entry))))
            .collect();
        let ends = body
            .chunks_exact(CHECKPOINT_LOG_BYTES)
            .map(|entry| {
                let end = LogEnd {
                    segment: SegmentNumber(LOG_SEGMENT.u64(entry)),
                    offset: LOG_OFFSET.u64(entry),
                    position: Position(LOG_POSITION.u64(entry)),
                };
                (LogId(LOG_ID.u128(entry)), end)
            })
            .collect();
        Ok(Self {
            closed: FLAGS.u32(bytes) & FLAG_CLOSED != 0,
            volume: VOLUME.u128(bytes),
            generation: GENERATION.u64(bytes),
            start: JournalPlace {
                file: START_FILE.u32(bytes),
                use_number: START_USE.u64(bytes),
                offset: START_OFFSET.u64(bytes),
                round: START_ROUND.u64(bytes),
            },
            ends,
            firsts,
        })
    }
}
