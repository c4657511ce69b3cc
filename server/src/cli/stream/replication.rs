//! Which streams get their messages from which, as a table and as a graph.
//! A row is a mirror or source that the server tells the state of, so a server that says nothing shows nothing.
//! Not here: drawing (`graph`).

use super::information::{lag_text, transform_text};
use super::reply::{Config, CopyStatus, External, StreamInfo};
use crate::cli::duration;
use crate::cli::graph::{EdgeKind, Graph};
use crate::cli::table::Table;

/// Whether a stream gets messages from others.
pub(super) fn is_copy(config: &Config) -> bool {
    config.mirror.is_some() || config.sources.as_ref().is_some_and(|sources| !sources.is_empty())
}

/// The table.
pub(super) fn table(streams: &[StreamInfo]) -> Table {
    let header =
        ["Stream", "Kind", "API Prefix", "Source Stream", "Filter", "Active", "Lag", "Error"];
    let mut table = Table::new("Replication Report", &header);
    for stream in streams {
        for (kind, copy) in copies(stream) {
            let api = copy.external.as_ref().map(|External { api, .. }| api.clone());
            let error = copy.error.as_ref().map(ToString::to_string);
            table.add([
                stream.config.name.clone(),
                match kind {
                    EdgeKind::Mirror => "Mirror".to_owned(),
                    EdgeKind::Source => "Source".to_owned(),
                },
                api.unwrap_or_default(),
                copy.name.clone(),
                filter_text(copy),
                duration::since_text(copy.active.unwrap_or(-1)),
                lag_text(copy.lag),
                error.unwrap_or_default(),
            ]);
        }
    }
    table.hide_if_empty("API Prefix");
    table.hide_if_empty("Filter");
    table
}

fn copies(stream: &StreamInfo) -> impl Iterator<Item = (EdgeKind, &CopyStatus)> {
    let sources = stream.sources.iter().flatten().map(|source| (EdgeKind::Source, source));
    sources.chain(stream.mirror.iter().map(|mirror| (EdgeKind::Mirror, mirror)))
}

fn filter_text(copy: &CopyStatus) -> String {
    let transforms = copy.subject_transforms.iter().flatten().map(transform_text);
    let filter = Some(copy.filter_subject.clone()).filter(|filter| !filter.is_empty());
    filter.into_iter().chain(transforms).collect::<Vec<_>>().join(", ")
}

/// The graph of streams that are ordered by name.
pub(in crate::cli) fn graph(streams: &[StreamInfo]) -> Graph {
    let mut graph = Graph::default();
    for stream in streams {
        for (kind, copy) in copies(stream) {
            let label = match kind {
                EdgeKind::Mirror => "Mirror",
                EdgeKind::Source => &copy.filter_subject,
            };
            graph.add(&stream.config.name, &copy.name, kind, label);
        }
    }
    graph
}
