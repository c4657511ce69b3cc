//! `headwater stream report`: every stream, and which get their messages from which.
//! The tables are those of NATS's page on data replication. Nothing but the list of streams is asked for.
//! Not here: who copies whom (`replication`).

use super::reply::{Cluster, State, StreamInfo};
use super::{list, replication};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::table::Table;
use crate::cli::{screen, size};
use clap::Args;
use std::path::{Path, PathBuf};

/// What to report, and how.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct ReportFlags {
    /// Write who copies whom as a graph for Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write the same graph as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Only streams that listen to one of these subjects
    #[arg(long)]
    subject: Option<String>,
}

/// Prints the report.
pub(super) async fn run(connection: &Connection, flags: &ReportFlags) -> Result<()> {
    screen::line("Obtaining Stream stats\n")?;
    let streams = fetch(connection, flags.subject.as_deref()).await?;
    let graph = replication::graph(&streams);
    if let Some(path) = &flags.dot {
        write(path, &graph.dot())?;
    }
    if let Some(path) = &flags.svg {
        write(path, &graph.svg().map_err(ClientError::Usage)?)?;
    }
    print(streams)
}

/// The streams in the order of their names.
pub(in crate::cli) async fn fetch(
    connection: &Connection,
    subject: Option<&str>,
) -> Result<Vec<StreamInfo>> {
    let streams = list::fetch_all(connection, subject).await?;
    streams.iter().map(StreamInfo::read).collect()
}

/// Writes a file of the report.
pub(in crate::cli) fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(ClientError::file(path))
}

/// Prints the tables, the streams with the fewest bytes first.
pub(in crate::cli) fn print(streams: Vec<StreamInfo>) -> Result<()> {
    if streams.is_empty() {
        return screen::line("No Streams defined");
    }
    let has_copies = streams.iter().any(|stream| replication::is_copy(&stream.config));
    let replication = replication::table(&streams);
    screen::line(format_args!("{}\n", table(streams, has_copies)))?;
    match has_copies {
        true => screen::line(format_args!("{replication}\n")),
        false => Ok(()),
    }
}

fn table(mut streams: Vec<StreamInfo>, has_copies: bool) -> Table {
    let header = [
        "Stream",
        "Storage",
        "Replication",
        "Consumers",
        "Messages",
        "Bytes",
        "Lost",
        "Deleted",
        "Cluster",
    ];
    let mut table = Table::new("Stream Report", &header);
    // The order of those with as many bytes stays that of their names.
    streams.sort_by_key(|stream| stream.state.bytes);
    for stream in &streams {
        let StreamInfo { config, state, .. } = stream;
        let replication = match (&config.mirror, replication::is_copy(config)) {
            (Some(_), _) => "Mirror",
            (None, true) => "Sourced",
            (None, false) => "",
        };
        table.add([
            config.name.clone(),
            if config.storage == "memory" { "Memory" } else { "File" }.to_owned(),
            replication.to_owned(),
            size::count_text(state.consumer_count),
            size::count_text(state.messages),
            size::text(state.bytes),
            lost_text(state),
            size::count_text(state.deleted_count()),
            stream.cluster.as_ref().map(cluster_text).unwrap_or_default(),
        ]);
    }
    if !has_copies {
        table.hide_if_empty("Replication");
    }
    table
}

fn lost_text(state: &State) -> String {
    match &state.lost {
        Some(lost) if lost.bytes > 0 || lost.msgs.is_some() => {
            let count = lost.msgs.as_ref().map_or(0, Vec::len);
            format!("{count} ({})", size::text(lost.bytes))
        }
        _ => "0".to_owned(),
    }
}

/// The servers that keep a stream: a star at the leader, an exclamation mark at those that are behind or away.
fn cluster_text(cluster: &Cluster) -> String {
    let mut servers = Vec::new();
    if !cluster.leader.is_empty() {
        servers.push(format!("{}*", cluster.leader));
    }
    for peer in cluster.replicas.iter().flatten() {
        let mark = if peer.offline || !peer.current { "!" } else { "" };
        servers.push(format!("{}{mark}", peer.name));
    }
    servers.sort();
    servers.join(", ")
}

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
