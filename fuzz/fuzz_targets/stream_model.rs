//! A stream against a plain model: appends, batches, copies, deletes, purges, new configurations, the clock, and restarts of
//! every kind. What is answered, and what can be read, is what the model says.
//!
//! Appends may wait for their commit while others follow; the housekeeper runs when the input says so.
#![no_main]

use headwater_fuzz::{
    now,
    stream_model::{FULL, Model, Verdict, name},
    stream_operations::{
        Expected, FILTERS, Input, New, NewItem, NewStep, Operation, Restart, filter, id, subject,
    },
};
use headwater_storage::{
    Appended, Error, NewMessage, Stream, StreamConfig, Timestamp, Volume, VolumeOptions,
    message::{Expect, Rollup},
    stream::{Batch, Item, Purge, Step, StorageKind},
    testing::SimulatedMachine,
};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, Mutex};

/// Operations of one input.
const OPERATIONS_MAX: usize = 200;
/// An append that was answered or will be, and what the model says of it.
type Waiting = (Arc<Mutex<Option<Result<Appended, Error>>>>, Verdict);

/// A stream on its machine, and its model.
struct Pair {
    machine: SimulatedMachine,
    volume: Volume,
    stream: Arc<Stream>,
    model: Model,
    waiting: Vec<Waiting>,
}

fn options() -> VolumeOptions {
    VolumeOptions {
        segment_bytes: 2000,
        journal_bytes_max: 256 * 1024,
        ..VolumeOptions::new("unused")
    }
}

fn verdict(answer: &Result<Appended, Error>) -> Verdict {
    answer.as_ref().map(|appended| (appended.sequence, appended.duplicate)).map_err(name)
}

impl Pair {
    fn new(config: StreamConfig) -> Self {
        let machine = SimulatedMachine::new(7);
        machine.advance(1_000_000);
        let volume = machine.open(&options()).expect("a fresh volume");
        let model = Model::new(config.clone());
        let stream = now(volume.create_stream(config)).expect("a stream");
        Self { machine, volume, stream, model, waiting: Vec::new() }
    }

    fn time(&self) -> Timestamp {
        self.machine.now()
    }

    fn message(&self, new: &New) -> NewMessage {
        let mut expect = Expect::default();
        match new.expect {
            Some(Expected::Last(by)) => {
                expect.last_sequence = Some(self.model.last.saturating_add_signed(by.into()));
            }
            Some(Expected::OfSubject { filter: number, by }) => {
                let last = self.model.of(filter(number)).last().copied().unwrap_or(0);
                let expected = last.saturating_add_signed(by.into());
                expect.last_subject_sequence = Some((filter(number).into(), expected));
            }
            Some(Expected::Id(number)) => {
                let expected = number.map_or_else(|| self.model.last_id.clone(), id);
                expect.last_message_id = Some(expected.into());
            }
            None => {}
        }
        NewMessage {
            subject: subject(new.subject).into(),
            headers: if new.headers { "NATS/1.0\r\nA: b\r\n\r\n".into() } else { "".into() },
            payload: vec![new.payload; new.payload.into()].into(),
            message_id: new.id.map(|number| id(number).into()),
            rollup: new.rollup.map(|all| if all { Rollup::All } else { Rollup::Subject }),
            expect,
            ..NewMessage::default()
        }
    }

    fn item(&self, item: &NewItem) -> Item {
        let above = |by: i8| self.model.last.saturating_add_signed(by.into());
        match item {
            NewItem::Append(new) => Item::Append(self.message(new)),
            NewItem::Copy { above: by, earlier, new } => Item::Copy {
                sequence: above(*by).max(1),
                time: Timestamp(self.time().0 - i64::from(*earlier)),
                message: self.message(new),
            },
            NewItem::Skip { above: by } => Item::Skip { through: above(*by) },
        }
    }

    /// Commits what waits; every answer is the one of the model.
    fn commit(&mut self) {
        SimulatedMachine::commit(&self.volume);
        for (answer, expected) in self.waiting.drain(..) {
            let answer = answer.lock().expect("no panic").take().expect("an answer");
            assert_eq!(verdict(&answer), expected, "{answer:?}");
        }
    }

    fn append(&mut self, new: &New, waits: bool) {
        let new = self.message(new);
        let expected = self.model.append(&new, self.time());
        let answer = Arc::new(Mutex::new(None));
        let told = Arc::clone(&answer);
        self.stream.append_with(new, move |result| *told.lock().expect("no panic") = Some(result));
        self.waiting.push((answer, expected));
        if waits {
            self.commit();
        }
    }

    fn append_all(&mut self, news: &[New]) {
        let news: Vec<_> = news.iter().take(8).map(|new| self.message(new)).collect();
        let answer = now(self.stream.append_all(news.clone()));
        let answer = verdict(&answer);
        let fits = !(self.model.refuses() && answer == Err(FULL));
        let expected = self.model.append_all(&news, self.time(), fits);
        assert_eq!(answer, expected, "{news:?}");
    }

    fn apply(&mut self, steps: &[NewStep], expects: Option<Option<u8>>) {
        let key = |number: u8| format!("key {}", number % 2);
        let steps: Vec<Step> = steps
            .iter()
            .take(6)
            .map(|step| Step {
                items: step.items.iter().take(4).map(|item| self.item(item)).collect(),
                progress: step.progress.clone().map(|(number, value)| (key(number), value)),
            })
            .collect();
        let held = self.model.progress.get("key 0").cloned().unwrap_or_default();
        let expect = expects.map(|other| other.map_or(held.clone(), |other| vec![other]));
        let is_right = expect.as_ref().is_none_or(|expected| *expected == held);
        let expect_progress = expect.map(|value| ("key 0".to_owned(), value));
        let outcome = now(self.stream.apply(Batch { expect_progress, steps: steps.clone() }));
        let outcome = outcome.expect("the volume takes appends");
        let refused = outcome.refused.as_ref().map(name);
        let is_full = self.model.refuses() && refused == Some(FULL);
        let most = if is_full { outcome.applied } else { usize::MAX };
        let applied = match (is_right, self.model.config.sealed) {
            (false, _) => {
                assert_eq!(refused, Some("progress"));
                0
            }
            (true, true) => {
                assert_eq!(refused, Some("sealed"));
                0
            }
            (true, false) => self.model.apply(&steps, self.machine.now(), most),
        };
        assert_eq!(outcome.applied, applied, "{refused:?} {steps:?}");
        assert_eq!(
            refused.is_some(),
            applied < steps.len() || !is_right || self.model.config.sealed
        );
        assert_eq!(outcome.last_sequence, self.model.last);
    }

    fn delete(&mut self, from_last: u8) {
        let sequence = (self.model.last + 1).saturating_sub(from_last.into());
        let expected = match &self.model.config {
            config if config.sealed => Err("sealed"),
            config if config.deny_delete => Err("denied"),
            _ => self.model.messages.remove(&sequence).map(drop).ok_or("not found"),
        };
        assert_eq!(now(self.stream.delete(sequence)).map_err(|error| name(&error)), expected);
    }

    fn purge(&mut self, number: Option<u8>, before: Option<u8>, keep: Option<u8>) {
        let before = before.map(|before| (self.model.last + 2).saturating_sub(before.into()));
        let keep = keep.map(u64::from);
        let expected = match &self.model.config {
            config if config.sealed => Err("sealed"),
            config if config.deny_purge => Err("denied"),
            _ => Ok(self.model.purge(number.map_or(">", filter), before, keep)),
        };
        let filter = number.map(|number| filter(number).to_owned());
        let purged = now(self.stream.purge(Purge { filter, before, keep }));
        assert_eq!(purged.map_err(|error| name(&error)), expected);
    }

    fn update(&mut self, config: StreamConfig) {
        let updated = now(self.stream.update(config.clone())).map_err(|error| name(&error));
        if self.model.config.sealed && !config.sealed {
            assert_eq!(updated, Err("configuration"));
            return;
        }
        assert_eq!(updated, Ok(()));
        self.model.config = config;
        self.model.limit(self.time());
    }

    fn keep_house(&mut self) {
        self.commit();
        SimulatedMachine::keep_house(&self.volume);
        if !self.model.config.sealed && self.model.config.limits.age.is_some() {
            self.model.limit(self.time());
        }
    }

    fn restart(mut self, how: &Restart) -> Self {
        self.commit();
        if self.model.config.storage == StorageKind::Memory {
            return self;
        }
        let Self { machine, volume, stream, mut model, .. } = self;
        let machine = match how {
            Restart::PowerCut(seed) if model.config.sync.is_none() => {
                machine.restart((*seed).into())
            }
            Restart::PowerCut(seed) | Restart::Kill(seed) => machine.kill((*seed).into()),
            Restart::Close => {
                volume.close().expect("a clean close");
                machine
            }
        };
        drop((stream, volume));
        let volume = machine.open(&options()).expect("it opens again");
        let report = volume.recovery();
        assert!(report.damage.is_empty() && report.unreadable_streams.is_empty(), "{report:?}");
        let stream = volume.stream("s").expect("it is there");
        assert_eq!(stream.config(), model.config);
        if !model.config.sealed {
            model.limit(machine.now());
        }
        Self { machine, volume, stream, model, waiting: Vec::new() }
    }

    /// Everything that can be asked of the stream gives what the model says.
    fn check(&mut self, from: u8) {
        self.commit();
        let Self { stream, model, .. } = self;
        let from = (model.last + 1).saturating_sub(from.into());
        check_state(stream, model);
        let all: Vec<_> = model.messages.values().cloned().collect();
        let mut tail = stream.tail(0, Vec::new());
        let mut followed = Vec::new();
        while let Some(batch) = tail.try_next(3, 300).expect("a readable stream") {
            followed.extend(batch.messages);
        }
        assert_eq!(followed, all);
        for at in [from, model.last, model.last + 1] {
            let found = stream.get(at).map_err(|error| name(&error));
            assert_eq!(found.as_ref(), model.messages.get(&at).ok_or(&"not found"));
        }
        for text in FILTERS {
            check_filter(stream, model, text, from);
        }
        let times = all.iter().flat_map(|message| [message.time.0, message.time.0 + 1]);
        for time in times.chain([0, i64::MAX]).map(Timestamp) {
            let first = all.iter().find(|message| message.time >= time);
            let expected = first.map_or(model.last + 1, |message| message.sequence);
            assert_eq!(stream.sequence_at_time(time).ok(), Some(expected), "{time:?}");
        }
        for number in 0..8 {
            let id = id(number);
            assert_eq!(stream.sequence_of_id(&id), model.seen(&id, self.machine.now()), "{number}");
        }
    }
}

fn check_state(stream: &Stream, model: &Model) {
    let state = stream.state();
    assert_eq!((state.messages, state.bytes), (model.messages.len() as u64, model.bytes()));
    assert_eq!((state.last_sequence, state.last_time), (model.last, model.last_time));
    let first = model.messages.first_key_value();
    let emptied = if model.last == 0 { 0 } else { model.last + 1 };
    assert_eq!(state.first_sequence, first.map_or(emptied, |(at, _)| *at));
    assert_eq!(state.first_time, first.map(|(_, message)| message.time));
    let span = first.map_or(0, |(at, _)| model.last + 1 - at);
    assert_eq!(state.deleted, span - state.messages);
    let deleted: u64 = stream.deleted().iter().map(|(from, to)| to - from + 1).sum();
    assert_eq!(state.deleted, deleted);
    let entries: Vec<_> = model.progress.clone().into_iter().collect();
    assert_eq!(stream.progress_entries(), entries);
    assert!(state.lost.sequences.is_empty(), "{state:?}");
}

fn check_filter(stream: &Arc<Stream>, model: &Model, text: &str, from: u64) {
    let filters = [text.to_owned()];
    let of = model.of(text);
    let behind: Vec<u64> = of.iter().copied().filter(|at| *at >= from).collect();
    assert_eq!(stream.count_from(from, &filters), behind.len() as u64, "{text} from {from}");
    let next = stream.next_by_subject(&filters, from).expect("a readable stream");
    assert_eq!(next.as_ref(), behind.first().map(|at| &model.messages[at]), "{text} from {from}");
    let last = stream.last_by_subject(text).expect("a readable stream");
    assert_eq!(last.as_ref(), of.last().map(|at| &model.messages[at]), "{text}");
    let mut tail = stream.tail(from, filters.to_vec());
    let mut followed = Vec::new();
    while let Some(batch) = tail.try_next(2, 500).expect("a readable stream") {
        followed.extend(batch.messages.into_iter().map(|message| message.sequence));
    }
    assert_eq!(followed, behind, "{text} from {from}");
    assert_eq!(tail.next_sequence(), from.max(1).max(model.last + 1));
    let subjects = stream.subjects(text);
    assert_eq!(subjects.iter().map(|(_, count)| count).sum::<u64>(), of.len() as u64, "{text}");
}

fuzz_target!(|input: Input| {
    let mut pair = Pair::new(input.config(&input.settings));
    for operation in input.operations.iter().take(OPERATIONS_MAX) {
        match operation {
            Operation::Append { new, waits } => pair.append(new, *waits),
            Operation::AppendAll(news) => pair.append_all(news),
            Operation::Apply { steps, expects } => pair.apply(steps, *expects),
            Operation::Delete(from_last) => pair.delete(*from_last),
            Operation::Purge { filter, before, keep } => pair.purge(*filter, *before, *keep),
            Operation::Update(settings) => pair.update(input.config(settings)),
            Operation::Advance(by) => pair.machine.advance((*by).into()),
            Operation::KeepHouse => pair.keep_house(),
            Operation::Checkpoint => pair.volume.checkpoint().expect("a checkpoint"),
            Operation::Restart(how) => pair = pair.restart(how),
            Operation::Check { from } => pair.check(*from),
        }
    }
    pair.check(20);
    let mut pair = pair.restart(&Restart::Kill(1));
    pair.check(20);
});
