//! `headwater log`: looks at a data directory that no server has open. One file per command.
//!
//! Exit status: 0 where everything is whole, 1 where damage was found, 2 where the directory cannot be read or the command
//! cannot be understood.
//! Not here: how a directory is read (`headwater_storage::offline`).

mod dump;
mod finding;
mod salvage;
mod stat;
mod verify;

use super::error::{ClientError, Result};
use super::screen;
use clap::{Args, Subcommand};
use headwater_storage::offline::OfflineVolume;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit status where a directory cannot be read.
pub(super) const UNREADABLE: u8 = 2;
/// Exit status where damage was found.
const DAMAGED: u8 = 1;
/// Where the server keeps its volume below the folder that it is started with.
const VOLUME_FOLDER: &str = "headwater";

/// What to do with a data directory.
#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Check every checksum and name all damage; nothing is changed
    Verify(verify::VerifyFlags),
    /// Print frames and records, a line each
    Dump(dump::DumpFlags),
    /// Show sizes, fragmentation and counts of each stream
    Stat(stat::StatFlags),
    /// Copy what can be read of a damaged directory into a new one, and list what is lost
    Salvage(salvage::SalvageFlags),
}

/// Which data directory.
#[derive(Debug, Args)]
struct DirectoryFlag {
    /// The data directory: what the server is started with as -sd, or the folder `headwater` in it
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl DirectoryFlag {
    /// Where the volume is, and whether that is a folder of the one that was named.
    fn place(&self) -> (PathBuf, bool) {
        let below = self.directory.join(VOLUME_FOLDER);
        match below.is_dir() {
            true => (below, true),
            false => (self.directory.clone(), false),
        }
    }

    fn open(&self) -> Result<OfflineVolume> {
        let (place, _) = self.place();
        OfflineVolume::open(&place).map_err(failed(&place))
    }
}

fn failed(directory: &Path) -> impl Fn(headwater_storage::Error) -> ClientError {
    move |source| ClientError::Directory { path: directory.to_path_buf(), source }
}

/// Does it; gives the exit status.
pub(super) fn run(command: &LogCommand) -> ExitCode {
    let is_damaged = match command {
        LogCommand::Verify(flags) => verify::run(flags),
        LogCommand::Dump(flags) => dump::run(flags),
        LogCommand::Stat(flags) => stat::run(flags),
        LogCommand::Salvage(flags) => salvage::run(flags),
    };
    match is_damaged {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(DAMAGED),
        Err(error) => {
            if !error.is_closed_output() {
                screen::say(format_args!("headwater: error: {error}"));
            }
            ExitCode::from(UNREADABLE)
        }
    }
}

/// A stream as its users call it: without the account where that is the global one.
fn stream_text(name: &str) -> &str {
    name.strip_prefix("$G/").unwrap_or(name)
}
