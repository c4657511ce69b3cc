//! What key-value buckets and object stores have in common: they are streams under names with a prefix, made through the
//! client library.
//! Not here: what is in them (`kv`, `object`).

use super::connection::Connection;
use super::error::{ClientError, Result};
use super::stream::list::fetch_all;
use super::stream::reply::StreamInfo;
use super::table::Table;
use super::{duration, screen, size, time};
use async_nats::jetstream::{self, stream::StorageType};
use clap::{Args, ValueEnum};
use std::time::Duration;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Storage {
    File,
    Memory,
}

/// The bucket to make.
#[derive(Debug, Args)]
pub(super) struct BucketFlags {
    /// Its name
    pub(super) bucket: String,
    /// What it is for
    #[arg(long)]
    pub(super) description: Option<String>,
    /// How long is kept what it holds
    #[arg(long, value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// Where it is kept
    #[arg(long, value_enum, default_value = "file")]
    storage: Storage,
    /// Its size at most
    #[arg(long, default_value = "-1", value_parser = size::parse, allow_hyphen_values = true)]
    pub(super) max_bucket_size: i64,
    /// Compress what is stored
    #[arg(long)]
    pub(super) compress: bool,
}

impl BucketFlags {
    /// How long is kept what it holds; zero for as long as it is there.
    pub(super) fn max_age(&self) -> Duration {
        self.ttl.unwrap_or_default()
    }
    /// Where it is kept.
    pub(super) fn storage(&self) -> StorageType {
        match self.storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        }
    }
}

/// JetStream through the client library.
pub(super) fn context(connection: &Connection) -> jetstream::Context {
    let mut context = jetstream::new(connection.client.clone());
    context.set_timeout(connection.timeout);
    context
}

/// What a command says that the client library could not do.
pub(super) fn failed<E: std::fmt::Display>(
    action: &str,
    name: &str,
) -> impl FnOnce(E) -> ClientError {
    let action = format!("{action} {name}");
    move |error| ClientError::unanswered(&action, error)
}

/// The time of the client library, where the user is.
pub(super) fn local_text(nanoseconds: i128) -> String {
    let time = jiff::Timestamp::from_nanosecond(nanoseconds);
    time.map_or_else(|_| "unknown".to_owned(), |time| time::local_text(&time.to_string()))
}

/// Lists what stands under a prefix.
pub(super) async fn list(
    connection: &Connection,
    (title, prefix): (&str, &str),
    names: bool,
) -> Result<()> {
    let header = ["Bucket", "Description", "Created", "Size", "Last Update"];
    let mut table = Table::new(title, &header);
    let mut found = Vec::new();
    for stream in fetch_all(connection, None).await? {
        let StreamInfo { config, created, state, .. } = StreamInfo::read(&stream)?;
        let Some(bucket) = config.name.strip_prefix(prefix) else { continue };
        found.push(bucket.to_owned());
        table.add([
            bucket.to_owned(),
            config.description.unwrap_or_default(),
            time::local_text(&created),
            size::text(state.bytes),
            duration::since_text(time::since(&state.last_ts).unwrap_or(-1)),
        ]);
    }
    table.hide_if_empty("Description");
    match (names, found.is_empty()) {
        (true, _) => found.iter().try_for_each(screen::line),
        (false, true) => screen::line(format_args!("No {title} found")),
        (false, false) => screen::line(table),
    }
}
