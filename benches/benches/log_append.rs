//! Durable appends with many under way: to one log by record size, and to many logs at once.
//! The directory is below `HEADWATER_BENCH_DIR` where that is set: a memory file system measures nothing.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that fails has nothing to measure"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::{directory, scaled};
use headwater_storage::{testing::Logs, volume::DiskMethod};

/// Bytes under way at most; more than a log takes before it refuses would be no use.
const UNDER_WAY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Appends `count` records in turn to `logs` logs, never with more than `ahead` records under way, and waits for all.
fn run(logs: &Logs, log_count: usize, record: &[u8], count: usize, ahead: usize) {
    let mut last = vec![0; log_count];
    for index in 0..count {
        let number = index % log_count;
        last[number] = logs.append(number, record).expect("an append");
        if index % ahead == ahead - 1 {
            let behind = last[number].saturating_sub((ahead / log_count) as u64);
            logs.wait(number, behind).expect("a commit");
        }
    }
    for (number, position) in last.iter().enumerate() {
        logs.wait(number, *position).expect("a commit");
    }
    logs.trim().expect("room");
}

fn many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log_append");
    group.sample_size(10);
    for (log_count, bytes, count) in
        [(1, 128, 200_000), (1, 1024, 100_000), (1, 65_536, 2_000), (1000, 128, 100_000)]
    {
        let count = scaled(count);
        let place = directory();
        let logs = Logs::create(place.path(), DiskMethod::Auto, log_count).expect("logs");
        let record = vec![7; bytes];
        let ahead = UNDER_WAY_BYTES_MAX.div_euclid(bytes).min(32_768);
        group.throughput(Throughput::Elements(count as u64));
        let id = format!("logs={log_count}/bytes={bytes}");
        group.bench_function(id, |bencher| {
            bencher.iter(|| run(&logs, log_count as usize, &record, count, ahead));
        });
        logs.close().expect("a clean close");
    }
    group.finish();
}

criterion_group!(benches, many);
criterion_main!(benches);
