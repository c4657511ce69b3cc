//! The bytes that wait to be written to one connection.
//!
//! Small pieces are copied into a shared tail, large payloads are kept as they are, and the writer takes all of it at
//! once. The number of waiting bytes is bounded; whoever would exceed it is told so and nothing is added.
//! Not here: locks and wakeups (`link`), the socket (`writer`).

use crate::protocol::encode;
use crate::routing::{Parts, Subscription};
use bytes::{Bytes, BytesMut};

/// Payloads of at least this many bytes are not copied when they have shared ownership.
pub(crate) const SHARE_BYTES_MIN: usize = 8 * 1024;
/// The tail is closed when it has grown to this many bytes.
const TAIL_BYTES_MAX: usize = 64 * 1024;
/// Empty tails kept for use again.
const SPARES_MAX: usize = 4;

/// Bytes that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    chunks: Vec<Bytes>,
    tail: BytesMut,
    spares: Vec<BytesMut>,
    queued: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.queued
    }
    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.queued += bytes.len();
    }
    /// Appends one delivery; gives its size on the wire. A receiver without headers is given the payload alone.
    pub(super) fn push_message(
        &mut self,
        to: &Subscription,
        message: &Parts<'_>,
        with_headers: bool,
    ) -> usize {
        let before = self.tail.len();
        let headers = if with_headers { message.headers } else { &[] };
        let payload = message.payload;
        let (subject, reply) = (message.subject, message.reply);
        encode::message_line(&mut self.tail, subject, &to.sid, reply, headers.len(), payload.len());
        self.tail.extend_from_slice(headers);
        let mut bytes = self.tail.len() - before;
        match message.owned.filter(|_| payload.len() >= SHARE_BYTES_MIN) {
            Some(owned) => {
                self.close_tail();
                self.chunks.push(owned.payload.clone());
            }
            None => self.tail.extend_from_slice(payload),
        }
        self.tail.extend_from_slice(b"\r\n");
        bytes += payload.len() + 2;
        self.queued += bytes;
        if self.tail.len() >= TAIL_BYTES_MAX {
            self.close_tail();
        }
        bytes
    }
    /// Moves everything that waits to `into`.
    pub(super) fn take(&mut self, into: &mut Vec<Bytes>) -> usize {
        self.close_tail();
        into.append(&mut self.chunks);
        std::mem::take(&mut self.queued)
    }
    /// Drops everything that waits.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
    /// Gives back a written chunk, to be used again as a tail if nobody else holds it.
    pub(super) fn recycle(&mut self, chunk: Bytes) {
        if self.spares.len() >= SPARES_MAX || chunk.len() < TAIL_BYTES_MAX / 16 {
            return;
        }
        if let Ok(mut spare) = chunk.try_into_mut()
            && spare.capacity() <= 2 * TAIL_BYTES_MAX
        {
            spare.clear();
            self.spares.push(spare);
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let next = self.spares.pop().unwrap_or_default();
            self.chunks.push(std::mem::replace(&mut self.tail, next).freeze());
        }
    }
}
