//! The verdict finds each kind of damage, and none where there is none.

use super::*;

fn message(sequence: u64, subject: &str, body: &str) -> StoredMessage {
    let (subject, body) = (subject.to_owned(), body.as_bytes().to_vec());
    StoredMessage { sequence, subject, body, ..StoredMessage::default() }
}

fn origin(name: &str, count: u64) -> Vec<StoredMessage> {
    (1..=count).map(|number| message(number, name, &format!("{name} {number}"))).collect()
}

fn sourced(sequence: u64, from: &str, number: u64) -> StoredMessage {
    let mut message = message(sequence, from, &format!("{from} {number}"));
    message.headers = vec![format!("Nats-Stream-Source: {from} {number} > > {from} id")];
    message
}

fn archive() -> Vec<StoredMessage> {
    vec![sourced(1, "A", 1), sourced(2, "B", 1), sourced(3, "A", 2), sourced(4, "A", 3)]
}

fn counts(finding: &Finding) -> [usize; 3] {
    [finding.missing, finding.twice, finding.wrong]
}

#[test]
fn origins() {
    let acknowledged: Vec<_> = (1..=2)
        .map(|sequence| Acknowledged {
            stream: "A".to_owned(),
            sequence,
            body: format!("A {sequence}"),
        })
        .collect();
    let again = message(4, "A", "A 1");
    let changed = vec![message(1, "A", "A 1"), message(2, "A", "A 9")];
    for (held, expected) in [
        (origin("A", 2), [0, 0, 0]),
        (origin("A", 3), [0, 0, 0]),
        (origin("A", 1), [1, 0, 0]),
        ([origin("A", 3), vec![again]].concat(), [0, 1, 0]),
        (changed, [0, 0, 1]),
        (Vec::new(), [2, 0, 0]),
    ] {
        assert_eq!(counts(&Finding::of_origin(&acknowledged, &held)), expected, "{held:?}");
    }
}

#[test]
fn sourced_streams() {
    let (a, b) = (origin("A", 3), origin("B", 1));
    let without = |index: usize| {
        let mut held = archive();
        held.remove(index);
        held
    };
    let with = |index: usize, message: StoredMessage| {
        let mut held = archive();
        held[index] = message;
        held
    };
    let mut changed = sourced(3, "A", 2);
    changed.body.clear();
    for (held, expected) in [
        (archive(), [0, 0, 0]),
        (without(2), [1, 0, 0]),
        ([archive(), vec![sourced(5, "B", 1)]].concat(), [0, 1, 0]),
        (with(2, changed), [0, 0, 1]),
        (with(1, message(2, "B", "B 1")), [1, 0, 1]),
        (
            vec![sourced(1, "A", 2), sourced(2, "A", 1), sourced(3, "A", 3), sourced(4, "B", 1)],
            [0, 0, 1],
        ),
    ] {
        let origins = [("A", a.as_slice()), ("B", b.as_slice())];
        assert_eq!(counts(&Finding::of_sourced(origins, &held)), expected, "{held:?}");
    }
}

#[test]
fn mirrors() {
    let mut later = archive();
    later[0].time = "2022-01-21T11:49:52Z".to_owned();
    for (held, expected) in [
        (archive(), [0, 0, 0]),
        (archive()[..3].to_vec(), [1, 0, 0]),
        ([archive(), archive()].concat(), [0, 4, 0]),
        (later, [0, 0, 1]),
    ] {
        assert_eq!(counts(&Finding::of_mirror(&archive(), &held)), expected);
    }
}

#[test]
fn the_whole() {
    let found =
        |report| Contents { orders: Vec::new(), returns: Vec::new(), archive: Vec::new(), report };
    let good = Verdict::new(|_| Vec::new(), &found(Vec::new()));
    assert!(good.is_good() && good.holds([0; 4]) && !good.holds([0, 0, 0, 1]));
    let bad = Verdict::new(|_| Vec::new(), &found(origin("A", 1)));
    assert!(!bad.is_good());
    assert!(
        bad.table("Found")
            .to_string()
            .contains("| REPORT  | 0         | 1     | 0       | 1     | 0     |")
    );
}
