//! `headwater sub`: prints what is published on a subject.
//! Not here: what a stream holds (`stream::get`).

use super::connection::Connection;
use super::error::{ClientError, Result};
use super::{message, screen};
use clap::Args;
use futures_util::StreamExt;

/// What to listen to.
#[derive(Debug, Args)]
pub(super) struct SubscribeFlags {
    /// Subject, which may have the wildcards * and >
    subject: String,
    /// End after that many messages
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Share the messages with the others of a queue group
    #[arg(long)]
    queue: Option<String>,
}

/// Prints messages until there were enough, or the user breaks it off.
pub(super) async fn run(connection: &Connection, flags: &SubscribeFlags) -> Result<()> {
    let client = &connection.client;
    let failed = |error: String| ClientError::unanswered("subscribe", error);
    let subject = flags.subject.clone();
    let subscribed = match &flags.queue {
        Some(queue) => client.queue_subscribe(subject, queue.clone()).await,
        None => client.subscribe(subject).await,
    };
    let mut subscriber = subscribed.map_err(|error| failed(error.to_string()))?;
    client.flush().await.map_err(|error| failed(error.to_string()))?;
    screen::note(format_args!("Subscribing on {}", flags.subject));
    let mut count = 0;
    while flags.count.is_none_or(|enough| count < enough) {
        let received = tokio::select! {
            received = subscriber.next() => received,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let Some(received) = received else {
            return Err(ClientError::Ended("the connection was closed".to_owned()));
        };
        count += 1;
        message::print_received(count, &received)?;
    }
    Ok(())
}
