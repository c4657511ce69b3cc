//! A third plugin beside mirror and source: copies a stream into files of JSON lines, each message in exactly one line, also
//! when it is killed and started again.
//!
//! Usage: `jsonl_archive <data directory> <stream> <output directory> [--follow]`
//!
//! Without `--follow` it ends when everything that the stream holds is archived.

mod archive;
mod lines;

use archive::Archive;
use headwater_replication::{Replicator, State, Streams, local::LocalOrigin};
use headwater_storage::{Volume, VolumeOptions};
use lines::Lines;
use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

/// Bytes after which a new file is begun.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match *arguments.as_slice() {
        [data, stream, output] => run(data, stream, output, false).await,
        [data, stream, output, "--follow"] => run(data, stream, output, true).await,
        _ => {
            Err("usage: jsonl_archive <data directory> <stream> <output directory> [--follow]"
                .into())
        }
    };
    match result {
        Ok(lines) => {
            println!("{lines} lines added");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    data: &str,
    name: &str,
    output: &str,
    follow: bool,
) -> Result<u64, Box<dyn std::error::Error>> {
    let volume = Volume::open(VolumeOptions::new(data))?;
    let stream = volume.stream(name).ok_or_else(|| format!("no stream {name} in {data}"))?;
    let streams = Arc::new(Streams::default());
    streams.insert(name, stream);
    let target = Arc::new(Archive::open(Path::new(output), FILE_BYTES_MAX)?);
    let origin = Arc::new(LocalOrigin::new(name, streams));
    let replication = Replicator::start(target, Box::new(Lines::default()), origin);
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let status = replication.status();
        match (status.state, status.error) {
            (State::Retrying | State::Halted | State::Stopped, Some(error)) => {
                return Err(error.into());
            }
            _ if !follow && status.lag == Some(0) => break,
            _ => {}
        }
    }
    let copied = replication.status().copied;
    replication.stop().await;
    volume.close()?;
    Ok(copied)
}
