//! A socket in memory that gives and takes bytes in pieces, and has its user wait in between.
//! Not here: what travels over it.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A wait that is longer never ends.
const POLLS_MAX: u32 = 1 << 20;

/// Polls a future until it is ready, because what it waits for is over when it is asked again.
pub fn soon<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("a future that is never ready");
}

/// Sizes of pieces, which begin again when they are over; without any, pieces are as large as they can be.
#[derive(Debug)]
pub struct Sizes<'a> {
    sizes: &'a [u8],
    at: usize,
    has_waited: bool,
}

impl<'a> Sizes<'a> {
    /// Sizes as bytes say: small ones, large ones, and waits.
    pub fn new(sizes: &'a [u8]) -> Self {
        Self { sizes, at: 0, has_waited: false }
    }
    /// The next size, 1 or more; none where there is a wait, after which there is always a size.
    pub fn next_size(&mut self) -> Option<usize> {
        let Some(size) = self.sizes.get(self.at) else { return Some(usize::MAX) };
        self.at = (self.at + 1) % self.sizes.len();
        match *size {
            small @ 0..0xc0 => Some(usize::from(small % 32) + 1),
            large @ 0xc0..0xf8 => Some(usize::from(large - 0xbf) * 128),
            _ if self.has_waited => Some(1),
            _ => {
                self.has_waited = true;
                return None;
            }
        }
        .inspect(|_| self.has_waited = false)
    }
}

/// The socket.
#[derive(Debug)]
pub struct Wire<'a> {
    incoming: &'a [u8],
    reads: Sizes<'a>,
    writes: Sizes<'a>,
    /// What was written.
    pub outgoing: Vec<u8>,
    /// How much was not read when the first byte was written.
    pub unread_at_answer: Option<usize>,
}

impl<'a> Wire<'a> {
    /// Gives bytes, and then the end.
    pub fn new(incoming: &'a [u8], reads: &'a [u8], writes: &'a [u8]) -> Self {
        let (reads, writes) = (Sizes::new(reads), Sizes::new(writes));
        Self { incoming, reads, writes, outgoing: Vec::new(), unread_at_answer: None }
    }
}

impl AsyncRead for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(size) = self.reads.next_size() else { return Poll::Pending };
        assert!(out.remaining() > 0, "a read of nothing looks like the end");
        let (piece, rest) =
            self.incoming.split_at(size.min(out.remaining()).min(self.incoming.len()));
        out.put_slice(piece);
        self.incoming = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(size) = self.writes.next_size() else { return Poll::Pending };
        let unread = self.incoming.len();
        self.unread_at_answer.get_or_insert(unread);
        let piece = bytes.get(..size).unwrap_or(bytes);
        self.outgoing.extend_from_slice(piece);
        Poll::Ready(Ok(piece.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
