//! `headwater pub`: sends messages that nobody acknowledges.
//! Not here: requests, whose answers are waited for (`request`).

use super::connection::Connection;
use super::error::{ClientError, Result};
use super::message::MessageFlags;
use super::screen;

/// Sends them.
pub(super) async fn run(connection: &Connection, flags: &MessageFlags) -> Result<()> {
    let messages = flags.messages()?;
    let bar = flags.bar();
    let failed = |error: String| ClientError::unanswered("publish", error);
    for count in 1..=flags.count {
        let (subject, body) = (messages.subject(count)?, messages.body(count));
        let bytes = body.len();
        let client = &connection.client;
        let sent = match &messages.headers {
            Some(headers) => {
                client.publish_with_headers(subject.clone(), headers.clone(), body.into()).await
            }
            None => client.publish(subject.clone(), body.into()).await,
        };
        sent.map_err(|error| failed(error.to_string()))?;
        match &bar {
            Some(bar) => bar.inc(1),
            None => screen::note(format_args!("Published {bytes} bytes to {subject:?}")),
        }
        if let Some(sleep) = flags.sleep {
            tokio::time::sleep(sleep).await;
        }
    }
    if let Some(bar) = bar {
        bar.finish();
    }
    connection.client.flush().await.map_err(|error| failed(error.to_string()))
}
