//! `headwater req`: sends messages one after the other and prints what is answered to each.
//! Not here: messages that are not answered (`publish`).

use super::connection::{Connection, request_failure};
use super::duration;
use super::error::{ClientError, Result};
use super::message::{self, MessageFlags};
use super::screen;
use async_nats::{Request, RequestErrorKind};
use std::time::Instant;

/// Sends them. Ends at once where nobody listens; one that is not answered in time does not keep the next from being sent.
pub(super) async fn run(connection: &Connection, flags: &MessageFlags) -> Result<()> {
    let messages = flags.messages()?;
    let bar = flags.bar();
    let mut unanswered = 0;
    for count in 1..=flags.count {
        let subject = messages.subject(count)?;
        let mut request =
            Request::new().payload(messages.body(count).into()).timeout(Some(connection.timeout));
        if let Some(headers) = &messages.headers {
            request = request.headers(headers.clone());
        }
        if bar.is_none() {
            screen::note(format_args!("Sending request on {subject:?}"));
        }
        let started = Instant::now();
        match (connection.client.send_request(subject, request).await, &bar) {
            (Ok(_), Some(bar)) => bar.inc(1),
            (Ok(reply), None) => {
                let elapsed = duration::elapsed_text(started.elapsed());
                screen::note(format_args!("Received with rtt {elapsed}"));
                message::print(reply.headers.as_ref(), &reply.payload)?;
            }
            (Err(error), _) => {
                let failure = request_failure(error.kind(), connection.timeout);
                if error.kind() != RequestErrorKind::TimedOut {
                    return Err(ClientError::Ended(failure));
                }
                screen::note(failure);
                unanswered += 1;
            }
        }
        if let Some(sleep) = flags.sleep {
            tokio::time::sleep(sleep).await;
        }
    }
    if let Some(bar) = bar {
        bar.finish();
    }
    match unanswered {
        0 => Ok(()),
        _ => Err(ClientError::Ended(format!(
            "{unanswered} of {} requests were not answered",
            flags.count
        ))),
    }
}
