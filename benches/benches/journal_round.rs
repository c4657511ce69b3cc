//! A durable append with nothing else under way, beside one synced 4 KiB overwrite on the same file system.
//! The directory is below `HEADWATER_BENCH_DIR` where that is set: a memory file system measures nothing.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that fails has nothing to measure"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::directory;
use headwater_storage::{
    testing::{Logs, SyncedWrites},
    volume::DiskMethod,
};

fn lone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal_round");
    for (name, method) in [("auto", DiskMethod::Auto), ("posix", DiskMethod::Posix)] {
        let place = directory();
        let mut writes = SyncedWrites::create(place.path(), method, 4096, 1).expect("a file");
        group.bench_function(format!("overwrite/bytes=4096/disk={name}"), |bencher| {
            bencher.iter(|| writes.write().expect("a synced write"));
        });
        let place = directory();
        let logs = Logs::create(place.path(), method, 1).expect("a log");
        group.bench_function(format!("append/bytes=128/disk={name}"), |bencher| {
            bencher.iter(|| {
                let position = logs.append(0, &[7; 128]).expect("an append");
                logs.wait(0, position).expect("a commit");
            });
        });
        logs.close().expect("a clean close");
    }
    group.finish();
}

/// A thousand records under way: in one log, and one in each of a thousand.
fn thousand(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal_round");
    group.throughput(Throughput::Elements(1000));
    for count in [1, 1000] {
        let place = directory();
        let logs = Logs::create(place.path(), DiskMethod::Auto, count).expect("logs");
        let mut last = vec![0; count as usize];
        group.bench_function(format!("append/in_flight=1000/logs={count}"), |bencher| {
            bencher.iter(|| {
                for index in 0..1000 {
                    let number = index % last.len();
                    last[number] = logs.append(number, &[7; 128]).expect("an append");
                }
                for (number, position) in last.iter().enumerate() {
                    logs.wait(number, *position).expect("a commit");
                }
            });
        });
        logs.close().expect("a clean close");
    }
    group.finish();
}

criterion_group!(benches, lone, thousand);
criterion_main!(benches);
