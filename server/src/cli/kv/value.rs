//! What changes a key. The value is an argument, or what stands on standard input.
//! Not here: what shows a key (`entry`).

use super::open;
use crate::cli::bucket::{context, failed};
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::{duration, screen};
use async_nats::HeaderMap;
use async_nats::jetstream::kv::{Operation, Store};
use bytes::Bytes;
use clap::Args;
use std::io::Read;
use std::time::Duration;

/// Largest value: what a message may have at most.
const VALUE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A key of a bucket.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeyFlags {
    /// Name of the bucket
    pub(super) bucket: String,
    /// The key
    pub(super) key: String,
}

/// What to put.
#[derive(Debug, Args)]
pub(in crate::cli) struct PutFlags {
    #[command(flatten)]
    key: KeyFlags,
    /// The value; without it, what stands on standard input
    value: Option<String>,
}

/// What to put under a key that has nothing.
#[derive(Debug, Args)]
pub(in crate::cli) struct CreateFlags {
    #[command(flatten)]
    put: PutFlags,
    /// How long the key has it; the bucket has to be made with --marker-ttl
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
}

/// What to put, where nobody else did.
#[derive(Debug, Args)]
pub(in crate::cli) struct UpdateFlags {
    #[command(flatten)]
    key: KeyFlags,
    /// The value
    value: String,
    /// The revision that the key has; 0 for none
    #[arg(default_value_t = 0)]
    revision: u64,
}

fn value(given: Option<&String>) -> Result<Bytes> {
    if let Some(text) = given {
        return Ok(Bytes::from(text.clone()));
    }
    let mut read = Vec::new();
    let input = std::io::stdin().lock().take(VALUE_BYTES_MAX + 1).read_to_end(&mut read);
    input.map_err(|error| ClientError::Ended(format!("standard input: {error}")))?;
    if read.len() as u64 > VALUE_BYTES_MAX {
        return Err(ClientError::Usage(format!("the value has more than {VALUE_BYTES_MAX} bytes")));
    }
    Ok(read.into())
}

pub(super) async fn put(connection: &Connection, flags: &PutFlags) -> Result<()> {
    let KeyFlags { bucket, key } = &flags.key;
    let value = value(flags.value.as_ref())?;
    let store = open(connection, bucket).await?;
    store.put(key, value.clone()).await.map_err(failed("put", key))?;
    said(&value)
}

pub(super) async fn create(connection: &Connection, flags: &CreateFlags) -> Result<()> {
    let KeyFlags { bucket, key } = &flags.put.key;
    let value = value(flags.put.value.as_ref())?;
    let store = open(connection, bucket).await?;
    match flags.ttl {
        Some(ttl) => create_for(connection, &store, (key, value.clone()), ttl).await?,
        None => drop(store.create(key, value.clone()).await.map_err(failed("create", key))?),
    }
    said(&value)
}

/// Creates what has a lifetime. The client library rounds it down to seconds, and leaves it out under a key that was
/// deleted.
async fn create_for(
    connection: &Connection,
    store: &Store,
    (key, value): (&str, Bytes),
    ttl: Duration,
) -> Result<()> {
    let found = store.entry(key).await.map_err(failed("create", key))?;
    let revision = match &found {
        Some(entry) if entry.operation == Operation::Put => {
            return Err(failed("create", key)("key already exists"));
        }
        Some(entry) => entry.revision,
        None => 0,
    };
    let mut headers = HeaderMap::new();
    // Who comes in between is noticed by the server.
    headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
    headers.insert("Nats-TTL", format!("{}ns", ttl.as_nanos()));
    let subject = format!("{}{key}", store.put_prefix.as_ref().unwrap_or(&store.prefix));
    let published = context(connection).publish_with_headers(subject, headers, value).await;
    let stored = published.map_err(failed("create", key))?.await;
    stored.map(drop).map_err(failed("create", key))
}

pub(super) async fn update(connection: &Connection, flags: &UpdateFlags) -> Result<()> {
    let KeyFlags { bucket, key } = &flags.key;
    let store = open(connection, bucket).await?;
    let value = Bytes::from(flags.value.clone());
    store.update(key, value.clone(), flags.revision).await.map_err(failed("update", key))?;
    said(&value)
}

fn said(value: &[u8]) -> Result<()> {
    screen::bytes(value)?;
    screen::line("")
}

pub(super) async fn delete(connection: &Connection, flags: &KeyFlags) -> Result<()> {
    let store = open(connection, &flags.bucket).await?;
    store.delete(&flags.key).await.map_err(failed("delete", &flags.key))
}

pub(super) async fn purge(connection: &Connection, flags: &KeyFlags) -> Result<()> {
    let store = open(connection, &flags.bucket).await?;
    store.purge(&flags.key).await.map_err(failed("purge", &flags.key))
}
