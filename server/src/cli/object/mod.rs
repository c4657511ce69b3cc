//! `headwater object`: object stores of any JetStream server, by the contract of the client libraries.
//! Not here: the streams behind them (`stream`).

mod bucket;
mod content;

use super::connection::Connection;
use super::error::{ClientError, Result};
use async_nats::jetstream::{self, object_store::ObjectStore};
use clap::Subcommand;

/// What to do with object stores and what is in them.
#[derive(Debug, Subcommand)]
pub(super) enum ObjectCommand {
    /// Create a store
    #[command(alias = "new")]
    Add(bucket::AddFlags),
    /// List the stores, or the objects of one
    #[command(visible_alias = "list")]
    Ls(bucket::ListFlags),
    /// Show a store, or an object of it
    #[command(visible_aliases = ["show", "status"])]
    Info(bucket::InfoFlags),
    /// Remove a store, or an object of it
    #[command(visible_aliases = ["del", "delete"])]
    Rm(bucket::RemoveFlags),
    /// Put a file into a store
    Put(content::PutFlags),
    /// Get an object into a file
    Get(content::GetFlags),
}

/// Does it.
pub(super) async fn run(connection: &Connection, command: &ObjectCommand) -> Result<()> {
    match command {
        ObjectCommand::Add(flags) => bucket::add(connection, flags).await,
        ObjectCommand::Ls(flags) => bucket::list(connection, flags).await,
        ObjectCommand::Info(flags) => bucket::info(connection, flags).await,
        ObjectCommand::Rm(flags) => bucket::remove(connection, flags).await,
        ObjectCommand::Put(flags) => content::put(connection, flags).await,
        ObjectCommand::Get(flags) => content::get(connection, flags).await,
    }
}

fn context(connection: &Connection) -> jetstream::Context {
    let mut context = jetstream::new(connection.client.clone());
    context.set_timeout(connection.timeout);
    context
}

/// A store that is there.
async fn open(connection: &Connection, bucket: &str) -> Result<ObjectStore> {
    let found = context(connection).get_object_store(bucket).await;
    found.map_err(failed("open Object Store", bucket))
}

/// What a command says that the client library could not do.
fn failed<E: std::fmt::Display>(action: &str, name: &str) -> impl FnOnce(E) -> ClientError {
    let action = format!("{action} {name}");
    move |error| ClientError::unanswered(&action, error)
}
