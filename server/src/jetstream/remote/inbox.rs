//! What a consumer on another server sent and the copy has not taken yet, and what is known of how much is left.
//!
//! Invariant: what waits is bounded. The consumer is held back by flow control; one that is not is cut off, and read again.
//! Not here: the order of deliveries (`session`).

use super::delivery::Delivery;
use crate::routing::{Account, Handler, Message, Origin};
use headwater_replication::origin::Frontier;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that may wait; nats-server and Headwater send at most half of that ahead.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Messages of which is remembered how many were left behind them.
const PENDING_MAX: usize = 64 * 1024;

/// See the top of the file.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Delivery>,
    bytes: usize,
    is_overrun: bool,
    /// Sequences, and how many messages are left behind each.
    pending: VecDeque<(u64, u64)>,
    /// The newest that came.
    newest: u64,
    /// How many messages are left behind it.
    left: u64,
}

/// What the inbox has.
pub(super) enum Next {
    /// The oldest delivery.
    Delivery(Delivery),
    /// Nothing.
    Nothing,
    /// More came than may wait.
    Overrun,
}

impl Inbox {
    /// So many messages are left behind this sequence, says one who knows; unless something came since.
    pub(super) fn learn(&self, sequence: u64, left: u64) {
        let mut state = self.lock();
        if state.waiting.is_empty() && state.newest <= sequence {
            state.left = left;
        }
    }
    /// Sequence of the first message that waits.
    pub(super) fn first(&self) -> Option<u64> {
        self.lock().waiting.iter().find_map(|delivery| match delivery {
            Delivery::Message { message, .. } => Some(message.sequence),
            _ => None,
        })
    }
    /// Takes the oldest delivery.
    pub(super) fn take(&self) -> Next {
        let mut state = self.lock();
        match state.waiting.pop_front() {
            Some(delivery) => {
                state.bytes -= delivery.bytes();
                Next::Delivery(delivery)
            }
            None if state.is_overrun => Next::Overrun,
            None => Next::Nothing,
        }
    }
    /// Gives back what was taken last.
    pub(super) fn put_back(&self, delivery: Delivery) {
        let mut state = self.lock();
        state.bytes += delivery.bytes();
        state.waiting.push_front(delivery);
    }
    /// Waits until something came. What came before and was not waited for counts.
    pub(super) async fn came(&self) {
        self.came.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Inbox {
    fn deliver(&self, _account: &Arc<Account>, message: &Message, _origin: &Arc<Origin>) {
        let Some(delivery) = Delivery::read(message) else { return };
        let mut state = self.lock();
        let bytes = state.bytes + delivery.bytes();
        if state.is_overrun || bytes > WAITING_BYTES_MAX {
            state.is_overrun = true;
        } else {
            if let Delivery::Message { message, pending, .. } = &delivery {
                (state.newest, state.left) = (message.sequence, *pending);
                if state.pending.len() == PENDING_MAX {
                    state.pending.pop_front();
                }
                state.pending.push_back((message.sequence, *pending));
            }
            state.bytes = bytes;
            state.waiting.push_back(delivery);
        }
        drop(state);
        self.came.notify_one();
    }
}

impl Frontier for Inbox {
    fn pending(&self, sequence: u64) -> Option<u64> {
        let mut state = self.lock();
        while state.pending.front().is_some_and(|(first, _)| *first <= sequence) {
            state.pending.pop_front();
        }
        Some(state.pending.front().map_or(state.left, |(_, left)| left.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn deliver(inbox: &Inbox, sequence: u64, pending: u64, payload: usize) {
        let message = Message {
            subject: "a".into(),
            reply: format!("$JS.ACK.S.C.1.{sequence}.{sequence}.1.{pending}").into(),
            payload: Bytes::from(vec![0; payload]),
            ..Message::default()
        };
        inbox.deliver(&Account::new("$G"), &message, &Arc::default());
    }

    #[test]
    fn what_is_left_is_counted_from_what_is_stored() {
        let inbox = Inbox::default();
        inbox.learn(0, 3);
        assert_eq!(inbox.pending(0), Some(3));
        for (sequence, pending) in [(2, 2), (5, 1), (9, 0)] {
            deliver(&inbox, sequence, pending, 1);
        }
        for (sequence, left) in [(0, 3), (2, 2), (4, 2), (5, 1), (9, 0), (12, 0)] {
            assert_eq!(inbox.pending(sequence), Some(left), "behind {sequence}");
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let inbox = Inbox::default();
        for sequence in 1..=65 {
            deliver(&inbox, sequence, 0, 1024 * 1024);
        }
        deliver(&inbox, 66, 0, 1);
        let mut taken = 0;
        while let Next::Delivery(_) = inbox.take() {
            taken += 1;
        }
        assert_eq!(taken, 63, "nothing is taken behind what is missing");
        assert!(matches!(inbox.take(), Next::Overrun));
    }
}
