//! Many threads that write to many streams of a volume on the real file system, and follow them.

use super::volume_test::named;
use crate::{Stream, Volume, VolumeOptions, stream::stream_test::message};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

/// Writes from two threads, one waiting for each acknowledgement, one with many under way.
fn write(stream: &Arc<Stream>, count: u64) {
    let acknowledged = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..count / 4 {
                let payload = format!("blocking {number}");
                stream.append_blocking(message("a.b", payload.as_bytes())).unwrap();
            }
        });
        scope.spawn(|| {
            for number in 0..count - count / 4 {
                let payload = format!("flying {number}");
                let acknowledged = Arc::clone(&acknowledged);
                stream.append_with(message("a.f", payload.as_bytes()), move |appended| {
                    appended.unwrap();
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    });
    while acknowledged.load(Ordering::Relaxed) < count - count / 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Follows from the start; every message once, in order, and in the order each writer gave it.
fn follow(stream: &Arc<Stream>, count: u64) -> Vec<String> {
    let mut tail = stream.tail(1, Vec::new());
    let (mut payloads, mut next) = (Vec::new(), BTreeMap::from([("blocking", 0), ("flying", 0)]));
    while (payloads.len() as u64) < count {
        for found in tail.next_blocking(64, 1 << 16).unwrap().messages {
            assert_eq!(found.sequence, payloads.len() as u64 + 1);
            let payload = String::from_utf8(found.payload.to_vec()).unwrap();
            let (writer, number) = payload.split_once(' ').unwrap();
            let due = next.get_mut(writer).unwrap();
            assert_eq!(number.parse::<u64>().unwrap(), *due);
            *due += 1;
            payloads.push(payload);
        }
    }
    payloads
}

#[test]
fn many_threads_write_and_follow_many_streams() {
    const COUNT: u64 = 400;
    let directory = tempfile::tempdir().unwrap();
    let options = VolumeOptions {
        segment_bytes: 8000,
        journal_bytes_max: 16 << 20,
        ..VolumeOptions::new(directory.path())
    };
    let volume = Volume::open(options.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let streams: Vec<_> = (0..8)
        .map(|number| runtime.block_on(volume.create_stream(named(&number.to_string()))).unwrap())
        .collect();
    let seen: Vec<_> = std::thread::scope(|scope| {
        let followers: Vec<_> =
            streams.iter().map(|stream| scope.spawn(|| follow(stream, COUNT))).collect();
        for stream in &streams {
            scope.spawn(|| write(stream, COUNT));
        }
        // One name, many who want it: one gets it.
        let racers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(volume.create_stream(named("raced"))).is_ok()
                })
            })
            .collect();
        let won =
            racers.into_iter().filter_map(|racer| racer.join().unwrap().then_some(())).count();
        assert_eq!(won, 1);
        followers.into_iter().map(|follower| follower.join().unwrap()).collect()
    });
    drop(streams);
    volume.close().unwrap();
    drop(volume);
    let volume = Volume::open(options).unwrap();
    let report = volume.recovery();
    assert!(!report.unclean && report.damage.is_empty(), "{report:?}");
    for (number, payloads) in seen.iter().enumerate() {
        let stream = volume.stream(&number.to_string()).unwrap();
        assert_eq!(&follow(&stream, COUNT), payloads);
    }
}

#[test]
fn a_callback_may_close_the_volume_on_a_thread_that_commits_for_itself() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let volume = Arc::new(Volume::open(VolumeOptions::new(directory.path())).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let stream = runtime.block_on(volume.create_stream(named("s"))).unwrap();
        let appended = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while stream.append_blocking(message("a", b"waits")).is_ok() {
                    appended.fetch_add(1, Ordering::Relaxed);
                }
            });
            // Most rounds are its own by now.
            while appended.load(Ordering::Relaxed) < 10 {
                std::thread::yield_now();
            }
            let closed = Arc::clone(&volume);
            stream.append_with(message("a", b"closes"), move |_| closed.close().unwrap());
        });
        volume.close().unwrap();
    }
}

/// Whether an append is refused, or is not answered for a while.
fn is_refused(stream: &Stream) -> bool {
    let (sender, receiver) = mpsc::channel();
    stream.append_with(message("a", b"asks"), move |answer| drop(sender.send(answer)));
    receiver.recv_timeout(Duration::from_millis(100)).is_ok_and(|answer| answer.is_err())
}

#[test]
fn a_callback_that_panics_stops_the_volume_and_keeps_nobody_from_closing_it() {
    for with_helper in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::open(VolumeOptions::new(directory.path())).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let stream = runtime.block_on(volume.create_stream(named("s"))).unwrap();
        let (is_over, appended) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let helper = scope.spawn(|| {
                while with_helper && !is_over.load(Ordering::Relaxed) {
                    if stream.append_blocking(message("a", b"waits")).is_err() {
                        break;
                    }
                    appended.fetch_add(1, Ordering::Relaxed);
                }
            });
            while with_helper && appended.load(Ordering::Relaxed) < 10 {
                std::thread::yield_now();
            }
            stream.append_with(message("a", b"panics"), |_| panic!("of a callback, as it should"));
            // The panic comes out of the append of the thread that ran the callback.
            while !is_refused(&stream) {}
            is_over.store(true, Ordering::Relaxed);
            let _ = helper.join();
        });
        assert!(volume.close().is_err());
    }
}
