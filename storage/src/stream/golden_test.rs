//! Records of a stream, the structures stored whole in them, and the summary of a segment, as `docs/DISK_FORMAT.md` shows
//! them: every dump is what the encoders write and what the readers take, every table covers its dump.
//! Not here: structures with fixed fields (`format`), the catalogue.

use super::{
    Compression, Incarnation, Limits, StreamConfig, SyncPolicy,
    fate::Fate,
    record::{
        Encoder, KIND_CONFIG, KIND_MESSAGE, KIND_PROGRESS, KIND_REMOVE, KIND_SCHEDULE, KIND_SKIP,
        KIND_STATE, KIND_TIMED, KIND_VOID, Ranges, Record, Records, StoredMessage,
    },
    stored::{StateRecord, StoredConfig},
    summary::{Summary, Summing},
};
use crate::{
    Timestamp,
    format::golden_test::{check_example, section},
    log::{FrameBody, Position},
};
use bytes::Bytes;
use std::{fmt::Debug, time::Duration};

const TIME: Timestamp = Timestamp(1_700_000_000_000_000_000);
/// The sequence that is due at the head of the frame of the examples.
const DUE: u64 = 992;

/// The configuration of the examples, the catalogue's as well.
pub(crate) fn config() -> StoredConfig {
    let limits = Limits {
        messages: Some(1000),
        age: Some(Duration::from_secs(3600)),
        message_bytes: Some(65_536),
        ..Limits::default()
    };
    let config = StreamConfig {
        name: "ORDERS".into(),
        limits,
        dedup_window: Duration::from_secs(120),
        compression: Compression::Lz4,
        sync: Some(SyncPolicy::Always),
        first_sequence: 1,
        allow_rollup: true,
        application: b"{}".to_vec(),
        ..StreamConfig::default()
    };
    StoredConfig::new(&config, Incarnation(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff), TIME)
}

fn state() -> StateRecord {
    StateRecord {
        config: config(),
        last_sequence: DUE - 1,
        last_time_ns: Some(TIME.0),
        progress: vec![("mirror".into(), vec![7, 8])],
    }
}

fn message() -> StoredMessage {
    StoredMessage {
        sequence: 994,
        time: TIME,
        subject: Bytes::from_static(b"ORDERS.new"),
        message_id: Bytes::from_static(b"o-17"),
        headers: Bytes::new(),
        payload: Bytes::from_static(b"hello"),
        fate: Fate::default(),
    }
}

/// The same with a lifetime of ten seconds.
fn timed() -> StoredMessage {
    StoredMessage {
        fate: Fate { expires: TIME.0 + 10_000_000_000, is_marker: true, ..Fate::default() },
        ..message()
    }
}

fn ranges() -> Ranges {
    Ranges::from_slice(&[(5, 5), (9, 309)])
}

/// A record by itself, at the head of a frame.
fn encode(record: &Record) -> Encoder {
    let mut encoder = Encoder::default();
    encoder.begin(DUE);
    match record {
        Record::Message(message) => encoder.again(message),
        Record::Remove(ranges) => encoder.remove(ranges),
        Record::Skip(through) => encoder.skip(*through),
        Record::Progress(key, value) => encoder.progress(key, value),
        Record::State(state) => encoder.state(state),
        Record::Config(config) => encoder.config(config),
        Record::Schedule(sequence, due) => encoder.schedule(*sequence, *due),
        Record::Void(records) => encoder.void(*records),
    }
    encoder
}

fn frame(encoder: &Encoder) -> FrameBody {
    let records = Bytes::copy_from_slice(encoder.bytes());
    FrameBody { base_position: Position(0), base_sequence: DUE, count: encoder.count(), records }
}

/// Names of the fields of a structure, in order.
fn fields_of(value: &impl Debug) -> Vec<String> {
    let text = format!("{value:#?}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    let fields =
        lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once(':'));
    fields.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_page_shows_the_records_that_are_written() {
    let examples = [
        ("Message record", KIND_MESSAGE, Record::Message(message())),
        ("Remove record", KIND_REMOVE, Record::Remove(ranges())),
        ("Skip record", KIND_SKIP, Record::Skip(1500)),
        ("Progress record", KIND_PROGRESS, Record::Progress("mirror".into(), vec![7, 8])),
        ("State record", KIND_STATE, Record::State(Box::new(state()))),
        ("Configuration record", KIND_CONFIG, Record::Config(Box::new(config()))),
        ("Void record", KIND_VOID, Record::Void(3)),
        ("Schedule record", KIND_SCHEDULE, Record::Schedule(994, TIME.0)),
        ("Timed message record", KIND_TIMED, Record::Message(timed())),
    ];
    let kinds = section("Stream records");
    for (title, kind, record) in examples {
        assert!(kinds.contains(&format!("\n| {kind} | {title} |")), "{kind} in the table of kinds");
        let encoder = encode(&record);
        let names = check_example(title, encoder.bytes());
        let stored = match &record {
            Record::State(state) => fields_of(state.as_ref()),
            Record::Config(config) => fields_of(config.as_ref()),
            _ => names[2..].to_vec(),
        };
        let named = names[names.len() - stored.len()..].to_vec();
        assert_eq!(named, stored, "fields of {title}");
        let found: Vec<_> = Records::of(&frame(&encoder)).map(Result::unwrap).collect();
        assert_eq!(format!("{found:?}"), format!("{:?}", [record]), "{title} is read");
    }
}

#[test]
fn the_page_shows_the_summary_that_is_written() {
    let mut encoder = Encoder::default();
    encoder.begin(DUE);
    encoder.state(&state());
    encoder.again(&message());
    encoder.remove(&ranges());
    let mut summing = Summing::default();
    summing.frame(&frame(&encoder));
    let summary = summing.finish().unwrap();
    let bytes = summary.encode();
    let names = check_example("Segment summary", &bytes);
    assert_eq!(names[1..], fields_of(&summary));
    assert_eq!(Summary::decode(&bytes), Ok(summary));
}
