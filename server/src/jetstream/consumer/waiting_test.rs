//! Whose turn it is, as tables.

use super::*;
use crate::jetstream::consumer::request::Priority;

const SECOND: i64 = 1_000_000_000;

fn request(batch: i64) -> PullRequest {
    PullRequest { batch, ..PullRequest::default() }
}

fn queue(policy: PriorityPolicy, requests: &[(&str, PullRequest)]) -> Queue {
    let mut queue = Queue::new(8, policy, 10 * SECOND);
    for (reply, request) in requests {
        assert!(queue.add((*reply).to_owned(), request.clone(), 0));
    }
    queue
}

fn situation(bytes: i64) -> Situation {
    Situation { now: 0, bytes, pending: 5, ack_pending: 2 }
}

/// Who gets so many messages of this size, one after the other, and what is told meanwhile.
fn served(queue: &mut Queue, count: usize, situation: Situation) -> (Vec<String>, Vec<String>) {
    let (mut told, mut shown) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let served = queue.serve(situation, &|reply| reply != "gone", &mut told);
        shown.push(served.as_ref().map_or("-".to_owned(), |served| served.reply.clone()));
        told.extend(served.and_then(|served| Some((served.reply, served.after?))));
    }
    let texts = told.into_iter().map(|(to, status)| format!("{to} {}", status.code));
    (shown, texts.collect())
}

#[test]
fn turns() {
    let bytes = |batch, max_bytes| PullRequest { max_bytes, ..request(batch) };
    let expired = PullRequest { expires: 1, ..request(1) };
    for (requests, size, expected, told) in [
        (vec![("a", request(2)), ("b", request(1))], 10, "a b a -", ""),
        (vec![("a", request(3)), ("gone", request(9)), ("b", request(1))], 10, "a b a a", ""),
        (vec![("a", bytes(2, 5)), ("b", request(1))], 10, "b - - -", "a 409"),
        (vec![("a", bytes(5, 10)), ("b", request(2))], 10, "a b b -", ""),
        (vec![("a", bytes(1, 15))], 10, "a - - -", "a 409"),
        (vec![("a", bytes(9, 25))], 10, "a a - -", "a 409"),
        (vec![("a", request(0))], 10, "a - - -", ""),
        (vec![("a", expired)], 10, "a - - -", ""),
    ] {
        let mut queue = queue(PriorityPolicy::None, &requests);
        let (shown, texts) = served(&mut queue, 4, situation(size));
        assert_eq!(
            (shown.join(" "), texts.join(" ")),
            (expected.into(), told.into()),
            "{requests:?}"
        );
    }
}

#[test]
fn what_ends_without_a_message() {
    let no_wait = |expires| PullRequest { no_wait: true, expires, ..request(2) };
    let beating = PullRequest { idle_heartbeat: SECOND, expires: 9 * SECOND, ..request(1) };
    let expiring = PullRequest { expires: 2 * SECOND, ..request(3) };
    let all = [
        ("poll", no_wait(0)),
        ("wait", no_wait(5 * SECOND)),
        ("beat", beating),
        ("late", expiring),
        ("gone", request(1)),
    ];
    let idle = Status::idle(1, 2, None);
    for (now, is_end, told, left, next) in [
        (0, false, "", 4, Some(SECOND)),
        (0, true, "poll 404", 3, Some(SECOND)),
        (SECOND, false, "beat 100", 4, Some(2 * SECOND)),
        (2 * SECOND, true, "poll 404 beat 100 late 408", 2, Some(3 * SECOND)),
        (20 * SECOND, false, "wait 408 beat 408 late 408", 1, None),
    ] {
        let mut queue = queue(PriorityPolicy::None, &all);
        let mut statuses = Vec::new();
        let again = queue.sweep(now, is_end, &idle, &|reply| reply != "gone", &mut statuses);
        let shown = statuses.iter().map(|(to, status)| format!("{to} {}", status.code));
        assert_eq!(shown.collect::<Vec<_>>().join(" "), told, "{now} {is_end}");
        assert_eq!((queue.len(), again), (left, next), "{now} {is_end}");
    }
}

#[test]
fn a_one_shot_that_got_something_ends() {
    let no_wait = PullRequest { no_wait: true, expires: 5 * SECOND, ..request(2) };
    let mut queue = queue(PriorityPolicy::None, &[("a", no_wait)]);
    served(&mut queue, 1, situation(1));
    let mut told = Vec::new();
    queue.sweep(0, true, &Status::idle(1, 1, None), &|_| true, &mut told);
    assert_eq!(told, [("a".to_owned(), Status::new(404, "No Messages"))]);
    assert!(queue.is_empty());
}

#[test]
fn there_are_not_too_many() {
    let mut queue = Queue::new(2, PriorityPolicy::None, 0);
    let taken: Vec<bool> = (0..3).map(|n| queue.add(n.to_string(), request(1), 0)).collect();
    assert_eq!((taken, queue.wanted()), (vec![true, true, false], 2));
    assert_eq!(queue.end_all(&Status::new(409, "x")).len(), 2);
}

#[test]
fn the_lowest_number_comes_first() {
    let with = |priority| PullRequest {
        priority: Some(Priority { priority, ..Priority::default() }),
        ..request(2)
    };
    let mut queue = queue(
        PriorityPolicy::Prioritized,
        &[("c", with(5)), ("a", with(1)), ("b", with(1)), ("d", with(9))],
    );
    let (shown, _) = served(&mut queue, 8, situation(1));
    assert_eq!(shown.join(" "), "a b a b c c d d");
}

#[test]
fn thresholds_of_overflow() {
    let with = |min_pending, min_ack_pending| PullRequest {
        priority: Some(Priority { min_pending, min_ack_pending, ..Priority::default() }),
        ..request(2)
    };
    for (request, expected) in [
        (with(5, 0), "a"),
        (with(6, 0), "-"),
        (with(0, 2), "a"),
        (with(0, 3), "-"),
        (with(6, 2), "a"),
        (with(0, 0), "a"),
    ] {
        let mut queue = queue(PriorityPolicy::Overflow, &[("a", request.clone())]);
        assert_eq!(served(&mut queue, 1, situation(1)).0, [expected], "{request:?}");
        assert_eq!(queue.len(), 1);
    }
}

#[test]
fn one_client_is_pinned() {
    let with = |id: &str| PullRequest {
        priority: Some(Priority { id: id.to_owned(), ..Priority::default() }),
        ..request(3)
    };
    let mut queue = queue(PriorityPolicy::PinnedClient, &[("a", with("")), ("b", with(""))]);
    let (shown, _) = served(&mut queue, 1, situation(1));
    assert_eq!(shown, ["a"]);
    let id = queue.pin.id().to_owned();
    // Requests without the id wait, the one with it is served, and one with another id ends.
    assert!(queue.add("c".into(), with("other"), 0) && queue.add("d".into(), with(&id), 0));
    let (shown, told) = served(&mut queue, 4, situation(1));
    assert_eq!((shown.join(" "), told.join(" ")), ("d d d -".into(), "c 423".into()));
    assert!(queue.pin.release());
    assert_eq!(served(&mut queue, 1, situation(1)).0, ["b"]);
}
