//! `headwater log salvage`: copies what can be read into a new directory, and lists what is lost.

use super::{DirectoryFlag, VOLUME_FOLDER, failed, finding, stream_text};
use crate::cli::bar::Bar;
use crate::cli::error::Result;
use crate::cli::{screen, size};
use clap::Args;
use headwater_storage::VolumeOptions;
use headwater_storage::offline::{LogFigures, Salvage, SalvagedStream};
use serde_json::{Value, json};
use std::path::PathBuf;

/// From where to where.
#[derive(Debug, Args)]
pub(in crate::cli) struct SalvageFlags {
    #[command(flatten)]
    directory: DirectoryFlag,
    /// The new directory; it must be missing or empty
    #[arg(value_name = "NEW_DIR")]
    target: PathBuf,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Copies; tells whether anything was damaged.
pub(super) fn run(flags: &SalvageFlags) -> Result<bool> {
    let volume = flags.directory.open()?;
    let (place, is_below) = flags.directory.place();
    let target = if is_below { flags.target.join(VOLUME_FOLDER) } else { flags.target.clone() };
    let segment_bytes = VolumeOptions::new("").segment_bytes;
    let salvage = {
        let bar = Bar::new("salvage");
        let result = volume.salvage(&target, segment_bytes, &mut |progress| bar.show(progress));
        result.map_err(failed(&place))?
    };
    match flags.json {
        true => screen::json(&json(&salvage))?,
        false => print(&salvage)?,
    }
    Ok(salvage.survey.is_damaged())
}

fn print(salvage: &Salvage) -> Result<()> {
    finding::print(&salvage.survey)?;
    for stream in &salvage.streams {
        let mut line = format!(
            "{}: {} messages copied",
            stream_text(&stream.name),
            size::count_text(stream.messages)
        );
        match finding::lost_text(&stream.lost, stream.end_is_unknown) {
            Some(lost) => line.push_str(&format!("; lost {lost}")),
            None => line.push_str("; nothing lost"),
        }
        if stream.is_stray {
            line.push_str("; the catalogue lacked it, its configuration is the one of its log");
        }
        if stream.is_new {
            line.push_str("; it is a new, empty stream of the same configuration");
        }
        screen::line(line)?;
    }
    for log in &salvage.left {
        screen::line(format_args!(
            "log {}: not copied, nothing says which stream it is of; {} messages can be read",
            log.log,
            size::count_text(log.messages)
        ))?;
    }
    let lost = salvage.streams.iter().flat_map(|stream| &stream.lost);
    let lost: u64 = lost.map(|(first, last)| last - first + 1).sum();
    let copied: u64 = salvage.streams.iter().map(|stream| stream.messages).sum();
    screen::line(format_args!(
        "copied messages: {}; lost sequences: {}; the new directory was read again and is whole",
        size::count_text(copied),
        size::count_text(lost)
    ))
}

fn json(salvage: &Salvage) -> Value {
    let stream = |stream: &SalvagedStream| {
        json!({
            "stream": stream_text(&stream.name),
            "messages": stream.messages,
            "lost": stream.lost,
            "end_is_unknown": stream.end_is_unknown,
            "stray": stream.is_stray,
            "new": stream.is_new,
        })
    };
    let left = |log: &LogFigures| json!({ "log": log.log, "messages": log.messages });
    json!({
        "damaged": salvage.survey.is_damaged(),
        "streams": salvage.streams.iter().map(stream).collect::<Value>(),
        "left": salvage.left.iter().map(left).collect::<Value>(),
        "findings": finding::json(&salvage.survey),
    })
}
