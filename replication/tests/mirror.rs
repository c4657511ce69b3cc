//! What the mirror decides, as tables: no origin, no target, no clock.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{facts, identity, message, mirror_of, transform};
use headwater_replication::{
    Error, MirrorConfig,
    mirror::Mirror,
    origin::Start,
    plugin::{Actions, Event, Plugin, Situation},
    progress::Progress,
    target::TargetFacts,
};
use headwater_storage::{Timestamp, message::Rollup, stream::Item};

fn used(first_sequence: u64, last_sequence: u64) -> TargetFacts {
    let messages = (last_sequence + 1).saturating_sub(first_sequence);
    TargetFacts { messages, first_sequence, last_sequence, ..TargetFacts::default() }
}

fn stored(number: u128, sequence: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Progress { identity: identity(number), sequence }.encode(&mut bytes);
    bytes
}

#[test]
fn where_reading_begins() {
    let plain = mirror_of("O");
    let at_sequence = MirrorConfig { start_sequence: Some(50), ..plain.clone() };
    let at_time = MirrorConfig { start_time: Some(Timestamp(7)), ..plain.clone() };
    let both = MirrorConfig { start_time: Some(Timestamp(7)), ..at_sequence.clone() };
    let never = TargetFacts::default();
    let purged = TargetFacts { messages: 0, ..used(11, 10) };
    for (config, target, expected) in [
        (&plain, &never, Start::Sequence(1)),
        (&at_sequence, &never, Start::Sequence(50)),
        (&at_time, &never, Start::Time(Timestamp(7))),
        (&both, &never, Start::Sequence(50)),
        (&plain, &used(1, 10), Start::Sequence(11)),
        (&both, &used(1, 10), Start::Sequence(11)),
        (&at_time, &purged, Start::Sequence(11)),
    ] {
        let mut mirror = Mirror::new(config.clone()).expect("config");
        let origin = facts(1, 1, 100);
        let situation = Situation { target, origin: &origin, progress: None };
        let request = mirror.attach(&situation).expect("attaches");
        assert_eq!(request.start, expected, "{config:?} {target:?}");
    }
}

#[test]
fn another_creation_of_the_origin_is_never_mixed_in() {
    enum Verdict {
        GoesOn,
        Recreated,
        Behind,
    }
    use Verdict::{Behind, GoesOn, Recreated};
    for (target, progress, origin, verdict) in [
        (used(1, 10), Some(stored(1, 10)), facts(1, 1, 10), GoesOn),
        (used(1, 10), Some(stored(1, 10)), facts(1, 11, 10), GoesOn),
        (used(1, 10), Some(stored(1, 10)), facts(2, 1, 10), Recreated),
        (used(1, 10), Some(stored(1, 10)), facts(2, 1, 5), Recreated),
        (used(1, 10), Some(stored(1, 10)), facts(2, 1, 500), Recreated),
        (used(1, 10), Some(stored(1, 10)), facts(1, 1, 9), Behind),
        (used(1, 10), None, facts(1, 1, 10), GoesOn),
        (used(1, 10), None, facts(1, 1, 9), Behind),
        (TargetFacts::default(), Some(stored(1, 0)), facts(2, 1, 10), GoesOn),
    ] {
        let mut mirror = Mirror::new(mirror_of("O")).expect("config");
        let situation =
            Situation { target: &target, origin: &origin, progress: progress.as_deref() };
        let result = mirror.attach(&situation);
        let fits = match verdict {
            GoesOn => result.is_ok(),
            Recreated => matches!(result, Err(Error::OriginRecreated { last_sequence: 10, .. })),
            Behind => matches!(result, Err(Error::OriginBehind { last_sequence: 10, .. })),
        };
        assert!(fits, "{target:?} {origin:?}: {result:?}");
    }
    let mut mirror = Mirror::new(mirror_of("O")).expect("config");
    let (target, origin) = (used(1, 10), facts(1, 1, 10));
    let situation = Situation { target: &target, origin: &origin, progress: Some(&[9, 9]) };
    assert!(matches!(mirror.attach(&situation), Err(Error::Progress { .. })));
}

/// Shows events to a mirror of a used or unused target; gives its changes, a word each.
fn decide(config: &MirrorConfig, target: &TargetFacts, events: Vec<Event>) -> Vec<String> {
    let mut mirror = Mirror::new(config.clone()).expect("config");
    let origin = facts(1, 1, 100);
    let situation = Situation { target, origin: &origin, progress: None };
    mirror.attach(&situation).expect("attaches");
    let mut actions = Actions::default();
    for event in events {
        mirror.decide(event, &mut actions).expect("decides");
    }
    actions.items().iter().map(describe).collect()
}

fn describe(item: &Item) -> String {
    match item {
        Item::Skip { through } => format!("skip to {through}"),
        Item::Append(message) => format!("append {message:?}"),
        Item::Copy { sequence, time, message } => {
            assert_eq!(time.0, 1000 + i64::try_from(*sequence).expect("small"), "time is kept");
            let rollup = match message.rollup {
                None => "",
                Some(Rollup::Subject) => " rollup=sub",
                Some(Rollup::All) => " rollup=all",
            };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
            let headers = text(&message.headers).replace("\r\n", "|");
            format!("copy {sequence} {}{rollup} {headers}", text(&message.subject))
        }
    }
}

fn next(sequence: u64, subject: &str, headers: &str) -> Event {
    Event::Message { message: message(sequence, subject, headers), previous: sequence - 1 }
}

#[test]
fn what_becomes_of_messages() {
    const HEADERS: &str = "NATS/1.0\r\nA: b\r\nNats-Expected-Stream: O\r\nNats-Batch-Id: x\r\n\
                           Nats-Stream-Source: X 4 > > x\r\n\r\n";
    let plain = mirror_of("O");
    let transforms = vec![transform("o.*", "p.$1"), transform("q.>", "")];
    let mapped = MirrorConfig { transforms, ..plain.clone() };
    let twice = MirrorConfig { stream_transform: Some(transform("p.*", "r.$1")), ..mapped.clone() };
    let never = TargetFacts::default();
    let rollup = TargetFacts { allow_rollup: true, ..TargetFacts::default() };
    let started = |sequence| Event::Started { sequence };
    for (config, target, events, expected) in [
        (&plain, &never, vec![started(1)], vec![]),
        (&plain, &never, vec![started(4)], vec!["skip to 3"]),
        (&plain, &used(1, 10), vec![started(11)], vec![]),
        (&plain, &used(1, 10), vec![started(21)], vec!["skip to 20"]),
        (&plain, &never, vec![started(1), next(1, "o.a", "")], vec!["copy 1 o.a "]),
        (
            &plain,
            &never,
            vec![next(1, "o.a", ""), next(5, "o.b", "")],
            vec!["copy 1 o.a ", "copy 5 o.b "],
        ),
        (
            &plain,
            &never,
            vec![next(5, "o.a", ""), next(5, "o.a", ""), next(4, "o.a", "")],
            vec!["copy 5 o.a "],
        ),
        (&plain, &used(1, 10), vec![next(9, "o.a", ""), next(10, "o.a", "")], vec![]),
        (&plain, &never, vec![started(1), Event::CaughtUp { through: 50 }], vec![]),
        (
            &plain,
            &never,
            vec![next(1, "o.a", HEADERS)],
            vec!["copy 1 o.a NATS/1.0|A: b|Nats-Stream-Source: X 4 > > x||"],
        ),
        (
            &plain,
            &never,
            vec![next(1, "o.a", "NATS/1.0\r\nNats-Expected-Stream: O\r\n\r\n")],
            vec!["copy 1 o.a "],
        ),
        (
            &mapped,
            &never,
            vec![next(1, "o.a", ""), next(2, "q.a", "")],
            vec!["copy 1 p.a ", "copy 2 q.a "],
        ),
        (
            &twice,
            &never,
            vec![next(1, "o.a", ""), next(2, "q.a", "")],
            vec!["copy 1 r.a ", "copy 2 q.a "],
        ),
        (
            &plain,
            &never,
            vec![next(1, "a", "NATS/1.0\r\nNats-Rollup: sub\r\n\r\n")],
            vec!["copy 1 a NATS/1.0|Nats-Rollup: sub||"],
        ),
        (
            &plain,
            &rollup,
            vec![next(1, "a", "NATS/1.0\r\nNats-Rollup: sub\r\n\r\n")],
            vec!["copy 1 a rollup=sub NATS/1.0|Nats-Rollup: sub||"],
        ),
    ] {
        let result = decide(config, target, events.clone());
        assert_eq!(result, expected, "{config:?} {events:?}");
    }
}

#[test]
fn what_is_asked_for() {
    let plain = mirror_of("O");
    let filter = |filter: &str| MirrorConfig { filter: Some(filter.into()), ..plain.clone() };
    let transforms = |list: &[(&str, &str)]| MirrorConfig {
        transforms: list
            .iter()
            .map(|(source, destination)| transform(source, destination))
            .collect(),
        ..plain.clone()
    };
    for (config, expected) in [
        (plain.clone(), vec![]),
        (filter("o.*"), vec!["o.*"]),
        (filter(">"), vec![]),
        (transforms(&[("a.*", "b.$1"), ("c", "d")]), vec!["a.*", "c"]),
        (transforms(&[("a.*", "b.$1"), ("", "x.>")]), vec![]),
    ] {
        let (target, origin) = (TargetFacts::default(), facts(1, 1, 1));
        let situation = Situation { target: &target, origin: &origin, progress: None };
        let mut mirror = Mirror::new(config.clone()).expect("config");
        assert_eq!(mirror.attach(&situation).expect("attaches").filters, expected, "{config:?}");
    }
    let both = MirrorConfig { transforms: vec![transform("a", "b")], ..filter("a") };
    for config in [mirror_of(""), filter("a..b"), both] {
        assert!(matches!(Mirror::new(config), Err(Error::InvalidConfig(_))));
    }
}
