//! `headwater consumer pause` and `resume`: a time in which a consumer delivers nothing.
//! Not here: what a consumer says of its pause (`information`).

use super::{ConsumerName, list, reply::ConsumerInfo};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::{api, duration, screen, terminal, time};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

const ACTION: &str = "pause Consumer";

/// How long to pause.
#[derive(Debug, Args)]
pub(in crate::cli) struct PauseFlags {
    #[command(flatten)]
    name: ConsumerName,
    /// Until when, as a time such as '2026-01-31 23:59:59' (UTC) or a duration such as 1h
    #[arg(value_parser = time::parse_future)]
    until: String,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
}

/// Whose pause to end.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeFlags {
    #[command(flatten)]
    name: ConsumerName,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
}

/// What a server answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Paused {
    paused: bool,
    pause_until: String,
    pause_remaining: i64,
}

/// Pauses it.
pub(super) async fn run(connection: &Connection, flags: &PauseFlags) -> Result<()> {
    let ConsumerName { stream, consumer } = &flags.name;
    let until = time::local_text(&flags.until);
    let question = format!("Really pause Consumer {stream} > {consumer} until {until}");
    terminal::confirm(&question, flags.force)?;
    let body = json!({ "pause_until": flags.until });
    let Paused { paused, pause_until, pause_remaining } =
        send(connection, &flags.name, &body).await?;
    if !paused {
        return Err(ClientError::unanswered(ACTION, "the time is in the past"));
    }
    let (until, remaining) = (time::local_text(&pause_until), duration::text(pause_remaining));
    screen::line(format_args!("Paused {stream} > {consumer} until {until} ({remaining})"))
}

/// Lets it go on.
pub(super) async fn resume(connection: &Connection, flags: &ResumeFlags) -> Result<()> {
    let ConsumerName { stream, consumer } = &flags.name;
    let info = ConsumerInfo::read(&list::fetch_one(connection, stream, consumer).await?)?;
    if !info.paused {
        return screen::line(format_args!("Consumer {stream} > {consumer} is not paused"));
    }
    terminal::confirm(&format!("Really resume Consumer {stream} > {consumer}"), flags.force)?;
    if send(connection, &flags.name, &Value::Null).await?.paused {
        return Err(ClientError::unanswered("resume Consumer", "it is paused as before"));
    }
    let until = info.config.pause_until.as_deref().map(time::local_text).unwrap_or_default();
    screen::line(format_args!(
        "Consumer {stream} > {consumer} was resumed while previously paused until {until}"
    ))
}

async fn send(connection: &Connection, name: &ConsumerName, body: &Value) -> Result<Paused> {
    let path = format!("CONSUMER.PAUSE.{}.{}", name.stream, name.consumer);
    api::read(ACTION, &connection.call(ACTION, &path, body).await?)
}
