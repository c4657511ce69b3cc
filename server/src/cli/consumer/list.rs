//! `headwater consumer ls`, and how consumers are fetched for it and for others.
//! Not here: what is printed of one (`information`).

use super::reply::ConsumerInfo;
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::stream::name;
use crate::cli::table::Table;
use crate::cli::{duration, screen, size, time};
use clap::Args;
use serde_json::{Map, Value};

/// What to list, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    stream: String,
    /// Print the names only
    #[arg(long, short)]
    names: bool,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// A consumer by its name.
pub(in crate::cli) async fn fetch_one(
    connection: &Connection,
    stream: &str,
    consumer: &str,
) -> Result<Value> {
    let path = format!("CONSUMER.INFO.{stream}.{consumer}");
    connection.call("request Consumer information", &path, &Value::Null).await
}

/// Lists them.
pub(super) async fn run(connection: &Connection, flags: &ListFlags) -> Result<()> {
    let path = format!("CONSUMER.LIST.{}", flags.stream);
    let listed = connection.pages("list Consumers", &path, "consumers", Map::new()).await;
    let mut consumers = listed?;
    consumers.sort_by(|one, other| name_of(one).cmp(name_of(other)));
    match (flags.names, flags.json) {
        (true, true) => screen::json(&consumers.iter().map(name_of).collect()),
        (true, false) => consumers.iter().try_for_each(|one| screen::line(name_of(one))),
        (false, true) => screen::json(&Value::Array(consumers)),
        (false, false) if consumers.is_empty() => screen::line("No Consumers defined"),
        (false, false) => screen::line(table(&consumers)?),
    }
}

fn name_of(consumer: &Value) -> &str {
    consumer.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn table(consumers: &[Value]) -> Result<Table> {
    let header = ["Name", "Description", "Created", "Ack Pending", "Unprocessed", "Last Delivery"];
    let mut table = Table::new("Consumers", &header);
    for consumer in consumers {
        let ConsumerInfo { name, created, config, delivered, num_ack_pending, num_pending, .. } =
            ConsumerInfo::read(consumer)?;
        let last = delivered.last_active.as_deref().and_then(time::since);
        table.add([
            name,
            config.description.unwrap_or_default(),
            time::local_text(&created),
            size::count_text(num_ack_pending),
            size::count_text(num_pending),
            duration::since_text(last.unwrap_or(-1)),
        ]);
    }
    table.hide_if_empty("Description");
    Ok(table)
}
