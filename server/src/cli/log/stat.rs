//! `headwater log stat`: how large a data directory is, and what is in it.

use super::{DirectoryFlag, failed, finding, stream_text};
use crate::cli::bar::Bar;
use crate::cli::error::Result;
use crate::cli::sheet::Sheet;
use crate::cli::table::Table;
use crate::cli::{screen, size};
use clap::Args;
use headwater_storage::offline::{JournalFigures, LogFigures, LogKind, Survey};
use serde_json::{Value, json};

/// What to show, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct StatFlags {
    #[command(flatten)]
    directory: DirectoryFlag,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Prints it; tells whether anything is damaged.
pub(super) fn run(flags: &StatFlags) -> Result<bool> {
    let volume = flags.directory.open()?;
    let (place, _) = flags.directory.place();
    let survey = {
        let bar = Bar::new("stat");
        volume.survey(&mut |progress| bar.show(progress)).map_err(failed(&place))?
    };
    match flags.json {
        true => screen::json(&json(&survey))?,
        false => print(&survey)?,
    }
    survey.unread.iter().for_each(|place| screen::say(format_args!("damage: {place}")));
    if survey.is_damaged() && !flags.json {
        let verdict = finding::summary(&survey);
        screen::say(format_args!(
            "{}; `headwater log verify` names them",
            verdict.lines().next_back().unwrap_or_default()
        ));
    }
    Ok(survey.is_damaged())
}

fn total(survey: &Survey) -> LogFigures {
    let mut total = LogFigures::default();
    survey.logs.iter().for_each(|log| total.add(log));
    total
}

/// What a log is called.
fn name(log: &LogFigures) -> String {
    match (&log.stream, log.kind) {
        (Some(stream), LogKind::Stray) => format!("{} (not in the catalogue)", stream_text(stream)),
        (Some(stream), _) => stream_text(stream).to_owned(),
        (None, LogKind::Catalogue) => "catalogue".to_owned(),
        (None, LogKind::Removed) => format!("{} (removed)", log.log),
        (None, LogKind::Nobody) => format!("{} (never acknowledged)", log.log),
        (None, _) => format!("{} (unknown)", log.log),
    }
}

fn print(survey: &Survey) -> Result<()> {
    let mut rows: Vec<_> = survey.logs.iter().map(|log| (name(log), log)).collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let total = total(survey);
    rows.push(("total".to_owned(), &total));
    let header = [
        "Stream", "Segments", "Disk", "Live", "Dead", "Dead %", "Indexes", "Messages", "Subjects",
        "First", "Last",
    ];
    let mut disk = Table::new("On disk", &header);
    let header = [
        "Stream",
        "Frames",
        "Bytes",
        "Records",
        "Ratio",
        "Messages",
        "Bytes each",
        "Removals",
        "Skips",
        "Schedules",
        "Progress",
        "States",
        "Configs",
        "Voids",
    ];
    let mut frames = Table::new("Frames and records", &header);
    for (name, log) in rows {
        let count = size::count_text;
        disk.add([
            name.clone(),
            count(log.segments),
            size::text(log.bytes),
            size::text(log.live_bytes),
            size::text(log.dead_bytes),
            percent(log.dead_bytes, log.bytes),
            format!("{} ({})", log.indexes, size::text(log.index_bytes)),
            count(log.messages),
            count(log.subjects),
            sequence(log.first_sequence),
            sequence(log.last_sequence),
        ]);
        let records = &log.records;
        frames.add([
            name,
            count(log.frames),
            average(log.body_bytes, log.frames),
            match records_of(log) {
                0 => "-".to_owned(),
                records => average(records, log.frames),
            },
            ratio(log),
            count(records.messages),
            average(log.live_bytes + log.dead_bytes, records.messages),
            count(records.removals),
            count(records.skips),
            count(records.schedules),
            count(records.progress),
            count(records.states),
            count(records.configurations),
            count(records.voids),
        ]);
    }
    screen::line(format_args!("{disk}\n\n{frames}\n"))?;
    screen::line(journal(&survey.journal, survey.is_closed))
}

fn journal(figures: &JournalFigures, is_closed: bool) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.heading("Journal");
    let files = format!("{} ({})", figures.files, size::text(figures.bytes));
    sheet.row("Files", files);
    sheet.row("Rounds", size::count_text(figures.rounds));
    let needed = format!(
        "{} ({}, {})",
        size::count_text(figures.needed_rounds),
        size::text(figures.needed_bytes),
        percent(figures.needed_bytes, figures.bytes)
    );
    sheet.row("Needed by a start", needed);
    sheet.row("Volume", if is_closed { "closed" } else { "not closed" });
    sheet
}

fn sequence(sequence: u64) -> String {
    match sequence {
        0 => "-".to_owned(),
        _ => sequence.to_string(),
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}%", part as f64 * 100.0 / whole.max(1) as f64)
}

fn average(sum: u64, count: u64) -> String {
    match count {
        0 => "-".to_owned(),
        _ => size::count_text(sum / count),
    }
}

/// Bytes of records for each byte that is stored of them.
fn ratio(log: &LogFigures) -> String {
    match log.body_bytes {
        0 => "-".to_owned(),
        _ => format!("{:.2}", log.record_bytes as f64 / log.body_bytes as f64),
    }
}

fn records_of(log: &LogFigures) -> u64 {
    let records = &log.records;
    records.messages
        + records.removals
        + records.skips
        + records.schedules
        + records.progress
        + records.states
        + records.configurations
        + records.voids
}

fn json(survey: &Survey) -> Value {
    let log = |log: &LogFigures| {
        let kind = match log.kind {
            LogKind::Stream => "stream",
            LogKind::Stray => "stray",
            LogKind::Catalogue => "catalogue",
            LogKind::Removed => "removed",
            LogKind::Nobody => "nobody",
            LogKind::Unknown => "unknown",
        };
        json!({
            "log": log.log,
            "kind": kind,
            "stream": log.stream.as_deref().map(stream_text),
            "segments": log.segments,
            "bytes": log.bytes,
            "live_bytes": log.live_bytes,
            "dead_bytes": log.dead_bytes,
            "indexes": log.indexes,
            "index_bytes": log.index_bytes,
            "messages": log.messages,
            "message_bytes": log.message_bytes,
            "subjects": log.subjects,
            "first_sequence": log.first_sequence,
            "last_sequence": log.last_sequence,
            "frames": log.frames,
            "groups": log.groups,
            "compressed_frames": log.compressed_frames,
            "body_bytes": log.body_bytes,
            "record_bytes": log.record_bytes,
            "records": {
                "messages": log.records.messages,
                "removals": log.records.removals,
                "skips": log.records.skips,
                "schedules": log.records.schedules,
                "progress": log.records.progress,
                "states": log.records.states,
                "configurations": log.records.configurations,
                "voids": log.records.voids,
            },
        })
    };
    let mut all = log(&total(survey));
    if let Some(fields) = all.as_object_mut() {
        for of_one in ["log", "kind", "stream", "first_sequence", "last_sequence"] {
            fields.remove(of_one);
        }
    }
    json!({
        "logs": survey.logs.iter().map(log).collect::<Value>(),
        "total": all,
        "journal": {
            "files": survey.journal.files,
            "bytes": survey.journal.bytes,
            "rounds": survey.journal.rounds,
            "needed_rounds": survey.journal.needed_rounds,
            "needed_bytes": survey.journal.needed_bytes,
        },
        "unread": survey.unread.iter().map(ToString::to_string).collect::<Value>(),
        "closed": survey.is_closed,
        "damaged": survey.is_damaged(),
    })
}
