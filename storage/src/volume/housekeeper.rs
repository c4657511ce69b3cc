//! The volume's own thread: removes what is too old, takes up streams again after a full disk, and does the work that
//! would block a caller (files made and removed).
//!
//! Invariants: nothing runs on it after `stop` has returned.
//! Not here: what expiry and recovery do (`stream::maintain`).

use super::names::{Names, all_streams};
use crate::{Error, Result, store::CommitMode, stream::environment::Environment};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Pause between two looks at the clock: messages are removed within this time after they are too old.
const TICK: Duration = Duration::from_millis(25);
/// Pause between two looks at streams that wait for room, and at segments that the dedup window keeps.
const SLOW_TICK: Duration = Duration::from_secs(1);

/// Indexes of segments that are made of one stream between two looks.
const INDEXES_A_TICK: usize = 4;

type Job = Box<dyn FnOnce(&Environment) + Send>;

enum Order {
    Run(Job),
    Stop,
}

/// See the top of the file.
#[derive(Debug)]
pub(super) struct Housekeeper {
    environment: Arc<Environment>,
    orders: Sender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Housekeeper {
    /// Starts the thread; without threads the one who orders does the work.
    pub(super) fn start(environment: &Arc<Environment>, names: &Arc<Names>) -> Result<Self> {
        let (orders, received) = unbounded();
        let thread = match environment.mode {
            CommitMode::Thread => {
                let (environment, names) = (Arc::clone(environment), Arc::clone(names));
                let serve = move || serve(&environment, &names, &received);
                let started =
                    std::thread::Builder::new().name("hw-housekeeper".into()).spawn(serve);
                Some(started.map_err(|error| Error::io("start thread hw-housekeeper", error))?)
            }
            #[cfg(any(test, feature = "testing"))]
            CommitMode::Manual => None,
        };
        Ok(Self { environment: Arc::clone(environment), orders, thread: Mutex::new(thread) })
    }

    /// Runs a job on the thread and gives what it gave. `Closed` after the end.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Environment) -> T + Send + 'static,
    ) -> Result<T> {
        let has_thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !has_thread {
            return match self.environment.mode {
                CommitMode::Thread => Err(Error::Closed),
                #[cfg(any(test, feature = "testing"))]
                CommitMode::Manual => Ok(job(&self.environment)),
            };
        }
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |environment| drop(sender.send(job(environment))));
        self.orders.send(Order::Run(job)).map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)
    }

    /// Looks once at the clock, as the thread does over and over.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn tick(&self, names: &Names) {
        tick(&self.environment, names);
        slow_tick(&self.environment, names);
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        let _ = self.orders.send(Order::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the housekeeper panicked");
        }
    }
}

fn serve(environment: &Environment, names: &Names, orders: &Receiver<Order>) {
    let (mut last, mut last_slow) = (Instant::now(), Instant::now());
    loop {
        match orders.recv_timeout(TICK.saturating_sub(last.elapsed())) {
            Ok(Order::Run(job)) => job(environment),
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if last.elapsed() >= TICK {
            last = Instant::now();
            tick(environment, names);
        }
        if last_slow.elapsed() >= SLOW_TICK {
            last_slow = Instant::now();
            slow_tick(environment, names);
        }
    }
}

fn tick(environment: &Environment, names: &Names) {
    let now = environment.now();
    for stream in all_streams(names) {
        stream.expire(now);
    }
}

fn slow_tick(environment: &Environment, names: &Names) {
    let now = environment.now();
    match environment.catalogue.recover(&environment.store) {
        Ok(()) | Err(Error::Busy) => {}
        Err(error) => tracing::warn!(%error, "the catalogue without room stays read-only"),
    }
    let mut is_spent = false;
    for stream in all_streams(names) {
        if !is_spent {
            // One segment a look over all streams: that is the budget of reading and writing.
            is_spent = stream.compact(now).unwrap_or_else(|error| {
                tracing::warn!(%error, "a segment that is mostly dead stays as it is");
                true
            });
        }
        stream.trim(now);
        stream.index_segments(INDEXES_A_TICK);
        match stream.recover() {
            // Busy: something of it is still under way.
            Ok(()) | Err(Error::Busy) => {}
            Err(error) => tracing::warn!(%error, "a stream without room stays read-only"),
        }
    }
}
