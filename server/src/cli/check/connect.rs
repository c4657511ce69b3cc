//! `server check connection`: how long it takes to connect, to hear from the server, and to get a message of one's own.
//! Not here: how a connection is made (`connection`).

use super::verdict::{Measure, Verdict};
use crate::cli::connection::{Connection, ConnectionFlags};
use crate::cli::duration;
use crate::cli::error::{ClientError, Result};
use clap::Args;
use futures_util::StreamExt;
use std::time::{Duration, Instant};

/// How long each may take.
#[derive(Debug, Args)]
pub(in crate::cli) struct ConnectFlags {
    /// Warn when connecting takes so long
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse)]
    connect_warn: Duration,
    /// Critical when connecting takes so long
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    connect_critical: Duration,
    /// Warn when the server takes so long to answer
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse)]
    rtt_warn: Duration,
    /// Critical when the server takes so long to answer
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    rtt_critical: Duration,
    /// Warn when a message takes so long through the server
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse)]
    req_warn: Duration,
    /// Critical when a message takes so long through the server
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    req_critical: Duration,
}

/// Connects and measures.
pub(super) async fn judge(
    connection: &ConnectionFlags,
    flags: &ConnectFlags,
    verdict: &mut Verdict,
) -> Result<()> {
    let started = Instant::now();
    let connected = connection.connect().await?;
    let server = connection.server_without_password();
    let took = Times {
        name: "connect_time",
        what: format!("connected to {server}"),
        time: started.elapsed(),
    };
    took.judge(flags.connect_warn, flags.connect_critical, verdict);
    let time = connected.round_trip().await?;
    let took = Times { name: "rtt", what: "rtt time".to_owned(), time };
    took.judge(flags.rtt_warn, flags.rtt_critical, verdict);
    let time = through_server(&connected).await?;
    let took = Times { name: "request_time", what: "round trip".to_owned(), time };
    took.judge(flags.req_warn, flags.req_critical, verdict);
    Ok(())
}

/// How long something took.
struct Times {
    name: &'static str,
    what: String,
    time: Duration,
}

impl Times {
    fn judge(&self, warning: Duration, critical: Duration, verdict: &mut Verdict) {
        let Self { name, what, time } = self;
        let is_over = |threshold: Duration| !threshold.is_zero() && *time >= threshold;
        let text = duration::elapsed_text;
        let took = format!("{what} in {}", text(*time));
        match () {
            () if is_over(critical) => {
                verdict.critical(format_args!("{took} exceeded {}", text(critical)));
            }
            () if is_over(warning) => {
                verdict.warn(format_args!("{took} exceeded {}", text(warning)));
            }
            () => verdict.ok(took),
        }
        verdict.measure(Measure::time(name, *time, Some(warning), Some(critical)));
    }
}

/// Sends a message to ourselves.
async fn through_server(connection: &Connection) -> Result<Duration> {
    let client = &connection.client;
    let failed = |reason: String| ClientError::unanswered("receive a message of our own", reason);
    let inbox = client.new_inbox();
    let subscribed = client.subscribe(inbox.clone()).await;
    let mut subscriber = subscribed.map_err(|error| failed(error.to_string()))?;
    let body = nuid::next().to_string();
    let started = Instant::now();
    let sent = client.publish(inbox, body.clone().into()).await;
    sent.map_err(|error| failed(error.to_string()))?;
    match tokio::time::timeout(connection.timeout, subscriber.next()).await {
        Ok(Some(received)) if received.payload == body.as_bytes() => Ok(started.elapsed()),
        Ok(Some(_)) => Err(failed("another one came".to_owned())),
        Ok(None) => Err(failed("the connection was closed".to_owned())),
        Err(_) => Err(failed(format!(
            "it did not come within {}",
            duration::elapsed_text(connection.timeout)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_judged() {
        let milliseconds = Duration::from_millis;
        for (time, warning, critical, expected) in [
            (1, 5, 10, "OK S OK:it in 1ms | t=0.0010s;0.0050;0.0100"),
            (5, 5, 10, "WARNING S Warn:it in 5ms exceeded 5ms | t=0.0050s;0.0050;0.0100"),
            (10, 5, 10, "CRITICAL S Crit:it in 10ms exceeded 10ms | t=0.0100s;0.0050;0.0100"),
            (10, 0, 0, "OK S OK:it in 10ms | t=0.0100s"),
        ] {
            let mut verdict = Verdict::new("S".to_owned());
            let took = Times { name: "t", what: "it".to_owned(), time: milliseconds(time) };
            took.judge(milliseconds(warning), milliseconds(critical), &mut verdict);
            assert_eq!(verdict.to_string(), expected);
        }
    }
}
