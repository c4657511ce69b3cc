//! What shows a key: its value, what it held, and what is put under it from now on.
//! Not here: what changes it (`value`).

use super::buckets::PREFIX;
use super::open;
use super::value::KeyFlags;
use crate::cli::bucket::{failed, local_text};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::stream::stored;
use crate::cli::table::Table;
use crate::cli::{screen, size, time};
use async_nats::jetstream::kv::{Entry, Operation};
use bytes::Bytes;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt};

/// Every key.
const ALL: &str = ">";

/// Which value to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct GetFlags {
    #[command(flatten)]
    key: KeyFlags,
    /// Print the value as it is, and nothing else
    #[arg(long)]
    raw: bool,
    /// The value of this revision
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    revision: Option<u64>,
}

/// Whose history to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryFlags {
    #[command(flatten)]
    key: KeyFlags,
}

/// What to watch.
#[derive(Debug, Args)]
pub(in crate::cli) struct WatchFlags {
    /// Name of the bucket
    bucket: String,
    /// The key, which may have the wildcards * and >
    #[arg(default_value = ALL)]
    key: String,
    /// What keys held before, too
    #[arg(long, conflicts_with = "updates")]
    history: bool,
    /// No more than what is put and deleted from now on
    #[arg(long)]
    updates: bool,
    /// What was put and deleted from this revision on
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "updates")]
    revision: Option<u64>,
    /// Nothing of keys that are deleted
    #[arg(long)]
    no_deletes: bool,
    /// End after that many changes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn created(entry: &Entry) -> String {
    local_text(entry.created.unix_timestamp_nanos())
}

/// A value on one line, whatever is in it.
fn text(value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    let shown = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    value.chars().map(shown).collect()
}

fn operation(entry: &Entry) -> &'static str {
    match entry.operation {
        Operation::Put => "PUT",
        Operation::Delete => "DEL",
        Operation::Purge => "PURGE",
    }
}

pub(super) async fn get(connection: &Connection, flags: &GetFlags) -> Result<()> {
    let KeyFlags { bucket, key } = &flags.key;
    let store = open(connection, bucket).await?;
    let missing = || ClientError::Ended(format!("key {key} not found"));
    let (revision, time, value) = match flags.revision {
        Some(revision) => {
            let message = stored::fetch(connection, &format!("{PREFIX}{bucket}"), revision).await?;
            let is_it = message.subject == format!("$KV.{bucket}.{key}");
            if !is_it || message.header("KV-Operation").is_some() {
                return Err(missing());
            }
            (revision, time::local_text(&message.time), Bytes::from(message.body))
        }
        None => {
            let found = store.entry(key).await.map_err(failed("get", key))?;
            let found = found.filter(|entry| entry.operation == Operation::Put);
            let entry = found.ok_or_else(missing)?;
            (entry.revision, created(&entry), entry.value)
        }
    };
    if flags.raw {
        return screen::bytes(&value);
    }
    screen::line(format_args!("{bucket} > {key} revision: {revision} created @ {time}\n"))?;
    screen::bytes(&value)?;
    screen::line("")
}

pub(super) async fn history(connection: &Connection, flags: &HistoryFlags) -> Result<()> {
    let KeyFlags { bucket, key } = &flags.key;
    let store = open(connection, bucket).await?;
    let entries = store.history(key).await.map_err(failed("show the history of", key))?;
    let entries: Vec<Entry> =
        entries.try_collect().await.map_err(failed("show the history of", key))?;
    if entries.is_empty() {
        return Err(ClientError::Ended(format!("key {key} not found")));
    }
    let header = ["Key", "Revision", "Op", "Created", "Length", "Value"];
    let mut table = Table::new(&format!("History for {bucket} > {key}"), &header);
    for entry in &entries {
        table.add([
            entry.key.clone(),
            entry.revision.to_string(),
            operation(entry).to_owned(),
            created(entry),
            size::count_text(entry.value.len() as u64),
            text(&entry.value).chars().take(40).collect(),
        ]);
    }
    screen::line(table)
}

pub(super) async fn watch(connection: &Connection, flags: &WatchFlags) -> Result<()> {
    let WatchFlags { bucket, key, count, .. } = flags;
    let store = open(connection, bucket).await?;
    let entries = match (flags.revision, flags.history) {
        (Some(revision), _) => store.watch_from_revision(key, revision).await,
        // What the library calls history is the last value of each key.
        (None, true) => store.watch_from_revision(key, 1).await,
        (None, false) if flags.updates => store.watch(key).await,
        (None, false) => store.watch_with_history(key).await,
    };
    let mut entries = entries.map_err(failed("watch", key))?;
    let mut seen = 0;
    while count.is_none_or(|enough| seen < enough) {
        let entry = tokio::select! {
            entry = entries.next() => entry,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let Some(entry) = entry else {
            return Err(ClientError::Ended("the connection was closed".to_owned()));
        };
        let entry = entry.map_err(failed("watch", key))?;
        if flags.no_deletes && entry.operation != Operation::Put {
            continue;
        }
        seen += 1;
        let (time, operation) = (created(&entry), operation(&entry));
        let change = format!("[{time}] {operation} {bucket} > {}", entry.key);
        match entry.operation {
            Operation::Put => {
                screen::line(format_args!("{change}: {}", text(&entry.value)))?;
            }
            _ => screen::line(change)?,
        }
    }
    Ok(())
}
