//! `headwater consumer sub`: prints the messages of a consumer, one that is asked for them or one that sends by itself.
//! Not here: a number of messages at once (`next`).

use super::delivery::{Delivery, DeliveryFlags};
use super::pull::{Answer, Order, Requests};
use super::reply::{Config, ConsumerInfo};
use super::{ConsumerName, list};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::screen;
use async_nats::{Client, Message};
use clap::Args;
use futures_util::StreamExt;
use std::time::Duration;

/// How long one request waits, unless the consumer allows less.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often a consumer that has nothing says so.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long to wait after a request that ended, so that a consumer that ends every one is not flooded with them.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a server that waits for us says how to let it go on.
const STALLED_HEADER: &str = "Nats-Consumer-Stalled";

/// Which consumer to follow.
#[derive(Debug, Args)]
pub(in crate::cli) struct FollowFlags {
    #[command(flatten)]
    name: ConsumerName,
    /// End after that many messages
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    delivery: DeliveryFlags,
}

/// Prints messages until there were enough, or the user breaks it off.
pub(super) async fn run(connection: &Connection, flags: &FollowFlags) -> Result<()> {
    let ConsumerName { stream, consumer } = &flags.name;
    let info = ConsumerInfo::read(&list::fetch_one(connection, stream, consumer).await?)?;
    let delivery = Delivery::new(connection, &flags.delivery, info.config.wants_acks());
    let enough = flags.count.unwrap_or(u64::MAX);
    let follow = async {
        match info.config.is_pull() {
            true => {
                let requests = Requests::open(connection, stream, consumer).await?;
                screen::note(format_args!("Subscribing to {stream} > {consumer}"));
                ask(requests, &info.config, delivery, enough).await
            }
            false => listen(connection, &info.config, delivery, enough).await,
        }
    };
    tokio::select! {
        result = follow => result,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Asks for one message after the other.
async fn ask(
    mut requests: Requests<'_>,
    config: &Config,
    mut delivery: Delivery<'_>,
    enough: u64,
) -> Result<()> {
    let allowed = u64::try_from(config.max_expires).ok().filter(|expires| *expires > 0);
    let expires = allowed.map_or(EXPIRES, |allowed| EXPIRES.min(Duration::from_nanos(allowed)));
    let heartbeat = HEARTBEAT.min(expires / 3);
    let order = Order { batch: 1, expires, heartbeat: Some(heartbeat) };
    while delivery.count < enough {
        requests.ask(order).await?;
        match requests.next(heartbeat * 2 + PAUSE).await? {
            Answer::Message(message) => delivery.take(&message).await?,
            Answer::Over => tokio::time::sleep(PAUSE).await,
            Answer::Silence => screen::note("the consumer is silent; asking again"),
        }
    }
    Ok(())
}

/// Listens to what a consumer sends.
async fn listen(
    connection: &Connection,
    config: &Config,
    mut delivery: Delivery<'_>,
    enough: u64,
) -> Result<()> {
    let client = &connection.client;
    let failed = |error: String| ClientError::unanswered("subscribe", error);
    let subject = config.deliver_subject.clone();
    let subscribed = match config.deliver_group.as_str() {
        "" => client.subscribe(subject).await,
        group => client.queue_subscribe(subject, group.to_owned()).await,
    };
    let mut subscriber = subscribed.map_err(|error| failed(error.to_string()))?;
    client.flush().await.map_err(|error| failed(error.to_string()))?;
    screen::note(format_args!("Subscribing on {}", config.deliver_subject));
    while delivery.count < enough {
        let Some(received) = subscriber.next().await else {
            return Err(ClientError::Ended("the connection was closed".to_owned()));
        };
        match received.status {
            None => delivery.take(&received).await?,
            Some(_) => go_on(client, &received).await?,
        }
    }
    Ok(())
}

/// Tells a server that waits for us that everything before was taken.
async fn go_on(client: &Client, received: &Message) -> Result<()> {
    let stalled = received.headers.as_ref().and_then(|headers| headers.get(STALLED_HEADER));
    let stalled = stalled.map(|subject| subject.as_str().to_owned());
    let waiting = received.reply.as_ref().map(ToString::to_string);
    let Some(subject) = waiting.or(stalled) else { return Ok(()) };
    let sent = client.publish(subject, Default::default()).await;
    sent.map_err(|error| ClientError::unanswered("answer flow control", error))
}
