//! What a connection's writer task writes, put into frames: everything that waits goes into one binary message, unless it is
//! for a browser or compressed.
//!
//! Invariant: a control frame never stands within another frame, and nothing stands behind the last word.
//! Not here: what is written (`outbox`), when (`network::writer`).

use super::control::Control;
use super::deflate::deflate;
use super::frames::HEADER_BYTES_MAX;
use crate::network::{Close, Link};
use bytes::{Buf, BufMut, BytesMut};
use smallvec::SmallVec;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Bytes of a message for a browser: they take small ones better, nats-server's authors found.
const BROWSER_BYTES_MAX: usize = 4096;
/// So few bytes are not compressed.
const COMPRESSED_BYTES_MIN: usize = 65;
/// Slices handed to the kernel at once: a header, and as many as the writer task has.
const SLICES_MAX: usize = 65;

/// Bytes as frames.
#[derive(Debug)]
pub(super) struct Writer<W> {
    socket: W,
    /// What is framed and not written: control frames, compressed messages, the header of the open message.
    ahead: BytesMut,
    /// Bytes of the open message that are to come.
    left: usize,
    message_bytes_max: usize,
    is_compressed: bool,
    control: Arc<Control>,
    link: Arc<Link>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Writes to a socket.
    pub(super) fn new(
        socket: W,
        is_browser: bool,
        is_compressed: bool,
        control: Arc<Control>,
        link: Arc<Link>,
    ) -> Self {
        let message_bytes_max = if is_browser { BROWSER_BYTES_MAX } else { usize::MAX };
        Self {
            socket,
            ahead: BytesMut::new(),
            left: 0,
            message_bytes_max,
            is_compressed,
            control,
            link,
        }
    }

    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ahead.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, &self.ahead))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.ahead.advance(written);
        }
        if self.is_compressed {
            // It held a whole message, and an idle connection should hold none.
            self.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Begins a message with what there is; gives the bytes of it that are framed whole.
    fn begin(&mut self, chunks: &[IoSlice<'_>], total: usize) -> io::Result<usize> {
        if let Some(pong) = self.control.take_pong() {
            self.ahead.extend_from_slice(&pong);
        }
        if self.is_compressed && total >= COMPRESSED_BYTES_MIN {
            let mut payload = BytesMut::new();
            let used = deflate(chunks, &mut payload)?;
            self.put_header(payload.len(), true);
            self.ahead.extend_from_slice(&payload);
            return Ok(used);
        }
        self.left = total.min(self.message_bytes_max);
        self.put_header(self.left, false);
        Ok(0)
    }

    fn put_header(&mut self, bytes: usize, is_compressed: bool) {
        self.ahead.reserve(HEADER_BYTES_MAX);
        let opcode = OpCode::Data(Data::Binary);
        let header = FrameHeader { opcode, rsv1: is_compressed, ..FrameHeader::default() };
        // Writing to memory does not fail.
        let _ = header.format(bytes as u64, &mut (&mut self.ahead).writer());
    }

    fn poll_chunks(
        &mut self,
        context: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        if total == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.left == 0 {
            ready!(self.poll_ahead(context))?;
            let framed = self.begin(chunks, total)?;
            if framed > 0 {
                return Poll::Ready(Ok(framed));
            }
        }
        loop {
            let mut slices = SmallVec::<[IoSlice<'_>; SLICES_MAX]>::new();
            slices.push(IoSlice::new(&self.ahead));
            let mut room = self.left;
            for chunk in chunks.iter().take(SLICES_MAX - 1) {
                let bytes = chunk.len().min(room);
                slices.push(IoSlice::new(chunk.get(..bytes).unwrap_or_default()));
                room -= bytes;
                if room == 0 {
                    break;
                }
            }
            let socket = Pin::new(&mut self.socket);
            let written = ready!(socket.poll_write_vectored(context, &slices))?;
            drop(slices);
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_ahead = written.min(self.ahead.len());
            self.ahead.advance(of_ahead);
            if written > of_ahead {
                self.left -= written - of_ahead;
                return Poll::Ready(Ok(written - of_ahead));
            }
        }
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Writer<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_chunks(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_chunks(context, chunks)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if me.left == 0 {
            if let Some(pong) = me.control.take_pong() {
                me.ahead.extend_from_slice(&pong);
            }
            ready!(me.poll_ahead(context))?;
        }
        Pin::new(&mut me.socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let reason = me.link.reason();
        // A slow reader would not read a last word either.
        if me.left == 0 && !matches!(reason, Some(Close::SlowPending | Close::SlowWrite)) {
            me.ahead.extend_from_slice(&me.control.take_last(reason));
            ready!(me.poll_ahead(context))?;
        }
        Pin::new(&mut me.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
#[path = "writer_test.rs"]
mod tests;
