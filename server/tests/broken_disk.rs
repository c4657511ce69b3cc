//! A disk that breaks under a running server: what cannot be read is lost or tried again, and the server goes on.
//! Not here: damage that a start finds (`log_commands`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
};
use futures_util::StreamExt;
use headwater_server::{RunningServer, Server, config::file};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const MESSAGES: u64 = 8;
const PAYLOAD_BYTES: usize = 300_000;
/// Shorter than a client takes to ask again by itself.
const DEADLINE: Duration = Duration::from_secs(10);

async fn start(folder: &Path) -> (RunningServer, jetstream::Context) {
    let path = folder.join("s.conf");
    let store = folder.join("store");
    let text = format!(
        "listen: '127.0.0.1:-1'\njetstream {{\n store_dir: '{}'\n segment_size: 1MB\n}}",
        store.display()
    );
    fs::write(&path, text).unwrap();
    let server = Server::start(file::load(&path).unwrap()).await.unwrap();
    let client = async_nats::connect(server.client_address().to_string()).await.unwrap();
    (server, jetstream::new(client))
}

/// A server that was started on a stream of some segments, none of which is in its memory.
async fn restarted(folder: &Path) -> (RunningServer, jetstream::Context) {
    let (server, jetstream) = start(folder).await;
    let config = jetstream::stream::Config {
        name: "S".into(),
        subjects: vec!["s".into()],
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    for at in 1..=MESSAGES {
        let payload = vec![at as u8; PAYLOAD_BYTES].into();
        jetstream.publish("s", payload).await.unwrap().await.unwrap();
    }
    server.shutdown().await;
    start(folder).await
}

/// The first segment that holds messages of the stream.
fn first_segment(folder: &Path) -> PathBuf {
    let logs = fs::read_dir(folder.join("store/headwater/logs")).unwrap();
    let files = logs.flat_map(|log| fs::read_dir(log.unwrap().path()).unwrap());
    let is_filled = |path: &PathBuf| {
        let is_segment = path.extension().is_some_and(|end| end == "seg");
        is_segment && path.metadata().unwrap().len() > 2 * PAYLOAD_BYTES as u64
    };
    files.map(|file| file.unwrap().path()).filter(is_filled).min().unwrap()
}

/// Messages of the stream as a consumer of its own finds them, up to the last one.
async fn consumed(jetstream: &jetstream::Context) -> Vec<u64> {
    let stream = jetstream.get_stream("S").await.unwrap();
    let config = pull::OrderedConfig { deliver_policy: DeliverPolicy::All, ..Default::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    let mut sequences = Vec::new();
    while sequences.last() != Some(&MESSAGES) {
        let next = tokio::time::timeout(DEADLINE, messages.next()).await;
        sequences.push(next.unwrap().unwrap().unwrap().info().unwrap().stream_sequence);
    }
    sequences
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_cut_under_a_running_server_costs_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let (server, jetstream) = restarted(folder.path()).await;
    // Its segments are mapped from now on.
    assert_eq!(consumed(&jetstream).await, (1..=MESSAGES).collect::<Vec<_>>());
    // The server reads them too, for their indexes.
    let path = first_segment(folder.path());
    let begun = Instant::now();
    while !path.with_extension("idx").exists() {
        assert!(begun.elapsed() < DEADLINE, "an index comes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What was read within the last second counts as in memory.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let segment = fs::OpenOptions::new().write(true).open(path).unwrap();
    segment.set_len(3 * PAYLOAD_BYTES as u64 / 2).unwrap();
    assert_eq!(consumed(&jetstream).await, [1, 5, 6, 7, 8]);
    let stream = jetstream.get_stream("S").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 5);
    assert!(stream.get_raw_message(2).await.is_err());
    let acknowledged = jetstream.publish("s", "goes on".into()).await.unwrap().await.unwrap();
    assert_eq!(acknowledged.sequence, MESSAGES + 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_cannot_be_opened_for_a_while_holds_up_its_readers_for_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let (server, jetstream) = restarted(folder.path()).await;
    let segment = first_segment(folder.path());
    let aside = folder.path().join("aside");
    fs::rename(&segment, &aside).unwrap();
    let consuming = tokio::spawn(async move { consumed(&jetstream).await });
    // Where the server was quicker, and had mapped the segment for its index, there is nothing to wait for.
    tokio::time::sleep(Duration::from_millis(300)).await;
    fs::rename(&aside, &segment).unwrap();
    // Nothing else happens that would make the server look again.
    assert_eq!(consuming.await.unwrap(), (1..=MESSAGES).collect::<Vec<_>>());
    server.shutdown().await;
}
