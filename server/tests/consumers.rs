//! Consumers as the `async-nats` client uses them, over kills and restarts of the program.
//! Not here: every request and answer (`peer`, beside nats-server), the decisions (`jetstream::consumer::machine`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use async_nats::jetstream::{self, AckKind, consumer, stream};
use futures_util::StreamExt;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

/// A running program; killed when the test ends.
struct Program {
    child: Child,
    url: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts the program on a directory.
    fn start(directory: &Path) -> Self {
        let (ports, store) = (directory.join("ports"), directory.join("store"));
        std::fs::create_dir_all(&ports).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_headwater"))
            .args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"])
            .arg(&store)
            .arg("--ports_file_dir")
            .arg(&ports)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Self { child, url: String::new() };
        let file = ports.join(format!("headwater_{}.ports", program.child.id()));
        let started = Instant::now();
        loop {
            let text = std::fs::read(&file).unwrap_or_default();
            if let Ok(ports) = serde_json::from_slice::<serde_json::Value>(&text) {
                program.url = ports["nats"][0].as_str().unwrap().to_owned();
                return program;
            }
            assert!(started.elapsed() < DEADLINE, "the program starts");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(&self.url).await.unwrap())
    }
}

/// A stream with so many messages, and a durable consumer of it.
async fn filled(context: &jetstream::Context, messages: usize) -> consumer::PullConsumer {
    let config = stream::Config {
        name: "S".into(),
        subjects: vec!["s.>".into()],
        ..stream::Config::default()
    };
    let stream = context.create_stream(config).await.unwrap();
    for number in 0..messages {
        let subject = format!("s.{}", number % 3);
        context.publish(subject, number.to_string().into()).await.unwrap().await.unwrap();
    }
    let config = consumer::pull::Config {
        durable_name: Some("C".into()),
        ack_wait: Duration::from_secs(1),
        max_ack_pending: 10_000,
        ..consumer::pull::Config::default()
    };
    stream.create_consumer(config).await.unwrap()
}

/// Killed again and again in the middle of deliveries: what was acknowledged with an answer never comes again, and in the
/// end everything was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn confirmed_acknowledgements_outlive_kills() {
    const MESSAGES: usize = 400;
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(directory.path());
    filled(&program.jetstream().await, MESSAGES).await;
    let mut confirmed: BTreeSet<u64> = BTreeSet::new();
    for round in 0.. {
        assert!(round < 40, "{} of {MESSAGES} are acknowledged", confirmed.len());
        let context = program.jetstream().await;
        let consumer: consumer::PullConsumer =
            context.get_consumer_from_stream("C", "S").await.unwrap();
        let mut batch = consumer
            .fetch()
            .max_messages(60)
            .expires(Duration::from_secs(3))
            .messages()
            .await
            .unwrap();
        let (mut count, stop) = (0, 17 + round % 7);
        while let Some(Ok(message)) = batch.next().await {
            let sequence = message.info().unwrap().stream_sequence;
            assert!(!confirmed.contains(&sequence), "{sequence} comes again in round {round}");
            if count % 5 != 4 {
                message.double_ack().await.unwrap();
                confirmed.insert(sequence);
            }
            count += 1;
            if count > stop {
                break;
            }
        }
        if confirmed.len() == MESSAGES {
            break;
        }
        program.child.kill().unwrap();
        program.child.wait().unwrap();
        program = Program::start(directory.path());
    }
    assert_eq!(confirmed.len(), MESSAGES);
}

/// Deliveries are counted over restarts, and so is what a consumer was told.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_counted_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(directory.path());
    let mut seen = Vec::new();
    for round in 0..3 {
        let context = program.jetstream().await;
        let consumer: consumer::PullConsumer = match round {
            0 => filled(&context, 1).await,
            _ => context.get_consumer_from_stream("C", "S").await.unwrap(),
        };
        let mut messages =
            consumer.fetch().max_messages(1).expires(DEADLINE).messages().await.unwrap();
        let message = messages.next().await.unwrap().unwrap();
        seen.push(message.info().unwrap().delivered);
        message.ack_with(AckKind::Nak(None)).await.unwrap();
        drop((messages, consumer, context));
        // A stop stores what has changed.
        let sent = Command::new(env!("CARGO_BIN_EXE_headwater"))
            .args(["--signal", &format!("term={}", program.child.id())])
            .status();
        assert!(sent.unwrap().success());
        program.child.wait().unwrap();
        program = Program::start(directory.path());
    }
    assert_eq!(seen, [1, 2, 3]);
}

/// A work queue is empty when everything was acknowledged, whatever was killed in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_work_queue_is_worked_off_over_kills() {
    const MESSAGES: usize = 60;
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(directory.path());
    let context = program.jetstream().await;
    let config = stream::Config {
        name: "S".into(),
        retention: stream::RetentionPolicy::WorkQueue,
        ..stream::Config::default()
    };
    let stream = context.create_stream(config).await.unwrap();
    for number in 0..MESSAGES {
        context.publish("S", number.to_string().into()).await.unwrap().await.unwrap();
    }
    let config = consumer::pull::Config {
        durable_name: Some("C".into()),
        ack_wait: Duration::from_millis(500),
        ..consumer::pull::Config::default()
    };
    stream.create_consumer(config).await.unwrap();
    let mut done: BTreeSet<u64> = BTreeSet::new();
    for round in 0..20 {
        let context = program.jetstream().await;
        let consumer: consumer::PullConsumer =
            context.get_consumer_from_stream("C", "S").await.unwrap();
        let mut batch = consumer
            .fetch()
            .max_messages(12)
            .expires(Duration::from_secs(2))
            .messages()
            .await
            .unwrap();
        while let Some(Ok(message)) = batch.next().await {
            let sequence = message.info().unwrap().stream_sequence;
            assert!(done.insert(sequence), "{sequence} comes again in round {round}");
            message.double_ack().await.unwrap();
        }
        let mut stream = context.get_stream("S").await.unwrap();
        let left = stream.info().await.unwrap().state.messages;
        assert_eq!(left as usize + done.len(), MESSAGES, "round {round}");
        if left == 0 {
            return;
        }
        program.child.kill().unwrap();
        program.child.wait().unwrap();
        program = Program::start(directory.path());
    }
    panic!("{} of {MESSAGES} are done", done.len());
}
