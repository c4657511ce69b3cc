//! `headwater object`: object stores of any JetStream server, by the contract of the client libraries.
//! Not here: the streams behind them (`stream`).

mod content;
mod stores;

use super::bucket::{BucketFlags, context, failed};
use super::connection::Connection;
use super::error::Result;
use async_nats::jetstream::object_store::ObjectStore;
use clap::Subcommand;

/// What to do with object stores and what is in them.
#[derive(Debug, Subcommand)]
pub(super) enum ObjectCommand {
    /// Create a store
    #[command(alias = "new")]
    Add(BucketFlags),
    /// List the stores, or the objects of one
    #[command(visible_alias = "list")]
    Ls(stores::ListFlags),
    /// Show a store, or an object of it
    #[command(visible_aliases = ["show", "status"])]
    Info(stores::InfoFlags),
    /// Remove a store, or an object of it
    #[command(visible_aliases = ["del", "delete"])]
    Rm(stores::RemoveFlags),
    /// Put a file into a store
    Put(content::PutFlags),
    /// Get an object into a file
    Get(content::GetFlags),
}

/// Does it.
pub(super) async fn run(connection: &Connection, command: &ObjectCommand) -> Result<()> {
    match command {
        ObjectCommand::Add(flags) => stores::add(connection, flags).await,
        ObjectCommand::Ls(flags) => stores::list(connection, flags).await,
        ObjectCommand::Info(flags) => stores::info(connection, flags).await,
        ObjectCommand::Rm(flags) => stores::remove(connection, flags).await,
        ObjectCommand::Put(flags) => content::put(connection, flags).await,
        ObjectCommand::Get(flags) => content::get(connection, flags).await,
    }
}

/// A store that is there.
async fn open(connection: &Connection, bucket: &str) -> Result<ObjectStore> {
    let found = context(connection).get_object_store(bucket).await;
    found.map_err(failed("open Object Store", bucket))
}
