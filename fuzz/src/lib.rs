//! What the targets share: structured inputs, models of a stream and of WebSocket frames, sockets in memory, a bound on memory, and futures that are never pending.
//! Not here: what is looked for (`fuzz_targets`).

pub mod archive;
pub mod jetstream_requests;
pub mod jetstream_server;
pub mod stream_model;
pub mod stream_operations;
pub mod websocket_input;
pub mod websocket_model;
pub mod wire;

use peak_alloc::PeakAlloc;
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs something; fails where it holds more than so many bytes at a time, beside what was held before.
pub fn within_memory<T>(bytes_max: usize, run: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let value = run();
    let most = MEMORY.peak_usage().saturating_sub(before);
    assert!(most <= bytes_max, "{most} bytes of memory, {bytes_max} at most");
    value
}

/// Runs a future that never waits for anybody else: on a simulated machine whoever waits does the work.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a future waits for something that nobody does"),
    }
}

/// Cuts bytes into pieces of 1 to 16, as sizes say, which begin again when they are over.
pub fn pieces<'a>(bytes: &'a [u8], sizes: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    std::iter::from_fn(move || {
        let size = sizes.next().map_or(1, |size| usize::from(size % 16) + 1).min(rest.len());
        let (piece, tail) = rest.split_at(size);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}
