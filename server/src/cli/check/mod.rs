//! `headwater server check`: one line and an exit status for monitoring systems.
//! The checks, their flags and their lines are those of the `nats` command line, so that one can stand in for the other.
//! Not here: the monitoring endpoints of this program's own server (`monitoring`).

mod connect;
mod consumer;
mod jetstream;
mod stream;
mod threshold;
mod verdict;

use super::connection::ConnectionFlags;
use super::error::{ClientError, Result};
use super::screen;
use clap::Subcommand;
use std::process::ExitCode;
use verdict::Verdict;

pub(super) use verdict::UNKNOWN;

/// What to do with a server.
#[derive(Debug, Subcommand)]
pub(super) enum ServerCommand {
    /// Check something for a monitoring system: 0 is well, 1 a warning, 2 critical, 3 unknown
    Check {
        #[command(subcommand)]
        command: CheckCommand,
    },
}

/// What to check.
#[derive(Debug, Subcommand)]
pub(super) enum CheckCommand {
    /// How fast a connection and its round trips are
    #[command(visible_alias = "conn")]
    Connection(connect::ConnectFlags),
    /// What a stream holds, and whether its copies and servers keep up
    Stream(stream::StreamFlags),
    /// Whether a consumer is read
    Consumer(consumer::ConsumerFlags),
    /// What an account uses of its limits
    #[command(visible_alias = "js")]
    Jetstream(jetstream::JetStreamFlags),
}

/// Whether arguments are those of a check, so that a mistake in them is no warning.
pub(super) fn is_meant(args: &[String]) -> bool {
    let names_it = |pair: &[String]| matches!(pair, [one, two] if (one == "server" || one == "srv") && two == "check");
    args.windows(2).any(names_it)
}

/// Prints the verdict; gives the exit status.
pub(super) fn run(flags: &ConnectionFlags, command: &ServerCommand) -> ExitCode {
    let ServerCommand::Check { command } = command;
    let mut verdict = Verdict::new(command.subject());
    match super::block_on(judge(flags, command, &mut verdict)) {
        Ok(()) => {}
        Err(ClientError::Usage(reason)) => verdict.unknown(reason),
        Err(error) => verdict.critical(error),
    }
    match screen::line(&verdict) {
        Ok(()) => verdict.exit_code(),
        Err(_) => ExitCode::from(UNKNOWN),
    }
}

impl CheckCommand {
    /// What the line begins with.
    fn subject(&self) -> String {
        match self {
            Self::Connection(_) => "Connection".to_owned(),
            Self::Stream(flags) => flags.stream.clone(),
            Self::Consumer(flags) => format!("{}_{}", flags.stream, flags.consumer),
            Self::Jetstream(_) => "JetStream".to_owned(),
        }
    }
}

async fn judge(
    flags: &ConnectionFlags,
    command: &CheckCommand,
    verdict: &mut Verdict,
) -> Result<()> {
    match command {
        CheckCommand::Connection(thresholds) => connect::judge(flags, thresholds, verdict).await,
        CheckCommand::Stream(thresholds) => {
            stream::judge(&flags.connect().await?, thresholds, verdict).await
        }
        CheckCommand::Consumer(thresholds) => {
            consumer::judge(&flags.connect().await?, thresholds, verdict).await
        }
        CheckCommand::Jetstream(thresholds) => {
            jetstream::judge(&flags.connect().await?, thresholds, verdict).await
        }
    }
}
