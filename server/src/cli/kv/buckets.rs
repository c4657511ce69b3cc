//! Buckets: what is made, listed, shown and removed.
//! Not here: what is in them (`entry`, `value`).

use super::open;
use crate::cli::bucket::{self, BucketFlags, context, failed};
use crate::cli::connection::Connection;
use crate::cli::error::Result;
use crate::cli::sheet::Sheet;
use crate::cli::{duration, screen, size, terminal};
use async_nats::jetstream::{kv, stream::StorageType};
use clap::Args;
use futures_util::TryStreamExt;
use std::time::Duration;

/// What the streams of buckets are called.
pub(super) const PREFIX: &str = "KV_";

/// Which bucket.
#[derive(Debug, Args)]
pub(in crate::cli) struct BucketName {
    /// Name of the bucket
    pub(super) bucket: String,
}

/// The bucket to make.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddFlags {
    #[command(flatten)]
    of: BucketFlags,
    /// How many values of each key are kept
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=64))]
    history: i64,
    /// How long markers of what was deleted by a limit are kept; lets values have a lifetime of their own
    #[arg(long, value_parser = duration::parse)]
    marker_ttl: Option<Duration>,
    /// Size of a value at most
    #[arg(long, default_value = "-1", value_parser = size::parse_i32, allow_hyphen_values = true)]
    max_value_size: i32,
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
    let AddFlags { of, history, marker_ttl, max_value_size } = flags;
    let config = kv::Config {
        bucket: of.bucket.clone(),
        description: of.description.clone().unwrap_or_default(),
        history: *history,
        max_age: of.max_age(),
        limit_markers: *marker_ttl,
        storage: of.storage(),
        max_value_size: *max_value_size,
        max_bytes: of.max_bucket_size,
        compression: of.compress,
        num_replicas: 1,
        ..kv::Config::default()
    };
    let made = context(connection).create_key_value(config).await;
    made.map_err(failed("create Bucket", &of.bucket))?;
    show(connection, &BucketName { bucket: of.bucket.clone() }).await
}

pub(super) async fn list(connection: &Connection, flags: &ListFlags) -> Result<()> {
    match &flags.bucket {
        Some(bucket) => keys(connection, bucket).await,
        None => bucket::list(connection, ("Key-Value Buckets", PREFIX), flags.names).await,
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
