//! `headwater stream ls`, and how the streams of a server are fetched for it and for others.
//! Not here: the reports (`report`).

use super::reply::StreamInfo;
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::table::Table;
use crate::cli::{duration, screen, size, time};
use clap::Args;
use serde_json::{Map, Value};

/// What to list, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListFlags {
    /// Print the names only
    #[arg(long, short)]
    names: bool,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
    /// Only streams that listen to one of these subjects
    #[arg(long)]
    subject: Option<String>,
}

/// A stream by its name.
pub(in crate::cli) async fn fetch_one(connection: &Connection, name: &str) -> Result<Value> {
    let action = "request Stream information";
    connection.call(action, &format!("STREAM.INFO.{name}"), &Value::Null).await
}

/// All streams by name, page by page.
pub(in crate::cli) async fn fetch_all(
    connection: &Connection,
    subject: Option<&str>,
) -> Result<Vec<Value>> {
    let body = match subject {
        Some(subject) => Map::from_iter([("subject".to_owned(), subject.into())]),
        None => Map::new(),
    };
    let mut streams = connection.pages("list Streams", "STREAM.LIST", "streams", body).await?;
    streams.sort_by(|one, other| name_of(one).cmp(name_of(other)));
    Ok(streams)
}

fn name_of(stream: &Value) -> &str {
    stream.pointer("/config/name").and_then(Value::as_str).unwrap_or_default()
}

/// Lists them.
pub(super) async fn run(connection: &Connection, flags: &ListFlags) -> Result<()> {
    let streams = fetch_all(connection, flags.subject.as_deref()).await?;
    match (flags.names, flags.json) {
        (true, true) => screen::json(&streams.iter().map(name_of).collect()),
        (true, false) => streams.iter().try_for_each(|stream| screen::line(name_of(stream))),
        (false, true) => screen::json(&Value::Array(streams)),
        (false, false) if streams.is_empty() => screen::line("No Streams defined"),
        (false, false) => screen::line(table(&streams)?),
    }
}

fn table(streams: &[Value]) -> Result<Table> {
    let header = ["Name", "Description", "Created", "Messages", "Size", "Last Message"];
    let mut table = Table::new("Streams", &header);
    for stream in streams {
        let StreamInfo { config, created, state, .. } = StreamInfo::read(stream)?;
        table.add([
            config.name,
            config.description.unwrap_or_default(),
            time::local_text(&created),
            size::count_text(state.messages),
            size::text(state.bytes),
            duration::since_text(time::since(&state.last_ts).unwrap_or(-1)),
        ]);
    }
    table.hide_if_empty("Description");
    Ok(table)
}
