//! Following a stream from its first message to its last: everything, and one subject of a hundred.
//! The files are in the page cache: this measures the engine, not the disk.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a benchmark that fails has nothing to measure"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::{SUBJECTS, directory, fill, scaled, stream, volume};

/// Bounds of a batch, as consumers and copies would ask for it.
const MESSAGES_MAX: usize = 1000;
const BYTES_MAX: usize = 1024 * 1024;

fn tails(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("log_tail");
    group.sample_size(10);
    for (bytes, count) in [(128, 500_000), (4096, 50_000)] {
        let count = scaled(count);
        let place = directory();
        let volume = volume(place.path());
        let stream = runtime.block_on(stream(&volume, "S"));
        fill(&stream, count, bytes);
        group.throughput(Throughput::Elements(count as u64));
        let sevens = (0..count).filter(|number| number % SUBJECTS == 7).count();
        let seven = vec!["bench.7".to_owned()];
        for (name, filters, expected) in [("all", Vec::new(), count), ("one", seven, sevens)] {
            group.bench_function(format!("bytes={bytes}/filter={name}"), |bencher| {
                bencher.iter(|| {
                    let mut tail = stream.tail(1, filters.clone());
                    let mut found = 0;
                    while let Some(batch) = tail.try_next(MESSAGES_MAX, BYTES_MAX).expect("a batch")
                    {
                        found += batch.messages.len();
                    }
                    assert_eq!(found, expected, "it sees all of them");
                });
            });
        }
        volume.close().expect("a clean close");
    }
    group.finish();
}

criterion_group!(benches, tails);
criterion_main!(benches);
