//! The subject index against a map, and its filters against `subject::matches`.

use super::*;
use crate::subject::matches;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn matching(index: &SubjectIndex, filter: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    index.for_each_match(filter, &mut |id| {
        let subject = String::from_utf8(index.subject(id).to_vec()).unwrap();
        assert!(found.insert(subject), "each subject is visited once");
    });
    found
}

fn index_of(subjects: &[&str]) -> SubjectIndex {
    let mut index = SubjectIndex::default();
    for (sequence, subject) in (1..).zip(subjects) {
        index.insert(subject.as_bytes(), sequence);
    }
    index
}

#[test]
fn filters() {
    let subjects = ["a", "a.b", "a.b.c", "a.x.c", "b", "b.b.c", "a*.b", "a.b.c.d"];
    let index = index_of(&subjects);
    for (filter, expected) in [
        ("a", &["a"][..]),
        ("c", &[]),
        ("*", &["a", "b"]),
        (">", &subjects),
        ("a.*", &["a.b"]),
        ("a.>", &["a.b", "a.b.c", "a.x.c", "a.b.c.d"]),
        ("a.*.c", &["a.b.c", "a.x.c"]),
        ("*.b.c", &["a.b.c", "b.b.c"]),
        ("*.*.c", &["a.b.c", "a.x.c", "b.b.c"]),
        ("*.b.>", &["a.b.c", "b.b.c", "a.b.c.d"]),
        ("*.*", &["a.b", "a*.b"]),
        ("a*.b", &["a*.b"]),
        ("a*.*", &["a*.b"]),
        ("*.*.*.*.*", &[]),
        ("a.b.c.d.>", &[]),
    ] {
        let expected: BTreeSet<String> = expected.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(matching(&index, filter), expected, "{filter}");
    }
}

#[test]
fn a_subject_goes_with_its_last_sequence() {
    let mut index = SubjectIndex::default();
    let (one, two) = (index.insert(b"a.one", 1), index.insert(b"a.two", 2));
    assert_eq!(index.insert(b"a.one", 3), one);
    assert_eq!(index.sequences(one).map(SequenceSet::len), Some(2));
    index.remove(one, 2);
    index.remove(one, 1);
    assert_eq!((index.len(), index.find(b"a.one")), (2, Some(one)));
    index.remove(one, 3);
    assert_eq!((index.len(), index.find(b"a.one")), (1, None));
    assert!(index.sequences(one).is_none() && index.subject(one).is_empty());
    index.remove(one, 3);
    assert_eq!(index.insert(b"b", 4), one, "the number is reused");
    assert_eq!(index.subject(two), b"a.two");
    index.remove(one, 4);
    index.remove(two, 2);
    assert_eq!((index.len(), matching(&index, ">").len()), (0, 0));
}

#[test]
fn a_subject_as_long_as_may_be() {
    let long = vec!["t"; 2048].join(".");
    let index = index_of(&[&long, "t.t"]);
    let stars = vec!["*"; 2048].join(".");
    for filter in [&stars, &long] {
        assert_eq!(matching(&index, filter), BTreeSet::from([long.clone()]));
    }
    assert_eq!(matching(&index, "t.*.>"), BTreeSet::from([long]));
    assert_eq!(matching(&index, "*.t"), BTreeSet::from(["t.t".to_owned()]));
}

#[derive(Clone, Debug)]
enum Change {
    Insert(String),
    /// Removes one of the messages held.
    Remove(usize),
}

fn tokens(token: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(token, 1..5).prop_map(|tokens| tokens.join("."))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => tokens("[a-c]|aa|a[*>]").prop_map(Change::Insert),
        2 => any::<usize>().prop_map(Change::Remove),
    ]
}

proptest! {
    #[test]
    fn an_index_is_like_a_map(
        changes in proptest::collection::vec(change(), 1..200),
        filters in proptest::collection::vec(tokens("[a-c]|aa|a[*]|[*]|[*]|>"), 20),
    ) {
        let mut index = SubjectIndex::default();
        let mut model = BTreeMap::<String, BTreeSet<u64>>::new();
        let mut messages = Vec::<(String, u64)>::new();
        for (sequence, change) in (1..).zip(changes) {
            match change {
                Change::Insert(subject) => {
                    index.insert(subject.as_bytes(), sequence);
                    model.entry(subject.clone()).or_default().insert(sequence);
                    messages.push((subject, sequence));
                }
                Change::Remove(_) if messages.is_empty() => {}
                Change::Remove(at) => {
                    let (subject, sequence) = messages.swap_remove(at % messages.len());
                    index.remove(index.find(subject.as_bytes()).unwrap(), sequence);
                    let sequences = model.get_mut(&subject).unwrap();
                    sequences.remove(&sequence);
                    if sequences.is_empty() {
                        model.remove(&subject);
                    }
                }
            }
            prop_assert_eq!(index.len(), model.len());
        }
        for (subject, sequences) in &model {
            let id = index.find(subject.as_bytes()).unwrap();
            prop_assert_eq!(index.subject(id), subject.as_bytes());
            prop_assert!(index.sequences(id).unwrap().iter_from(0).eq(sequences.iter().copied()));
        }
        for filter in &filters {
            let expected = model.keys().filter(|subject| matches(filter, subject)).cloned();
            prop_assert_eq!(matching(&index, filter), expected.collect(), "{}", filter);
        }
    }
}
