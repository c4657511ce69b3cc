//! Who runs commits and checkpoints: two threads, or a test that calls. A thread that waits for its append helps.
//!
//! Invariants: the writer of the journal is made on the thread that uses it; helpers use only what needs no thread. Writes
//! are under way only while the commit thread has the committer.
//! Not here: what they do (`commit`, `checkpoint`).

use super::{CheckpointCommand, Checkpointer, Command, Committer, Ring, RingOptions, Shared};
use crate::{Error, Result};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    thread::{JoinHandle, ThreadId},
};

/// Whom the rounds under way were told to is not known then.
const CALLBACK_PANICKED: &str = "a callback panicked";

/// The ends of the channels that the threads hold.
pub(crate) struct Ends {
    pub(crate) checkpoint_commands: Receiver<CheckpointCommand>,
    /// Told when the journal may have room again.
    pub(crate) room: Receiver<()>,
}

/// Who runs commits and checkpoints.
#[derive(Debug)]
pub(crate) enum Driver {
    /// A commit thread and a checkpoint thread.
    Threads(Threads),
    /// Whoever calls `run_once`.
    Manual(Box<Mutex<Committer>>),
}

/// The threads, and what the first one shares with its helpers.
#[derive(Debug)]
pub(crate) struct Threads {
    handles: Mutex<Vec<JoinHandle<()>>>,
    /// Gone once the commit thread has ended.
    committer: Arc<Mutex<Option<Committer>>>,
    /// Who has the committer, where it is not the commit thread.
    helper: Mutex<Option<ThreadId>>,
}

/// A thread that commits what it waits for. It has to leave before it waits for others.
#[derive(Debug)]
pub(crate) struct Helper<'a> {
    threads: Option<&'a Threads>,
    shared: &'a Shared,
}

impl Helper<'_> {
    /// Commits what is open. False where there is nothing, or somebody else does it.
    pub(crate) fn run(&self) -> bool {
        let Some(threads) = self.threads else { return false };
        let mut place = match threads.committer.try_lock() {
            Ok(place) => place,
            // The commit thread sees to it.
            Err(TryLockError::Poisoned(_) | TryLockError::WouldBlock) => return false,
        };
        let Some(committer) = place.as_mut() else { return false };
        *lock(&threads.helper) = Some(std::thread::current().id());
        let _at_it = AtIt { threads, shared: self.shared };
        committer.help()
    }
}

/// While a helper has the committer.
struct AtIt<'a> {
    threads: &'a Threads,
    shared: &'a Shared,
}

impl Drop for AtIt<'_> {
    fn drop(&mut self) {
        *lock(&self.threads.helper) = None;
        if std::thread::panicking() {
            // Somebody's callback: the commit thread has to tell the others.
            self.shared.commands.wake();
        }
    }
}

impl Drop for Helper<'_> {
    fn drop(&mut self) {
        self.shared.commands.helper_leaves();
    }
}

impl Driver {
    /// Starts the threads, or keeps the committer for the one who drives it.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        checkpointer: &Arc<Checkpointer>,
        ends: Ends,
        ring: Ring,
        options: RingOptions,
    ) -> Result<Self> {
        let Ends { checkpoint_commands, room } = ends;
        let make = {
            let (shared, checkpointer) = (Arc::clone(shared), Arc::clone(checkpointer));
            move || Committer::new(&shared, &checkpointer, room, ring, options)
        };
        if shared.manual {
            return Ok(Self::Manual(Box::new(Mutex::new(make()?))));
        }
        let (ready, is_ready): (Sender<Result<()>>, _) = bounded(1);
        let committer = Arc::new(Mutex::new(None));
        let commit = {
            let (shared, committer) = (Arc::clone(shared), Arc::clone(&committer));
            move || match make() {
                Ok(made) => {
                    *lock(&committer) = Some(made);
                    let _ = ready.send(Ok(()));
                    serve(&committer, &shared);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        };
        let commit_thread = spawn("hw-commit", commit)?;
        is_ready.recv().unwrap_or(Err(Error::Closed))?;
        let serving = Arc::clone(checkpointer);
        let checkpoint_thread = spawn("hw-checkpoint", move || serving.serve(&checkpoint_commands))
            .inspect_err(|_| {
                shared.commands.send(Command::Stop);
            })?;
        let handles = Mutex::new(vec![commit_thread, checkpoint_thread]);
        Ok(Self::Threads(Threads { handles, committer, helper: Mutex::new(None) }))
    }

    /// The caller will append, commit that itself where nobody else is at it, and only then wait.
    pub(crate) fn help<'a>(&'a self, shared: &'a Shared) -> Helper<'a> {
        shared.commands.helper_comes();
        let threads = match self {
            Self::Threads(threads) => Some(threads),
            Self::Manual(_) => None,
        };
        Helper { threads, shared }
    }

    /// Whether the caller is one of the threads, or in the middle of its work.
    pub(crate) fn is_this_thread(&self) -> bool {
        match self {
            Self::Threads(threads) => {
                let this = std::thread::current().id();
                let is_helper = *lock(&threads.helper) == Some(this);
                is_helper || lock(&threads.handles).iter().any(|each| each.thread().id() == this)
            }
            Self::Manual(_) => false,
        }
    }

    /// Runs the committer once, where it has no thread. True where there was something to do.
    pub(crate) fn run_once(&self) -> bool {
        match self {
            Self::Threads(_) => false,
            Self::Manual(committer) => lock(committer).run_once(),
        }
    }

    /// Waits until the commit thread is between two rounds.
    pub(crate) fn barrier(&self, shared: &Shared) {
        let (answer, answered) = bounded(1);
        shared.commands.send(Command::Barrier(answer));
        match self {
            Self::Threads(_) => {
                let _ = answered.recv();
            }
            Self::Manual(_) => {
                self.run_once();
            }
        }
    }

    /// Acknowledges what is open and ends the threads. Nothing may be appended any more.
    pub(crate) fn stop(&self, shared: &Shared) {
        let (answer, answered) = bounded(1);
        shared.commands.send(Command::Flush(answer));
        shared.commands.send(Command::Stop);
        match self {
            Self::Threads(threads) => {
                let _ = answered.recv();
                let _ = shared.checkpoint_commands.send(CheckpointCommand::Stop);
                for thread in lock(&threads.handles).drain(..) {
                    if thread.join().is_err() {
                        shared.fail(&Error::ReadOnly("a thread of the store panicked".into()));
                    }
                }
            }
            Self::Manual(_) => while self.run_once() {},
        }
    }
}

/// The commit thread.
fn serve(committer: &Mutex<Option<Committer>>, shared: &Shared) {
    let failed = || shared.fail(&Error::ReadOnly(CALLBACK_PANICKED.into()));
    loop {
        shared.commands.wait();
        let mut place = committer.lock().unwrap_or_else(|poisoned| {
            failed();
            poisoned.into_inner()
        });
        let Some(committer) = place.as_mut() else { break };
        // All who wait are told then, in another pass.
        let served = catch_unwind(AssertUnwindSafe(|| committer.serve())).map_err(|_| failed());
        if served == Ok(true) {
            place.take();
            break;
        }
    }
    shared.commands.close();
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|error| Error::io(format!("start thread {name}"), error))
}
