//! `headwater stream`: streams of any JetStream server.
//! Configurations stay JSON from the flags to the request and from the answer to the screen, so that a field this program
//! does not know is neither lost nor refused; `reply` has the fields that are read.
//! Not here: messages without streams (`publish`, `request`, `subscribe`).

pub(super) mod add;
mod backup;
mod config;
mod difference;
mod edit;
mod flags;
mod get;
pub(super) mod information;
pub(super) mod list;
pub(super) mod name;
mod origin;
mod prompts;
mod purge;
mod remove;
mod replication;
pub(super) mod reply;
pub(super) mod report;
pub(super) mod stored;

use super::connection::Connection;
use super::error::Result;
use super::screen;
use clap::{Args, Subcommand};

/// What to do with streams.
#[derive(Debug, Subcommand)]
pub(super) enum StreamCommand {
    /// Create a stream
    #[command(visible_alias = "create", alias = "new")]
    Add(add::AddFlags),
    /// List the streams
    #[command(visible_alias = "list")]
    Ls(list::ListFlags),
    /// Show the configuration and the state of a stream
    Info(InfoFlags),
    /// Show all streams, and which get their messages from which
    Report(report::ReportFlags),
    /// Show a message of a stream
    Get(get::GetFlags),
    /// Change the configuration of a stream
    #[command(visible_alias = "update")]
    Edit(edit::EditFlags),
    /// Remove messages from a stream
    Purge(purge::PurgeFlags),
    /// Back up a stream and its consumers to a folder
    #[command(visible_alias = "snapshot")]
    Backup(backup::BackupFlags),
    /// Restore a stream from the folder of a backup
    Restore(backup::RestoreFlags),
    /// Remove a stream
    #[command(visible_aliases = ["delete", "del"])]
    Rm(remove::RemoveFlags),
}

/// Which stream to show.
#[derive(Debug, Args)]
pub(super) struct InfoFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    name: String,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Does it.
pub(super) async fn run(connection: &Connection, command: &StreamCommand) -> Result<()> {
    match command {
        StreamCommand::Add(flags) => add::run(connection, flags).await,
        StreamCommand::Ls(flags) => list::run(connection, flags).await,
        StreamCommand::Info(flags) => info(connection, flags).await,
        StreamCommand::Report(flags) => report::run(connection, flags).await,
        StreamCommand::Get(flags) => get::run(connection, flags).await,
        StreamCommand::Edit(flags) => edit::run(connection, flags).await,
        StreamCommand::Purge(flags) => purge::run(connection, flags).await,
        StreamCommand::Backup(flags) => backup::take(connection, flags).await,
        StreamCommand::Restore(flags) => backup::restore(connection, flags).await,
        StreamCommand::Rm(flags) => remove::run(connection, flags).await,
    }
}

async fn info(connection: &Connection, flags: &InfoFlags) -> Result<()> {
    let answer = list::fetch_one(connection, &flags.name).await?;
    match flags.json {
        true => screen::json(&answer),
        false => information::print(&reply::StreamInfo::read(&answer)?),
    }
}
