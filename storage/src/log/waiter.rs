//! Waits for commits of one log, blocking the thread.

use super::{CommitListener, Position};
use crate::{Error, Result};
use std::sync::{Condvar, Mutex, PoisonError};

/// See the top of the file.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    state: Mutex<(Position, Option<Error>)>,
    changed: Condvar,
}

impl Waiter {
    /// Waits until everything below a position is committed.
    pub(crate) fn wait(&self, position: Position) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 < position {
            if let Some(error) = &state.1 {
                return Err(error.clone());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

impl CommitListener for Waiter {
    fn committed(&self, through: Position) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = through;
        self.changed.notify_all();
    }
    fn failed(&self, error: &Error) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(error.clone());
        self.changed.notify_all();
    }
}
