//! Everything the streams of a demo hold, read back message by message.
//! Not here: what it should be (`verdict`).

use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::stream::list;
use crate::cli::stream::reply::{State, StreamInfo};
use crate::cli::stream::stored::{self, StoredMessage};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::time::{Duration, Instant};

/// Requests under way at a time.
const IN_FLIGHT: usize = 64;
/// How long the copies may take to catch up with their origins.
const COPY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait before looking again whether they have.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The streams.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) orders: Vec<StoredMessage>,
    pub(super) returns: Vec<StoredMessage>,
    pub(super) archive: Vec<StoredMessage>,
    pub(super) report: Vec<StoredMessage>,
}

/// Waits until the copies hold as much as their origins, then reads everything. Gives how long the copies took as well.
pub(super) async fn read_all(connection: &Connection) -> Result<(Duration, Contents)> {
    let started = Instant::now();
    loop {
        let messages = async |name| Ok::<_, ClientError>(state(connection, name).await?.messages);
        let origins = messages("ORDERS").await? + messages("RETURNS").await?;
        let copies = (messages("ARCHIVE").await?, messages("REPORT").await?);
        // More than there should be is not waited for either: it is found and shown below.
        if copies.0 >= origins && copies.1 >= origins {
            break;
        }
        if started.elapsed() > COPY_TIMEOUT {
            return Err(ClientError::Ended(format!(
                "ARCHIVE holds {} and REPORT {} messages of {origins} after {COPY_TIMEOUT:?}",
                copies.0, copies.1
            )));
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let elapsed = started.elapsed();
    let contents = Contents {
        orders: read(connection, "ORDERS").await?,
        returns: read(connection, "RETURNS").await?,
        archive: read(connection, "ARCHIVE").await?,
        report: read(connection, "REPORT").await?,
    };
    Ok((elapsed, contents))
}

async fn state(connection: &Connection, name: &str) -> Result<State> {
    Ok(StreamInfo::read(&list::fetch_one(connection, name).await?)?.state)
}

async fn read(connection: &Connection, name: &str) -> Result<Vec<StoredMessage>> {
    let State { first_seq, last_seq, .. } = state(connection, name).await?;
    stream::iter(first_seq.max(1)..=last_seq)
        .map(|sequence| stored::fetch(connection, name, sequence))
        .buffered(IN_FLIGHT)
        .try_collect()
        .await
}
