//! Every structure of the disk format as something to decode and encode again.
//!
//! Invariant: what was encoded decodes to what encodes to the same bytes.
//! Not here: files of them (`simulated_machine`).

use super::checksums;
use crate::{
    catalogue::{self, Change},
    format::{
        checkpoint::Checkpoint,
        checksum,
        fields::Field,
        frame::{FRAME_HEADER_BYTES, FrameHeader},
        journal_file::{self, JournalFileHeader},
        journal_round::{self, EntryHeader, ROUND_HEADER_BYTES, RoundHeader},
        segment_header::{self, SegmentHeader, SegmentId},
        segment_index::{self, SegmentIndex},
    },
    log::{FrameBody, LogId, Position, SegmentNumber},
    stream::{
        record::{Encoder, Record, Records},
        stored::{StateRecord, StoredConfig, decode, encode},
        summary::{Summary, Summing},
    },
};
use bytes::Bytes;

/// The segment that frames are decoded for.
pub(super) const SEGMENT: SegmentId = SegmentId { log: LogId(7), number: SegmentNumber(3) };
/// The volume that rounds are decoded for.
const VOLUME: u128 = 9;

/// A structure of the disk format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// Header of a segment file.
    SegmentHeader,
    /// Header and body of a frame.
    Frame,
    /// Header of a journal file.
    JournalFileHeader,
    /// Round of the journal with its entries.
    Round,
    /// Checkpoint.
    Checkpoint,
    /// Index of a sealed segment.
    SegmentIndex,
    /// The records of a frame: the number of records (a byte), then the records.
    Records,
    /// What opens every segment of a stream.
    State,
    /// A stream's configuration.
    Config,
    /// What a stream notes of a sealed segment.
    Summary,
    /// A change of the catalogue.
    CatalogueChange,
}

impl Structure {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::SegmentHeader,
        Self::Frame,
        Self::JournalFileHeader,
        Self::Round,
        Self::Checkpoint,
        Self::SegmentIndex,
        Self::Records,
        Self::State,
        Self::Config,
        Self::Summary,
        Self::CatalogueChange,
    ];

    /// Whether bytes that decode are the ones that the value encodes to, but for padding. The others have more than one form:
    /// a number in more bytes than it needs, a checkpoint whose logs are not in order.
    pub fn is_exact(self) -> bool {
        use Structure::{Frame, JournalFileHeader, SegmentHeader, SegmentIndex};
        matches!(self, SegmentHeader | Frame | JournalFileHeader | SegmentIndex)
    }

    /// Makes the checksums right, and what is reserved zero.
    pub fn seal(self, bytes: &mut [u8]) {
        match self {
            Self::SegmentHeader => {
                let flags = segment_header::FLAGS.u32(bytes) & segment_header::FLAG_REWRITTEN;
                set(segment_header::FLAGS, flags, bytes);
                set(segment_header::PADDING, 0, bytes);
                checksums::seal(segment_header::HEADER_CRC, 0, bytes);
            }
            Self::Frame => drop(checksums::seal_frame(SEGMENT.seed(), bytes)),
            Self::JournalFileHeader => {
                set(journal_file::RESERVED, 0, bytes);
                checksums::seal(journal_file::HEADER_CRC, 0, bytes);
            }
            Self::Round => checksums::seal_round(journal_round::seed(VOLUME), bytes),
            Self::Checkpoint => checksums::seal_checkpoint(bytes),
            Self::SegmentIndex => {
                set(segment_index::RESERVED, 0, bytes);
                checksums::seal_index(bytes);
            }
            Self::Records | Self::State | Self::Config | Self::Summary | Self::CatalogueChange => {}
        }
    }

    /// Decodes the bytes and encodes what was read; what is wrong with them otherwise.
    pub fn again(self, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::SegmentHeader => Ok(SegmentHeader::decode(bytes)?.encode().to_vec()),
            Self::Frame => frame(bytes),
            Self::JournalFileHeader => Ok(JournalFileHeader::decode(bytes)?.encode().to_vec()),
            Self::Round => round(bytes),
            Self::Checkpoint => Ok(Checkpoint::decode(bytes)?.encode()),
            Self::SegmentIndex => Ok(SegmentIndex::decode(Bytes::copy_from_slice(bytes))?.encode()),
            Self::Records => records(bytes),
            Self::State => Ok(StateRecord::decode(bytes, usize::MAX)?.encode()),
            Self::Config => {
                let stored = StoredConfig::decode(bytes, usize::MAX)?;
                let (incarnation, created) = (stored.incarnation(), stored.created());
                Ok(StoredConfig::new(&stored.config(), incarnation, created).encode())
            }
            Self::Summary => {
                let summary = Summary::decode(bytes)?;
                summary.messages()?;
                Ok(summary.encode())
            }
            Self::CatalogueChange => {
                let change: Change = decode(bytes, catalogue::ENTRY_BYTES_MAX)?;
                Ok(encode(&change))
            }
        }
    }
}

/// Sets a field of four bytes, where it is there.
fn set(field: Field, value: u32, bytes: &mut [u8]) {
    if bytes.len() >= field.end() {
        field.put(bytes, &value.to_le_bytes());
    }
}

fn frame(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let header = FrameHeader::decode(SEGMENT.seed(), bytes)?;
    let body = bytes.get(FRAME_HEADER_BYTES..).unwrap_or_default();
    let records = header.records(Bytes::copy_from_slice(body))?;
    assert_eq!(
        records.len(),
        header.records_bytes as usize,
        "a header says how long its records are"
    );
    Ok([&header.encode(SEGMENT.seed())[..], body].concat())
}

fn round(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let seed = journal_round::seed(VOLUME);
    let header = RoundHeader::decode(seed, bytes).ok_or("no round")?;
    let end = ROUND_HEADER_BYTES.saturating_add(header.body_bytes as usize);
    let body = bytes.get(ROUND_HEADER_BYTES..end).ok_or("round is cut short")?;
    if checksum(0, body) != header.body_crc {
        return Err("checksum of the round does not match");
    }
    let (mut rest, mut entries) = (body, Vec::new());
    for _ in 0..header.entries {
        let (entry, frame, behind) = EntryHeader::take(rest).ok_or("entry cannot be read")?;
        entries.extend_from_slice(&entry.encode());
        entries.extend_from_slice(frame);
        rest = behind;
    }
    let body_bytes = u32::try_from(entries.len()).map_err(|_| "round is too long")?;
    let header = RoundHeader { body_bytes, body_crc: checksum(0, &entries), ..header };
    Ok([&header.encode(seed)[..], &entries].concat())
}

/// The records of a frame. What was read is also sought by sequence, and summed up.
fn records(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (count, records) = bytes.split_first().ok_or("no count")?;
    let body = FrameBody {
        base_position: Position(0),
        base_sequence: 1,
        count: u32::from(*count),
        records: Bytes::copy_from_slice(records),
    };
    let (mut encoded, mut encoder, mut due, mut count) = (Vec::new(), Encoder::default(), 1, 0_u32);
    let mut sequences = Vec::new();
    for record in Records::of(&body) {
        encoder.begin(due);
        match record? {
            Record::Message(message) => {
                encoder.again(&message);
                sequences.push(message.sequence);
            }
            Record::Remove(ranges) => encoder.remove(&ranges),
            Record::Skip(through) => encoder.skip(through),
            Record::Progress(key, value) => encoder.progress(&key, &value),
            Record::State(state) => {
                encoder.state(&state);
                due = due.max(state.last_sequence + 1);
            }
            Record::Config(config) => encoder.config(&config),
            Record::Schedule(sequence, due) => encoder.schedule(sequence, due),
            Record::Void(records) => encoder.void(records),
        }
        due = due.max(encoder.due());
        count += encoder.count();
        encoded.extend_from_slice(encoder.bytes());
    }
    for sequence in sequences {
        let mut records = Records::of(&body);
        records.seek(sequence);
        let Some(Ok(Record::Message(found))) = records.next() else {
            panic!("message {sequence} is read, and is not found");
        };
        assert_eq!(found.sequence, sequence, "another message is found");
    }
    let mut summing = Summing::default();
    summing.frame(&body);
    if let Some(summary) = summing.finish() {
        let again = Summary::decode(&summary.encode());
        assert_eq!(again.as_ref(), Ok(&summary), "a summary comes back");
        assert!(summary.messages().is_ok(), "a summary has messages that fit it");
    }
    let count = u8::try_from(count).map_err(|_| "more records than the count can say")?;
    encoded.insert(0, count);
    Ok(encoded)
}
