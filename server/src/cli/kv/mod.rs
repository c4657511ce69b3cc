//! `headwater kv`: key-value buckets of any JetStream server, by the contract of the client libraries.
//! Not here: the streams behind them (`stream`).

mod buckets;
mod entry;
mod value;

use super::bucket::{context, failed};
use super::connection::Connection;
use super::error::Result;
use async_nats::jetstream::kv::Store;
use clap::Subcommand;

/// What to do with buckets and their keys.
#[derive(Debug, Subcommand)]
pub(super) enum KvCommand {
    /// Create a bucket
    #[command(visible_alias = "create-bucket", alias = "new")]
    Add(buckets::AddFlags),
    /// List the buckets, or the keys of one
    #[command(visible_alias = "list")]
    Ls(buckets::ListFlags),
    /// Show the configuration and the state of a bucket
    #[command(visible_aliases = ["status", "view"])]
    Info(buckets::BucketName),
    /// Remove a bucket
    Rm(buckets::RemoveFlags),
    /// Put a value under a key
    Put(value::PutFlags),
    /// Put a value under a key that has none
    Create(value::CreateFlags),
    /// Put a value under a key that has a certain revision
    Update(value::UpdateFlags),
    /// Show the value of a key
    Get(entry::GetFlags),
    /// Delete a key, and keep its history
    #[command(visible_alias = "delete")]
    Del(value::KeyFlags),
    /// Delete a key and its history
    Purge(value::KeyFlags),
    /// Show what a key held
    History(entry::HistoryFlags),
    /// Print what is put and deleted as it comes
    Watch(entry::WatchFlags),
}

/// Does it.
pub(super) async fn run(connection: &Connection, command: &KvCommand) -> Result<()> {
    match command {
        KvCommand::Add(flags) => buckets::add(connection, flags).await,
        KvCommand::Ls(flags) => buckets::list(connection, flags).await,
        KvCommand::Info(flags) => buckets::show(connection, flags).await,
        KvCommand::Rm(flags) => buckets::remove(connection, flags).await,
        KvCommand::Put(flags) => value::put(connection, flags).await,
        KvCommand::Create(flags) => value::create(connection, flags).await,
        KvCommand::Update(flags) => value::update(connection, flags).await,
        KvCommand::Get(flags) => entry::get(connection, flags).await,
        KvCommand::Del(flags) => value::delete(connection, flags).await,
        KvCommand::Purge(flags) => value::purge(connection, flags).await,
        KvCommand::History(flags) => entry::history(connection, flags).await,
        KvCommand::Watch(flags) => entry::watch(connection, flags).await,
    }
}

/// A bucket that is there.
async fn open(connection: &Connection, bucket: &str) -> Result<Store> {
    let found = context(connection).get_key_value(bucket).await;
    found.map_err(failed("open Bucket", bucket))
}
