//! Acknowledgements of single messages that are held back until the streams of this server which capture what was published again have
//! stored or refused it.
//!
//! Who has the acknowledgement may read there: a program that was written for a server which stores at once expects to find it.
//! Invariant: every acknowledgement goes out, when the last one who holds it lets go, whether it was stored or not.
//! Not here: what is published again (`republish`).

use crate::routing::{Account, Message};
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// What is held back by those who capture what this thread publishes.
    static HELD: RefCell<Option<Arc<Held>>> = const { RefCell::new(None) };
}

/// An acknowledgement; dropping the last handle sends it.
#[derive(Debug)]
pub(super) struct Held {
    account: Arc<Account>,
    message: Message,
}

impl Held {
    /// Publishes, and sends the acknowledgement when every stream that captures what is published has stored it.
    pub(super) fn while_stored(
        account: &Arc<Account>,
        acknowledgement: Option<Message>,
        publish: impl FnOnce(),
    ) {
        let held = |message| Arc::new(Self { account: account.clone(), message });
        let outer = HELD.replace(acknowledgement.map(held));
        publish();
        let held = HELD.replace(outer);
        drop(held);
    }

    /// What whoever captures a message of this thread has to hold until it is stored.
    pub(super) fn of_this_thread() -> Option<Arc<Self>> {
        HELD.with_borrow(Clone::clone)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.account.send(&self.message);
    }
}
