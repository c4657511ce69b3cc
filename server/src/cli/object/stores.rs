//! Stores and the list of what is in them.
//! Not here: the content of objects (`content`).

use super::open;
use crate::cli::bucket::{self, BucketFlags, context, failed, local_text};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::sheet::Sheet;
use crate::cli::stream::list::fetch_one;
use crate::cli::stream::reply::StreamInfo;
use crate::cli::table::Table;
use crate::cli::{duration, screen, size, terminal};
use async_nats::jetstream::object_store::{self, ObjectInfo};
use clap::Args;
use futures_util::TryStreamExt;

/// What the streams of stores are called.
const PREFIX: &str = "OBJ_";

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

/// When it was changed last.
fn modified(info: &ObjectInfo) -> String {
    let text = info.modified.map(|time| local_text(time.unix_timestamp_nanos()));
    text.unwrap_or_else(|| "unknown".to_owned())
}

pub(super) async fn add(connection: &Connection, flags: &BucketFlags) -> Result<()> {
    let config = object_store::Config {
        bucket: flags.bucket.clone(),
        description: flags.description.clone(),
        max_age: flags.max_age(),
        max_bytes: flags.max_bucket_size,
        storage: flags.storage(),
        compression: flags.compress,
        num_replicas: 1,
        ..object_store::Config::default()
    };
    let made = context(connection).create_object_store(config).await;
    made.map_err(failed("create Object Store", &flags.bucket))?;
    show(connection, &flags.bucket).await
}

pub(super) async fn list(connection: &Connection, flags: &ListFlags) -> Result<()> {
    match &flags.bucket {
        Some(bucket) => objects(connection, bucket, flags.names).await,
        None => bucket::list(connection, ("Object Stores", PREFIX), flags.names).await,
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
