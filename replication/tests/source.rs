//! What a source decides, as tables: no origin, no target, no clock.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{facts, identity, message, source_of, transform};
use headwater_replication::{
    SourceConfig,
    identity::OriginIdentity,
    origin::Start,
    plugin::{Actions, Event, Plugin, Situation},
    progress::Progress,
    source::Source,
    target::TargetFacts,
};
use headwater_storage::{Timestamp, stream::Item};

fn stored(identity: OriginIdentity, sequence: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Progress { identity, sequence }.encode(&mut bytes);
    bytes
}

#[test]
fn where_reading_begins() {
    let plain = source_of("O");
    let at_sequence = SourceConfig { start_sequence: Some(50), ..plain.clone() };
    let at_time = SourceConfig { start_time: Some(Timestamp(7)), ..plain.clone() };
    let both = SourceConfig { start_time: Some(Timestamp(7)), ..at_sequence.clone() };
    let target = |first_sequence, time| TargetFacts {
        messages: 5,
        first_sequence,
        last_sequence: first_sequence + 4,
        last_time: Some(Timestamp(time)),
        ..TargetFacts::default()
    };
    let (never, fresh, trimmed) = (TargetFacts::default(), target(1, 99), target(2, 99));
    let known = Some(stored(identity(1), 20));
    let elsewhere = Some(stored(identity(2), 20));
    let no_incarnation = OriginIdentity { incarnation: None, hash: "00000001".into() };
    let by_hash = Some(stored(no_incarnation.clone(), 200));
    let (sequence, time) = (Start::Sequence, |ns| Start::Time(Timestamp(ns)));
    for (config, target, progress, expected) in [
        (&plain, &never, None, sequence(1)),
        (&plain, &fresh, None, sequence(1)),
        (&plain, &trimmed, None, time(99)),
        (&at_sequence, &trimmed, None, sequence(50)),
        (&at_time, &never, None, time(7)),
        (&at_time, &fresh, None, time(99)),
        (&at_time, &target(1, 3), None, time(7)),
        (&both, &trimmed, None, sequence(50)),
        (&both, &trimmed, known.clone(), sequence(21)),
        (&plain, &never, known.clone(), sequence(21)),
        (&plain, &trimmed, elsewhere.clone(), sequence(1)),
        (&at_sequence, &trimmed, elsewhere.clone(), sequence(50)),
        (&at_time, &trimmed, elsewhere, time(7)),
        // The origin ends at 100: this creation of it lost what it had given out.
        (&plain, &fresh, Some(stored(identity(1), 200)), sequence(101)),
        // Same, but nothing proves that it is the same creation.
        (&plain, &trimmed, by_hash, sequence(1)),
    ] {
        let mut source = Source::new(config.clone()).expect("config");
        let origin = facts(1, 1, 100);
        let situation = Situation { target, origin: &origin, progress: progress.as_deref() };
        let request = source.attach(&situation).expect("attaches");
        assert_eq!(request.start, expected, "{config:?} {target:?} {progress:?}");
    }
}

#[test]
fn the_position_is_found_in_the_newest_copy() {
    let header = |value: &str| format!("NATS/1.0\r\nNats-Stream-Source: {value}\r\n\r\n");
    for (headers, found, start) in [
        (header("O 20 > > o.a 00000001"), true, 21),
        (header("O 20 > > o.a"), true, 21),
        (header("O 20"), true, 21),
        (header("O 20 > > o.a 00000002"), true, 1),
        (header("O 200 > > o.a"), true, 1),
        (header("P 20 > > o.a 00000001"), false, 1),
        (header("O 20 o.* > o.a 00000001"), false, 1),
        (header("nonsense"), false, 1),
        (String::new(), false, 1),
    ] {
        let mut source = Source::new(source_of("O")).expect("config");
        assert!(source.search(None) && !source.search(Some(&[1])));
        assert_eq!(source.found(&message(7, "o.a", &headers)), found, "{headers}");
        let (target, origin) = (TargetFacts::default(), facts(1, 1, 100));
        let situation = Situation { target: &target, origin: &origin, progress: None };
        let request = source.attach(&situation).expect("attaches");
        assert_eq!(request.start, Start::Sequence(start), "{headers}");
    }
}

#[test]
fn what_becomes_of_messages() {
    let plain = source_of("O");
    let transforms = vec![transform("o.*", "p.$1")];
    let mapped = SourceConfig { transforms, ..plain.clone() };
    let filter = Some("o.*".to_owned());
    let stream_transform = Some(transform("o.*", "s.$1"));
    let filtered = SourceConfig { filter, stream_transform, ..plain.clone() };
    const OLD: &str = "NATS/1.0\r\nA: b\r\nNats-Expected-Last-Sequence: 4\r\nNats-Batch-Id: x\r\n\
                       Nats-Msg-Id: id7\r\nNats-Stream-Source: X 4 > > x\r\n\r\n";
    for (config, headers, subject, id, expected) in [
        (&plain, "", "o.a", None, "|Nats-Stream-Source: O 7 > > o.a 00000001||"),
        (
            &plain,
            OLD,
            "o.a",
            Some("id7"),
            "|A: b|Nats-Msg-Id: id7|Nats-Stream-Source: O 7 > > o.a 00000001||",
        ),
        (&mapped, "", "p.a", None, "|Nats-Stream-Source: O 7 o.* p.$1 o.a 00000001||"),
        (&filtered, "", "s.a", None, "|Nats-Stream-Source: O 7 o.* > o.a 00000001||"),
    ] {
        let mut source = Source::new(config.clone()).expect("config");
        let (target, origin) = (TargetFacts::default(), facts(1, 1, 100));
        let situation = Situation { target: &target, origin: &origin, progress: None };
        source.attach(&situation).expect("attaches");
        let mut actions = Actions::default();
        let event = Event::Message { message: message(7, "o.a", headers), previous: 2 };
        source.decide(event.clone(), &mut actions).expect("decides");
        source.decide(event, &mut actions).expect("decides about a repeated one");
        let [Item::Append(copy)] = actions.items() else {
            panic!("one copy: {:?}", actions.items());
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let block = text(&copy.headers).replace("\r\n", "|");
        assert_eq!(block, format!("NATS/1.0{expected}"));
        assert_eq!(text(&copy.subject), subject);
        assert_eq!(text(&copy.payload), "payload 7");
        assert_eq!(copy.message_id.as_deref(), id.map(str::as_bytes));
        assert_eq!(source.position(), 7);
    }
}
