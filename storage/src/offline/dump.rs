//! Shows the frames and records of a data directory, one after the other.
//!
//! Invariants: what is shown is what a start would read: with what the journal holds, without torn ends.
//! Not here: how it is written (the server's command line).

use super::OfflineVolume;
use crate::{
    DamagedBytes, Error, Message, Result, Timestamp,
    catalogue::{CATALOGUE_LOG, Change, changes},
    log::{FoundFrame, FrameBody, LogId, Replay},
    segment::{log_directory, segment_path},
    stream::record::{Record, Records},
};
use bytes::Bytes;
use std::{ops::ControlFlow, path::PathBuf};

/// What to show. The default is everything.
#[derive(Clone, Debug, Default)]
pub struct DumpSelection {
    /// Only the stream of this name, or the log with this identity (32 hexadecimal digits).
    pub stream: Option<String>,
    /// Only this segment file, given by its path below the volume's directory.
    pub segment: Option<PathBuf>,
    /// Only records from this sequence on; 0 for all.
    pub from_sequence: u64,
}

/// What is shown next.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DumpItem {
    /// A frame; its records follow.
    Frame {
        /// Name of the stream that the catalogue has for the log; `None` for the catalogue, and where it has none.
        stream: Option<String>,
        /// The segment file.
        segment: PathBuf,
        /// Offset of the frame in it.
        offset: u64,
        /// Header and body, in bytes.
        bytes: u64,
        /// Bytes of the records, decompressed.
        record_bytes: u64,
        /// The body is compressed.
        is_compressed: bool,
        /// Position of its first record.
        base_position: u64,
        /// The sequence that the next message had before it.
        base_sequence: u64,
        /// Records in it.
        count: u32,
        /// Groups that were appended together.
        groups: u32,
        /// Highest time of its groups.
        last_time: Timestamp,
    },
    /// A record of the frame shown last.
    Record(DumpRecord),
    /// Damage that is in this place.
    Damage {
        /// What cannot be read.
        places: Vec<DamagedBytes>,
        /// `base_sequence` of the next frame, where there is one.
        next_sequence: Option<u64>,
    },
    /// An end that was never acknowledged.
    Torn(DamagedBytes),
}

/// A record as it is shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DumpRecord {
    /// A message with its id, which is empty for none.
    Message(Message, Bytes),
    /// Messages that are gone, as inclusive ranges.
    Removal(Vec<(u64, u64)>),
    /// Sequences up to this one that were not given out hold nothing.
    Skip(u64),
    /// The message with this sequence is due at this time, in nanoseconds since 1970; the minimum: no more.
    Schedule(u64, i64),
    /// An entry of replication progress; an empty value takes it away.
    Progress(String, Vec<u8>),
    /// What opens a segment.
    State {
        /// Name of the stream.
        name: String,
        /// Highest sequence given out.
        last_sequence: u64,
        /// Entries of progress.
        progress: usize,
    },
    /// The configuration changed.
    Configuration {
        /// Name of the stream.
        name: String,
    },
    /// Room of so many messages that were left out.
    Void(u32),
    /// The catalogue has this stream, or has it with another configuration.
    Put {
        /// Name of the stream.
        name: String,
        /// Identity of its log.
        log: String,
    },
    /// The stream with this log was removed.
    Remove {
        /// Identity of its log.
        log: String,
    },
    /// The catalogue has these streams and no others.
    All {
        /// Names of the streams.
        names: Vec<String>,
    },
    /// The rest of the frame cannot be read.
    Unreadable(String),
}

impl OfflineVolume {
    /// Shows what is selected until the sink breaks it off. `StreamNotFound` where nothing is selected.
    pub fn dump(
        &self,
        selection: &DumpSelection,
        sink: &mut dyn FnMut(DumpItem) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut is_found = false;
        let (mut selected, mut named) = (Vec::new(), Vec::new());
        for id in self.store.list_logs()? {
            let name = self.name_of(id)?;
            let hex = format!("{:032x}", id.0);
            let is_wanted = match (&selection.stream, &selection.segment) {
                (Some(wanted), _) => name.as_ref() == Some(wanted) || *wanted == hex,
                (None, Some(path)) => path.starts_with(log_directory(id)),
                (None, None) => true,
            };
            if !is_wanted {
                continue;
            }
            is_found = true;
            selected.push(log_directory(id));
            let mut dump = Dump {
                volume: self,
                selection,
                id,
                name,
                sink,
                named: &mut named,
                is_broken_off: false,
            };
            match self.walk(id, &mut |event| dump.event(event).map(|()| None)) {
                Ok(log) => drop(log),
                Err(_) if dump.is_broken_off => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let is_selected = |place: &DamagedBytes| match (&selection.stream, &selection.segment) {
            (_, Some(path)) => place.path == *path,
            (Some(_), None) => selected.iter().any(|directory| place.path.starts_with(directory)),
            (None, None) => true,
        };
        for place in self.unread_places() {
            if is_selected(&place) && !named.contains(&place) {
                let places = vec![place];
                if sink(DumpItem::Damage { places, next_sequence: None }).is_break() {
                    return Ok(());
                }
            }
        }
        let wanted = selection.stream.clone();
        let wanted = wanted.or(selection.segment.as_ref().map(|path| path.display().to_string()));
        match wanted.filter(|_| !is_found) {
            Some(wanted) => Err(Error::StreamNotFound(wanted)),
            None => Ok(()),
        }
    }

    /// The name of a log's stream: as the catalogue has it, or else as the first record in the log that says it.
    fn name_of(&self, id: LogId) -> Result<Option<String>> {
        if id == CATALOGUE_LOG {
            return Ok(None);
        }
        if let Some(entry) = self.entries.iter().find(|entry| entry.incarnation().0 == id.0) {
            return Ok(Some(entry.name().to_owned()));
        }
        let mut name = None;
        let looked = self.walk(id, &mut |event| {
            let Replay::Frame(_, body) = event else { return Ok(None) };
            name = Records::of(&body).find_map(|record| match record {
                Ok(Record::State(state)) => Some(state.config.name().to_owned()),
                Ok(Record::Config(config)) => Some(config.name().to_owned()),
                _ => None,
            });
            // Enough was seen.
            if name.is_some() { Err(Error::Closed) } else { Ok(None) }
        });
        match looked {
            Err(error) if name.is_none() => Err(error),
            _ => Ok(name),
        }
    }
}

struct Dump<'a> {
    volume: &'a OfflineVolume,
    selection: &'a DumpSelection,
    id: LogId,
    name: Option<String>,
    sink: &'a mut dyn FnMut(DumpItem) -> ControlFlow<()>,
    /// Damage that was shown, or was not selected.
    named: &'a mut Vec<DamagedBytes>,
    is_broken_off: bool,
}

impl Dump<'_> {
    fn event(&mut self, event: Replay) -> Result<()> {
        match event {
            Replay::Frame(found, body) => self.frame(&found, &body),
            Replay::Summary(_) => Err(Error::Closed),
            Replay::Torn(torn) => match self.selects(&torn) {
                true => self.show(DumpItem::Torn(torn)),
                false => Ok(()),
            },
            Replay::Damage { to_sequence: next_sequence, mut places, .. } => {
                self.volume.explain(&mut places);
                self.named.extend(places.iter().cloned());
                places.retain(|place| self.selects(place));
                match places.is_empty() {
                    true => Ok(()),
                    false => self.show(DumpItem::Damage { places, next_sequence }),
                }
            }
        }
    }

    fn selects(&self, place: &DamagedBytes) -> bool {
        self.selection.segment.as_ref().is_none_or(|path| *path == place.path)
    }

    fn show(&mut self, item: DumpItem) -> Result<()> {
        if (self.sink)(item).is_break() {
            self.is_broken_off = true;
            return Err(Error::Closed);
        }
        Ok(())
    }

    fn frame(&mut self, found: &FoundFrame, body: &FrameBody) -> Result<()> {
        let segment = segment_path(found.segment);
        if self.selection.segment.as_ref().is_some_and(|path| *path != segment) {
            return Ok(());
        }
        let records: Vec<DumpRecord> = match self.id == CATALOGUE_LOG {
            true => changes(body).map(of_catalogue).collect(),
            false => self.of_stream(body),
        };
        if records.is_empty() && self.selection.from_sequence > 0 {
            return Ok(());
        }
        let header = &found.header;
        self.show(DumpItem::Frame {
            stream: self.name.clone(),
            segment,
            offset: found.offset,
            bytes: header.frame_bytes(),
            record_bytes: header.records_bytes.into(),
            is_compressed: header.flags != 0,
            base_position: header.base_position.0,
            base_sequence: header.base_sequence,
            count: header.count,
            groups: header.groups,
            last_time: header.last_time,
        })?;
        for record in records {
            self.show(DumpItem::Record(record))?;
        }
        Ok(())
    }

    /// The records of a frame from the wanted sequence on.
    fn of_stream(&self, body: &FrameBody) -> Vec<DumpRecord> {
        let mut records = Records::of(body);
        if self.selection.from_sequence > 0 {
            records.seek(self.selection.from_sequence);
        }
        records
            .map(|record| match record {
                Ok(Record::Message(message)) => {
                    let id = message.message_id;
                    let message = Message {
                        sequence: message.sequence,
                        time: message.time,
                        subject: message.subject,
                        headers: message.headers,
                        payload: message.payload,
                    };
                    DumpRecord::Message(message, id)
                }
                Ok(Record::Remove(ranges)) => DumpRecord::Removal(ranges.into_vec()),
                Ok(Record::Skip(through)) => DumpRecord::Skip(through),
                Ok(Record::Schedule(sequence, due)) => DumpRecord::Schedule(sequence, due),
                Ok(Record::Progress(key, value)) => DumpRecord::Progress(key, value),
                Ok(Record::State(state)) => DumpRecord::State {
                    name: state.config.name().to_owned(),
                    last_sequence: state.last_sequence,
                    progress: state.progress.len(),
                },
                Ok(Record::Config(config)) => {
                    DumpRecord::Configuration { name: config.name().to_owned() }
                }
                Ok(Record::Void(records)) => DumpRecord::Void(records),
                Err(what) => DumpRecord::Unreadable(what.into()),
            })
            .collect()
    }
}

fn of_catalogue(change: Result<(Change, usize), &'static str>) -> DumpRecord {
    match change {
        Ok((Change::Put(config), _)) => DumpRecord::Put {
            name: config.name().to_owned(),
            log: format!("{:032x}", config.incarnation().0),
        },
        Ok((Change::Remove(id), _)) => DumpRecord::Remove { log: format!("{id:032x}") },
        Ok((Change::All { streams, .. }, _)) => {
            let names = streams.iter().map(|config| config.name().to_owned());
            DumpRecord::All { names: names.collect() }
        }
        Err(what) => DumpRecord::Unreadable(what.into()),
    }
}
