//! What a client sends in frames as a plain stream of bytes, for the session that reads it.
//!
//! Payloads are handed on as they come, however long a frame is: nothing is kept but a header that is not whole. Text and
//! binary messages are the same, as in nats-server.
//! Invariant: what stands before a broken frame or a last word is read before the stream ends.
//! Not here: rules of frames (`frames`), the session.

use super::control::{Control, PAYLOAD_BYTES_MAX};
use super::deflate::Inflate;
use super::frames::{Frame, Frames, HEADER_BYTES_MAX, Violation, answer_to_close};
use super::mask::Mask;
use crate::network::{Close, Link};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes kept that are not looked at yet.
const RAW_BYTES: usize = 4096;
/// A payload of which so much is to come is read past what is kept, so much at once at most.
const DIRECT_BYTES_MIN: usize = RAW_BYTES;
const DIRECT_BYTES_MAX: usize = 64 * 1024;
/// Compressed bytes whose mask is taken off at once.
const PLAIN_BYTES: usize = 512;
/// Reads in a row that bring nothing but control frames and empty ones, before timers get their turn.
const FRUITLESS_READS_MAX: usize = 8;

const _: () = assert!(HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX < RAW_BYTES, "a control frame fits");

/// Bytes that were read and are not looked at.
#[derive(Debug)]
struct Raw {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Raw {
    fn new() -> Self {
        Self { buffer: vec![0; RAW_BYTES].into(), start: 0, end: 0 }
    }
    fn bytes(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..self.end).unwrap_or_default()
    }
    fn skip(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }
    fn is_empty(&self) -> bool {
        self.start == self.end
    }
    /// Room behind the bytes, which are moved to the front for it.
    fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }
}

/// A data frame whose payload is being read.
#[derive(Clone, Copy, Debug)]
struct Open {
    left: u64,
    mask: Mask,
    is_compressed: bool,
    is_final: bool,
}

impl Open {
    /// What is there of the payload, with its mask.
    fn piece<'a>(&self, raw: &'a mut Raw, bytes_max: usize) -> &'a mut [u8] {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = left.min(raw.bytes().len()).min(bytes_max);
        raw.bytes().get_mut(..bytes).unwrap_or_default()
    }
    fn use_up(&mut self, raw: &mut Raw, bytes: usize) {
        self.left -= bytes as u64;
        raw.skip(bytes);
    }
    /// Inflates what is there, as far as there is room; gives whether the frame is over.
    fn inflate(
        &mut self,
        raw: &mut Raw,
        inflate: &mut Inflate,
        out: &mut ReadBuf<'_>,
    ) -> Result<bool, Violation> {
        let mut plain = [0; PLAIN_BYTES];
        while out.remaining() > 0 {
            let piece = self.piece(raw, PLAIN_BYTES);
            let plain = plain.get_mut(..piece.len()).unwrap_or_default();
            plain.copy_from_slice(piece);
            self.mask.clone().remove(plain);
            let used = inflate.piece(plain, out)?;
            self.mask.skip(used);
            self.use_up(raw, used);
            if self.left == 0 {
                // Where no room is left there may be more, which comes before the next frame.
                let is_poured = out.remaining() > 0;
                return if self.is_final { inflate.end(out) } else { Ok(is_poured) };
            }
            if raw.is_empty() {
                break;
            }
        }
        Ok(false)
    }
}

/// How the stream ends when everything before is read.
#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Broken,
}

/// A client's frames as bytes.
#[derive(Debug)]
pub(super) struct Reader<R> {
    socket: R,
    raw: Raw,
    frames: Frames,
    open: Option<Open>,
    inflate: Option<Inflate>,
    end: Option<End>,
    control: Arc<Control>,
    link: Arc<Link>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from a socket; messages may be compressed where there is something to inflate them.
    pub(super) fn new(
        socket: R,
        inflate: Option<Inflate>,
        control: Arc<Control>,
        link: Arc<Link>,
    ) -> Self {
        let frames = Frames::new(inflate.is_some());
        Self { socket, raw: Raw::new(), frames, open: None, inflate, end: None, control, link }
    }

    /// Takes apart what is there, as far as there is room.
    fn decode(&mut self, out: &mut ReadBuf<'_>) -> Result<(), Violation> {
        while self.end.is_none() && out.remaining() > 0 {
            if self.open.is_some() {
                if !self.pour(out)? {
                    return Ok(());
                }
                continue;
            }
            let Some((frame, used)) = self.frames.next(self.raw.bytes())? else { return Ok(()) };
            self.take(frame, used)?;
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame, used: usize) -> Result<(), Violation> {
        match frame {
            Frame::Data { bytes, mask, is_compressed, is_final } => {
                self.open = Some(Open { left: bytes, mask, is_compressed, is_final });
            }
            Frame::Ping { payload_bytes, mut mask } => {
                let payload = control_payload(&mut self.raw, used, payload_bytes, &mut mask);
                self.control.answer(payload);
                self.link.nudge();
            }
            Frame::Pong => {}
            Frame::Close { payload_bytes, mut mask } => {
                let payload = control_payload(&mut self.raw, used, payload_bytes, &mut mask);
                let (status, text) = answer_to_close(payload)?;
                self.control.end(status, text);
                self.end = Some(End::Closed);
            }
        }
        self.raw.skip(used);
        Ok(())
    }

    /// Hands on payload of the open frame; gives whether the frame is over.
    fn pour(&mut self, out: &mut ReadBuf<'_>) -> Result<bool, Violation> {
        let Some(open) = &mut self.open else { return Ok(true) };
        let is_over = match self.inflate.as_mut().filter(|_| open.is_compressed) {
            Some(inflate) => open.inflate(&mut self.raw, inflate, out)?,
            None => {
                let piece = open.piece(&mut self.raw, out.remaining());
                open.mask.remove(piece);
                out.put_slice(piece);
                let used = piece.len();
                open.use_up(&mut self.raw, used);
                open.left == 0
            }
        };
        if is_over {
            self.open = None;
        }
        Ok(is_over)
    }

    /// Reads on, into what is kept or straight into `out`; gives how many bytes.
    fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let socket = Pin::new(&mut self.socket);
        let open = self.open.as_mut().filter(|open| !open.is_compressed && self.raw.is_empty());
        if let Some(open) = open {
            let left = usize::try_from(open.left).unwrap_or(usize::MAX);
            let most = left.min(out.remaining()).min(DIRECT_BYTES_MAX);
            if most >= DIRECT_BYTES_MIN {
                let mut direct = ReadBuf::new(out.initialize_unfilled_to(most));
                ready!(socket.poll_read(context, &mut direct))?;
                open.mask.remove(direct.filled_mut());
                let bytes = direct.filled().len();
                open.left -= bytes as u64;
                out.advance(bytes);
                return Poll::Ready(Ok(bytes));
            }
        }
        let mut room = ReadBuf::new(self.raw.room());
        ready!(socket.poll_read(context, &mut room))?;
        let bytes = room.filled().len();
        self.raw.end += bytes;
        Poll::Ready(Ok(bytes))
    }
}

fn control_payload<'a>(
    raw: &'a mut Raw,
    used: usize,
    payload_bytes: usize,
    mask: &mut Mask,
) -> &'a [u8] {
    let payload = raw.bytes().get_mut(used - payload_bytes..used).unwrap_or_default();
    mask.remove(payload);
    payload
}

impl<R: AsyncRead + Unpin> AsyncRead for Reader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let before = out.filled().len();
        for _ in 0..FRUITLESS_READS_MAX {
            if let Err(violation) = me.decode(out) {
                tracing::debug!("{} - {}", me.link, violation.reason);
                me.control.end(Some(violation.status), violation.reason);
                me.end = Some(End::Broken);
            }
            if out.filled().len() > before || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match me.end {
                Some(End::Closed) => return Poll::Ready(Ok(())),
                Some(End::Broken) => {
                    me.link.close(Close::Framing);
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                None => {}
            }
            if ready!(me.poll_fill(context, out))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
#[path = "reader_test.rs"]
mod tests;
