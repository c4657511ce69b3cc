//! `headwater stream purge`: removes messages of a stream and keeps the stream.
//! Not here: removing the stream (`remove`).

use super::reply::StreamInfo;
use super::{information, list, name};
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::{screen, size, terminal};
use clap::Args;
use serde_json::{Map, Value};

/// Which messages to remove.
#[derive(Debug, Args)]
pub(in crate::cli) struct PurgeFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    name: String,
    /// Only messages of a subject
    #[arg(long)]
    subject: Option<String>,
    /// Only messages before a sequence
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "keep")]
    seq: Option<u64>,
    /// All messages but so many
    #[arg(long, value_name = "COUNT")]
    keep: Option<u64>,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
    /// Print the answer as JSON
    #[arg(long, short)]
    json: bool,
}

/// Removes them.
pub(super) async fn run(connection: &Connection, flags: &PurgeFlags) -> Result<()> {
    let name = &flags.name;
    terminal::confirm(&format!("Really purge Stream {name}"), flags.force)?;
    let fields = [
        ("filter", flags.subject.clone().map(Value::from)),
        ("seq", flags.seq.map(Value::from)),
        ("keep", flags.keep.map(Value::from)),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let body: Map<String, Value> = given.collect();
    let body = if body.is_empty() { Value::Null } else { Value::Object(body) };
    let answer = connection.call("purge Stream", &format!("STREAM.PURGE.{name}"), &body).await?;
    if flags.json {
        return screen::json(&answer);
    }
    let purged = answer.get("purged").and_then(Value::as_u64).unwrap_or(0);
    screen::line(format_args!("Purged {} messages from {name}\n", size::count_text(purged)))?;
    let info = list::fetch_one(connection, name).await?;
    information::print_state(&StreamInfo::read(&info)?)
}
