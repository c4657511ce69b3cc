//! `headwater consumer rm`: removes a consumer; its stream keeps the messages.
//! Not here: removing the stream (`stream::remove`).

use super::ConsumerName;
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::terminal;
use clap::Args;
use serde_json::Value;

/// Which consumer to remove.
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveFlags {
    #[command(flatten)]
    name: ConsumerName,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
}

/// Removes it.
pub(super) async fn run(connection: &Connection, flags: &RemoveFlags) -> Result<()> {
    let ConsumerName { stream, consumer } = &flags.name;
    terminal::confirm(&format!("Really delete Consumer {stream} > {consumer}"), flags.force)?;
    let path = format!("CONSUMER.DELETE.{stream}.{consumer}");
    connection.call("remove Consumer", &path, &Value::Null).await.map(drop)
}
