//! What every plugin and every origin has to keep, as suites to be called from a test.
//! A broken rule panics with the rule, as tests do.

use super::ModelTarget;
use crate::{
    limits::PROGRESS_BYTES_MAX,
    origin::{Origin, OriginFacts, Session, Start},
    plugin::{Actions, Event, Plugin, Situation},
    target::Target,
};
use headwater_storage::{
    Message, Timestamp,
    stream::{Batch, Step},
};
use std::{future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

/// Longest wait for messages that are there.
const DEADLINE: Duration = Duration::from_secs(30);

/// Checks a plugin over the messages of an origin, by cutting the work short at each message and beginning again from the
/// stored progress: the target must come out the same, whatever the cut.
pub fn check_plugin(
    make: &dyn Fn() -> Box<dyn Plugin>,
    origin: &OriginFacts,
    messages: &[Message],
) {
    let whole = run(make, origin, messages, &[]);
    let again = run(make, origin, messages, &[]);
    assert_eq!(whole, again, "a plugin gives the same answers to the same events");
    for cut in 0..=messages.len() {
        let result = run(make, origin, messages, &[cut]);
        assert_eq!(whole, result, "a plugin goes on from its progress; cut before message {cut}");
        let result = run(make, origin, messages, &[cut, cut]);
        assert_eq!(whole, result, "two restarts are as good as one; cut before message {cut}");
    }
}

/// Runs a plugin on a model, making it anew before each of the messages numbered in `cuts`. Each time the three messages before
/// are shown again, as an origin that repeats itself would.
fn run(
    make: &dyn Fn() -> Box<dyn Plugin>,
    origin: &OriginFacts,
    messages: &[Message],
    cuts: &[usize],
) -> Vec<Message> {
    let target = ModelTarget::default();
    let mut from = 0;
    let ends = cuts.iter().copied().chain([messages.len()]);
    for end in ends {
        let mut plugin = make();
        let key = plugin.key().to_owned();
        let stored = target.progress(&key);
        if plugin.search(stored.as_deref()) {
            target.messages().iter().rev().any(|message| plugin.found(message));
        }
        let facts = target.facts();
        let situation = Situation { target: &facts, origin, progress: stored.as_deref() };
        let request = plugin.attach(&situation).unwrap_or_else(|error| {
            panic!("a plugin takes up its own work again: {error}");
        });
        let sequence = resolve(request.start, origin, messages);
        apply(&target, plugin.as_mut(), Event::Started { sequence });
        let mut previous = sequence.saturating_sub(1);
        for message in messages.iter().take(end).skip(from.min(end).saturating_sub(3)) {
            let is_wanted = request.filters.is_empty()
                || request.filters.iter().any(|filter| {
                    headwater_storage::subject::matches(filter, message.subject_str())
                });
            if is_wanted && message.sequence >= sequence.saturating_sub(3) {
                let event = Event::Message { message: message.clone(), previous };
                apply(&target, plugin.as_mut(), event);
                previous = previous.max(message.sequence);
            }
        }
        assert_eq!(plugin.key(), key, "a plugin keeps its key");
        from = end;
    }
    target.messages()
}

fn resolve(start: Start, origin: &OriginFacts, messages: &[Message]) -> u64 {
    let wanted = match start {
        Start::Sequence(sequence) => sequence,
        Start::Time(time) => messages
            .iter()
            .find(|message| message.time >= time)
            .map_or(u64::MAX, |message| message.sequence),
    };
    wanted.min(origin.last_sequence + 1).max(origin.first_sequence)
}

fn apply(target: &ModelTarget, plugin: &mut dyn Plugin, event: Event) {
    let mut actions = Actions::default();
    let before = plugin.position();
    if let Err(error) = plugin.decide(event.clone(), &mut actions) {
        panic!("a plugin decides about every event: {event:?}: {error}");
    }
    assert!(plugin.position() >= before, "the position of a plugin does not go back");
    let mut progress = Vec::new();
    plugin.progress(&mut progress);
    assert!(progress.len() <= PROGRESS_BYTES_MAX, "progress is bounded");
    assert!(!progress.is_empty(), "a plugin that was attached has progress");
    let step = Step { items: actions.items, progress: Some((plugin.key().to_owned(), progress)) };
    target.apply(Batch { expect_progress: None, steps: vec![step] }, Box::new(|_| {}));
}

/// Checks an origin that is there, is not written to, and holds `expected` under the given facts. At least one message of
/// `expected` has to match `filter`.
pub async fn check_origin(origin: &Arc<dyn Origin>, expected: &[Message], filter: &str) {
    let facts = open(origin).await.facts();
    let first = expected.first().map_or(facts.last_sequence + 1, |first| first.sequence);
    assert_eq!(facts.first_sequence, first, "an origin tells its first sequence");
    let last = expected.last().map_or(facts.last_sequence, |last| last.sequence);
    assert!(facts.last_sequence >= last, "an origin tells its last sequence");
    let starts = [0, 1, first, first + 1, last, last + 1, last + 100];
    for (start, messages_max) in starts.into_iter().zip([1, 2, 3, 1000, 1000, 1, 1]) {
        let from = start.min(facts.last_sequence + 1).max(first);
        let wanted: Vec<_> = expected.iter().filter(|m| m.sequence >= from).cloned().collect();
        let request = (Start::Sequence(start), Vec::new());
        check_session(origin, request, from, messages_max, &wanted).await;
    }
    for message in expected {
        let time = message.time;
        let wanted: Vec<_> = expected.iter().filter(|m| m.time >= time).cloned().collect();
        let from = wanted.first().map_or(0, |first| first.sequence);
        check_session(origin, (Start::Time(time), Vec::new()), from, 2, &wanted).await;
    }
    let after_all = Start::Time(Timestamp(i64::MAX));
    check_session(origin, (after_all, Vec::new()), facts.last_sequence + 1, 2, &[]).await;
    let wanted: Vec<_> = expected
        .iter()
        .filter(|m| headwater_storage::subject::matches(filter, m.subject_str()))
        .cloned()
        .collect();
    assert!(!wanted.is_empty(), "the suite needs a message that matches the filter");
    let filters = vec![filter.to_owned()];
    check_session(origin, (Start::Sequence(1), filters), first, 2, &wanted).await;
}

async fn open(origin: &Arc<dyn Origin>) -> Box<dyn Session> {
    match origin.open().await {
        Ok(session) => session,
        Err(error) => panic!("an origin that is there can be opened: {error}"),
    }
}

async fn check_session(
    origin: &Arc<dyn Origin>,
    (start, filters): (Start, Vec<String>),
    from: u64,
    messages_max: usize,
    wanted: &[Message],
) {
    let mut session = open(origin).await;
    let context = format!("{start:?} {filters:?} messages_max={messages_max}");
    let sequence = match session.start(start, filters).await {
        Ok(sequence) => sequence,
        Err(error) => panic!("a start can be set: {context}: {error}"),
    };
    assert_eq!(sequence, from, "a start is moved to what the origin holds: {context}");
    let pending = session.frontier().pending(sequence.saturating_sub(1));
    let count = wanted.len() as u64;
    assert!(pending.is_none_or(|pending| pending == count), "the frontier counts: {context}");
    let (mut got, mut examined) = (Vec::new(), sequence.saturating_sub(1));
    while got.len() < wanted.len() {
        // A future that is dropped after one look must lose nothing.
        let mut batch = look(session.next(messages_max, usize::MAX)).await;
        if batch.is_none() {
            let next = session.next(messages_max, usize::MAX);
            batch = tokio::time::timeout(DEADLINE, next).await.ok();
        }
        let batch = match batch {
            Some(Ok(batch)) => batch,
            Some(Err(error)) => panic!("reading goes on: {context}: {error}"),
            None => panic!("messages that are there are given: {context}, got {}", got.len()),
        };
        assert!(batch.messages.len() <= messages_max, "a batch is bounded: {context}");
        let last = batch.messages.last().map_or(0, |message| message.sequence);
        assert!(batch.examined >= last.max(examined), "examined moves on: {context}");
        examined = batch.examined;
        got.extend(batch.messages);
    }
    assert_eq!(got, wanted, "messages come complete and in order: {context}");
    assert!(
        look(session.next(messages_max, usize::MAX))
            .await
            .is_none_or(|batch| batch.is_ok_and(|batch| batch.messages.is_empty())),
        "nothing comes twice: {context}"
    );
}

/// Polls once and drops the future.
async fn look<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}
