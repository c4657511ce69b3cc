//! Who runs commits and checkpoints: two threads, or a test that calls.
//!
//! Invariants: the writer of the journal is made on the thread that uses it.
//! Not here: what they do (`commit`, `checkpoint`).

use super::{CheckpointCommand, Checkpointer, Command, Committer, Ring, RingOptions, Shared};
use crate::{Error, Result};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

/// The ends of the channels that the threads hold.
pub(crate) struct Ends {
    pub(crate) commands: Receiver<Command>,
    pub(crate) checkpoint_commands: Receiver<CheckpointCommand>,
    /// Told when the journal may have room again.
    pub(crate) room: Receiver<()>,
}

/// Who runs commits and checkpoints.
#[derive(Debug)]
pub(crate) enum Driver {
    /// A commit thread and a checkpoint thread.
    Threads(Mutex<Vec<JoinHandle<()>>>),
    /// Whoever calls `run_once`.
    Manual(Box<Mutex<Committer>>),
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
        let Ends { commands, checkpoint_commands, room } = ends;
        let make = {
            let (shared, checkpointer) = (Arc::clone(shared), Arc::clone(checkpointer));
            move || Committer::new(&shared, &checkpointer, commands, room, ring, options)
        };
        if shared.manual {
            return Ok(Self::Manual(Box::new(Mutex::new(make()?))));
        }
        let (ready, is_ready): (Sender<Result<()>>, _) = bounded(1);
        let commit = move || match make() {
            Ok(mut committer) => {
                let _ = ready.send(Ok(()));
                committer.serve();
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        };
        let commit_thread = spawn("hw-commit", commit)?;
        is_ready.recv().unwrap_or(Err(Error::Closed))?;
        let serving = Arc::clone(checkpointer);
        let checkpoint_thread = spawn("hw-checkpoint", move || serving.serve(&checkpoint_commands))
            .inspect_err(|_| {
                let _ = shared.commands.send(Command::Stop);
            })?;
        Ok(Self::Threads(Mutex::new(vec![commit_thread, checkpoint_thread])))
    }

    /// Whether the caller is one of the threads.
    pub(crate) fn is_this_thread(&self) -> bool {
        match self {
            Self::Threads(threads) => {
                let this = std::thread::current().id();
                let threads = threads.lock().unwrap_or_else(PoisonError::into_inner);
                threads.iter().any(|thread| thread.thread().id() == this)
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
        let _ = shared.commands.send(Command::Barrier(answer));
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
        let _ = shared.commands.send(Command::Flush(answer));
        let _ = shared.commands.send(Command::Stop);
        match self {
            Self::Threads(threads) => {
                let _ = answered.recv();
                let _ = shared.checkpoint_commands.send(CheckpointCommand::Stop);
                let mut threads = threads.lock().unwrap_or_else(PoisonError::into_inner);
                for thread in threads.drain(..) {
                    if thread.join().is_err() {
                        shared.fail(&Error::ReadOnly("a thread of the store panicked".into()));
                    }
                }
            }
            Self::Manual(_) => while self.run_once() {},
        }
    }
}

fn lock(committer: &Mutex<Committer>) -> MutexGuard<'_, Committer> {
    committer.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|error| Error::io(format!("start thread {name}"), error))
}
