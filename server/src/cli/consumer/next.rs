//! `headwater consumer next`: fetches a number of messages from a pull consumer.
//! Not here: following a consumer (`follow`).

use super::delivery::{Delivery, DeliveryFlags};
use super::pull::{Answer, Order, Requests};
use super::reply::ConsumerInfo;
use super::{ConsumerName, list};
use crate::cli::connection::Connection;
use crate::cli::duration;
use crate::cli::error::{ClientError, Result};
use clap::Args;
use std::time::Duration;

/// How much later than it expires a request is given up, as its end has to come here.
const GRACE: Duration = Duration::from_secs(1);

/// What to fetch.
#[derive(Debug, Args)]
pub(in crate::cli) struct NextFlags {
    #[command(flatten)]
    name: ConsumerName,
    /// How many messages
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// How long to wait for them, in place of --timeout; 0s for only what is there
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Duration>,
    #[command(flatten)]
    delivery: DeliveryFlags,
}

/// Fetches them; fewer than asked for are a failure.
pub(super) async fn run(connection: &Connection, flags: &NextFlags) -> Result<()> {
    let ConsumerName { stream, consumer } = &flags.name;
    let info = ConsumerInfo::read(&list::fetch_one(connection, stream, consumer).await?)?;
    if !info.config.is_pull() {
        return Err(ClientError::Usage(format!(
            "{stream} > {consumer} sends its messages by itself; `consumer sub` prints them"
        )));
    }
    let mut delivery = Delivery::new(connection, &flags.delivery, info.config.wants_acks());
    let mut requests = Requests::open(connection, stream, consumer).await?;
    let wait = flags.wait.unwrap_or(connection.timeout);
    requests.ask(Order { batch: flags.count, expires: wait, heartbeat: None }).await?;
    while delivery.count < flags.count {
        match requests.next(wait.saturating_add(GRACE)).await? {
            Answer::Message(message) => delivery.take(&message).await?,
            Answer::Over | Answer::Silence => break,
        }
    }
    let (missing, count) = (flags.count - delivery.count, flags.count);
    match missing {
        0 => Ok(()),
        _ if wait.is_zero() => {
            Err(ClientError::Ended(format!("{missing} of {count} messages are not there")))
        }
        _ => {
            let wait = duration::elapsed_text(wait);
            let reason = format!("{missing} of {count} messages did not come within {wait}");
            Err(ClientError::Ended(reason))
        }
    }
}
