//! Verdicts on members as tables: what comes in which order, and what becomes of it.

use super::*;

fn staging() -> (Staging, Arc<Budget>) {
    let budget = Arc::new(Budget::default());
    (Staging::new(budget.clone()), budget)
}

fn arrival(id: &str, sequence: u64, commit: Commit) -> Arrival<'_> {
    let member = Member { payload: Bytes::from(sequence.to_string()), ..Member::default() };
    let id = id.as_bytes();
    Arrival { id, sequence: Some(sequence), commit, is_level_supported: true, member }
}

/// What became of a member, in short: `staged`, how many a complete batch holds, or the error and the reason.
fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Staged => "staged".into(),
        Outcome::Complete(members, _) => members.len().to_string(),
        Outcome::Refused(error, reason) => {
            let reason = reason.map_or(String::new(), |reason| format!(" {reason:?}"));
            format!("{}{reason}", error.err_code)
        }
    }
}

#[test]
fn members_in_and_out_of_order() {
    use Commit::{Before, Here, Invalid, Not};
    let table: &[&[(u64, Commit, &str)]] = &[
        &[(1, Here, "1"), (1, Not, "staged"), (2, Here, "2"), (3, Not, "10176")],
        &[(1, Not, "staged"), (2, Not, "staged"), (3, Before, "2")],
        &[(1, Before, "10176 Incomplete"), (1, Here, "1")],
        &[(0, Not, "10176"), (0, Before, "10199"), (1001, Not, "10199"), (1001, Before, "10176")],
        &[(2, Not, "10176"), (1, Not, "staged"), (3, Not, "10176 Incomplete"), (2, Not, "10176")],
        &[(1, Not, "staged"), (1, Not, "10176 Incomplete"), (1, Not, "staged")],
        &[(1, Invalid, "10200"), (1, Not, "staged"), (2, Invalid, "10200"), (2, Here, "10176")],
        &[(1, Not, "staged"), (0, Here, "10176 Incomplete")],
        &[(1, Not, "staged"), (u64::MAX, Before, "10176 Incomplete")],
    ];
    for steps in table {
        let (mut staging, budget) = staging();
        for (sequence, commit, expected) in *steps {
            let outcome = staging.take(&arrival("b", *sequence, *commit), Instant::now());
            assert_eq!(short(&outcome), *expected, "{sequence} of {steps:?}");
        }
        staging.clear();
        assert_eq!(budget.held(), (0, 0), "{steps:?}");
    }
}

#[test]
fn a_complete_batch_holds_its_members_in_order() {
    let (mut staging, _) = staging();
    for sequence in 1..=3 {
        staging.take(&arrival("a", sequence, Commit::Not), Instant::now());
        staging.take(&arrival("b", sequence, Commit::Not), Instant::now());
    }
    let outcome = staging.take(&arrival("b", 4, Commit::Here), Instant::now());
    let Outcome::Complete(members, _) = outcome else { panic!("{outcome:?}") };
    let payloads: Vec<_> = members.iter().map(|member| member.payload.clone()).collect();
    assert_eq!(payloads, ["1", "2", "3", "4"]);
}

#[test]
fn headers_that_end_a_batch() {
    let (mut staging, budget) = staging();
    let now = Instant::now();
    let long = "x".repeat(ID_BYTES_MAX + 1);
    assert_eq!(short(&staging.take(&arrival(&long, 1, Commit::Here), now)), "10179");
    let unnumbered = Arrival { sequence: None, ..arrival("b", 1, Commit::Not) };
    assert_eq!(short(&staging.take(&unnumbered, now)), "10175");
    staging.take(&arrival("b", 1, Commit::Not), now);
    let demanding = Arrival { is_level_supported: false, ..arrival("b", 2, Commit::Here) };
    assert_eq!(short(&staging.take(&demanding, now)), "10185 Unsupported");
    assert_eq!(budget.held(), (0, 0));
}

#[test]
fn a_batch_is_bounded_in_members_and_bytes() {
    let (mut staging, budget) = staging();
    let now = Instant::now();
    for (last, commit, expected) in [
        (MEMBERS_MAX, Commit::Here, "1000"),
        (MEMBERS_MAX + 1, Commit::Before, "1000"),
        (MEMBERS_MAX + 1, Commit::Here, "10199 Large"),
        (MEMBERS_MAX + 1, Commit::Not, "10199 Large"),
    ] {
        for sequence in 1..last {
            let outcome = staging.take(&arrival("b", sequence, Commit::Not), now);
            assert_eq!(short(&outcome), "staged");
        }
        assert_eq!(short(&staging.take(&arrival("b", last, commit), now)), expected);
        assert_eq!(budget.held(), (0, 0));
    }
    let large = |sequence| {
        let payload = Bytes::from(vec![0; 16 * 1024 * 1024]);
        let member = Member { payload, ..Member::default() };
        Arrival { member, ..arrival("b", sequence, Commit::Not) }
    };
    let outcomes: Vec<_> = (1..=3).map(|each| short(&staging.take(&large(each), now))).collect();
    assert_eq!(outcomes, ["staged", "staged", "10199 Large"]);
    assert_eq!(budget.held(), (0, 0));
}

#[test]
fn open_batches_are_bounded() {
    let (mut staging, budget) = staging();
    let now = Instant::now();
    for number in 0..OPEN_MAX {
        let id = number.to_string();
        assert_eq!(short(&staging.take(&arrival(&id, 1, Commit::Not), now)), "staged");
    }
    assert_eq!(short(&staging.take(&arrival("b", 1, Commit::Not), now)), "10210");
    assert_eq!(short(&staging.take(&arrival("0", 2, Commit::Here), now)), "2");
    assert_eq!(short(&staging.take(&arrival("b", 1, Commit::Not), now)), "staged");
    assert_eq!(budget.held().0, OPEN_MAX);
    drop(staging);
    assert_eq!(budget.held(), (0, 0));
}

#[test]
fn idle_batches_end() {
    let (mut staging, budget) = staging();
    let start = Instant::now();
    let half = IDLE_MAX / 2;
    staging.take(&arrival("a", 1, Commit::Not), start);
    staging.take(&arrival("b", 1, Commit::Not), start);
    staging.take(&arrival("b", 2, Commit::Not), start + half);
    assert_eq!(staging.next_deadline(), Some(start + IDLE_MAX));
    let late = staging.take(&arrival("a", 2, Commit::Here), start + IDLE_MAX);
    assert_eq!(short(&late), "10176 Incomplete");
    assert_eq!(staging.expire(start + IDLE_MAX), Vec::<Bytes>::new());
    assert_eq!(staging.next_deadline(), Some(start + half + IDLE_MAX));
    assert_eq!(staging.expire(start + half + IDLE_MAX), ["b"]);
    assert_eq!(staging.next_deadline(), None);
    assert_eq!(budget.held(), (0, 0));
}
