//! What whoever commits is told, and when the commit thread is woken for it.
//!
//! A thread that waits for its own append may commit it itself (`Driver::help`): two changes of thread cost more than the
//! write where the processor sleeps in between. For as long as there is such a helper the commit thread sleeps on.
//! Invariants: what is sent is taken by the commit thread, or by a helper, or the last helper wakes the thread when it
//! leaves.
//! Not here: what is done about it (`commit`).

use super::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// See the top of the file.
#[derive(Default)]
pub(crate) struct CommandQueue {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    commands: Vec<Command>,
    helpers: usize,
    /// The commit thread is to look whatever there is.
    is_wanted: bool,
    /// The commit thread waits.
    is_asleep: bool,
    /// The commit thread has ended.
    is_closed: bool,
}

impl CommandQueue {
    /// Tells something.
    pub(crate) fn send(&self, command: Command) {
        let mut state = self.state();
        if state.is_closed {
            // Whoever waits for an answer learns that none will come.
            drop(state);
            return drop(command);
        }
        state.commands.push(command);
        self.wake_where_needed(state);
    }

    /// Nobody takes what is told any more.
    pub(crate) fn close(&self) {
        let dropped = {
            let mut state = self.state();
            state.is_closed = true;
            std::mem::take(&mut state.commands)
        };
        drop(dropped);
    }

    /// Takes what was told, in order.
    pub(crate) fn take(&self) -> Vec<Command> {
        std::mem::take(&mut self.state().commands)
    }

    /// Makes the commit thread look.
    pub(crate) fn wake(&self) {
        let mut state = self.state();
        state.is_wanted = true;
        self.wake_where_needed(state);
    }

    /// Waits until there is something to look at; for the commit thread.
    pub(crate) fn wait(&self) {
        let mut state = self.state();
        while state.commands.is_empty() && !state.is_wanted {
            state.is_asleep = true;
            state = self.woken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        (state.is_wanted, state.is_asleep) = (false, false);
    }

    /// Somebody will look before it waits for anything.
    pub(crate) fn helper_comes(&self) {
        self.state().helpers += 1;
    }

    /// It does not any more.
    pub(crate) fn helper_leaves(&self) {
        let mut state = self.state();
        state.helpers -= 1;
        self.wake_where_needed(state);
    }

    fn wake_where_needed(&self, mut state: MutexGuard<'_, State>) {
        let is_due = state.is_wanted || (state.helpers == 0 && !state.commands.is_empty());
        if is_due && std::mem::take(&mut state.is_asleep) {
            drop(state);
            self.woken.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
