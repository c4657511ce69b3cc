//! Stores and the list of what is in them.
//! Not here: the content of objects (`content`).

use super::{context, failed, open};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::sheet::Sheet;
use crate::cli::stream::list::{fetch_all, fetch_one};
use crate::cli::stream::reply::StreamInfo;
use crate::cli::table::Table;
use crate::cli::{duration, screen, size, terminal, time};
use async_nats::jetstream::object_store::{self, ObjectInfo};
use async_nats::jetstream::stream::StorageType;
use clap::{Args, ValueEnum};
use futures_util::TryStreamExt;
use std::time::Duration;

/// What the streams of stores are called.
const PREFIX: &str = "OBJ_";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Storage {
    File,
    Memory,
}

/// The store to make.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddFlags {
    /// Name of the store
    bucket: String,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// How long objects are kept
    #[arg(long, value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// Where it is kept
    #[arg(long, value_enum, default_value = "file")]
    storage: Storage,
    /// Size of the store at most
    #[arg(long, default_value = "-1", value_parser = size::parse, allow_hyphen_values = true)]
    max_bucket_size: i64,
    /// Compress what is stored
    #[arg(long)]
    compress: bool,
}

/// What to list.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListFlags {
    /// The objects of this store
    bucket: Option<String>,
    /// Print the names only
    #[arg(long, short)]
    names: bool,
}

/// What to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct InfoFlags {
    /// Name of the store
    bucket: String,
    /// Name of the object
    name: Option<String>,
}

/// What to remove.
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveFlags {
    /// Name of the store
    bucket: String,
    /// Name of the object; without it, the whole store goes
    name: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    force: bool,
}

/// The second of the last change, where the user is.
fn modified(info: &ObjectInfo) -> String {
    let time =
        info.modified.map(|time| jiff::Timestamp::from_nanosecond(time.unix_timestamp_nanos()));
    time.and_then(std::result::Result::ok)
        .map_or_else(|| "unknown".to_owned(), |time| time::local_text(&time.to_string()))
}

pub(super) async fn add(connection: &Connection, flags: &AddFlags) -> Result<()> {
    let bucket = &flags.bucket;
    let config = object_store::Config {
        bucket: bucket.clone(),
        description: flags.description.clone(),
        max_age: flags.ttl.unwrap_or_default(),
        max_bytes: flags.max_bucket_size,
        storage: match flags.storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        },
        compression: flags.compress,
        num_replicas: 1,
        ..object_store::Config::default()
    };
    let made = context(connection).create_object_store(config).await;
    made.map_err(failed("create Object Store", bucket))?;
    show(connection, bucket).await
}

pub(super) async fn list(connection: &Connection, flags: &ListFlags) -> Result<()> {
    if let Some(bucket) = &flags.bucket {
        return objects(connection, bucket, flags.names).await;
    }
    let header = ["Bucket", "Description", "Created", "Size", "Last Update"];
    let mut table = Table::new("Object Stores", &header);
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
            duration::since_text(time::since(&state.last_ts).unwrap_or(-1)),
        ]);
    }
    table.hide_if_empty("Description");
    match (flags.names, names.is_empty()) {
        (true, _) => names.iter().try_for_each(screen::line),
        (false, true) => screen::line("No Object Stores found"),
        (false, false) => screen::line(table),
    }
}

async fn objects(connection: &Connection, bucket: &str, names: bool) -> Result<()> {
    let store = open(connection, bucket).await?;
    let listed = store.list().await.map_err(failed("list the objects of", bucket))?;
    let mut listed: Vec<ObjectInfo> =
        listed.try_collect().await.map_err(failed("list the objects of", bucket))?;
    listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    if names {
        return listed.iter().try_for_each(|info| screen::line(&info.name));
    }
    if listed.is_empty() {
        return screen::line("No entries found");
    }
    let mut table = Table::new(&format!("Bucket Contents of {bucket}"), &["Name", "Size", "Time"]);
    for info in &listed {
        table.add([info.name.clone(), size::text(info.size as u64), modified(info)]);
    }
    screen::line(table)
}

pub(super) async fn info(connection: &Connection, flags: &InfoFlags) -> Result<()> {
    let bucket = &flags.bucket;
    let Some(name) = &flags.name else { return show(connection, bucket).await };
    let store = open(connection, bucket).await?;
    let info = store.info(name).await.map_err(failed("show", name))?;
    if info.deleted {
        return Err(ClientError::Ended(format!("object {name} was deleted")));
    }
    screen::line(sheet_of(&info))
}

/// An object, for people to read.
pub(super) fn sheet_of(info: &ObjectInfo) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.heading(format_args!("Object information for {} > {}", info.bucket, info.name));
    sheet.optional("Description", info.description.as_ref().filter(|text| !text.is_empty()));
    sheet.row("Size", size::text(info.size as u64));
    sheet.row("Modification Time", modified(info));
    sheet.row("Chunks", size::count_text(info.chunks as u64));
    sheet.optional("Digest", info.digest.as_ref());
    sheet
}

async fn show(connection: &Connection, bucket: &str) -> Result<()> {
    let stream = fetch_one(connection, &format!("{PREFIX}{bucket}")).await?;
    let StreamInfo { config, state, .. } = StreamInfo::read(&stream)?;
    let number = |name: &str| stream.pointer(name).and_then(serde_json::Value::as_i64);
    let mut sheet = Sheet::default();
    sheet.heading(format_args!("Information for Object Store Bucket {bucket}"));
    sheet.optional("Description", config.description.filter(|text| !text.is_empty()));
    sheet.row("Bucket Name", bucket);
    sheet.row("Size", size::text(state.bytes));
    sheet.row("Maximum Bucket Size", size::limit_text(number("/config/max_bytes").unwrap_or(-1)));
    sheet.row("Maximum Age", duration::limit_text(number("/config/max_age").unwrap_or(0)));
    sheet.row("Backing Store", format_args!("{PREFIX}{bucket}"));
    screen::line(sheet)
}

pub(super) async fn remove(connection: &Connection, flags: &RemoveFlags) -> Result<()> {
    let bucket = &flags.bucket;
    match &flags.name {
        Some(name) => {
            let store = open(connection, bucket).await?;
            store.delete(name).await.map_err(failed("remove", name))
        }
        None => {
            let question = format!("Really delete Object Store {bucket} with all it holds");
            terminal::confirm(&question, flags.force)?;
            let removed = context(connection).delete_object_store(bucket).await;
            removed.map_err(failed("remove Object Store", bucket))
        }
    }
}
