//! Compression of messages, each for itself: what comes is inflated piece by piece, what goes is deflated in messages of a
//! bounded size. So the memory of a connection is bounded, whatever a message grows to.
//! Not here: frames.

use super::control::{INVALID_DATA, TOO_BIG};
use super::frames::Violation;
use bytes::{BufMut, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::cell::RefCell;
use std::io::{self, IoSlice};
use tokio::io::ReadBuf;

/// What every message ends with, and is not sent.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Bytes inflated at once.
const INFLATED_BYTES: usize = 16 * 1024;
/// Bytes that go into one message at most.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Room made at once for what is deflated.
const DEFLATED_BYTES: usize = 4096;

const BROKEN: Violation = Violation { status: INVALID_DATA, reason: "invalid compressed data" };
const BOMB: Violation =
    Violation { status: TOO_BIG, reason: "a message that inflates to too much" };

/// Inflates messages.
#[derive(Debug)]
pub(super) struct Inflate {
    /// There while a message is under way.
    stream: Option<Decompress>,
    message_bytes_max: u64,
    tail_used: usize,
    is_ended: bool,
}

impl Inflate {
    /// `message_bytes_max` is what a message may inflate to.
    pub(super) fn new(message_bytes_max: u64) -> Self {
        Self { stream: None, message_bytes_max, tail_used: 0, is_ended: false }
    }

    /// Inflates a piece of a message, as far as there is room; gives how much of it was used.
    pub(super) fn piece(
        &mut self,
        input: &[u8],
        out: &mut ReadBuf<'_>,
    ) -> Result<usize, Violation> {
        let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
        let mut used = 0;
        // A block may say that it is the last one; what stands behind it means nothing.
        while !self.is_ended && out.remaining() > 0 {
            let rest = input.get(used..).unwrap_or_default();
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            let room = out.initialize_unfilled_to(out.remaining().min(INFLATED_BYTES));
            let status = stream.decompress(rest, room, FlushDecompress::Sync);
            self.is_ended = status.map_err(|_| BROKEN)? == Status::StreamEnd;
            let produced = stream.total_out() - before_out;
            let consumed = stream.total_in() - before_in;
            out.advance(usize::try_from(produced).unwrap_or(usize::MAX));
            used += usize::try_from(consumed).unwrap_or(usize::MAX);
            if stream.total_out() > self.message_bytes_max {
                return Err(BOMB);
            }
            if produced == 0 && (consumed == 0 || used == input.len()) {
                break;
            }
        }
        Ok(if self.is_ended { input.len() } else { used })
    }

    /// Ends a message, as far as there is room; gives whether all of it was handed on.
    pub(super) fn end(&mut self, out: &mut ReadBuf<'_>) -> Result<bool, Violation> {
        let rest = TAIL.get(self.tail_used..).unwrap_or_default();
        self.tail_used += self.piece(rest, out)?;
        if out.remaining() == 0 {
            return Ok(false);
        }
        if self.tail_used < TAIL.len() {
            return Err(BROKEN);
        }
        self.stream = None;
        (self.tail_used, self.is_ended) = (0, false);
        Ok(true)
    }
}

thread_local! {
    /// What deflates, which is large: messages are deflated at once and each for itself, so that a thread needs one only.
    static DEFLATE: RefCell<Option<Compress>> = const { RefCell::new(None) };
}

/// Deflates the beginning of what there is into the payload of one message; gives how much that was.
pub(super) fn deflate(chunks: &[IoSlice<'_>], out: &mut BytesMut) -> io::Result<usize> {
    DEFLATE.with_borrow_mut(|stream| {
        let stream = stream.get_or_insert_with(|| Compress::new(Compression::fast(), false));
        stream.reset();
        let (start, mut taken) = (out.len(), 0);
        for chunk in chunks {
            let most = chunk.len().min(MESSAGE_BYTES_MAX - taken);
            let mut rest = chunk.get(..most).unwrap_or_default();
            while !rest.is_empty() {
                let (used, _) = step(stream, rest, FlushCompress::None, out)?;
                rest = rest.get(used..).unwrap_or_default();
            }
            taken += most;
        }
        // The flush is over when it leaves room.
        while step(stream, &[], FlushCompress::Sync, out)?.1 == DEFLATED_BYTES {}
        let end = out.len().saturating_sub(TAIL.len()).max(start);
        out.truncate(end);
        Ok(taken)
    })
}

/// Deflates as much as there is room for; gives the bytes used and made.
fn step(
    stream: &mut Compress,
    input: &[u8],
    flush: FlushCompress,
    out: &mut BytesMut,
) -> io::Result<(usize, usize)> {
    let (before_in, before_out) = (stream.total_in(), stream.total_out());
    let mut room = [0; DEFLATED_BYTES];
    stream.compress(input, &mut room, flush).map_err(io::Error::other)?;
    let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
    let made = count(stream.total_out(), before_out);
    out.put_slice(room.get(..made).unwrap_or_default());
    Ok((count(stream.total_in(), before_in), made))
}

#[cfg(test)]
#[path = "deflate_test.rs"]
mod tests;
