//! Fast batches as tables: what comes, what becomes of it, and what is said.

use super::super::super::budget::{Budget, Kind};
use super::*;
use std::sync::Arc;

struct Run {
    batch: Batch,
    budget: Arc<Budget>,
    chunk: Vec<Entry>,
    next: u64,
    is_gap_allowed: bool,
}

impl Run {
    fn new(flow: u16, is_gap_allowed: bool) -> Self {
        let budget = Arc::new(Budget::default());
        let claim = budget.open(Kind::Fast).unwrap();
        let pattern = pattern(flow, is_gap_allowed, 1, Operation::Add);
        let batch = Batch::new(&pattern, claim, 1, Instant::now());
        Self { batch, budget, chunk: Vec::new(), next: 1, is_gap_allowed }
    }
    fn arrive(&mut self, sequence: u64, operation: Operation) {
        let reply = Bytes::from(sequence.to_string());
        if operation == Operation::Ping {
            return self.batch.ping(sequence, &reply, 1);
        }
        let pattern = pattern(10, self.is_gap_allowed, sequence, operation);
        if self.batch.arrive(&pattern, &reply, true) {
            let is_last = operation == Operation::Commit;
            let entry = Entry { new: NewMessage::default(), sequence, reply, is_last };
            assert!(self.batch.push(entry));
        }
        self.begin();
    }
    fn begin(&mut self) {
        if self.chunk.is_empty() {
            self.chunk = self.batch.begin_append();
        }
    }
    fn stored(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        self.next += chunk.len() as u64;
        self.batch.stored(&chunk, self.next - 1, 1);
        self.begin();
    }
    fn failed(&mut self) {
        let mut chunk = std::mem::take(&mut self.chunk);
        match chunk.len() {
            1 => self.batch.failed(&chunk.pop().unwrap(), errors::SEALED, 1),
            _ => self.batch.again(chunk),
        }
        self.begin();
    }
    fn duplicate(&mut self) {
        let entry = self.chunk.pop().unwrap();
        self.batch.duplicate(&entry, 77, 1);
        self.begin();
    }
    /// What was said since the last time, in short.
    fn said(&mut self) -> String {
        let short = |(reply, answer): (Bytes, Answer)| {
            let what = match answer {
                Answer::Flow { sequence, every } => format!("ack {sequence}+{every}"),
                Answer::Gap { expected, found } => format!("gap {expected}-{found}"),
                Answer::Failed { sequence, error } => format!("err {sequence} {}", error.err_code),
                Answer::Over { sequence, count } => format!("over {count}@{sequence}"),
                Answer::Duplicate { sequence } => format!("duplicate {sequence}"),
                Answer::Refused(error) => format!("refused {}", error.err_code),
            };
            format!("{}: {what}", String::from_utf8_lossy(&reply))
        };
        let said: Vec<_> = self.batch.take_answers().into_iter().map(short).collect();
        said.join(", ")
    }
}

fn pattern(flow: u16, is_gap_allowed: bool, sequence: u64, operation: Operation) -> Pattern {
    Pattern { id: "b".into(), flow, is_gap_allowed, sequence, operation }
}

/// What happens to a batch.
#[derive(Clone, Copy, Debug)]
enum Event {
    Add(u64),
    Commit(u64),
    End(u64),
    Ping(u64),
    Stored,
    Failed,
    Duplicate,
}
use Event::{Add, Commit, Duplicate, End, Failed, Ping, Stored};

fn check(is_gap_allowed: bool, events: &[(Event, &str)]) {
    let mut run = Run::new(2, is_gap_allowed);
    for (event, expected) in events {
        match event {
            Add(sequence) => run.arrive(*sequence, Operation::Add),
            Commit(sequence) => run.arrive(*sequence, Operation::Commit),
            End(sequence) => run.arrive(*sequence, Operation::End),
            Ping(sequence) => run.arrive(*sequence, Operation::Ping),
            Stored => run.stored(),
            Failed => run.failed(),
            Duplicate => run.duplicate(),
        }
        assert_eq!(run.said(), *expected, "{event:?} of {events:?}");
    }
    drop(run.batch);
    assert_eq!(run.budget.held(), (0, 0));
}

#[test]
fn batches_without_gaps() {
    check(false, &[(Commit(1), ""), (Stored, "1: over 1@1")]);
    check(
        false,
        &[
            (Add(1), "1: ack 0+2"),
            (Add(2), ""),
            (Add(3), ""),
            (Stored, ""),
            (Stored, "2: ack 2+2"),
            (End(4), "4: over 3@3"),
        ],
    );
    check(
        false,
        &[(Add(1), "1: ack 0+2"), (End(2), ""), (Ping(1), "1: ack 0+2"), (Stored, "1: over 1@1")],
    );
    check(
        false,
        &[(Add(1), "1: ack 0+2"), (Add(3), "3: gap 2-3"), (Add(2), ""), (Stored, "1: over 1@1")],
    );
    check(false, &[(Add(1), "1: ack 0+2"), (Stored, ""), (Add(1), "1: gap 2-1, 1: over 1@1")]);
    check(false, &[(Add(1), "1: ack 0+2"), (Stored, ""), (Ping(2), "2: gap 2-3, 2: over 1@1")]);
}

#[test]
fn batches_with_gaps() {
    check(
        true,
        &[
            (Add(1), "1: ack 0+2"),
            (Stored, ""),
            (Add(4), "4: gap 2-4"),
            (Stored, "4: ack 4+2"),
            (Ping(9), "9: gap 5-10, 9: ack 8+2"),
            (Commit(10), ""),
            (Stored, "10: over 10@3"),
        ],
    );
    check(
        true,
        &[
            (Add(1), "1: ack 0+2"),
            (Failed, "1: err 1 10109"),
            (Add(2), ""),
            (Stored, "2: ack 2+2"),
            (Commit(3), ""),
            (Failed, "3: err 3 10109, 3: over 2@1"),
        ],
    );
    check(true, &[(Add(1), "1: ack 0+2"), (End(2), ""), (Failed, "1: err 1 10109, 1: over 1@0")]);
}

#[test]
fn nothing_behind_a_failure_is_stored() {
    check(false, &[(Add(1), "1: ack 0+2"), (Add(2), ""), (Failed, "1: refused 10109")]);
    check(
        false,
        &[
            (Add(1), "1: ack 0+2"),
            (Add(2), ""),
            (Add(3), ""),
            (Add(4), ""),
            (Stored, ""),
            (Failed, ""),
            (Stored, "2: ack 2+2"),
            (Failed, "3: err 3 10109, 3: over 2@2"),
        ],
    );
}

#[test]
fn duplicates_are_passed_over() {
    check(false, &[(Commit(1), ""), (Duplicate, "1: duplicate 77")]);
    check(
        false,
        &[
            (Add(1), "1: ack 0+2"),
            (Duplicate, ""),
            (Add(2), ""),
            (Stored, "2: ack 2+2"),
            (Commit(3), ""),
            (Duplicate, "3: over 3@1"),
        ],
    );
}

#[test]
fn the_flow_grows_to_its_share() {
    let mut run = Run::new(100, false);
    run.batch.every = 1;
    for sequence in 1..=7 {
        run.arrive(sequence, Operation::Add);
        run.stored();
    }
    let said = "1: ack 0+1, 1: ack 1+2, 3: ack 3+4, 7: ack 7+8";
    assert_eq!(run.said(), said);
    run.batch.told = 7;
    run.batch.stored = 50;
    run.batch.tell(&Bytes::new(), 500);
    assert_eq!(run.said(), ": ack 47+4");
}
