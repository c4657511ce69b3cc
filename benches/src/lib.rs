//! Workloads shared by the benchmarks.
//!
//! In a test run (`cargo test`) each benchmark runs once, with little to do, so that none rots.

use bytes::Bytes;
use headwater_storage::{NewMessage, Stream, StreamConfig, Volume, VolumeOptions};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::path::Path;
use std::sync::{Arc, mpsc};

/// Messages are the same in each run.
const SEED: u64 = 1;
/// Distinct subjects of a filled stream.
pub const SUBJECTS: usize = 100;
/// Appends that nobody has waited for yet.
const AHEAD: usize = 10_000;
/// What a test run does of the work of a benchmark.
const TEST_PART: usize = 1000;

/// An empty directory below `HEADWATER_BENCH_DIR`, or below the system's directory for temporary files.
///
/// # Panics
/// When it cannot be made.
pub fn directory() -> tempfile::TempDir {
    match std::env::var_os("HEADWATER_BENCH_DIR") {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    }
    .unwrap_or_else(|error| panic!("a directory for the benchmark: {error}"))
}

/// So much, or a small part of it in a test run. `cargo bench` says that it is none.
pub fn scaled(full: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") {
        full
    } else {
        full.div_euclid(TEST_PART).max(10)
    }
}

/// A volume in a directory.
///
/// # Panics
/// When it cannot be opened.
pub fn volume(directory: &Path) -> Volume {
    Volume::open(VolumeOptions::new(directory))
        .unwrap_or_else(|error| panic!("a volume for the benchmark: {error}"))
}

/// A stream in files with this name.
///
/// # Panics
/// When it cannot be made.
pub async fn stream(volume: &Volume, name: &str) -> Arc<Stream> {
    let config = StreamConfig { name: name.to_owned(), ..StreamConfig::default() };
    volume
        .create_stream(config)
        .await
        .unwrap_or_else(|error| panic!("a stream for the benchmark: {error}"))
}

/// A payload that does not compress.
pub fn payload(bytes: usize) -> Bytes {
    let mut payload = vec![0; bytes];
    SmallRng::seed_from_u64(SEED).fill(payload.as_mut_slice());
    payload.into()
}

/// Appends so many messages of so many bytes, on subjects `bench.0` to `bench.99` in turn, and waits until all are durable.
///
/// # Panics
/// When one is refused.
pub fn fill(stream: &Stream, count: usize, bytes: usize) {
    let payload = payload(bytes);
    let subjects: Vec<Bytes> = (0..SUBJECTS).map(|n| Bytes::from(format!("bench.{n}"))).collect();
    let (sender, receiver) = mpsc::sync_channel(AHEAD);
    let mut under_way = 0;
    for subject in subjects.iter().cycle().take(count) {
        let sender = sender.clone();
        let message = NewMessage {
            subject: subject.clone(),
            payload: payload.clone(),
            ..NewMessage::default()
        };
        stream.append_with(message, move |result| drop(sender.send(result)));
        under_way += 1;
        if under_way == AHEAD {
            settle(&receiver);
            under_way -= 1;
        }
    }
    (0..under_way).for_each(|_| settle(&receiver));
}

fn settle(receiver: &mpsc::Receiver<headwater_storage::Result<headwater_storage::Appended>>) {
    match receiver.recv() {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => panic!("an append: {error}"),
        Err(error) => panic!("an answer to an append: {error}"),
    }
}
