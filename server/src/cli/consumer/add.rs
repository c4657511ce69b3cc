//! `headwater consumer add`: creates a consumer, asking for what was not said where there is somebody to ask.
//! Not here: the questions (`prompts`), the defaults (`config`).

use super::flags::ConfigFlags;
use super::reply::ConsumerInfo;
use super::{config, file, information, prompts};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::screen;
use crate::cli::stream::name;
use crate::cli::terminal::{Asker, Terminal};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// The consumer to create.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddFlags {
    /// Name of its stream
    #[arg(value_parser = name::parse)]
    stream: String,
    /// Name of the consumer
    #[arg(value_parser = name::parse_consumer)]
    consumer: Option<String>,
    /// Read the whole configuration from a JSON file; flags for parts of it are refused beside it
    #[arg(long = "config", value_name = "FILE", conflicts_with = "ephemeral")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFlags,
    /// Let it end when nobody uses it any more; it needs no name
    #[arg(long)]
    ephemeral: bool,
    /// Ask nothing: what is not given has its usual value
    #[arg(long)]
    defaults: bool,
    /// Print the answer as JSON
    #[arg(long, short)]
    json: bool,
}

/// Creates it and shows it.
pub(super) async fn run(connection: &Connection, flags: &AddFlags) -> Result<()> {
    let stream = &flags.stream;
    let (consumer, config) = configured(flags)?;
    // Servers let users create consumers by their filter, so the subject of the request has it, where there is one.
    let filter = config.get("filter_subject").and_then(Value::as_str);
    let filter = filter.filter(|filter| !filter.is_empty());
    let filter = filter.map(|filter| format!(".{filter}")).unwrap_or_default();
    let path = format!("CONSUMER.CREATE.{stream}.{consumer}{filter}");
    let body = json!({"stream_name": stream, "config": config, "action": "create"});
    let answer = connection.call("create Consumer", &path, &body).await?;
    if flags.json {
        return screen::json(&answer);
    }
    screen::line(format_args!("Consumer {stream} > {consumer} was created\n"))?;
    information::print(&ConsumerInfo::read(&answer)?)
}

/// The name of the new consumer and its configuration.
fn configured(flags: &AddFlags) -> Result<(String, Map<String, Value>)> {
    if let Some(path) = &flags.file {
        if flags.config.says_anything()? {
            let reason =
                "--config has the whole configuration: flags for parts of it are refused beside it";
            return Err(ClientError::Usage(reason.to_owned()));
        }
        return file::read(path, flags.consumer.as_deref());
    }
    let mut terminal = if flags.defaults { None } else { Terminal::find() };
    let mut asker = terminal.as_mut().map(|terminal| terminal as &mut dyn Asker);
    let consumer = match (&flags.consumer, asker.as_mut()) {
        (Some(name), _) => name.clone(),
        (None, _) if flags.ephemeral => nuid::next().to_string(),
        (None, Some(asker)) => prompts::ask_name(*asker)?,
        (None, None) => {
            let reason = "a consumer needs a name, unless it is --ephemeral";
            return Err(ClientError::Usage(reason.to_owned()));
        }
    };
    let config = config::complete(&consumer, flags.ephemeral, &flags.config, asker)?;
    Ok((consumer, config))
}
