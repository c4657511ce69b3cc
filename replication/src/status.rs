//! What a running replication tells about itself. Unknown stays unknown: no lag is not a lag of 0.
//! Not here: the JSON form of the API (the server).

use crate::{Error, origin::Frontier};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a replication is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It has not tried yet.
    #[default]
    Starting,
    /// There is no origin of that name; it begins as soon as one appears.
    WaitingForOrigin,
    /// It copies, or waits for new messages.
    Copying,
    /// Something failed; it tries again after a bounded wait.
    Retrying,
    /// It cannot go on without doing harm; it looks again when the origin changes.
    Halted,
    /// It was stopped.
    Stopped,
}

/// A replication at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// Name of the origin.
    pub origin: String,
    /// What it is doing.
    pub state: State,
    /// Messages at the origin that are to be copied and are not durable here yet; `None` while that is not known.
    pub lag: Option<u64>,
    /// How long ago the origin was last heard of; `None` for never.
    pub active: Option<Duration>,
    /// Why it does not move, if it does not.
    pub error: Option<Error>,
    /// Every message of the origin up to this sequence is durable here (or not wanted); `None` while that is not known.
    pub position: Option<u64>,
    /// Messages copied since it was started.
    pub copied: u64,
}

/// The part that the driver writes.
#[derive(Default)]
pub(crate) struct Current {
    pub(crate) state: State,
    pub(crate) error: Option<Error>,
    pub(crate) position: Option<u64>,
    pub(crate) copied: u64,
    pub(crate) heard: Option<Instant>,
    pub(crate) frontier: Option<Arc<dyn Frontier>>,
}

/// Shared by the driver and the handles.
pub(crate) struct Board {
    origin: String,
    current: Mutex<Current>,
}

impl Board {
    pub(crate) fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), current: Mutex::default() }
    }

    pub(crate) fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> Status {
        let (mut status, heard, frontier) = {
            let current = self.current();
            let status = Status {
                origin: self.origin.clone(),
                state: current.state,
                lag: None,
                active: None,
                error: current.error.clone(),
                position: current.position,
                copied: current.copied,
            };
            (status, current.heard, current.frontier.clone())
        };
        status.lag = frontier.zip(status.position).and_then(|(frontier, at)| frontier.pending(at));
        // An origin with nothing left is being waited on at this moment: that is contact. With something left, the
        // time since the last message shows a copy that hangs.
        let waiting = status.state == State::Copying && status.lag == Some(0);
        status.active = if waiting { Some(Duration::ZERO) } else { heard.map(|at| at.elapsed()) };
        status
    }
}
