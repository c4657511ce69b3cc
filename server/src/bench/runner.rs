//! One run: make the streams, connect, publish, check what the streams hold now, remove them, report.
//! Not here: several servers in turn (`compare`).

use super::address::Address;
use super::client::{Connection, Greeting};
use super::control::Control;
use super::core::{CorePublisher, CoreSubscriber};
use super::error::{BenchError, Result};
use super::load::{Load, Mode};
use super::progress::Progress;
use super::publisher::Publisher;
use super::report::Report;
use super::streams::{self, Held, Requests};
use super::tally::Tally;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Payloads are the same in each run.
const PAYLOAD_SEED: u64 = 1;
/// How often the progress is shown.
const SHOW_INTERVAL: Duration = Duration::from_millis(100);

/// What the connections of one run found.
struct Outcome {
    tally: Tally,
    elapsed: Duration,
}

/// Runs a load against a server.
pub(super) async fn run(address: &Address, load: &Load, progress: &Progress) -> Result<Report> {
    let mut requests = Requests::open(address).await?;
    let greeting = requests.greeting().clone();
    check_server(&greeting, load)?;
    if load.mode == Mode::Core {
        let Outcome { tally, elapsed } = drive(address, load, progress).await?;
        return Ok(Report::new(address, &greeting, load, &tally, elapsed));
    }
    let created = requests.create(load.streams, load.storage).await;
    drop(requests);
    let result = match created {
        Ok(before) => drive_checked(address, load, progress, &before).await,
        // Something that is there already is not this run's to remove.
        Err(error) => return Err(error),
    };
    if !load.keeps_streams {
        let removed = match Requests::open(address).await {
            Ok(mut requests) => requests.remove(load.streams).await,
            Err(error) => Err(error),
        };
        if result.is_ok() {
            removed?;
        }
    }
    let Outcome { tally, elapsed } = result?;
    Ok(Report::new(address, &greeting, load, &tally, elapsed))
}

fn check_server(greeting: &Greeting, load: &Load) -> Result<()> {
    if load.payload_bytes > greeting.max_payload {
        let most = greeting.max_payload;
        return Err(BenchError::Invalid(format!(
            "the server takes payloads of {most} bytes at most"
        )));
    }
    if load.mode != Mode::Core && !greeting.jetstream {
        return Err(BenchError::Invalid("the server has no JetStream".into()));
    }
    Ok(())
}

/// Publishes to streams, then looks whether they hold what was acknowledged.
async fn drive_checked(
    address: &Address,
    load: &Load,
    progress: &Progress,
    before: &[Held],
) -> Result<Outcome> {
    let mut outcome = drive(address, load, progress).await?;
    let is_complete = outcome.tally.missing == 0 && outcome.tally.failures.is_empty();
    let mut requests = Requests::open(address).await?;
    for (index, before) in before.iter().enumerate() {
        let after = requests.look_at(index).await?;
        let Some(given) = outcome.tally.sequences.get(index).copied() else { continue };
        let mut fail = |what: String| {
            outcome.tally.failures.push(format!("{}: {what}", streams::name(index)));
        };
        let grown = after.messages.saturating_sub(before.messages);
        if grown < given.count {
            fail(format!("{} messages acknowledged, {grown} stored", given.count));
        }
        if is_complete && !given.are_gapless_after(before.last_sequence) {
            fail("its acknowledgements do not carry each sequence once".to_owned());
        }
    }
    Ok(outcome)
}

/// Connects, publishes, and waits until everything is settled.
async fn drive(address: &Address, load: &Load, progress: &Progress) -> Result<Outcome> {
    let mut payload = vec![0; load.payload_bytes];
    SmallRng::seed_from_u64(PAYLOAD_SEED).fill(payload.as_mut_slice());
    let epoch = Instant::now();
    let mut publishing = Vec::new();
    for _ in 0..load.clients {
        publishing.push(Connection::open(address).await?);
    }
    let mut receiving = Vec::new();
    for _ in 0..load.subscribers {
        receiving.push(Connection::open(address).await?);
    }
    let deadline = load.duration.map(|duration| Instant::now() + duration);
    let control = Arc::new(Control::new(deadline, load.clients as u64));
    let mut tasks: JoinSet<Tally> = JoinSet::new();
    let mut publishers = Vec::new();
    let mut core_publishers = Vec::new();
    for (client, connection) in publishing.into_iter().enumerate() {
        let control = control.clone();
        if load.mode == Mode::Core {
            let publisher = CorePublisher::new(connection, load, client, &payload, control, epoch);
            core_publishers.push(publisher);
        } else {
            let publisher = Publisher::prepare(connection, load, client, &payload, control);
            publishers.push(publisher.await?);
        }
    }
    for (number, connection) in receiving.into_iter().enumerate() {
        let subscriber = CoreSubscriber::prepare(connection, number, control.clone(), epoch);
        tasks.spawn(subscriber.await?.run());
    }
    let started = Instant::now();
    publishers.into_iter().for_each(|publisher| drop(tasks.spawn(publisher.run())));
    core_publishers.into_iter().for_each(|publisher| drop(tasks.spawn(publisher.run())));
    let tally = watch(&mut tasks, load, &control, progress).await;
    let elapsed = tally.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(started));
    Ok(Outcome { tally, elapsed })
}

/// Waits for all connections, shows how far they are, and ends the run early when the user asks for that.
async fn watch(
    tasks: &mut JoinSet<Tally>,
    load: &Load,
    control: &Control,
    progress: &Progress,
) -> Tally {
    let mut tally = Tally::new(if load.mode == Mode::Core { 0 } else { load.streams });
    let mut shows = tokio::time::interval(SHOW_INTERVAL);
    progress.begin(load);
    loop {
        tokio::select! {
            joined = tasks.join_next() => match joined {
                None => break,
                Some(Ok(each)) => tally.merge(each),
                Some(Err(error)) => tally.failures.push(error.to_string()),
            },
            _ = shows.tick() => progress.show(control.settled()),
            Ok(()) = tokio::signal::ctrl_c() => control.stop(),
        }
    }
    progress.end();
    tally
}

#[cfg(test)]
#[path = "runner_test.rs"]
mod tests;
