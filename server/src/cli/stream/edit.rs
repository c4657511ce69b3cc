//! `headwater stream edit`: changes what is given and leaves the rest of a configuration as it is.
//! Not here: which changes the server allows.

use super::flags::ConfigFlags;
use super::reply::StreamInfo;
use super::{difference, information, list, name};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::{screen, terminal};
use clap::Args;
use serde_json::{Map, Value};

/// What to change.
#[derive(Debug, Args)]
pub(in crate::cli) struct EditFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    name: String,
    #[command(flatten)]
    config: ConfigFlags,
    /// Make a mirror a stream of its own
    #[arg(long, conflicts_with = "mirror")]
    no_mirror: bool,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
    /// Show the difference and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the answer as JSON
    #[arg(long, short)]
    json: bool,
}

/// Changes it and shows it.
pub(super) async fn run(connection: &Connection, flags: &EditFlags) -> Result<()> {
    let name = &flags.name;
    let mut info = list::fetch_one(connection, name).await?;
    let before = match info.get_mut("config").map(Value::take) {
        Some(Value::Object(config)) => without_servers_own(config),
        _ => {
            let reason = "the answer has no configuration";
            return Err(ClientError::unanswered("request Stream information", reason));
        }
    };
    let mut after = before.clone();
    after.extend(flags.config.given());
    if flags.no_mirror {
        after.remove("mirror");
    }
    let lines = difference::lines(&before, &after);
    if lines.is_empty() {
        return screen::line("No difference in configuration");
    }
    if !flags.json {
        screen::line(format_args!("Differences (-old +new):\n{}\n", lines.join("\n")))?;
    }
    if flags.dry_run {
        return Ok(());
    }
    terminal::confirm(&format!("Really edit Stream {name}"), flags.force)?;
    let path = format!("STREAM.UPDATE.{name}");
    let answer = connection.call("edit Stream", &path, &Value::Object(after)).await?;
    if flags.json {
        return screen::json(&answer);
    }
    screen::line(format_args!("Stream {name} was updated\n"))?;
    information::print(&StreamInfo::read(&answer)?)
}

/// A configuration without the metadata that the server writes for itself, which is not ours to send.
fn without_servers_own(mut config: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(metadata)) = config.get_mut("metadata") {
        metadata.retain(|name, _| !name.starts_with("_nats."));
        if metadata.is_empty() {
            config.remove("metadata");
        }
    }
    config
}
