//! `headwater stream add`: creates a stream, asking for what was not said where there is somebody to ask.
//! Not here: the questions (`prompts`), the defaults (`config`).

use super::flags::ConfigFlags;
use super::reply::StreamInfo;
use super::{config, information, name};
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::screen;
use crate::cli::terminal::{Asker, Terminal};
use clap::Args;
use serde_json::Value;

/// The stream to create.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    pub(in crate::cli) name: String,
    #[command(flatten)]
    config: ConfigFlags,
    /// Ask nothing: what is not given has its usual value
    #[arg(long)]
    defaults: bool,
    /// Print the answer as JSON
    #[arg(long, short)]
    json: bool,
}

/// Creates it and shows it.
pub(super) async fn run(connection: &Connection, flags: &AddFlags) -> Result<()> {
    let mut terminal = if flags.defaults { None } else { Terminal::find() };
    let asker = terminal.as_mut().map(|terminal| terminal as &mut dyn Asker);
    let answer = create(connection, flags, asker).await?;
    if flags.json {
        return screen::json(&answer);
    }
    screen::line(format_args!("Stream {} was created\n", flags.name))?;
    information::print(&StreamInfo::read(&answer)?)
}

/// Creates it; gives the server's answer.
pub(in crate::cli) async fn create(
    connection: &Connection,
    flags: &AddFlags,
    asker: Option<&mut dyn Asker>,
) -> Result<Value> {
    let requires_bytes_max = requires_bytes_max(connection).await;
    let config = config::complete(&flags.name, &flags.config, asker, requires_bytes_max)?;
    let path = format!("STREAM.CREATE.{}", flags.name);
    connection.call("create Stream", &path, &config).await
}

/// Whether the account wants every stream to have a limit on its bytes. A server that does not say so does not want it.
async fn requires_bytes_max(connection: &Connection) -> bool {
    let Ok(account) = connection.call("look at the account", "INFO", &Value::Null).await else {
        return false;
    };
    let is_required = |limits: &Value| limits.get("max_bytes_required") == Some(&Value::Bool(true));
    let tiers = account.get("tiers").and_then(Value::as_object).into_iter().flatten();
    account.get("limits").is_some_and(is_required)
        || tiers.into_iter().any(|(_, tier)| tier.get("limits").is_some_and(is_required))
}
