//! The machine as tables: what is done to a consumer, and how it stands after each step.

use super::*;
use crate::jetstream::consumer::config::ConsumerConfig;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

/// Something that happens, at the time of the last `At`.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It is this second.
    At(i64),
    /// What is next is delivered, so often; a message of the stream where it is a new one.
    Deliver(usize),
    /// A client says that the message is done, or all up to it.
    Done(u64),
    /// A client wants it again, after so many seconds where a delay is given.
    Again(u64, Option<i64>),
    /// A client still works on it.
    Working(u64),
    /// It was removed from the stream.
    Gone(u64),
    /// The stream begins here.
    Begins(u64),
    /// Back to this sequence.
    Reset(u64),
    /// The process is killed, and everything was stored.
    Restart,
}

use Step::{Again, At, Begins, Deliver, Done, Gone, Reset, Restart, Working};

/// A machine, the last delivery of each message, and the state that is stored.
struct Bench {
    rules: Rules,
    machine: Machine,
    stored: State,
    now: i64,
    last: std::collections::BTreeMap<u64, Delivered>,
    /// Every second sequence of the stream matches.
    stride: u64,
    exhausted: Vec<Exhausted>,
}

impl Bench {
    fn new(config: &ConsumerConfig, stride: u64) -> Self {
        let rules = Rules::new(config);
        let stored = State::starting(1);
        let machine = Machine::new(rules.clone(), stored.clone(), VecDeque::new());
        let last = std::collections::BTreeMap::new();
        Self { rules, machine, stored, now: 0, last, stride, exhausted: Vec::new() }
    }
    /// Delivers what is next, if anything is.
    fn deliver(&mut self) {
        let sequence = match self.machine.next(&mut self.exhausted) {
            Next::Full => return,
            Next::Again(sequence) | Next::Chosen(sequence) => sequence,
            Next::From(from) => from.next_multiple_of(self.stride),
        };
        let preview = self.machine.preview(sequence);
        let delivered = self.machine.delivered(sequence, self.now);
        assert_eq!(preview, delivered);
        self.last.insert(sequence, delivered);
    }
    fn answered(&self, sequence: u64) -> Delivered {
        let unknown = Delivered { deliveries: 1, sequence, delivery: sequence };
        self.last.get(&sequence).copied().unwrap_or(unknown)
    }
    fn run(&mut self, step: Step) {
        match step {
            At(second) => self.now = second * SECOND,
            Deliver(count) => (0..count).for_each(|_| {
                self.deliver();
            }),
            Done(sequence) => drop(self.machine.done(self.answered(sequence))),
            Again(sequence, delay) => {
                let delay = delay.map(|delay| delay * SECOND);
                self.machine.again(self.answered(sequence), delay, self.now);
            }
            Working(sequence) => self.machine.working(sequence, self.now),
            Gone(sequence) => drop(self.machine.gone(sequence)),
            Begins(sequence) => self.machine.stream_begins(sequence),
            Reset(sequence) => self.machine.reset(sequence),
            Restart => {
                self.machine =
                    Machine::new(self.rules.clone(), self.stored.clone(), VecDeque::new());
            }
        }
        self.machine.expire(self.now);
        if let Some(delta) = self.machine.take_changes() {
            self.stored.apply(&delta);
        }
        assert_eq!(self.stored, self.machine.state, "what is stored, after {step:?}");
        self.check();
    }
    /// What holds of every state.
    fn check(&self) {
        let machine = &self.machine;
        let state = &machine.state;
        assert!(state.floor.delivery <= state.delivered.delivery, "{state:?}");
        for (sequence, pending) in &state.pending {
            let is_timed = machine.deadlines.contains(&(pending.deadline, *sequence));
            assert_ne!(is_timed, machine.is_again.contains(sequence), "{sequence}: {machine:?}");
            assert!(pending.delivery > state.floor.delivery, "{sequence}: {machine:?}");
        }
        let queued: BTreeSet<u64> = machine.again.iter().copied().collect();
        assert_eq!(queued, machine.is_again);
        assert_eq!(queued.len(), machine.again.len());
        assert!(queued.iter().all(|at| state.pending.contains_key(at)), "{machine:?}");
        assert_eq!(machine.deadlines.len() + queued.len(), state.pending.len());
    }
    /// `delivered delivery/sequence, floor delivery/sequence, pending, again`
    fn shown(&self) -> String {
        let State { delivered, floor, pending, .. } = &self.machine.state;
        let pair = |pair: &Pair| format!("{}/{}", pair.delivery, pair.sequence);
        let list = |all: Vec<u64>| all.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        format!(
            "{} {} [{}] [{}]",
            pair(delivered),
            pair(floor),
            list(pending.keys().copied().collect()),
            list(self.machine.again.iter().copied().collect())
        )
    }
}

fn config(ack_policy: AckPolicy) -> ConsumerConfig {
    let ack_wait = if ack_policy == AckPolicy::None { 0 } else { 30 * SECOND };
    ConsumerConfig { ack_policy, ack_wait, max_deliver: -1, ..ConsumerConfig::default() }
}

fn follow(config: &ConsumerConfig, stride: u64, steps: &[(Step, &str)]) -> Bench {
    let mut bench = Bench::new(config, stride);
    for (number, (step, expected)) in steps.iter().enumerate() {
        bench.run(*step);
        assert_eq!(bench.shown(), *expected, "step {number}, {step:?} of {steps:?}");
    }
    bench
}

#[test]
fn nothing_is_acknowledged() {
    follow(
        &config(AckPolicy::None),
        2,
        &[
            (Deliver(2), "2/4 2/4 [] []"),
            (Done(4), "2/4 2/4 [] []"),
            (Again(4, None), "2/4 2/4 [] []"),
            (At(100), "2/4 2/4 [] []"),
            (Restart, "2/4 2/4 [] []"),
            (Deliver(1), "3/6 3/6 [] []"),
        ],
    );
}

#[test]
fn every_message_is_acknowledged() {
    follow(
        &config(AckPolicy::Explicit),
        1,
        &[
            (Deliver(4), "4/4 0/0 [1 2 3 4] []"),
            (Done(2), "4/4 0/0 [1 3 4] []"),
            (Done(1), "4/4 2/2 [3 4] []"),
            (Done(1), "4/4 2/2 [3 4] []"),
            (Done(9), "4/4 2/2 [3 4] []"),
            (Again(4, None), "4/4 2/2 [3 4] [4]"),
            (Again(4, None), "4/4 2/2 [3 4] [4]"),
            (Deliver(1), "5/4 2/2 [3 4] []"),
            (Again(3, Some(10)), "5/4 2/2 [3 4] []"),
            (At(9), "5/4 2/2 [3 4] []"),
            (At(10), "5/4 2/2 [3 4] [3]"),
            (At(30), "5/4 2/2 [3 4] [3 4]"),
            (Restart, "5/4 2/2 [3 4] [3 4]"),
            (Deliver(3), "8/5 2/2 [3 4 5] []"),
            (At(50), "8/5 2/2 [3 4 5] []"),
            (Working(5), "8/5 2/2 [3 4 5] []"),
            (At(60), "8/5 2/2 [3 4 5] [3 4]"),
            (Done(4), "8/5 2/2 [3 5] [3]"),
            (Gone(3), "8/5 7/4 [5] []"),
            (Begins(9), "8/5 8/5 [] []"),
            (Reset(2), "0/1 0/1 [] []"),
            (Deliver(1), "1/2 0/1 [2] []"),
        ],
    );
}

#[test]
fn one_acknowledgement_stands_for_those_before_it() {
    follow(
        &config(AckPolicy::All),
        1,
        &[
            (Deliver(5), "5/5 0/0 [1 2 3 4 5] []"),
            (Again(2, None), "5/5 0/0 [1 2 3 4 5] [2]"),
            (Done(3), "5/5 3/3 [4 5] []"),
            (Done(2), "5/5 3/3 [4 5] []"),
            (At(31), "5/5 3/3 [4 5] [4 5]"),
            (Done(5), "5/5 5/5 [] []"),
        ],
    );
}

#[test]
fn waits_grow_and_deliveries_end() {
    let config = ConsumerConfig {
        backoff: vec![SECOND, 5 * SECOND],
        max_deliver: 3,
        ..config(AckPolicy::Explicit)
    };
    let bench = follow(
        &config,
        1,
        &[
            (Deliver(1), "1/1 0/0 [1] []"),
            (At(1), "1/1 0/0 [1] [1]"),
            (Deliver(1), "2/1 0/0 [1] []"),
            (At(5), "2/1 0/0 [1] []"),
            (At(6), "2/1 0/0 [1] [1]"),
            (Deliver(1), "3/1 0/0 [1] []"),
            (At(11), "3/1 0/0 [1] [1]"),
            (Deliver(1), "4/2 3/1 [2] []"),
            (Again(2, None), "4/2 3/1 [2] [2]"),
        ],
    );
    assert_eq!(bench.exhausted, [Exhausted { sequence: 1, deliveries: 3 }]);
}

#[test]
fn too_much_waits() {
    let config = ConsumerConfig { max_ack_pending: 2, ..config(AckPolicy::Explicit) };
    follow(
        &config,
        1,
        &[
            (Deliver(5), "2/2 0/0 [1 2] []"),
            (Again(1, None), "2/2 0/0 [1 2] [1]"),
            (Deliver(5), "3/2 0/0 [1 2] []"),
            (Done(2), "3/2 0/0 [1] []"),
            (Deliver(5), "4/3 0/0 [1 3] []"),
        ],
    );
}

#[test]
fn chosen_messages_come_first() {
    let chosen = VecDeque::from([3, 7, 9]);
    let rules = Rules::new(&config(AckPolicy::Explicit));
    let mut machine = Machine::new(rules, State::starting(3), chosen);
    let mut exhausted = Vec::new();
    assert_eq!(machine.next(&mut exhausted), Next::Chosen(3));
    machine.delivered(3, 0);
    assert_eq!(machine.next(&mut exhausted), Next::Chosen(7));
    machine.drop_chosen();
    machine.stream_begins(8);
    assert_eq!(machine.next(&mut exhausted), Next::Chosen(9));
    machine.delivered(9, 0);
    assert_eq!(machine.next(&mut exhausted), Next::From(10));
}

fn step() -> impl Strategy<Value = Step> {
    let sequence = 1..12_u64;
    prop_oneof![
        3 => (1..4_usize).prop_map(Deliver),
        4 => sequence.clone().prop_map(Done),
        2 => (sequence.clone(), proptest::option::of(0..40_i64)).prop_map(|(at, delay)| Again(at, delay)),
        1 => sequence.clone().prop_map(Working),
        1 => sequence.clone().prop_map(Gone),
        1 => sequence.clone().prop_map(Begins),
        1 => sequence.prop_map(Reset),
        2 => (0..200_i64).prop_map(At),
        1 => Just(Restart),
    ]
}

proptest! {
    /// Whatever happens, what holds of every state holds, what is stored is the state, and in the end every message that
    /// was not given up can be settled.
    #[test]
    fn any_steps(
        policy in prop_oneof![Just(AckPolicy::Explicit), Just(AckPolicy::All), Just(AckPolicy::None)],
        max_deliver in prop_oneof![Just(-1_i64), 1..4_i64],
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let config = ConsumerConfig { max_deliver, max_ack_pending: 4, ..config(policy) };
        let mut bench = Bench::new(&config, 1);
        for step in steps {
            // Time does not go back.
            let step = if let At(second) = step { At(bench.now / SECOND + second) } else { step };
            bench.run(step);
        }
        for sequence in bench.machine.state.pending.keys().copied().collect::<Vec<_>>() {
            bench.run(Done(sequence));
            let answered = Delivered { deliveries: 1, sequence, delivery: u64::MAX };
            bench.machine.done(answered);
        }
        prop_assert!(bench.machine.state.pending.is_empty());
    }
}
