//! The only loop: opens the origin, lets the plugin decide, hands batches to the target, and begins again after a failure.
//!
//! Invariants: a session begins with the progress that the target holds, when nothing of an earlier session is in flight; so
//! what was refused or lost is read again, and what was stored is not. Every wait ends with a stop. Waits look at their ends in
//! a fixed order, so that the same events give the same run.
//! Not here: what is copied (`plugin`), how batches are made (`pipeline`), what is shown (`status`).

use crate::{
    Error, Result,
    limits::{BATCH_BYTES_TARGET, BATCH_MESSAGES_MAX, REFUSED_RETRY_MAX, RETRY_MAX, RETRY_MIN},
    origin::{Acknowledge, Origin, OriginBatch, Session},
    pipeline::{Flight, Pace, Pipeline},
    plugin::{Plugin, Situation},
    status::{Board, State},
    target::Target,
};
use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration, time::Instant};
use tokio::sync::watch;

/// Messages of the target looked at in one go while a position is looked for.
const SEARCH_WINDOW: u64 = 4096;

/// One replication.
pub(crate) struct Driver {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) origin: Arc<dyn Origin>,
    pub(crate) plugin: Box<dyn Plugin>,
    pub(crate) board: Arc<Board>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// What a driver remembers from session to session.
struct Memory {
    pace: Pace,
    failures: u32,
    /// The last error that was logged, so that a lasting one is logged once.
    logged: String,
    /// Who wants to know what is durable, in this session.
    acknowledge: Option<Arc<dyn Acknowledge>>,
}

impl Memory {
    fn durable(&self, sequence: u64) {
        if let Some(acknowledge) = &self.acknowledge {
            acknowledge.durable(sequence);
        }
    }
}

impl Driver {
    /// Runs until it is stopped or the target is gone. Nothing is in flight when it returns.
    pub(crate) async fn run(mut self) {
        let mut memory =
            Memory { pace: Pace::Fast, failures: 0, logged: String::new(), acknowledge: None };
        loop {
            let changed = self.origin.changed();
            let result = self.session(&mut memory).await;
            memory.acknowledge = None;
            let Err(error) = result else {
                break self.show(State::Stopped, None);
            };
            if matches!(error, Error::TargetClosed) {
                break self.show(State::Stopped, Some(error));
            }
            self.log(&error, &mut memory);
            let (state, wait) = self.reaction(&error, &mut memory);
            self.show(state, Some(error));
            if wait == Some(Duration::ZERO) {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => break self.show(State::Stopped, None),
                () = changed => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// What to show, and how long to wait (`None`: until the origin changes).
    fn reaction(&self, error: &Error, memory: &mut Memory) -> (State, Option<Duration>) {
        let is_first = memory.failures == 0;
        let wait = RETRY_MIN.saturating_mul(1 << memory.failures.min(10)).min(RETRY_MAX);
        memory.failures = memory.failures.saturating_add(1);
        match error {
            Error::OriginNotFound(_) => {
                memory.failures = 0;
                (State::WaitingForOrigin, None)
            }
            Error::OriginRecreated { .. }
            | Error::OriginBehind { .. }
            | Error::Progress { .. }
            | Error::ConsumerUnfit(_)
            | Error::Halted(_) => (State::Halted, None),
            // The careful try comes at once: it stores what stands before the refused message.
            Error::Refused { .. } if memory.pace == Pace::Fast => {
                memory.pace = Pace::Careful;
                let wait = if is_first { Duration::ZERO } else { wait.min(REFUSED_RETRY_MAX) };
                (State::Retrying, Some(wait))
            }
            Error::Refused { .. } => (State::Retrying, Some(wait.min(REFUSED_RETRY_MAX))),
            _ => (State::Retrying, Some(wait)),
        }
    }

    fn log(&self, error: &Error, memory: &mut Memory) {
        let text = error.to_string();
        if text == memory.logged {
            return;
        }
        let origin = self.origin.name();
        match error {
            Error::OriginNotFound(_) => tracing::debug!(origin, "replication waits: {text}"),
            _ => tracing::warn!(origin, "replication does not move: {text}"),
        }
        memory.logged = text;
    }

    fn show(&self, state: State, error: Option<Error>) {
        let mut current = self.board.current();
        current.state = state;
        // A refusal of the target does not make the origin's frontier unknown.
        if !matches!(error, Some(Error::Refused { .. })) {
            current.frontier = None;
        }
        current.error = error;
    }

    /// Works on one opened origin. `Ok` is a stop.
    async fn session(&mut self, memory: &mut Memory) -> Result<()> {
        let mut stop = self.stop.clone();
        let mut session = tokio::select! {
            biased;
            () = stopped(&mut stop) => return Ok(()),
            session = self.origin.open() => session?,
        };
        let stored = self.target.progress(self.plugin.key());
        if self.plugin.search(stored.as_deref()) {
            self.search().await?;
        }
        let (target, origin) = (self.target.facts(), session.facts());
        let progress = stored.as_deref();
        let situation = Situation { target: &target, origin: &origin, progress };
        let request = self.plugin.attach(&situation)?;
        let sequence = tokio::select! {
            biased;
            () = stopped(&mut stop) => return Ok(()),
            sequence = session.start(request.start, request.filters) => sequence?,
        };
        memory.acknowledge = session.acknowledge();
        {
            let mut current = self.board.current();
            current.frontier = Some(session.frontier());
            current.position = Some(sequence.saturating_sub(1));
            current.heard = Some(Instant::now());
            if !matches!(current.error, Some(Error::Refused { .. })) {
                (current.state, current.error) = (State::Copying, None);
            }
        }
        let stored = stored.unwrap_or_default();
        let mut pipeline =
            Pipeline::new(self.target.as_ref(), self.plugin.as_mut(), stored, memory.pace);
        let mut result = pipeline.started(sequence);
        if result.is_ok() {
            result = pump(&mut pipeline, session.as_mut(), &self.board, &mut stop, memory).await;
        }
        let failure = drain(&mut pipeline, &self.board, memory).await;
        if pipeline.is_partly_applied() {
            memory.failures = 0;
        }
        match failure {
            Some(error) => Err(first_of(error, result.err())),
            None => result,
        }
    }

    /// Looks for the plugin's position in the target's messages, from the newest backward.
    async fn search(&mut self) -> Result<()> {
        let facts = self.target.facts();
        let mut before = facts.last_sequence.saturating_add(1);
        while before > facts.first_sequence.max(1) {
            let from = before.saturating_sub(SEARCH_WINDOW).max(facts.first_sequence.max(1));
            let mut is_found = false;
            let plugin = &mut self.plugin;
            let mut visitor = |message: &_| is_found |= plugin.found(message);
            match self.target.visit(from, before, &mut visitor) {
                Ok(()) if is_found => return Ok(()),
                Ok(()) => before = from,
                Err(headwater_storage::Error::Closed) => return Err(Error::TargetClosed),
                Err(reason) => return Err(Error::Refused { sequence: 0, reason }),
            }
            if *self.stop.borrow() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Moves messages until a stop (`Ok`) or a failure.
async fn pump(
    pipeline: &mut Pipeline<'_>,
    session: &mut dyn Session,
    board: &Board,
    stop: &mut watch::Receiver<bool>,
    memory: &mut Memory,
) -> Result<()> {
    loop {
        while let Some(landing) = pipeline.landing_now() {
            advance(board, memory, pipeline.landed(landing)?);
        }
        while !pipeline.has_room() {
            tokio::select! {
                biased;
                () = stopped(stop) => return Ok(()),
                landing = pipeline.landing() => advance(board, memory, pipeline.landed(landing)?),
            }
        }
        let Some(batch) = read(pipeline, session, board, stop, memory).await? else {
            return Ok(());
        };
        board.current().heard = Some(Instant::now());
        pipeline.messages(batch.messages)?;
        pipeline.examined(batch.examined);
        pipeline.flush();
        tokio::task::coop::consume_budget().await;
    }
}

/// The next messages, taking answers while it waits; `None` on a stop.
async fn read(
    pipeline: &mut Pipeline<'_>,
    session: &mut dyn Session,
    board: &Board,
    stop: &mut watch::Receiver<bool>,
    memory: &mut Memory,
) -> Result<Option<OriginBatch>> {
    let mut next = session.next(BATCH_MESSAGES_MAX, BATCH_BYTES_TARGET);
    if let Poll::Ready(batch) = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await {
        let is_stopped = *stop.borrow();
        return if is_stopped { Ok(None) } else { batch.map(Some) };
    }
    pipeline.caught_up()?;
    let mut is_shown = false;
    loop {
        if !is_shown && pipeline.is_empty() {
            // Nothing left to read and nothing on its way: whatever was wrong before is over.
            let mut current = board.current();
            (current.state, current.error) = (State::Copying, None);
            current.position = current.position.max(Some(pipeline.examined_through()));
            drop(current);
            memory.durable(pipeline.examined_through());
            is_shown = true;
        }
        tokio::select! {
            biased;
            () = stopped(stop) => return Ok(None),
            landing = pipeline.landing() => advance(board, memory, pipeline.landed(landing)?),
            batch = &mut next => return batch.map(Some),
        }
    }
}

/// Waits for all answers; gives the first failure among them.
async fn drain(pipeline: &mut Pipeline<'_>, board: &Board, memory: &mut Memory) -> Option<Error> {
    let mut failure = None;
    while !pipeline.is_empty() {
        let landing = pipeline.landing().await;
        match pipeline.landed(landing) {
            Ok(flight) => advance(board, memory, flight),
            Err(error) => failure = Some(first_of(error, failure)),
        }
    }
    failure
}

/// Notes that a batch is durable.
fn advance(board: &Board, memory: &mut Memory, flight: Flight) {
    memory.failures = 0;
    memory.pace = Pace::Fast;
    memory.logged.clear();
    memory.durable(flight.position);
    let mut current = board.current();
    current.position = current.position.max(Some(flight.position));
    current.copied += flight.messages;
    (current.state, current.error) = (State::Copying, None);
}

/// Of two failures the one that stands for the cause: a later batch is refused because of an earlier one.
fn first_of(one: Error, other: Option<Error>) -> Error {
    match (&one, other) {
        (_, None) => one,
        (Error::TargetClosed, Some(_)) => one,
        (Error::Refused { sequence, .. }, Some(Error::Refused { sequence: others, reason }))
            if others < *sequence =>
        {
            Error::Refused { sequence: others, reason }
        }
        (Error::Refused { .. }, Some(Error::Refused { .. })) => one,
        (_, Some(other)) => other,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The sender goes only with the handle, which sets the flag before.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
