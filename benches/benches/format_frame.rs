//! Encoding and decoding of frames, by size and compression: the checksum over the body, and LZ4.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a benchmark that fails has nothing to measure"
)]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_storage::{stream::Compression, testing::EncodedFrame};
use std::fmt::Write as _;
use std::hint::black_box;

/// Records that compress as JSON does.
fn records(bytes: usize) -> Bytes {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        write!(text, "{{\"id\":{number},\"kind\":\"order\",\"price\":{}}}", number * 7919 % 10_007)
            .expect("a string takes everything");
    }
    text.truncate(bytes);
    text.into()
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format_frame");
    for (name, compression) in [("none", Compression::None), ("lz4", Compression::Lz4)] {
        for bytes in [256, 4096, 65_536, 1_048_576] {
            let records = records(bytes);
            group.throughput(Throughput::Bytes(bytes as u64));
            let id = format!("compression={name}/bytes={bytes}");
            group.bench_function(format!("encode/{id}"), |bencher| {
                bencher.iter(|| EncodedFrame::encode(black_box(&records), 1, compression));
            });
            let frame = EncodedFrame::encode(&records, 1, compression);
            assert_eq!(frame.decode(), Ok(records), "what was encoded");
            group.bench_function(format!("decode/{id}"), |bencher| {
                bencher.iter(|| black_box(&frame).decode().expect("a good frame"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
