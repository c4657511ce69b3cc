//! A durable append with nothing else under way, beside one synced 4 KiB overwrite on the same file system.
//! The directory is below `HEADWATER_BENCH_DIR` where that is set: a memory file system measures nothing.

use criterion::{Criterion, criterion_group, criterion_main};
use headwater_benches::directory;
use headwater_storage::{
    testing::{Logs, SyncedWrites},
    volume::DiskMethod,
};

fn lone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal_round");
    for (name, method) in [("auto", DiskMethod::Auto), ("posix", DiskMethod::Posix)] {
        let place = directory();
        let mut writes = SyncedWrites::create(place.path(), method, 4096).expect("a file");
        group.bench_function(format!("overwrite_4096/{name}"), |bencher| {
            bencher.iter(|| writes.write().expect("a synced write"));
        });
        let place = directory();
        let logs = Logs::create(place.path(), method, 1).expect("a log");
        group.bench_function(format!("append_128/{name}"), |bencher| {
            bencher.iter(|| {
                let position = logs.append(0, &[7; 128]).expect("an append");
                logs.wait(0, position).expect("a commit");
            });
        });
        logs.close().expect("a clean close");
    }
    group.finish();
}

criterion_group!(benches, lone);
criterion_main!(benches);
