//! `headwater stream get`: a message by its sequence, or the last one of a subject.
//! Not here: messages as they are published (`subscribe`).

use super::name;
use super::stored::{self, StoredMessage};
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::{duration, screen, time};
use clap::Args;
use serde_json::json;

/// Which message to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct GetFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    name: String,
    /// Sequence of the message
    #[arg(value_parser = clap::value_parser!(u64).range(1..), required_unless_present = "last")]
    sequence: Option<u64>,
    /// The last message of a subject
    #[arg(long, short = 'S', visible_alias = "last-for", value_name = "SUBJECT")]
    #[arg(conflicts_with = "sequence")]
    last: Option<String>,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Shows it.
pub(super) async fn run(connection: &Connection, flags: &GetFlags) -> Result<()> {
    let body = match &flags.last {
        Some(subject) => json!({ "last_by_subj": subject }),
        None => json!({ "seq": flags.sequence }),
    };
    let name = &flags.name;
    let message = stored::fetch_json(connection, name, &body).await?;
    if flags.json {
        return screen::json(&message);
    }
    let StoredMessage { sequence, subject, headers, body, time } = StoredMessage::read(&message)?;
    let age = duration::since_text(time::since(&time).unwrap_or(-1));
    let item = format!("Item: {name}#{sequence} received {time} ({age}) on Subject {subject}\n");
    screen::line(item)?;
    if !headers.is_empty() {
        screen::line(format_args!("Headers:\n  {}\n", headers.join("\n  ")))?;
    }
    screen::bytes(&body)?;
    screen::line("")
}
