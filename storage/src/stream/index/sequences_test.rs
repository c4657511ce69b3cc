//! Sets of sequences against `BTreeSet`, through every form that they take.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One change of a set.
#[derive(Clone, Debug)]
enum Change {
    /// Pushes this many, each this far above the last one.
    Push { count: u64, step: u64 },
    /// Removes the first ones.
    RemoveFirst(usize),
    /// Removes the last ones.
    RemoveLast(usize),
    /// Of the sequences from a permille of the set on, removes this many, keeping every n-th.
    RemoveInside { permille: usize, count: usize, keep: usize },
    /// Asks for one that may not be there.
    RemoveAny(u64),
}

fn change() -> impl Strategy<Value = Change> {
    let step = prop_oneof![3 => 1..3_u64, 2 => 1..100_u64, 1 => 1..(1_u64 << 34)];
    prop_oneof![
        4 => (1..3000_u64, step.clone()).prop_map(|(count, step)| Change::Push { count, step }),
        2 => (1..4_u64, step).prop_map(|(count, step)| Change::Push { count, step }),
        1 => (0..2000_usize).prop_map(Change::RemoveFirst),
        1 => (0..2000_usize).prop_map(Change::RemoveLast),
        2 => (0..1000_usize, 0..4000_usize, 2..1000_usize)
            .prop_map(|(permille, count, keep)| Change::RemoveInside { permille, count, keep }),
        1 => any::<u64>().prop_map(Change::RemoveAny),
    ]
}

fn remove_all(set: &mut SequenceSet, model: &mut BTreeSet<u64>, sequences: Vec<u64>) {
    for sequence in sequences {
        assert!(set.remove(sequence) && model.remove(&sequence), "{sequence} is there once");
        assert!(!set.remove(sequence), "{sequence} is gone");
        assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
    }
}

fn apply(set: &mut SequenceSet, model: &mut BTreeSet<u64>, change: &Change) {
    match *change {
        Change::Push { count, step } => {
            for _ in 0..count {
                let sequence = model.last().map_or(step - 1, |last| last + step);
                set.push(sequence);
                assert!(model.insert(sequence));
            }
        }
        Change::RemoveFirst(count) => {
            let sequences = model.iter().copied().take(count).collect();
            remove_all(set, model, sequences);
        }
        Change::RemoveLast(count) => {
            let sequences = model.iter().copied().rev().take(count).collect();
            remove_all(set, model, sequences);
        }
        Change::RemoveInside { permille, count, keep } => {
            let from = model.len() * permille / 1000;
            let some = model.iter().copied().skip(from).take(count).enumerate();
            let sequences = some.filter(|(at, _)| at % keep != 0).map(|(_, one)| one).collect();
            remove_all(set, model, sequences);
        }
        Change::RemoveAny(sequence) => assert_eq!(set.remove(sequence), model.remove(&sequence)),
    }
}

/// Compares all answers about some places of the set.
fn check(set: &SequenceSet, model: &BTreeSet<u64>, places: &[u64]) {
    assert_eq!(set.len(), model.len() as u64);
    assert_eq!(set.is_empty(), model.is_empty());
    assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
    let last = model.last().copied().unwrap_or(0);
    let held: Vec<u64> = model.iter().copied().collect();
    let mut asked = vec![0, last, last + 1, u64::MAX];
    for place in places {
        asked.push(place % (last + 2));
        let near = held.get(*place as usize % held.len().max(1)).copied().unwrap_or(0);
        asked.extend([near.saturating_sub(1), near, near + 1]);
    }
    for (at, one) in asked.iter().copied().enumerate() {
        assert_eq!(set.contains(one), model.contains(&one), "{one}");
        assert_eq!(set.at_or_after(one), model.range(one..).next().copied(), "{one}");
        assert_eq!(set.at_or_before(one), model.range(..=one).next_back().copied(), "{one}");
        let after = set.iter_from(one).take(3000);
        assert!(after.eq(model.range(one..).copied().take(3000)), "{one}");
        let other = asked[(at + 3) % asked.len()];
        let count = if one > other { 0 } else { model.range(one..=other).count() as u64 };
        assert_eq!(set.count_range(one, other), count, "{one} {other}");
    }
    assert!(set.iter_from(0).eq(held.iter().copied()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_set_is_like_a_tree_set(
        changes in proptest::collection::vec(change(), 1..20),
        places in proptest::collection::vec(any::<u64>(), 8),
    ) {
        let (mut set, mut model) = (SequenceSet::default(), BTreeSet::new());
        for change in &changes {
            apply(&mut set, &mut model, change);
            check(&set, &model, &places);
        }
        let all = model.iter().copied().collect();
        remove_all(&mut set, &mut model, all);
        check(&set, &model, &places);
    }
}

#[test]
fn limits_of_the_numbers() {
    let mut set = SequenceSet::default();
    for sequence in [0, 1, u64::MAX - 1, u64::MAX] {
        set.push(sequence);
    }
    assert_eq!(set.count_range(0, u64::MAX), 4);
    assert_eq!(set.count_range(1, u64::MAX - 1), 2);
    assert_eq!(set.count_range(2, 1), 0);
    let mut many = SequenceSet::default();
    (0..1000).for_each(|sequence| many.push(sequence));
    (0..1000).rev().for_each(|below| many.push(u64::MAX - below));
    assert_eq!((many.len(), many.count_range(0, u64::MAX)), (2000, 2000));
    assert_eq!(many.at_or_before(u64::MAX - 1000), Some(999));
    assert_eq!(many.iter_from(u64::MAX).collect::<Vec<_>>(), [u64::MAX]);
}

#[test]
#[should_panic(expected = "sequences rise")]
fn a_sequence_that_is_held_already_is_refused() {
    let mut set = SequenceSet::default();
    set.push(7);
    set.push(7);
}

/// What is left of a large set after one in ten thousand survived is found in few blocks.
#[test]
fn a_set_that_became_sparse_is_small() {
    let mut set = SequenceSet::default();
    (0..2_000_000).for_each(|sequence| set.push(sequence));
    for sequence in (0..2_000_000).filter(|sequence| sequence % 10_000 != 0) {
        assert!(set.remove(sequence));
    }
    let (_, blocks) = set.parts();
    assert!(blocks.is_some_and(|blocks| blocks.count_blocks() <= 2));
    assert!(set.iter_from(0).eq((0..200).map(|at| at * 10_000)));
}
