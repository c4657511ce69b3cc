//! `headwater stream rm`: removes a stream with its messages.
//! Not here: removing messages only (`purge`).

use super::name;
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::terminal;
use clap::Args;
use serde_json::Value;

/// Which stream to remove.
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    name: String,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
}

/// Removes it.
pub(super) async fn run(connection: &Connection, flags: &RemoveFlags) -> Result<()> {
    let name = &flags.name;
    terminal::confirm(&format!("Really delete Stream {name}"), flags.force)?;
    let action = "remove Stream";
    connection.call(action, &format!("STREAM.DELETE.{name}"), &Value::Null).await.map(drop)
}
