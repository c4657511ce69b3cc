//! `docs/DISK_FORMAT.md` against the constants and encoders: every row of every table, every byte of every dump.

use super::{
    checkpoint::{self, Checkpoint, JournalPlace, LogEnd},
    fields::Field,
    frame::{self, FLAG_LZ4, FrameHeader},
    journal_file::{self, JournalFileHeader},
    journal_round::{self, EntryHeader, RoundHeader},
    segment_header::{self, SegmentHeader, SegmentId},
    segment_index::{self, SegmentIndex},
};
use crate::{
    Timestamp,
    log::{LogId, Position, SegmentNumber},
    segment::FramePlace,
};
use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../docs/DISK_FORMAT.md");
const LOG: LogId = LogId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
const VOLUME: u128 = 0xf0e0_d0c0_b0a0_9080_7060_5040_3020_1000;

struct Structure {
    title: &'static str,
    fields: Vec<(&'static str, Field)>,
    bytes: Vec<u8>,
}

macro_rules! fields {
    ($module:ident: $($name:ident),+ $(,)?) => {
        vec![$((stringify!($name), $module::$name)),+]
    };
}

fn id() -> SegmentId {
    SegmentId { log: LOG, number: SegmentNumber(3) }
}

fn segment_header() -> SegmentHeader {
    SegmentHeader { id: id(), base_position: Position(100), base_sequence: 91, is_rewritten: false }
}

fn frame_header() -> FrameHeader {
    FrameHeader {
        body_bytes: 5,
        records_bytes: 5,
        count: 2,
        base_position: Position(100),
        base_sequence: 91,
        last_time: Timestamp(1_700_000_000_000_000_000),
        term: 0,
        flags: 0,
        groups: 1,
        body_crc: super::checksum(0, b"hello"),
    }
}

fn entry() -> EntryHeader {
    EntryHeader {
        segment: id(),
        offset: 64,
        end_position: Position(102),
        frame_bytes: 69,
        flags: 0,
    }
}

fn round_header() -> RoundHeader {
    RoundHeader {
        entries: 1,
        use_number: 0x1_0000_0002,
        round: 42,
        durable_through: 40,
        body_bytes: 117,
        body_crc: 0x1234_5678,
    }
}

fn file_header() -> JournalFileHeader {
    JournalFileHeader { number: 1, volume: VOLUME, file_bytes: 8 << 20 }
}

fn checkpoint() -> Checkpoint {
    let end = LogEnd { segment: SegmentNumber(3), offset: 133, position: Position(102) };
    Checkpoint {
        closed: true,
        volume: VOLUME,
        generation: 7,
        start: JournalPlace { file: 1, use_number: 0x1_0000_0002, offset: 8192, round: 43 },
        ends: BTreeMap::from([(LOG, end)]),
        firsts: BTreeMap::from([(LOG, SegmentNumber(1))]),
    }
}

fn index() -> SegmentIndex {
    SegmentIndex {
        id: id(),
        segment_bytes: 133,
        end_position: Position(102),
        last_time: Timestamp(1_700_000_000_000_000_000),
        last_frame_crc: 0xe585_fe05,
        frames: vec![FramePlace::new(Position(100), 91, 64, 69)],
        owner: bytes::Bytes::new(),
    }
}

fn structures() -> Vec<Structure> {
    let index = index().encode();
    let (index_head, index_frame) = index.split_at(segment_index::INDEX_HEADER_BYTES);
    let encoded = checkpoint().encode();
    let (head, log) = encoded.split_at(checkpoint::CHECKPOINT_HEADER_BYTES);
    let structure =
        |title, fields, bytes: &[u8]| Structure { title, fields, bytes: bytes.to_vec() };
    vec![
        structure(
            "Segment header",
            fields!(segment_header: MAGIC, VERSION, FLAGS, LOG, NUMBER, BASE_POSITION, BASE_SEQUENCE, HEADER_CRC, PADDING),
            &segment_header().encode(),
        ),
        structure(
            "Frame header",
            fields!(frame: MAGIC, BODY_BYTES, RECORDS_BYTES, COUNT, BASE_POSITION, BASE_SEQUENCE, LAST_TIME, TERM, FLAGS, GROUPS, BODY_CRC, HEADER_CRC),
            &frame_header().encode(id().seed()),
        ),
        structure(
            "Journal file header",
            fields!(journal_file: MAGIC, VERSION, NUMBER, VOLUME, FILE_BYTES, RESERVED, HEADER_CRC),
            &file_header().encode(),
        ),
        structure(
            "Round header",
            fields!(journal_round: MAGIC, ENTRIES, USE_NUMBER, ROUND, DURABLE_THROUGH, BODY_BYTES, BODY_CRC, RESERVED, HEADER_CRC),
            &round_header().encode(journal_round::seed(VOLUME)),
        ),
        structure(
            "Redo entry header",
            fields!(journal_round: ENTRY_LOG, ENTRY_SEGMENT, ENTRY_OFFSET, ENTRY_END_POSITION, ENTRY_FRAME_BYTES, ENTRY_FLAGS),
            &entry().encode(),
        ),
        structure(
            "Checkpoint header",
            fields!(checkpoint: MAGIC, VERSION, FLAGS, VOLUME, GENERATION, START_USE, START_ROUND, START_OFFSET, START_FILE, LOGS, BODY_CRC, HEADER_CRC),
            head,
        ),
        structure(
            "Checkpoint log entry",
            fields!(checkpoint: LOG_ID, LOG_SEGMENT, LOG_OFFSET, LOG_POSITION, LOG_FIRST),
            log,
        ),
        structure(
            "Segment index header",
            fields!(segment_index: MAGIC, VERSION, FRAMES, LOG, NUMBER, SEGMENT_BYTES, END_POSITION, LAST_TIME, OWNER_BYTES, LAST_FRAME_CRC, BODY_CRC, RESERVED, HEADER_CRC),
            index_head,
        ),
        structure(
            "Segment index frame",
            fields!(segment_index: FRAME_POSITION, FRAME_SEQUENCE, FRAME_OFFSET, FRAME_BYTES),
            index_frame,
        ),
    ]
}

/// The part of the page below a heading.
pub(crate) fn section(title: &str) -> &'static str {
    let start = PAGE
        .find(&format!("\n## {title}\n"))
        .unwrap_or_else(|| panic!("docs/DISK_FORMAT.md has no section {title}"));
    let rest = &PAGE[start + 1..];
    rest[1..].find("\n## ").map_or(rest, |end| &rest[..=end])
}

/// Rows of the table: offset, size, name.
pub(crate) fn rows(section: &str) -> Vec<(usize, usize, String)> {
    section
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [offset, size, name, ..] = cells[..] else { return None };
            Some((offset.parse().ok()?, size.parse().ok()?, name.trim_matches('`').to_owned()))
        })
        .collect()
}

fn dump(bytes: &[u8]) -> String {
    let line = |(at, bytes): (usize, &[u8])| {
        let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:02x}: {}\n", at * 16, digits.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

/// The dump in a section is what the encoder wrote.
pub(crate) fn check_dump(title: &str, bytes: &[u8]) {
    let section = section(title);
    let shown = section.split("```").nth(1).unwrap_or_default().trim_start_matches("text\n");
    let dump = dump(bytes);
    assert!(shown == dump, "{title}: the page shows\n{shown}instead of\n{dump}");
}

/// Same for a structure whose fields have no fixed places: its table gives places and sizes in the dump, without a gap.
/// Gives the names of the fields.
pub(crate) fn check_example(title: &str, bytes: &[u8]) -> Vec<String> {
    let mut end = 0;
    let mut names = Vec::new();
    for (offset, size, name) in rows(section(title)) {
        assert_eq!(offset, end, "{title}: place of {name}");
        end += size;
        names.push(name);
    }
    assert_eq!(end, bytes.len(), "{title}: the table does not end where the dump does");
    check_dump(title, bytes);
    names
}

#[test]
fn the_page_shows_the_fields_and_bytes_that_are_written() {
    for structure in structures() {
        let section = section(structure.title);
        let rows = rows(section);
        let fields: Vec<_> = structure
            .fields
            .iter()
            .map(|(name, field)| (field.offset, field.size, (*name).to_owned()))
            .collect();
        assert_eq!(rows, fields, "table of {}", structure.title);
        let end = structure.fields.last().unwrap().1.end();
        assert_eq!(end, structure.bytes.len(), "fields of {} leave a gap", structure.title);
        check_dump(structure.title, &structure.bytes);
    }
}

#[test]
fn what_is_written_is_read_and_every_changed_byte_is_noticed() {
    let (seed, round_seed) = (id().seed(), journal_round::seed(VOLUME));
    assert_eq!(SegmentHeader::decode(&segment_header().encode()), Ok(segment_header()));
    assert_eq!(FrameHeader::decode(seed, &frame_header().encode(seed)), Ok(frame_header()));
    assert_eq!(JournalFileHeader::decode(&file_header().encode()), Ok(file_header()));
    assert_eq!(
        RoundHeader::decode(round_seed, &round_header().encode(round_seed)),
        Some(round_header())
    );
    assert_eq!(
        Checkpoint::decode(&checkpoint().encode()),
        Ok(Checkpoint { generation: 7, ..checkpoint() })
    );
    let body = [entry().encode().as_slice(), &[7; 69], b"rest"].concat();
    assert_eq!(EntryHeader::take(&body), Some((entry(), &[7; 69][..], &b"rest"[..])));

    type Reads = Box<dyn Fn(&[u8]) -> bool>;
    let readers: Vec<(Vec<u8>, Reads)> = vec![
        (
            segment_header().encode()[..60].to_vec(),
            Box::new(|bytes| SegmentHeader::decode(&[bytes, &[0; 4]].concat()).is_ok()),
        ),
        (
            frame_header().encode(seed).to_vec(),
            Box::new(move |bytes| FrameHeader::decode(seed, bytes).is_ok()),
        ),
        (
            file_header().encode().to_vec(),
            Box::new(|bytes| JournalFileHeader::decode(bytes).is_ok()),
        ),
        (
            round_header().encode(round_seed).to_vec(),
            Box::new(move |bytes| RoundHeader::decode(round_seed, bytes).is_some()),
        ),
        (checkpoint().encode(), Box::new(|bytes| Checkpoint::decode(bytes).is_ok())),
    ];
    for (bytes, reads) in readers {
        assert!(reads(&bytes));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(!reads(&changed), "byte {at} of {bytes:?}");
            assert!(!reads(&bytes[..at]), "cut to {at} of {bytes:?}");
        }
    }
}

#[test]
fn a_frame_is_valid_in_its_own_segment_only() {
    let bytes = frame_header().encode(id().seed());
    let others = [
        SegmentId { number: SegmentNumber(4), ..id() },
        SegmentId { log: LogId(LOG.0 ^ 1), ..id() },
    ];
    for other in others {
        assert!(FrameHeader::decode(other.seed(), &bytes).is_err(), "{other:?}");
    }
}

#[test]
fn impossible_values_are_refused_though_the_checksum_is_right() {
    let seed = id().seed();
    let good = frame_header();
    let huge = u32::MAX;
    for header in [
        FrameHeader { body_bytes: 6, ..good },
        FrameHeader { records_bytes: huge, body_bytes: huge, ..good },
        FrameHeader { records_bytes: huge, flags: FLAG_LZ4, ..good },
        FrameHeader { flags: 2, ..good },
        FrameHeader { count: 0, ..good },
        FrameHeader { base_position: Position(u64::MAX), ..good },
        FrameHeader { base_sequence: u64::MAX, ..good },
    ] {
        assert!(FrameHeader::decode(seed, &header.encode(seed)).is_err(), "{header:?}");
    }
    let place = JournalPlace { use_number: u64::MAX, ..checkpoint().start };
    let checkpoint = Checkpoint { start: place, ..checkpoint() };
    assert!(Checkpoint::decode(&checkpoint.encode()).is_err(), "use number");
    let round = RoundHeader { use_number: u64::MAX, ..round_header() };
    assert_eq!(RoundHeader::decode(9, &round.encode(9)), None);
    let entry = EntryHeader { offset: u64::MAX, ..entry() };
    assert!(EntryHeader::take(&[entry.encode().as_slice(), &[7; 69]].concat()).is_none());
    let lz4 = FrameHeader { records_bytes: 900, flags: FLAG_LZ4, ..good };
    assert!(lz4.records(bytes::Bytes::from_static(b"hello")).is_err(), "no LZ4");
    assert!(good.records(bytes::Bytes::from_static(b"hellp")).is_err(), "checksum");
    assert!(good.records(bytes::Bytes::from_static(b"hell")).is_err(), "length");
    assert_eq!(good.records(bytes::Bytes::from_static(b"hello")).unwrap(), "hello");
}
