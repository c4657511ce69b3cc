//! Opening a volume with one stream, by the number of its messages: after a clean close, and as a killed process leaves it.
//! The files are in the page cache: this measures the engine, not the disk.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a benchmark that fails has nothing to measure"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use headwater_benches::{directory, fill, scaled, stream, volume};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of a payload.
const PAYLOAD_BYTES: usize = 128;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// How long it takes to open copies of a directory.
fn open_copies(original: &Path, count: usize, times: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..times {
        let place = directory();
        copy(original, place.path());
        let begun = Instant::now();
        let volume = volume(place.path());
        let stream = volume.stream("S").expect("the stream");
        assert_eq!(stream.committed_sequence(), count as u64, "all of it is there");
        total += begun.elapsed();
        drop(stream);
        volume.close().expect("a clean close");
    }
    total
}

fn opens(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("log_recover");
    group.sample_size(10);
    for messages in [100_000, 1_000_000] {
        let count = scaled(messages);
        let place = directory();
        let (live, killed) = (place.path().join("live"), place.path().join("killed"));
        let volume = volume(&live);
        let stream = runtime.block_on(stream(&volume, "S"));
        fill(&stream, count, PAYLOAD_BYTES);
        copy(&live, &killed);
        drop(stream);
        volume.close().expect("a clean close");
        for (name, original) in [("closed", &live), ("killed", &killed)] {
            group.bench_function(format!("messages={messages}/after={name}"), |bencher| {
                bencher.iter_custom(|times| open_copies(original, count, times));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, opens);
criterion_main!(benches);
