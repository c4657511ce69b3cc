//! Buckets: what is made, listed, shown and removed.
//! Not here: what is in them (`entry`, `value`).

use super::{context, failed, open};
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::sheet::Sheet;
use crate::cli::stream::list::fetch_all;
use crate::cli::stream::reply::StreamInfo;
use crate::cli::table::Table;
use crate::cli::{duration, screen, size, terminal, time};
use async_nats::jetstream::{kv, stream::StorageType};
use clap::{Args, ValueEnum};
use futures_util::TryStreamExt;
use std::time::Duration;

/// What the streams of buckets are called.
const PREFIX: &str = "KV_";

/// Which bucket.
#[derive(Debug, Args)]
pub(in crate::cli) struct BucketName {
    /// Name of the bucket
    pub(super) bucket: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Storage {
    File,
    Memory,
}

/// The bucket to make.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddFlags {
    /// Name of the bucket
    bucket: String,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// How many values of each key are kept
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=64))]
    history: i64,
    /// How long values are kept
    #[arg(long, value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// How long markers of what was deleted by a limit are kept; lets values have a lifetime of their own
    #[arg(long, value_parser = duration::parse)]
    marker_ttl: Option<Duration>,
    /// Where it is kept
    #[arg(long, value_enum, default_value = "file")]
    storage: Storage,
    /// Size of a value at most
    #[arg(long, default_value = "-1", value_parser = size::parse_i32, allow_hyphen_values = true)]
    max_value_size: i32,
    /// Size of the bucket at most
    #[arg(long, default_value = "-1", value_parser = size::parse, allow_hyphen_values = true)]
    max_bucket_size: i64,
    /// Compress what is stored
    #[arg(long)]
    compress: bool,
}

/// What to list.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListFlags {
    /// The keys of this bucket
    bucket: Option<String>,
    /// Print the names only
    #[arg(long, short)]
    names: bool,
}

/// What to remove.
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveFlags {
    /// Name of the bucket
    bucket: String,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
}

pub(super) async fn add(connection: &Connection, flags: &AddFlags) -> Result<()> {
    let config = kv::Config {
        bucket: flags.bucket.clone(),
        description: flags.description.clone(),
        history: flags.history,
        max_age: flags.ttl.unwrap_or_default(),
        limit_markers: flags.marker_ttl,
        storage: match flags.storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        },
        max_value_size: flags.max_value_size,
        max_bytes: flags.max_bucket_size,
        compression: flags.compress,
        num_replicas: 1,
        ..kv::Config::default()
    };
    let made = context(connection).create_key_value(config).await;
    made.map_err(failed("create Bucket", &flags.bucket))?;
    show(connection, &BucketName { bucket: flags.bucket.clone() }).await
}

pub(super) async fn list(connection: &Connection, flags: &ListFlags) -> Result<()> {
    if let Some(bucket) = &flags.bucket {
        return keys(connection, bucket).await;
    }
    let mut table = Table::new(
        "Key-Value Buckets",
        &["Bucket", "Description", "Created", "Size", "Values", "Last Update"],
    );
    let mut names = Vec::new();
    for stream in fetch_all(connection, None).await? {
        let StreamInfo { config, created, state, .. } = StreamInfo::read(&stream)?;
        let Some(bucket) = config.name.strip_prefix(PREFIX) else { continue };
        names.push(bucket.to_owned());
        table.add([
            bucket.to_owned(),
            config.description.unwrap_or_default(),
            time::local_text(&created),
            size::text(state.bytes),
            size::count_text(state.messages),
            duration::since_text(time::since(&state.last_ts).unwrap_or(-1)),
        ]);
    }
    table.hide_if_empty("Description");
    match (flags.names, names.is_empty()) {
        (true, _) => names.iter().try_for_each(screen::line),
        (false, true) => screen::line("No Key-Value buckets found"),
        (false, false) => screen::line(table),
    }
}

async fn keys(connection: &Connection, bucket: &str) -> Result<()> {
    let store = open(connection, bucket).await?;
    let keys = store.keys().await.map_err(failed("list the keys of", bucket))?;
    let mut keys: Vec<String> =
        keys.try_collect().await.map_err(failed("list the keys of", bucket))?;
    keys.sort_unstable();
    match keys.is_empty() {
        true => screen::line("No keys found in bucket"),
        false => keys.iter().try_for_each(screen::line),
    }
}

pub(super) async fn show(connection: &Connection, name: &BucketName) -> Result<()> {
    let store = open(connection, &name.bucket).await?;
    let status = store.status().await.map_err(failed("show Bucket", &name.bucket))?;
    let (config, state) = (&status.info.config, &status.info.state);
    let mut sheet = Sheet::default();
    sheet.heading(format_args!("Information for Key-Value Store Bucket {}", name.bucket));
    sheet.optional("Description", config.description.as_ref().filter(|text| !text.is_empty()));
    sheet.row("Bucket Name", &name.bucket);
    sheet.row("History Kept", config.max_messages_per_subject);
    sheet.row("Values Stored", size::count_text(state.messages));
    sheet.row("Bucket Size", size::text(state.bytes));
    sheet.row("Maximum Bucket Size", size::limit_text(config.max_bytes));
    sheet.row("Maximum Value Size", size::limit_text(config.max_message_size.into()));
    let age = i64::try_from(config.max_age.as_nanos()).unwrap_or(i64::MAX);
    sheet.row("Maximum Age", duration::limit_text(age));
    sheet.row("Storage", if config.storage == StorageType::File { "File" } else { "Memory" });
    sheet.row("Backing Store", format_args!("{PREFIX}{}", name.bucket));
    screen::line(sheet)
}

pub(super) async fn remove(connection: &Connection, flags: &RemoveFlags) -> Result<()> {
    let bucket = &flags.bucket;
    terminal::confirm(&format!("Really delete Bucket {bucket}"), flags.force)?;
    let removed = context(connection).delete_key_value(bucket).await;
    removed.map(drop).map_err(failed("remove Bucket", bucket))
}
