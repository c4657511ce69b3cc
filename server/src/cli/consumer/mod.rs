//! `headwater consumer`: consumers of any JetStream server.
//! As with streams, configurations stay JSON on their way; `reply` has the fields that are read.
//! Not here: subscriptions without consumers (`subscribe`).

mod add;
mod backoff;
mod config;
mod delivery;
mod file;
mod flags;
mod follow;
mod information;
pub(super) mod list;
mod next;
mod pause;
mod prompts;
mod pull;
mod remove;
pub(super) mod reply;
mod start;

use super::connection::Connection;
use super::error::Result;
use super::screen;
use super::stream::name;
use clap::{Args, Subcommand};

/// What to do with consumers.
#[derive(Debug, Subcommand)]
pub(super) enum ConsumerCommand {
    /// Create a consumer
    #[command(visible_alias = "create", alias = "new")]
    Add(Box<add::AddFlags>),
    /// List the consumers of a stream
    #[command(visible_alias = "list")]
    Ls(list::ListFlags),
    /// Show the configuration and the state of a consumer
    Info(InfoFlags),
    /// Fetch messages from a pull consumer
    Next(next::NextFlags),
    /// Print the messages of a consumer as they come
    Sub(follow::FollowFlags),
    /// Let a consumer deliver nothing for a time
    Pause(pause::PauseFlags),
    /// End the pause of a consumer
    Resume(pause::ResumeFlags),
    /// Remove a consumer
    #[command(visible_aliases = ["delete", "del"])]
    Rm(remove::RemoveFlags),
}

/// Which consumer.
#[derive(Debug, Args)]
pub(super) struct ConsumerName {
    /// Name of its stream
    #[arg(value_parser = name::parse)]
    stream: String,
    /// Name of the consumer
    #[arg(value_parser = name::parse_consumer)]
    consumer: String,
}

/// Which consumer to show.
#[derive(Debug, Args)]
pub(super) struct InfoFlags {
    #[command(flatten)]
    name: ConsumerName,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Does it.
pub(super) async fn run(connection: &Connection, command: &ConsumerCommand) -> Result<()> {
    match command {
        ConsumerCommand::Add(flags) => add::run(connection, flags).await,
        ConsumerCommand::Ls(flags) => list::run(connection, flags).await,
        ConsumerCommand::Info(flags) => info(connection, flags).await,
        ConsumerCommand::Next(flags) => next::run(connection, flags).await,
        ConsumerCommand::Sub(flags) => follow::run(connection, flags).await,
        ConsumerCommand::Pause(flags) => pause::run(connection, flags).await,
        ConsumerCommand::Resume(flags) => pause::resume(connection, flags).await,
        ConsumerCommand::Rm(flags) => remove::run(connection, flags).await,
    }
}

async fn info(connection: &Connection, flags: &InfoFlags) -> Result<()> {
    let ConsumerName { stream, consumer } = &flags.name;
    let answer = list::fetch_one(connection, stream, consumer).await?;
    match flags.json {
        true => screen::json(&answer),
        false => information::print(&reply::ConsumerInfo::read(&answer)?),
    }
}
