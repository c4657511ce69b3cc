//! `headwater stream restore`: a stream as a folder has it.
//! Not here: the files (`folder`).

use super::folder::{self, Folder};
use crate::cli::api;
use crate::cli::bar::Bar;
use crate::cli::connection::{Connection, request_failure};
use crate::cli::error::{ClientError, Result};
use crate::cli::stream::reply::StreamInfo;
use crate::cli::stream::{information, name};
use crate::cli::{duration, screen};
use async_nats::Request;
use bytes::{Bytes, BytesMut};
use clap::Args;
use headwater_storage::offline::Progress;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

const ACTION: &str = "restore Stream";
/// Bytes of a piece, where the server takes as many.
const PIECE_BYTES: usize = 64 * 1024;
/// How long the server may take to finish, at least: nats-server only begins when the archive is there.
const END_PATIENCE: Duration = Duration::from_secs(3600);

/// What to restore.
#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreFlags {
    /// Folder of the backup
    folder: PathBuf,
    /// File with another configuration of the stream
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, short)]
    json: bool,
}

/// Restores it and shows it.
pub(in crate::cli) async fn run(connection: &Connection, flags: &RestoreFlags) -> Result<()> {
    let started = Instant::now();
    let folder = Folder::of(&flags.folder);
    let mut description = folder.description()?;
    let name = named(&description)?;
    if let Some(path) = &flags.config {
        let config = folder::json(path)?;
        if config.get("name") != Some(&name.as_str().into()) {
            let text = format!("--config {}: the stream is {name} there too", path.display());
            return Err(ClientError::Usage(text));
        }
        if let Some(given) = description.get_mut("config") {
            *given = config;
        }
    }
    let path = folder.archive()?;
    let mut archive = File::open(&path).await.map_err(ClientError::file(&path))?;
    let bytes_total = archive.metadata().await.map_err(ClientError::file(&path))?.len();
    let body = json!({"config": description.get("config"), "state": description.get("state")});
    let answer = connection.call(ACTION, &format!("STREAM.RESTORE.{name}"), &body).await?;
    let nowhere = || ClientError::unanswered(ACTION, "the answer names no subject for the archive");
    let to = answer.get("deliver_subject").and_then(Value::as_str).ok_or_else(nowhere)?;
    let piece_bytes = PIECE_BYTES.min(connection.client.server_info().max_payload).max(1);
    let bar = Bar::new("restore");
    let mut bytes: u64 = 0;
    loop {
        let mut piece = BytesMut::with_capacity(piece_bytes);
        let mut limited = (&mut archive).take(piece_bytes as u64);
        while limited.read_buf(&mut piece).await.map_err(ClientError::file(&path))? > 0 {}
        if piece.is_empty() {
            break;
        }
        bytes += piece.len() as u64;
        let refusal = send(connection, to, piece.freeze(), connection.timeout).await?;
        if !refusal.is_empty() {
            let answer = api::accept(ACTION, &refusal)?;
            return Err(ClientError::unanswered(ACTION, format_args!("the answer: {answer}")));
        }
        bar.show(Progress { bytes, bytes_total: bytes_total.max(bytes) });
    }
    let patience = END_PATIENCE.max(connection.timeout);
    let answer = api::accept(ACTION, &send(connection, to, Bytes::new(), patience).await?)?;
    drop(bar);
    if flags.json {
        return screen::json(&answer);
    }
    let elapsed = duration::elapsed_text(started.elapsed());
    screen::line(format_args!("Restored stream {name} in {elapsed}\n"))?;
    information::print(&StreamInfo::read(&answer)?)
}

/// The name of the stream in a description.
fn named(description: &Value) -> Result<String> {
    let found = description.pointer("/config/name").and_then(Value::as_str).unwrap_or_default();
    name::parse(found)
        .map_err(|text| ClientError::Ended(format!("the backup's description: {text}")))
}

/// Sends a piece; gives the answer.
async fn send(
    connection: &Connection,
    to: &str,
    piece: Bytes,
    patience: Duration,
) -> Result<Bytes> {
    let request = Request::new().payload(piece).timeout(Some(patience));
    let sent = connection.client.send_request(to.to_owned(), request).await;
    let failed = |error: async_nats::RequestError| {
        ClientError::unanswered(ACTION, request_failure(error.kind(), patience))
    };
    Ok(sent.map_err(failed)?.payload)
}
