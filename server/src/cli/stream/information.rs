//! What `stream info` prints of a stream, in the words of NATS's page on data replication.
//! Lines that page does not have stand there only where they say something out of the ordinary.
//! Not here: the report on all streams (`report`).

use super::reply::{
    Cluster, Config, CopyStatus, External, Origin, Peer, State, StreamInfo, Transform,
};
use crate::cli::error::Result;
use crate::cli::sheet::Sheet;
use crate::cli::{duration, screen, size, time};
use std::collections::BTreeMap;

/// Prints everything.
pub(super) fn print(info: &StreamInfo) -> Result<()> {
    screen::line(sheet(info))
}

/// Prints what a stream holds.
pub(super) fn print_state(info: &StreamInfo) -> Result<()> {
    let mut sheet = Sheet::default();
    add_state(&mut sheet, &info.state);
    screen::line(sheet)
}

fn sheet(info: &StreamInfo) -> Sheet {
    let mut sheet = Sheet::default();
    let created = time::local_text(&info.created);
    sheet.heading(format_args!("Information for Stream {} created {created}", info.config.name));
    sheet.heading("Configuration:");
    add_config(&mut sheet, &info.config);
    add_metadata(&mut sheet, info.config.metadata.as_ref());
    add_cluster(&mut sheet, info.cluster.as_ref());
    if let Some(mirror) = &info.mirror {
        sheet.gap();
        sheet.heading("Mirror Information:");
        add_copies(&mut sheet, std::slice::from_ref(mirror));
    }
    if let Some(sources) = info.sources.as_deref().filter(|sources| !sources.is_empty()) {
        sheet.gap();
        sheet.heading("Source Information:");
        add_copies(&mut sheet, sources);
    }
    sheet.gap();
    add_state(&mut sheet, &info.state);
    sheet
}

/// A value of a configuration as a word.
pub(in crate::cli) fn capitalized(text: &str) -> String {
    match text {
        "workqueue" => "WorkQueue".to_owned(),
        _ => {
            let mut letters = text.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
        }
    }
}

fn add_config(sheet: &mut Sheet, config: &Config) {
    sheet.optional("Description", config.description.as_ref().filter(|text| !text.is_empty()));
    if let Some(subjects) = config.subjects.as_ref().filter(|subjects| !subjects.is_empty()) {
        sheet.row("Subjects", subjects.join(", "));
    }
    sheet.row("Acknowledgements", !config.no_ack);
    let (storage, retention) = (capitalized(&config.storage), capitalized(&config.retention));
    sheet.row("Retention", format_args!("{storage} - {retention}"));
    sheet.row("Replicas", config.num_replicas);
    sheet.row("Discard Policy", capitalized(&config.discard));
    sheet.row("Duplicate Window", duration::text(config.duplicate_window));
    if !matches!(config.compression.as_str(), "" | "none") {
        sheet.row("Compression", config.compression.to_uppercase());
    }
    if config.first_seq > 1 {
        sheet.row("First Sequence", config.first_seq);
    }
    let arrow = |transform: &Transform| format!("{} to {}", transform.src, transform.dest);
    sheet.optional("Subject Transform", config.subject_transform.as_ref().map(arrow));
    sheet.optional("Republishing", config.republish.as_ref().map(arrow));
    for (label, is_shown, value) in [
        ("Sealed", config.sealed, true),
        ("Direct Get", !config.allow_direct, false),
        ("Mirror Direct Get", config.mirror_direct, true),
        ("Allows Atomic Batch", config.allow_atomic, true),
        ("Allows Counters", config.allow_msg_counter, true),
        ("Allows Msg TTL", config.allow_msg_ttl, true),
        ("Allows Msg Delete", true, !config.deny_delete),
        ("Allows Purge", true, !config.deny_purge),
        ("Allows Rollups", true, config.allow_rollup_hdrs),
    ] {
        if is_shown {
            sheet.row(label, value);
        }
    }
    sheet.row("Maximum Messages", size::count_limit_text(config.max_msgs));
    if config.max_msgs_per_subject > 0 {
        sheet.row("Maximum Per Subject", size::count_limit_text(config.max_msgs_per_subject));
    }
    sheet.row("Maximum Bytes", size::limit_text(config.max_bytes));
    sheet.row("Maximum Age", duration::limit_text(config.max_age));
    sheet.row("Maximum Message Size", size::limit_text(config.max_msg_size));
    sheet.row("Maximum Consumers", size::count_limit_text(config.max_consumers));
    sheet.optional("Mirror", config.mirror.as_ref().map(origin_text));
    let mut sources: Vec<_> = config.sources.iter().flatten().collect();
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    sheet.rows("Sources", sources.into_iter().map(origin_text));
}

fn origin_text(origin: &Origin) -> String {
    let mut text = origin.name.clone();
    let mut add = |label: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!(", {label}: {value}"));
        }
    };
    if origin.opt_start_seq > 0 {
        add("Start Seq", &origin.opt_start_seq.to_string());
    }
    add("Start Time", origin.opt_start_time.as_deref().unwrap_or_default());
    add("Filter", &origin.filter_subject);
    for Transform { src, dest } in origin.subject_transforms.iter().flatten() {
        add("Transform", &format!("{src} to {dest}"));
    }
    if let Some(External { api, deliver }) = &origin.external {
        add("API Prefix", api);
        add("Delivery Prefix", deliver);
    }
    text
}

/// Adds what users noted at a stream or a consumer.
pub(in crate::cli) fn add_metadata(sheet: &mut Sheet, metadata: Option<&BTreeMap<String, String>>) {
    // What the server writes there for itself is nothing the user said.
    let is_users = |name: &&String| !name.starts_with("_nats.");
    let lines: Vec<_> = metadata
        .into_iter()
        .flatten()
        .filter(|(name, _)| is_users(name))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    sheet.rows("Metadata", lines);
}

/// Adds the servers that keep a stream or a consumer.
pub(in crate::cli) fn add_cluster(sheet: &mut Sheet, cluster: Option<&Cluster>) {
    let Some(cluster) = cluster.filter(|cluster| !cluster.name.is_empty()) else {
        return;
    };
    sheet.gap();
    sheet.heading("Cluster Information:");
    sheet.row("Name", &cluster.name);
    sheet.row("Leader", &cluster.leader);
    for peer in cluster.replicas.iter().flatten() {
        sheet.row("Replica", peer_text(peer));
    }
}

fn peer_text(peer: &Peer) -> String {
    let mut text = format!("{}, {}", peer.name, if peer.current { "current" } else { "outdated" });
    if peer.offline {
        text.push_str(", OFFLINE");
    }
    match peer.active {
        ..=0 => text.push_str(", not seen"),
        active => text.push_str(&format!(", seen {} ago", duration::text(active))),
    }
    if peer.lag > 0 {
        text.push_str(&format!(", {} operations behind", size::count_text(peer.lag)));
    }
    text
}

fn add_copies(sheet: &mut Sheet, copies: &[CopyStatus]) {
    for (index, copy) in copies.iter().enumerate() {
        if index > 0 {
            sheet.gap();
        }
        sheet.row("Stream Name", &copy.name);
        if !copy.filter_subject.is_empty() {
            sheet.row("Subject Filter", &copy.filter_subject);
        }
        let transforms = copy.subject_transforms.iter().flatten();
        sheet.rows("Subject Transforms", transforms.map(transform_text));
        sheet.row("Lag", lag_text(copy.lag));
        sheet.row("Last Seen", duration::since_text(copy.active.unwrap_or(-1)));
        if let Some(External { api, deliver }) = &copy.external {
            sheet.row("Ext. API Prefix", api);
            sheet.optional("Ext. Delivery Prefix", Some(deliver).filter(|text| !text.is_empty()));
        }
        sheet.optional("Error", copy.error.as_ref().map(|error| &error.description));
    }
}

/// How many messages a copy is behind.
pub(super) fn lag_text(lag: Option<i64>) -> String {
    let count = lag.and_then(|lag| u64::try_from(lag).ok());
    count.map_or_else(|| "unknown".to_owned(), size::count_text)
}

/// What becomes of the subjects of a copy.
pub(super) fn transform_text(transform: &Transform) -> String {
    match transform.dest.as_str() {
        "" => format!("{} untransformed", transform.src),
        dest => format!("{} to {dest}", transform.src),
    }
}

fn add_state(sheet: &mut Sheet, state: &State) {
    let at = |sequence: u64, time: &str| match time::utc_text(time) {
        Some(time) => format!("{} @ {time}", size::count_text(sequence)),
        None => size::count_text(sequence),
    };
    sheet.heading("State:");
    sheet.row("Messages", size::count_text(state.messages));
    sheet.row("Bytes", size::text(state.bytes));
    if let Some(lost) = state.lost.as_ref().and_then(|lost| lost.msgs.as_ref()) {
        sheet.row("Lost Messages", size::count_text(lost.len() as u64));
    }
    sheet.row("FirstSeq", at(state.first_seq, &state.first_ts));
    sheet.row("LastSeq", at(state.last_seq, &state.last_ts));
    if state.deleted_count() > 0 {
        sheet.row("Deleted Messages", size::count_text(state.deleted_count()));
    }
    sheet.row("Active Consumers", state.consumer_count);
    if state.num_subjects > 0 {
        sheet.row("Number of Subjects", size::count_text(state.num_subjects));
    }
}

#[cfg(test)]
#[path = "information_test.rs"]
mod tests;
