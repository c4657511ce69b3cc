//! `headwater stream backup`: a stream with its consumers as a folder.
//! Every piece is checked as it comes, so that a backup that is there can be restored.
//! Not here: the files (`folder`).

use super::folder::Folder;
use crate::cli::bar::Bar;
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::stream::name;
use crate::cli::{duration, screen, size};
use crate::jetstream::backup::{ArchiveCheck, Kind};
use async_nats::{Message, StatusCode};
use clap::Args;
use futures_util::StreamExt;
use headwater_storage::offline::Progress;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ACTION: &str = "back up Stream";
/// Bytes of a piece.
const PIECE_BYTES: usize = 128 * 1024;
/// How long no piece may come, at least: a server that checks a stream first takes its time.
const PIECE_PATIENCE: Duration = Duration::from_secs(60);
/// Status of an archive that came to its end.
const NO_CONTENT: u16 = 204;

/// What to back up.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackupFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    name: String,
    /// Folder to make
    folder: PathBuf,
    /// Leave its consumers out
    #[arg(long)]
    no_consumers: bool,
    /// Have the server check its messages first
    #[arg(long)]
    check: bool,
}

/// Backs it up.
pub(in crate::cli) async fn run(connection: &Connection, flags: &BackupFlags) -> Result<()> {
    let name = &flags.name;
    let started = Instant::now();
    let folder = Folder::create(&flags.folder)?;
    let client = &connection.client;
    let inbox = client.new_inbox();
    let subscribed = client.subscribe(inbox.clone()).await;
    let mut pieces = subscribed.map_err(|error| ClientError::unanswered(ACTION, error))?;
    let request = json!({
        "deliver_subject": inbox, "chunk_size": PIECE_BYTES,
        "no_consumers": flags.no_consumers, "jsck": flags.check,
    });
    let answer = connection.call(ACTION, &format!("STREAM.SNAPSHOT.{name}"), &request).await?;
    let bytes_total = answer.pointer("/state/bytes").and_then(Value::as_u64).unwrap_or(0);
    let mut part = folder.part()?;
    let mut check = ArchiveCheck::default();
    let mut bytes: u64 = 0;
    let bar = Bar::new("backup");
    let patience = PIECE_PATIENCE.max(connection.timeout);
    loop {
        let piece = tokio::time::timeout(patience, pieces.next()).await;
        let late = |_| {
            let text = format!("no piece within {}", duration::elapsed_text(patience));
            ClientError::unanswered(ACTION, text)
        };
        let closed = || ClientError::unanswered(ACTION, "the connection is closed");
        let piece = piece.map_err(late)?.ok_or_else(closed)?;
        if piece.payload.is_empty() {
            ended(&piece)?;
            break;
        }
        bytes += piece.payload.len() as u64;
        check.push(&piece.payload).map_err(|error| ClientError::unanswered(ACTION, error))?;
        part.write_all(&piece.payload).map_err(ClientError::file(part.path()))?;
        if let Some(reply) = piece.reply {
            let answered = client.publish(reply, "".into()).await;
            answered.map_err(|error| ClientError::unanswered(ACTION, error))?;
        }
        let done = check.unpacked_bytes();
        bar.show(Progress { bytes: done, bytes_total: bytes_total.max(done) });
    }
    drop(bar);
    let kind = check.finish().map_err(|error| ClientError::unanswered(ACTION, error))?;
    let description = json!({"config": answer.get("config"), "state": answer.get("state")});
    folder.keep(part, kind, &description)?;
    let messages = match kind {
        Kind::Archive(messages) => format!("{} messages, ", size::count_text(messages)),
        Kind::Older => String::new(),
    };
    screen::line(format_args!(
        "Backed up stream {name} to {}: {messages}{} in {}",
        flags.folder.display(),
        size::text(bytes),
        duration::elapsed_text(started.elapsed())
    ))
}

/// Whether the empty message behind the pieces says that they are all there are.
fn ended(last: &Message) -> Result<()> {
    match last.status {
        None | Some(StatusCode::OK) => Ok(()),
        Some(status) if status.as_u16() == NO_CONTENT => Ok(()),
        Some(status) => {
            let text = last.description.as_deref().unwrap_or_default();
            Err(ClientError::unanswered(ACTION, format_args!("{status} {text}")))
        }
    }
}
