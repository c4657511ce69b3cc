//! Records are read as they were written, and any bytes give records or an error.
//! Not here: the page that shows them (`golden_test`).

use super::{
    fate::Fate,
    record::{Encoder, Record, Records, number, number_len, read_number},
};
use crate::log::Position;
use crate::{Timestamp, log::FrameBody};
use bytes::Bytes;
use proptest::prelude::*;

fn frame(encoder: &Encoder, base_sequence: u64) -> FrameBody {
    FrameBody {
        base_position: Position(0),
        base_sequence,
        count: encoder.count(),
        records: Bytes::copy_from_slice(encoder.bytes()),
    }
}

#[test]
fn records_come_back() {
    let mut encoder = Encoder::default();
    encoder.begin(7);
    encoder.message(7, Timestamp(-5), Fate::default(), [b"a.b", b"", b"", b"payload"]);
    encoder.skip(300);
    let fate = Fate { expires: 77, is_marker: true, due: 99 };
    encoder.message(400, Timestamp(9), fate, [b"c", b"id", b"NATS/1.0\r\n\r\n", b""]);
    encoder.remove(&[(7, 7), (9, 300)]);
    encoder.progress("key", b"value");
    encoder.schedule(400, 5);
    encoder.void(9);
    assert_eq!(encoder.count(), 15);
    let records: Vec<_> = Records::of(&frame(&encoder, 7)).map(Result::unwrap).collect();
    let [
        Record::Message(one),
        Record::Skip(300),
        Record::Message(two),
        Record::Remove(ranges),
        Record::Progress(key, value),
        Record::Schedule(400, 5),
        Record::Void(9),
    ] = &records[..]
    else {
        panic!("{records:?}");
    };
    assert_eq!((one.sequence, one.time, &one.payload[..]), (7, Timestamp(-5), &b"payload"[..]));
    assert_eq!((two.sequence, &two.message_id[..], two.payload.len()), (400, &b"id"[..], 0));
    assert_eq!((one.fate, two.fate), (Fate::default(), fate));
    assert_eq!(&ranges[..], [(7, 7), (9, 300)]);
    assert_eq!((key.as_str(), &value[..]), ("key", &b"value"[..]));
    for (sought, expected) in [(1, 7), (7, 7), (8, 400), (400, 400)] {
        let mut records = Records::of(&frame(&encoder, 7));
        assert_eq!(records.seek(sought), sought == expected);
        let Some(Ok(Record::Message(found))) = records.next() else { panic!("{sought}") };
        assert_eq!(found.sequence, expected);
    }
    let mut records = Records::of(&frame(&encoder, 7));
    assert!(!records.seek(401));
    assert!(records.next().is_none());
}

proptest! {
    #[test]
    fn any_bytes_give_records_or_an_error(bytes: Vec<u8>, count in 1_u32..9) {
        let body = FrameBody {
            base_position: Position(0), base_sequence: 1, count, records: bytes.into(),
        };
        let _ = Records::of(&body).count();
        let mut records = Records::of(&body);
        records.seek(5);
        let _ = records.count();
    }

    #[test]
    fn numbers_come_back(value: u64) {
        let mut bytes = Vec::new();
        number(&mut bytes, value);
        prop_assert_eq!(bytes.len(), number_len(value));
        prop_assert_eq!(read_number(&bytes), Some((value, bytes.len())));
    }
}
