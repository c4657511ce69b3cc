//! Finds the end of the journal after a crash, and writes the frames of its rounds to their places.
//!
//! Facts at the place where a round is expected, and what is done (`decide`):
//!
//! | at the place | first round of the next use | highest `durable_through` of later rounds of this opening | done |
//! |---|---|---|---|
//! | the expected round, whole | - | - | its frames are written to their segments |
//! | anything else | the expected round | - | go on in that file |
//! | anything else | another | no later round | end |
//! | anything else | another | below the expected round | end: it was torn, never acknowledged |
//! | anything else | another | the expected round or above | damage, named; go on at the next readable round |
//!
//! Before that: where the checkpoint cannot be read, or its start was written over by a later use of the file or is of
//! an earlier opening than other rounds (then a newer checkpoint was there and is damaged), or its file is missing,
//! every readable round of the newest opening counts. Whenever damage is named, everything in the segments is taken for
//! durable, so that nothing is cut.
//!
//! Invariants: writing the frames again gives the same bytes; nothing is deleted here.
//! Not here: what is good in a segment (`log::open`).

use super::{
    old_files::{FoundRound, OldFile, broken_files, find_rounds, old_files, volume_of},
    ring::{JOURNAL_DIRECTORY, journal_path},
    slots::SlotsRead,
};
use crate::{
    DamagedBytes, Error, Result,
    disk::{Disk, DiskFile, OpenMode},
    format::{
        checkpoint::{JournalPlace, LogEnd},
        journal_file::JOURNAL_FILE_BLOCK_BYTES,
        journal_round::{self, ENTRY_FLAG_IN_SEGMENT, EntryHeader, RoundHeader},
        segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId},
    },
    log::{LogId, Position, SegmentNumber},
    segment::{
        LOGS_DIRECTORY, log_directory, parse_log_directory, parse_segment_name, segment_path,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

/// The lower part of a use number counts uses within one opening of the volume, the upper part openings.
pub(crate) const USES_PER_OPENING: u64 = 1 << 32;

/// What a replay found and did.
#[derive(Debug, Default)]
pub(crate) struct Redone {
    /// Rounds whose frames were written.
    pub(crate) rounds: u64,
    /// Damage of the journal and of the checkpoint.
    pub(crate) damage: Vec<DamagedBytes>,
    /// How far every log is durable.
    pub(crate) ends: BTreeMap<LogId, LogEnd>,
    /// The first segment of every log that was not given up.
    pub(crate) firsts: BTreeMap<LogId, SegmentNumber>,
    /// Identity of the volume, where anything says it.
    pub(crate) volume: Option<u128>,
    /// Above every use number before.
    pub(crate) next_use: u64,
    /// Above every round before.
    pub(crate) next_round: u64,
    /// Where the journal ended; `None` where its start was not known.
    pub(crate) end: Option<JournalPlace>,
}

/// What is done at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Redo,
    NextFile,
    End,
    Damage,
}

/// The decision table at the head of this file.
fn decide(expected: u64, whole: bool, next_file: bool, later_durable: Option<u64>) -> Step {
    match (whole, next_file, later_durable) {
        (true, _, _) => Step::Redo,
        (false, true, _) => Step::NextFile,
        (false, false, Some(durable)) if durable >= expected => Step::Damage,
        (false, false, _) => Step::End,
    }
}

/// Replays the journal of a volume.
pub(crate) fn replay(disk: &Arc<dyn Disk>, slots: &SlotsRead) -> Result<Redone> {
    let mut redone = Redone::default();
    let mut files = old_files(disk)?;
    redone.volume = match &slots.checkpoint {
        Some(checkpoint) => Some(checkpoint.volume),
        None => volume_of(&files)?,
    };
    let Some(volume) = redone.volume else {
        // No file says whose it is: a new volume, or one that lost everything but its logs.
        let what = "no journal file and no checkpoint can be read";
        redone.damage.push(DamagedBytes::file(Path::new(JOURNAL_DIRECTORY), what));
        take_all_for_durable(disk, &BTreeMap::new(), &mut redone)?;
        (redone.next_use, redone.next_round) = (USES_PER_OPENING, 1);
        return Ok(redone);
    };
    let seed = journal_round::seed(volume);
    for file in &mut files {
        file.first = file.header_at(seed, JOURNAL_FILE_BLOCK_BYTES)?;
    }
    let mut reader = Reader {
        disk,
        files,
        rounds: Vec::new(),
        seed,
        segments: BTreeMap::new(),
        replaced: BTreeSet::new(),
        redone,
    };
    let is_closed = slots.newest && slots.checkpoint.as_ref().is_some_and(|found| found.closed);
    if !is_closed {
        reader.rounds = find_rounds(&reader.files, seed)?;
    }
    if slots.checkpoint.is_some() {
        reader.redone.damage.extend(broken_files(&reader.files)?);
    }
    let start = slots.checkpoint.as_ref().map(|checkpoint| checkpoint.start);
    if let Some(checkpoint) = &slots.checkpoint {
        reader.redone.ends = checkpoint.ends.clone();
    }
    match start.filter(|start| is_closed || !reader.is_stale(*start)) {
        Some(start) => {
            for what in &slots.broken {
                // A crash during a checkpoint leaves this, and the other slot holds.
                tracing::info!(%what, "one of the two checkpoints is not whole");
            }
            if let Some(checkpoint) = &slots.checkpoint {
                reader.redone.firsts = checkpoint.firsts.clone();
            }
            reader.follow(start)?;
        }
        None => {
            reader.redone.damage.extend(slots.broken.iter().cloned());
            let what = if start.is_some() { "is out of date" } else { "cannot be read" };
            let path = Path::new("checkpoint.0");
            reader.redone.damage.push(DamagedBytes::file(path, format!("the checkpoint {what}")));
            reader.redo_newest_opening()?;
        }
    }
    if !reader.redone.damage.is_empty() {
        // What was durable is not known any more: all that the logs hold is kept, and nothing is cut.
        let nothing = BTreeMap::new();
        let synced = slots.checkpoint.as_ref().map_or(&nothing, |found| &found.ends);
        take_all_for_durable(disk, synced, &mut reader.redone)?;
    }
    reader.finish(start)
}

/// Every byte that a log holds counts as durable from now on: it is synced, and none of it is cut.
fn take_all_for_durable(
    disk: &Arc<dyn Disk>,
    synced: &BTreeMap<LogId, LogEnd>,
    redone: &mut Redone,
) -> Result<()> {
    let failed = |path: &Path, error| Error::io(format!("read {}", path.display()), error);
    let logs = disk
        .list(Path::new(LOGS_DIRECTORY))
        .map_err(|error| failed(Path::new(LOGS_DIRECTORY), error))?;
    for id in logs.iter().filter_map(|name| parse_log_directory(name)) {
        let directory = log_directory(id);
        let names = disk.list(&directory).map_err(|error| failed(&directory, error))?;
        let synced = synced.get(&id).map(|end| end.segment);
        let mut last = None;
        for number in names.iter().filter_map(|name| parse_segment_name(name)) {
            if synced.is_some_and(|synced| number < synced) {
                continue;
            }
            let path = segment_path(SegmentId { log: id, number });
            let file = disk.open(&path, OpenMode::Write).map_err(|error| failed(&path, error))?;
            file.sync()
                .map_err(|error| Error::ReadOnly(format!("sync of {}: {error}", path.display())))?;
            let len = file.len().map_err(|error| failed(&path, error))?;
            last = last.max(Some((number, len)));
        }
        let Some((segment, offset)) = last else { continue };
        let end = LogEnd { segment, offset, position: Position(0) };
        let known = redone.ends.entry(id).or_insert(end);
        *known = LogEnd { position: known.position, ..end.max(*known) };
    }
    Ok(())
}

struct Reader<'a> {
    disk: &'a Arc<dyn Disk>,
    files: Vec<OldFile>,
    /// All that were found, in order; none where the volume was closed.
    rounds: Vec<FoundRound>,
    seed: u32,
    /// Segments written to; `None` where there is none to write to.
    segments: BTreeMap<SegmentId, Option<Arc<dyn DiskFile>>>,
    /// Logs of which a segment was written again: that it took the place of the one before it may not be durable.
    replaced: BTreeSet<LogId>,
    redone: Redone,
}

impl Reader<'_> {
    fn file(&self, number: u32) -> Option<&OldFile> {
        self.files.iter().find(|file| file.number == number)
    }

    /// The round that is expected at a place, where it is there and whole.
    fn expected_at(&self, place: JournalPlace) -> Result<Option<(RoundHeader, Vec<u8>)>> {
        let Some(file) = self.file(place.file) else { return Ok(None) };
        let header = file
            .header_at(self.seed, place.offset)?
            .filter(|header| header.use_number == place.use_number && header.round == place.round);
        let Some(header) = header else { return Ok(None) };
        Ok(file.body(&header, place.offset)?.map(|body| (header, body)))
    }

    /// Redoes round after round from `place` to the end of the journal.
    fn follow(&mut self, mut place: JournalPlace) -> Result<()> {
        loop {
            let whole = self.expected_at(place)?;
            let next_use = place.use_number + 1;
            let next_file = self
                .files
                .iter()
                .find(|file| {
                    file.first.is_some_and(|first| {
                        first.use_number == next_use && first.round == place.round
                    })
                })
                .map(|file| file.number);
            let later =
                if whole.is_some() || next_file.is_some() { None } else { self.later(place)? };
            let durable = later.map(|(durable, _)| durable);
            match decide(place.round, whole.is_some(), next_file.is_some(), durable) {
                Step::Redo => {
                    let Some((header, body)) = whole else { break };
                    self.redo(&header, &body)?;
                    place.offset += header.round_bytes();
                    place.round += 1;
                }
                Step::NextFile => {
                    let Some(file) = next_file else { break };
                    let offset = JOURNAL_FILE_BLOCK_BYTES;
                    place = JournalPlace { file, use_number: next_use, offset, ..place };
                }
                Step::Damage => {
                    let Some((_, next)) = later else { break };
                    let what = format!(
                        "round {} cannot be read, though it was durable; its frames are kept where the segments \
                         hold them",
                        place.round,
                    );
                    let bytes = if next.file == place.file && next.use_number == place.use_number {
                        next.offset.saturating_sub(place.offset)
                    } else {
                        0
                    };
                    let path = journal_path(place.file);
                    self.redone.damage.push(DamagedBytes::new(&path, place.offset, bytes, what));
                    place = next;
                }
                Step::End => break,
            }
        }
        self.redone.next_round = place.round + 1;
        self.redone.end = Some(place);
        Ok(())
    }

    /// Of the rounds after an unreadable place: the highest `durable_through`, and the place of the next whole one.
    fn later(&self, place: JournalPlace) -> Result<Option<(u64, JournalPlace)>> {
        let opening = place.use_number / USES_PER_OPENING;
        let mut durable = None;
        let mut next = None;
        for found in self.rounds.iter().filter(|found| {
            found.header.use_number / USES_PER_OPENING == opening
                && found.header.use_number >= place.use_number
                && found.header.round >= place.round
        }) {
            durable = durable.max(Some(found.header.durable_through));
            let Some(file) = self.files.get(found.file).filter(|_| next.is_none()) else {
                continue;
            };
            if file.body(&found.header, found.offset)?.is_some() {
                let RoundHeader { use_number, round, .. } = found.header;
                let (file, offset) = (file.number, found.offset);
                next = Some(JournalPlace { file, use_number, offset, round });
            }
        }
        Ok(durable.zip(next))
    }

    /// Whether the journal has gone on since the checkpoint, so that it does not start there any more.
    fn is_stale(&self, start: JournalPlace) -> bool {
        let opening = start.use_number / USES_PER_OPENING;
        let newest = self.rounds.last().map(|found| found.header.use_number / USES_PER_OPENING);
        let file = self.file(start.file);
        newest.is_some_and(|newest| newest > opening)
            || file.is_none_or(|file| {
                file.first.is_some_and(|first| first.use_number > start.use_number)
            })
    }

    /// Redoes every readable round of the newest opening, in order.
    fn redo_newest_opening(&mut self) -> Result<()> {
        let rounds = std::mem::take(&mut self.rounds);
        let newest = rounds.last().map_or(0, |found| found.header.use_number / USES_PER_OPENING);
        self.redone.next_use = newest.saturating_mul(USES_PER_OPENING);
        self.redone.next_round = rounds.last().map_or(1, |found| found.header.round + 1);
        for found in rounds {
            let Some(file) = self.files.get(found.file) else { continue };
            if found.header.use_number / USES_PER_OPENING != newest {
                continue;
            }
            if let Some(body) = file.body(&found.header, found.offset)? {
                self.redo(&found.header, &body)?;
            }
        }
        Ok(())
    }

    fn redo(&mut self, header: &RoundHeader, body: &[u8]) -> Result<()> {
        let mut rest = body;
        for _ in 0..header.entries {
            let Some((entry, frame, after)) = EntryHeader::take(rest) else {
                let what = format!("an entry of round {} cannot be read", header.round);
                let path = Path::new(JOURNAL_DIRECTORY);
                self.redone.damage.push(DamagedBytes::file(path, what));
                break;
            };
            rest = after;
            self.redo_entry(&entry, frame)?;
        }
        self.redone.rounds += 1;
        Ok(())
    }

    fn redo_entry(&mut self, entry: &EntryHeader, frame: &[u8]) -> Result<()> {
        let id = entry.segment;
        if !self.segments.contains_key(&id) {
            let file = self.segment(id)?;
            self.segments.insert(id, file);
        }
        if let Some(Some(file)) = self.segments.get(&id)
            && entry.flags & ENTRY_FLAG_IN_SEGMENT == 0
        {
            file.write_at(frame, entry.offset).map_err(|error| {
                Error::io(format!("write segment {}", segment_path(id).display()), error)
            })?;
        }
        let end = LogEnd {
            segment: id.number,
            offset: entry.offset.saturating_add(u64::from(entry.frame_bytes)),
            position: entry.end_position,
        };
        let known = self.redone.ends.entry(id.log).or_insert(end);
        *known = (*known).max(end);
        Ok(())
    }

    /// The segment of an entry. A log or segment that was removed has none; one that is missing is damage.
    fn segment(&mut self, id: SegmentId) -> Result<Option<Arc<dyn DiskFile>>> {
        let path = segment_path(id);
        match self.disk.open(&path, OpenMode::Write) {
            Ok(file) => {
                let mut header = [0; SEGMENT_HEADER_BYTES];
                file.read_at(&mut header, 0)
                    .map_err(|error| Error::io(format!("read {}", path.display()), error))?;
                let header = SegmentHeader::decode(&header);
                // What was written again is durable, and its frames are at other places.
                if header.is_ok_and(|header| header.is_rewritten) {
                    self.replaced.insert(id.log);
                    return Ok(None);
                }
                return Ok(Some(file));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(format!("open {}", path.display()), error)),
        }
        let names = match self.disk.list(&log_directory(id.log)) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(format!("list for {}", path.display()), error)),
        };
        let first = names.iter().filter_map(|name| parse_segment_name(name)).min();
        if first.is_none_or(|first| id.number > first) {
            self.redone.damage.push(DamagedBytes::file(&path, "the segment is missing"));
        }
        Ok(None)
    }

    /// Syncs what was written, and names in whose favour something was not. Nothing may be built on it before.
    fn finish(mut self, start: Option<JournalPlace>) -> Result<Redone> {
        for (id, file) in &self.segments {
            if let Some(file) = file {
                file.sync().map_err(|error| {
                    Error::ReadOnly(format!("sync of {}: {error}", segment_path(*id).display()))
                })?;
            }
        }
        for id in &self.replaced {
            let directory = log_directory(*id);
            self.disk.sync_directory(&directory).map_err(|error| {
                Error::ReadOnly(format!("sync {}: {error}", directory.display()))
            })?;
        }
        let firsts = self.files.iter().filter_map(|file| file.first.map(|first| first.use_number));
        let highest = firsts.chain(start.map(|start| start.use_number)).max().unwrap_or(0);
        let highest = highest.max(self.redone.next_use);
        self.redone.next_use = (highest / USES_PER_OPENING + 1) * USES_PER_OPENING;
        Ok(self.redone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_decision_table() {
        #[rustfmt::skip]
        let rows = [
            // whole, next file, later durable_through, step at round 7
            (true,  false, None,    Step::Redo),
            (true,  true,  Some(9), Step::Redo),
            (false, true,  None,    Step::NextFile),
            (false, true,  Some(9), Step::NextFile),
            (false, false, None,    Step::End),
            (false, false, Some(6), Step::End),
            (false, false, Some(7), Step::Damage),
            (false, false, Some(8), Step::Damage),
        ];
        for (whole, next_file, later, step) in rows {
            assert_eq!(decide(7, whole, next_file, later), step, "{whole} {next_file} {later:?}");
        }
    }
}
