//! A new mirror and a new source in the same process, from nothing to all that the origin holds, durably.
//! The directory is below `HEADWATER_BENCH_DIR` where that is set: a memory file system measures nothing.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a benchmark that fails has nothing to measure"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::{directory, fill, scaled, stream, volume};
use headwater_replication::{Directory, MirrorConfig, Replicator, SourceConfig, Streams};
use headwater_storage::Volume;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often to look whether everything is there: a thousandth of the shortest run.
const LOOK_INTERVAL: Duration = Duration::from_micros(200);
/// How long it may take.
const CATCHUP_MAX: Duration = Duration::from_secs(120);

#[derive(Clone, Copy)]
enum Kind {
    Mirror,
    Source,
}

/// Copies all of the origin into a new stream; how long that took.
async fn catch_up(volume: &Volume, streams: &Arc<Streams>, kind: Kind, count: usize) -> Duration {
    let target = stream(volume, "target").await;
    let directory: Arc<dyn Directory> = streams.clone();
    let begun = Instant::now();
    let replication = match kind {
        Kind::Mirror => {
            let config = MirrorConfig { name: "origin".into(), ..MirrorConfig::default() };
            Replicator::mirror(target.clone(), config, directory)
        }
        Kind::Source => {
            let config = SourceConfig { name: "origin".into(), ..SourceConfig::default() };
            Replicator::source(target.clone(), config, directory)
        }
    }
    .expect("a replication");
    while target.committed_sequence() < count as u64 {
        assert!(begun.elapsed() < CATCHUP_MAX, "{:?}", replication.status());
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let took = begun.elapsed();
    replication.stop().await;
    drop(target);
    volume.delete_stream("target").await.expect("it is removed");
    took
}

fn copies(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("replication_catchup");
    group.sample_size(10);
    for (bytes, messages) in [(128, 200_000), (4096, 20_000)] {
        let count = scaled(messages);
        let place = directory();
        let volume = volume(place.path());
        let origin = runtime.block_on(stream(&volume, "origin"));
        fill(&origin, count, bytes);
        let streams = Arc::new(Streams::default());
        streams.insert("origin", origin);
        group.throughput(Throughput::Elements(count as u64));
        for (name, kind) in [("mirror", Kind::Mirror), ("source", Kind::Source)] {
            group.bench_function(format!("kind={name}/bytes={bytes}"), |bencher| {
                bencher.iter_custom(|times| {
                    let each = |_| runtime.block_on(catch_up(&volume, &streams, kind, count));
                    (0..times).map(each).sum()
                });
            });
        }
        drop(streams);
        volume.close().expect("a clean close");
    }
    group.finish();
}

criterion_group!(benches, copies);
criterion_main!(benches);
