//! `headwater log dump`: frames and records as text, a line each.
//! Not here: which frames count (the engine).

use super::finding::ranges_text;
use super::{DirectoryFlag, failed, stream_text};
use crate::cli::error::{ClientError, Result};
use crate::cli::screen;
use clap::{Args, ValueEnum};
use headwater_storage::offline::{DumpItem, DumpRecord, DumpSelection};
use headwater_storage::{Error, Message, Timestamp};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// So many bytes are printed at a time.
const PRINTED_BYTES: usize = 64 * 1024;

/// How payloads are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Payloads {
    /// As text in quotes, other bytes escaped
    Text,
    /// As hexadecimal digits
    Hex,
    /// Only their size
    None,
}

/// What to print, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct DumpFlags {
    #[command(flatten)]
    directory: DirectoryFlag,
    /// Only this stream (with its account in front where that is not the global one), or the log with this id
    #[arg(long)]
    stream: Option<String>,
    /// Only this segment file, as `verify` and `dump` print it
    #[arg(long, value_name = "FILE")]
    segment: Option<PathBuf>,
    /// Only from this sequence on
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    from: u64,
    /// At most so many records
    #[arg(long, value_name = "RECORDS", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
    /// How to print payloads
    #[arg(long, value_enum, default_value_t = Payloads::Text)]
    payload: Payloads,
}

/// Prints it; tells whether anything is damaged.
pub(super) fn run(flags: &DumpFlags) -> Result<bool> {
    let volume = flags.directory.open()?;
    let (place, _) = flags.directory.place();
    let mut selection = DumpSelection {
        stream: flags.stream.clone(),
        segment: flags.segment.clone(),
        from_sequence: flags.from,
    };
    let mut printer = Printer {
        payload: flags.payload,
        left: flags.limit,
        text: String::new(),
        failure: None,
        is_damaged: false,
    };
    let mut dumped = volume.dump(&selection, &mut |item| printer.item(&item));
    if let (Err(Error::StreamNotFound(_)), Some(name)) = (&dumped, &flags.stream) {
        // Streams of the global account go by their name alone.
        selection.stream = Some(format!("$G/{name}"));
        dumped = volume.dump(&selection, &mut |item| printer.item(&item));
    }
    printer.print();
    if let Some(failure) = printer.failure {
        return Err(failure);
    }
    match dumped {
        Ok(()) => Ok(printer.is_damaged),
        Err(Error::StreamNotFound(_)) => {
            let wanted = flags.stream.clone().unwrap_or_default();
            Err(ClientError::Ended(format!("{}: no log of {wanted:?}", place.display())))
        }
        Err(error) => Err(failed(&place)(error)),
    }
}

struct Printer {
    payload: Payloads,
    /// Records that may still be printed.
    left: u64,
    text: String,
    failure: Option<ClientError>,
    is_damaged: bool,
}

impl Printer {
    fn item(&mut self, item: &DumpItem) -> ControlFlow<()> {
        if self.left == 0 {
            return ControlFlow::Break(());
        }
        match item {
            DumpItem::Record(record) => {
                self.left -= 1;
                let line = self.record(record);
                self.line(&format!("  {line}"));
            }
            DumpItem::Damage { places, next_sequence } => {
                self.is_damaged = true;
                let next = next_sequence.map_or(String::new(), |next| format!("; next is {next}"));
                for place in places {
                    let size = match place.bytes {
                        0 => String::new(),
                        bytes => format!(" ({bytes} bytes)"),
                    };
                    self.line(&format!("damage {place}{size}{next}"));
                }
            }
            DumpItem::Torn(torn) => self.line(&format!("torn {torn} ({} bytes)", torn.bytes)),
            item => self.line(&frame(item)),
        }
        match self.failure {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        if self.text.len() >= PRINTED_BYTES {
            self.print();
        }
    }

    fn print(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.failure.is_none()
            && let Err(error) = screen::bytes(text.as_bytes())
        {
            self.failure = Some(error);
        }
    }

    fn record(&self, record: &DumpRecord) -> String {
        match record {
            DumpRecord::Message(message, id) => self.message(message, id),
            DumpRecord::Removal(ranges) => format!("removal {}", ranges_text(ranges)),
            DumpRecord::Skip(through) => format!("skip through {through}"),
            DumpRecord::Schedule(sequence, i64::MIN) => format!("message {sequence} is not due"),
            DumpRecord::Schedule(sequence, due) => format!("message {sequence} is due at {due}"),
            DumpRecord::Progress(key, value) => {
                format!("progress {key:?} {}", self.bytes(value, Payloads::Hex))
            }
            DumpRecord::State { name, last_sequence, progress } => {
                let name = stream_text(name);
                format!(
                    "state of {name}: last sequence {last_sequence}, {progress} progress entries"
                )
            }
            DumpRecord::Configuration { name } => format!("configuration of {}", stream_text(name)),
            DumpRecord::Void(records) => format!("void of {records} messages"),
            DumpRecord::Put { name, log } => format!("put {} {log}", stream_text(name)),
            DumpRecord::Remove { log } => format!("remove {log}"),
            DumpRecord::All { names } => {
                let names: Vec<_> = names.iter().map(|name| stream_text(name)).collect();
                format!("all {} streams: {}", names.len(), names.join(", "))
            }
            DumpRecord::Unreadable(what) => format!("unreadable: {what}"),
            other => format!("{other:?}"),
        }
    }

    fn message(&self, message: &Message, id: &[u8]) -> String {
        let Message { sequence, time, headers, payload, .. } = message;
        let mut line = format!("message {sequence} {} {}", time_text(*time), message.subject_str());
        if !id.is_empty() {
            line.push_str(&format!(" id={}", self.bytes(id, Payloads::Text)));
        }
        if !headers.is_empty() {
            line.push_str(&format!(" headers={}", self.bytes(headers, self.payload)));
        }
        line.push_str(&format!(" payload={}", self.bytes(payload, self.payload)));
        line
    }

    fn bytes(&self, bytes: &[u8], how: Payloads) -> String {
        match how {
            Payloads::None => format!("{}B", bytes.len()),
            Payloads::Hex => data_encoding::HEXLOWER.encode(bytes),
            Payloads::Text => match std::str::from_utf8(bytes) {
                Ok(text) => format!("{text:?}"),
                Err(_) => format!("b\"{}\"", bytes.escape_ascii()),
            },
        }
    }
}

fn frame(item: &DumpItem) -> String {
    let DumpItem::Frame {
        stream,
        segment,
        offset,
        bytes,
        record_bytes,
        is_compressed,
        base_position,
        base_sequence,
        count,
        groups,
        last_time,
    } = item
    else {
        return format!("{item:?}");
    };
    let stream = stream.as_deref().map_or("-", stream_text);
    let packed = if *is_compressed { format!(" (from {record_bytes})") } else { String::new() };
    format!(
        "frame {stream} {} at {offset}: {bytes} bytes{packed}, position {base_position}, sequence {base_sequence}, \
         {count} records in {groups} groups, {}",
        segment.display(),
        time_text(*last_time)
    )
}

/// A time in UTC with its nanoseconds.
fn time_text(time: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(time.0.into())
        .map_or_else(|_| time.0.to_string(), |time| format!("{time:.9}"))
}
