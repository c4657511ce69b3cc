//! The sockets of monitoring, bounded: at most so many at one time, and none that waits for long.
//! Invariant: who holds sockets keeps nobody out; at the bound the oldest one goes for the newest.
//! Not here: HTTP.

use axum::serve::Listener;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// Connections at one time.
const CONNECTIONS_MAX: usize = 256;

/// A listener with bounds.
#[derive(Debug)]
pub(super) struct Bounded {
    listener: TcpListener,
    wait_max: Duration,
    /// The connections there are, oldest first; one that has ended is cancelled.
    open: VecDeque<CancellationToken>,
}

impl Bounded {
    /// `wait_max` is how long a whole request may take to come, and how long nothing of an answer may be taken.
    pub(super) fn new(listener: TcpListener, wait_max: Duration) -> Self {
        Self { listener, wait_max, open: VecDeque::new() }
    }
}

impl Listener for Bounded {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        let (socket, peer) = Listener::accept(&mut self.listener).await;
        self.open.retain(|open| !open.is_cancelled());
        if self.open.len() >= CONNECTIONS_MAX
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.cancel();
        }
        let token = CancellationToken::new();
        self.open.push_back(token.clone());
        let guarded = Guarded {
            socket,
            wait: Box::pin(tokio::time::sleep(self.wait_max)),
            wait_max: self.wait_max,
            given_up: Box::pin(token.clone().cancelled_owned()),
            _ended: token.drop_guard(),
        };
        (guarded, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails when it waits for too long, or is given up for another one.
#[derive(Debug)]
pub(super) struct Guarded {
    socket: TcpStream,
    /// Begins anew with whatever is written: bytes that come one by one are no request yet.
    wait: Pin<Box<Sleep>>,
    wait_max: Duration,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
    _ended: DropGuard,
}

impl Guarded {
    /// Ready where it must not wait any longer.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.given_up.as_mut().poll(context).is_ready() {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        ready!(self.wait.as_mut().poll(context));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_over(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = Pin::new(&mut self.socket).poll_write(context, bytes) {
            let next = Instant::now() + self.wait_max;
            self.wait.as_mut().reset(next);
            return Poll::Ready(result);
        }
        self.poll_over(context).map(Err)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(3600);

    async fn bounded(wait_max: Duration) -> (Bounded, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Bounded::new(listener, wait_max), address)
    }

    #[tokio::test]
    async fn the_oldest_goes_for_the_newest() {
        let (mut bounded, address) = bounded(LONG).await;
        let (mut clients, mut served) = (Vec::new(), VecDeque::new());
        for _ in 0..=CONNECTIONS_MAX {
            clients.push(TcpStream::connect(address).await.unwrap());
            served.push_back(bounded.accept().await.0);
        }
        let error = served.pop_front().unwrap().read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        // One that has ended makes room, and no other goes.
        drop(served.pop_back());
        clients.push(TcpStream::connect(address).await.unwrap());
        served.push_back(bounded.accept().await.0);
        clients.get_mut(1).unwrap().write_u8(7).await.unwrap();
        assert_eq!(served.front_mut().unwrap().read_u8().await.unwrap(), 7);
    }

    #[tokio::test]
    async fn requests_that_do_not_come_to_an_end() {
        let (mut bounded, address) = bounded(SHORT).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut served = bounded.accept().await.0;
        let drip = tokio::spawn(async move {
            while client.write_u8(b'x').await.is_ok() {
                tokio::time::sleep(SHORT / 20).await;
            }
        });
        let error = loop {
            if let Err(error) = served.read_u8().await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(served);
        drip.await.unwrap();
    }

    #[tokio::test]
    async fn answers_that_nobody_takes() {
        let (mut bounded, address) = bounded(SHORT).await;
        let _client = TcpStream::connect(address).await.unwrap();
        let mut served = bounded.accept().await.0;
        let error = loop {
            if let Err(error) = served.write_all(&[0; 100_000]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
