//! The task that writes to one connection: it takes whatever waits and writes it with vectored writes.
//! A write that makes no end within the deadline ends the connection as a slow consumer.
//! Not here: what is written (`outbox`).

use super::link::{Close, Link};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Slices handed to the kernel at once.
const SLICES_MAX: usize = 64;
/// What a connection that closes still gets to write its last words.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(500);

/// Writes until the link closes.
pub(crate) async fn run(
    link: Arc<Link>,
    mut socket: impl AsyncWrite + Unpin,
    write_deadline: Duration,
) {
    let mut chunks = Vec::new();
    loop {
        let is_open = link.take(&mut chunks).await;
        let result = tokio::select! {
            biased;
            result = write_all(&mut socket, &chunks, write_deadline) => result,
            () = give_up(&link) => Err(io::ErrorKind::ConnectionAborted.into()),
        };
        link.release(&mut chunks);
        match result {
            Ok(()) if is_open => {}
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                link.close(Close::SlowWrite);
                break;
            }
            Err(_) => {
                link.close(Close::Client);
                break;
            }
        }
    }
    let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, socket.shutdown()).await;
}

/// Waits until there is no use in writing on: at once after a slow reader was given up, a while after any other end.
async fn give_up(link: &Link) {
    link.closing.cancelled().await;
    if !matches!(link.reason(), Some(Close::SlowPending | Close::SlowWrite)) {
        tokio::time::sleep(LAST_WORDS_TIMEOUT).await;
    }
}

/// Writes all chunks; `deadline` is what each system call may take.
async fn write_all(
    socket: &mut (impl AsyncWrite + Unpin),
    chunks: &[Bytes],
    deadline: Duration,
) -> io::Result<()> {
    let mut left: VecDeque<&[u8]> = chunks.iter().map(|chunk| &chunk[..]).collect();
    while !left.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut used = 0;
        for (slot, chunk) in slices.iter_mut().zip(&left) {
            *slot = IoSlice::new(chunk);
            used += 1;
        }
        let write = socket.write_vectored(slices.get(..used).unwrap_or_default());
        let mut written = tokio::time::timeout(deadline, write)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(front) = left.front_mut() {
            let step = written.min(front.len());
            front.advance(step);
            written -= step;
            if !front.is_empty() {
                break;
            }
            left.pop_front();
        }
    }
    tokio::time::timeout(deadline, socket.flush())
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
