//! The content of objects, from and to files, a piece at a time. What was received is checked against its digest before it
//! takes the name of the file.
//! Not here: what there is (`bucket`).

use super::open;
use super::stores::sheet_of;
use crate::cli::bucket::failed;
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::screen;
use async_nats::jetstream::object_store::ObjectMetadata;
use bytes::BytesMut;
use clap::Args;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes read at once.
const PIECE_BYTES: usize = 128 * 1024;
/// What anybody may do with a new file, unless the user's mask says otherwise: others than a temporary one are not secret.
const NEW_FILE_MODE: u32 = 0o666;

/// What to put.
#[derive(Debug, Args)]
pub(in crate::cli) struct PutFlags {
    /// Name of the store
    bucket: String,
    /// The file
    file: PathBuf,
    /// Name of the object; without it, the path of the file
    #[arg(long)]
    name: Option<String>,
    /// What it is
    #[arg(long)]
    description: Option<String>,
}

/// What to get.
#[derive(Debug, Args)]
pub(in crate::cli) struct GetFlags {
    /// Name of the store
    bucket: String,
    /// Name of the object
    name: String,
    /// The file to write; without it, the last part of the object's name
    #[arg(long, short = 'O')]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, short)]
    force: bool,
}

pub(super) async fn put(connection: &Connection, flags: &PutFlags) -> Result<()> {
    let path = &flags.file;
    let mut file = File::open(path).await.map_err(ClientError::file(path))?;
    let name = flags.name.clone().unwrap_or_else(|| path.display().to_string());
    let store = open(connection, &flags.bucket).await?;
    let description = flags.description.clone();
    let metadata = ObjectMetadata { name: name.clone(), description, ..ObjectMetadata::default() };
    let info = store.put(metadata, &mut file).await.map_err(failed("put", &name))?;
    screen::line(sheet_of(&info))
}

pub(super) async fn get(connection: &Connection, flags: &GetFlags) -> Result<()> {
    let name = &flags.name;
    let path = match (&flags.output, Path::new(name).file_name()) {
        (Some(path), _) => path.clone(),
        (None, Some(last)) => PathBuf::from(last),
        (None, None) => return Err(ClientError::Usage(format!("--output: {name} names no file"))),
    };
    if !flags.force && path.exists() {
        let text = format!("{} is there already; --force writes over it", path.display());
        return Err(ClientError::Usage(text));
    }
    let store = open(connection, &flags.bucket).await?;
    let mut object = store.get(name).await.map_err(failed("get", name))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let part = tempfile::Builder::new()
        .permissions(Permissions::from_mode(NEW_FILE_MODE))
        .tempfile_in(folder.unwrap_or(Path::new(".")));
    let part = part.map_err(ClientError::file(&path))?;
    let mut file = File::from_std(part.reopen().map_err(ClientError::file(&path))?);
    let mut bytes = 0;
    let mut piece = BytesMut::new();
    loop {
        piece.clear();
        piece.reserve(PIECE_BYTES);
        // The library waits for ever for a piece that is lost.
        let read = tokio::time::timeout(connection.timeout, object.read_buf(&mut piece)).await;
        match read.map_err(failed("get", name))?.map_err(failed("get", name))? {
            0 => break,
            read => bytes += read,
        }
        file.write_all(&piece).await.map_err(ClientError::file(&path))?;
    }
    let size = object.info().size;
    if bytes != size {
        return Err(ClientError::Ended(format!("object {name} has {bytes} of {size} bytes")));
    }
    if let Ok(old) = std::fs::metadata(&path) {
        file.set_permissions(old.permissions()).await.map_err(ClientError::file(&path))?;
    }
    file.sync_all().await.map_err(ClientError::file(&path))?;
    part.persist(&path).map_err(|error| ClientError::file(&path)(error.error))?;
    screen::line(format_args!("Wrote {} ({} bytes)", path.display(), object.info().size))
}
