//! Logs in memory, with records that are a length and the sequences of messages.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Records of a group: each message is its sequence and a payload that says it too.
fn encode(messages: &[u64]) -> Vec<u8> {
    messages.iter().flat_map(|sequence| sequence.to_le_bytes()).collect()
}

fn decode(frame: &FrameBody) -> Vec<u64> {
    let (words, _) = frame.records.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

fn read(frame: &FrameBody) -> SequenceSet {
    let mut sequences = SequenceSet::default();
    decode(frame).into_iter().for_each(|sequence| sequences.push(sequence));
    sequences
}

fn append(log: &MemoryLog, base_sequence: u64, messages: &[u64]) -> Result<Position> {
    log.append(&Group {
        records: &encode(messages),
        count: messages.len().max(1) as u32,
        base_sequence,
        time: Timestamp(base_sequence as i64),
        starts_segment: false,
        follows: false,
    })
}

fn log_of(max: u64) -> (Arc<MemoryBudget>, MemoryLog) {
    let budget = MemoryBudget::new(max);
    let log = MemoryLog::new(Arc::clone(&budget), read);
    (budget, log)
}

fn count(log: &MemoryLog) -> usize {
    log.groups().by_sequence.len()
}

#[test]
fn groups_are_found_by_sequence_and_position() {
    let (budget, log) = log_of(u64::MAX);
    assert!(log.segments().is_empty() && log.frame_for_sequence(9).unwrap().is_none());
    assert_eq!(append(&log, 5, &[5]).unwrap(), Position(1));
    assert_eq!(append(&log, 6, &[6, 7, 20]).unwrap(), Position(4));
    assert_eq!(append(&log, 21, &[21]).unwrap(), Position(5));
    assert_eq!(log.committed(), Position(5));
    for (sequence, messages) in
        [(5, &[5][..]), (6, &[6, 7, 20]), (20, &[6, 7, 20]), (21, &[21]), (u64::MAX, &[21])]
    {
        let frame = log.frame_for_sequence(sequence).unwrap().unwrap();
        assert_eq!(decode(&frame), messages, "{sequence}");
        let same = log.frame_at(frame.base_position).unwrap().unwrap();
        assert_eq!((same.base_sequence, same.count), (frame.base_sequence, frame.count));
    }
    assert!(log.frame_for_sequence(4).unwrap().is_none());
    let segments = log.segments();
    assert_eq!((segments.len(), segments[0].base_sequence), (1, 5));
    assert_eq!((segments[0].last_time, segments[0].bytes), (Timestamp(21), 0));
    assert_eq!(budget.used(), 3 * GROUP_BYTES + 5 * 8);
    assert!(!log.wants_segment() && log.remove_segments_before(SegmentNumber(9)).is_ok());
}

#[test]
fn a_group_goes_with_its_last_message() {
    let (budget, log) = log_of(u64::MAX);
    append(&log, 1, &[1000]).unwrap();
    append(&log, 1001, &[1001, 1005, 1009]).unwrap();
    append(&log, 1010, &[1012]).unwrap();
    for (first, last, groups) in [
        (1, 999, 3),
        (1001, 1004, 3),
        (1006, 1008, 3),
        (9, 3, 3),
        (1009, 1011, 3),
        (1000, 1000, 2),
        (1000, 1005, 1),
        (1012, 1012, 0),
        (0, u64::MAX, 0),
    ] {
        let kept = log.frame_for_sequence(1012).unwrap();
        log.forget(first, last);
        assert_eq!(count(&log), groups, "{first} to {last}");
        assert!(kept.is_none_or(|frame| decode(&frame) == [1012]), "readers keep what they have");
    }
    assert_eq!(budget.used(), 0);
    // Sequences that come after a range are not in it.
    append(&log, 1013, &[1013]).unwrap();
    log.forget(1013, 2000);
    append(&log, 1014, &[1014]).unwrap();
    assert_eq!(decode(&log.frame_for_sequence(2000).unwrap().unwrap()), [1014]);
}

#[test]
fn a_group_without_a_message_gives_its_place_to_the_next() {
    let (budget, log) = log_of(u64::MAX);
    append(&log, 1, &[]).unwrap();
    append(&log, 1, &[1]).unwrap();
    assert_eq!((count(&log), budget.used()), (1, GROUP_BYTES + 8));
    assert_eq!(log.frame_for_sequence(1).unwrap().unwrap().base_position, Position(1));
}

#[test]
fn the_budget_is_shared_and_given_back() {
    let budget = MemoryBudget::new(3 * (GROUP_BYTES + 8));
    let (one, two) =
        (MemoryLog::new(Arc::clone(&budget), read), MemoryLog::new(Arc::clone(&budget), read));
    append(&one, 1, &[1]).unwrap();
    append(&two, 1, &[1]).unwrap();
    append(&two, 2, &[2]).unwrap();
    assert!(matches!(append(&one, 2, &[2]), Err(Error::NoSpace)));
    assert_eq!((one.committed(), count(&one)), (Position(1), 1));
    two.forget(1, 1);
    append(&one, 2, &[2]).unwrap();
    assert!(matches!(append(&two, 3, &[3]), Err(Error::NoSpace)));
    drop(one);
    append(&two, 3, &[3]).unwrap();
    drop(two);
    assert_eq!(budget.used(), 0);
}

/// A key-value bucket: one key is never written again, others are over and over.
#[test]
fn an_old_message_does_not_hold_later_ones() {
    let (budget, log) = log_of(10_000);
    append(&log, 1, &[1]).unwrap();
    for sequence in 2..100_000 {
        append(&log, sequence, &[sequence]).unwrap();
        log.forget(sequence.max(12) - 10, sequence.max(12) - 10);
    }
    assert!(count(&log) <= 12 && budget.used() < 3_000, "{} {}", count(&log), budget.used());
    assert_eq!(decode(&log.frame_for_sequence(1).unwrap().unwrap()), [1]);
}

#[derive(Clone, Debug)]
enum Change {
    /// Appends a group; each message this far above the one before it.
    Append(Vec<u64>),
    /// Forgets from one permille of the sequences on, this many.
    Forget(u64, u64),
    /// Forgets one message.
    ForgetOne(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let step = prop_oneof![5 => Just(1_u64), 1 => 1..20_u64, 1 => Just(1_u64 << 33)];
    prop_oneof![
        2 => step.clone().prop_map(|step| Change::Append(vec![step])),
        1 => proptest::collection::vec(step, 1..6).prop_map(Change::Append),
        1 => (0..1100_u64, 0..30_u64).prop_map(|(permille, len)| Change::Forget(permille, len)),
        2 => any::<usize>().prop_map(Change::ForgetOne),
    ]
}

proptest! {
    #[test]
    fn groups_are_kept_while_a_message_is_live(
        changes in proptest::collection::vec(change(), 1..120),
    ) {
        let (budget, log) = log_of(u64::MAX);
        let mut last = 0;
        // Live messages, each with its group's base.
        let mut model = BTreeMap::<u64, u64>::new();
        for change in changes {
            match change {
                Change::Append(steps) => {
                    let base = last + 1;
                    let messages: Vec<u64> = steps.iter().map(|step| { last += step; last }).collect();
                    append(&log, base, &messages).unwrap();
                    model.extend(messages.iter().map(|sequence| (*sequence, base)));
                }
                Change::Forget(permille, len) => {
                    let at = model.len() * permille as usize / 1000;
                    let first = model.keys().nth(at).copied().unwrap_or(last);
                    log.forget(first, first + len);
                    model.retain(|sequence, _| !(first..=first + len).contains(sequence));
                }
                Change::ForgetOne(at) => {
                    let Some(one) = model.keys().nth(at % model.len().max(1)).copied() else { continue };
                    log.forget(one, one);
                    model.remove(&one);
                }
            }
            let mut bases: Vec<u64> = model.values().copied().collect();
            bases.dedup();
            let kept: Vec<u64> = log.groups().by_sequence.keys().copied().collect();
            prop_assert_eq!(kept, bases);
            prop_assert_eq!(budget.used(), log.groups().bytes);
        }
        for (sequence, base) in &model {
            let frame = log.frame_for_sequence(*sequence).unwrap().unwrap();
            prop_assert_eq!(frame.base_sequence, *base);
            prop_assert!(decode(&frame).contains(sequence));
        }
        drop(log);
        prop_assert_eq!(budget.used(), 0);
    }
}
