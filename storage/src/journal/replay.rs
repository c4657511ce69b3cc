//! Finds the end of the journal after a crash, and writes the frames of its rounds to their places.
//!
//! Facts at the place where a round is expected, and what is done (`decide`):
//!
//! | at the place | first round of the next use | highest `durable_through` of later rounds | done |
//! |---|---|---|---|
//! | the expected round, whole | - | - | its frames are written to their segments |
//! | anything else | the expected round | - | go on in that file |
//! | anything else | another | no later round | end |
//! | anything else | another | below the expected round | end: it was torn, never acknowledged |
//! | anything else | another | the expected round or above | damage, named; go on at the next readable round |
//!
//! Before that: where the checkpoint cannot be read, or its start was written over by a later use of the file (then a
//! newer checkpoint was there and is damaged), every readable round of the newest opening counts, and everything in the
//! segments is taken for durable, so that nothing is cut.
//!
//! Invariants: writing the frames again gives the same bytes; nothing is deleted here.
//! Not here: what is good in a segment (`log::open`).

use super::{
    ring::{JOURNAL_DIRECTORY, journal_files, journal_path},
    slots::SlotsRead,
};
use crate::{
    Error, Result,
    disk::{Disk, DiskFile, OpenMode},
    format::{
        checkpoint::{JournalPlace, LogEnd},
        checksum,
        journal_file::{JOURNAL_FILE_BLOCK_BYTES, JournalFileHeader},
        journal_round::{
            self, ENTRY_FLAG_IN_SEGMENT, EntryHeader, ROUND_HEADER_BYTES, RoundHeader,
        },
        segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId},
    },
    log::{LogId, Position},
    segment::{
        LOGS_DIRECTORY, log_directory, parse_log_directory, parse_segment_name, segment_path,
    },
};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Rounds begin at multiples of this.
const STEP_BYTES: u64 = 4096;
/// The lower part of a use number counts uses within one opening of the volume, the upper part openings.
pub(crate) const USES_PER_OPENING: u64 = 1 << 32;

/// What a replay found and did.
#[derive(Debug, Default)]
pub(crate) struct Redone {
    /// Rounds whose frames were written.
    pub(crate) rounds: u64,
    /// Damage, a sentence each.
    pub(crate) damage: Vec<String>,
    /// How far every log is durable.
    pub(crate) ends: BTreeMap<LogId, LogEnd>,
    /// Identity of the volume, where anything says it.
    pub(crate) volume: Option<u128>,
    /// Above every use number before.
    pub(crate) next_use: u64,
    /// Above every round before.
    pub(crate) next_round: u64,
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

/// A journal file as it was found.
struct OldFile {
    number: u32,
    bytes: u64,
    file: Arc<dyn DiskFile>,
    /// The first round in it.
    first: Option<RoundHeader>,
}

impl OldFile {
    fn header_at(&self, seed: u32, offset: u64) -> Result<Option<RoundHeader>> {
        let mut bytes = [0; ROUND_HEADER_BYTES];
        self.read(&mut bytes, offset)?;
        let header = RoundHeader::decode(seed, &bytes);
        Ok(header.filter(|header| offset.saturating_add(header.round_bytes()) <= self.bytes))
    }

    /// The entries of a round, where their checksum is right.
    fn body(&self, header: &RoundHeader, offset: u64) -> Result<Option<Vec<u8>>> {
        let mut body = vec![0; header.body_bytes as usize];
        self.read(&mut body, offset + ROUND_HEADER_BYTES as u64)?;
        Ok((checksum(0, &body) == header.body_crc).then_some(body))
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let path = journal_path(self.number);
        self.file
            .read_at(bytes, offset)
            .map(drop)
            .map_err(|error| Error::io(format!("read {} at {offset}", path.display()), error))
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
        take_all_for_durable(disk, &mut redone)?;
        (redone.next_use, redone.next_round) = (USES_PER_OPENING, 1);
        return Ok(redone);
    };
    let seed = journal_round::seed(volume);
    for file in &mut files {
        file.first = file.header_at(seed, JOURNAL_FILE_BLOCK_BYTES)?;
    }
    let mut reader = Reader { disk, files, seed, segments: BTreeMap::new(), redone };
    let start = slots.checkpoint.as_ref().map(|checkpoint| checkpoint.start);
    match (&slots.checkpoint, start.filter(|start| !reader.is_written_over(*start))) {
        (Some(checkpoint), Some(start)) => {
            for what in &slots.broken {
                // A crash during a checkpoint leaves this, and the other slot holds.
                tracing::info!(what, "one of the two checkpoints is not whole");
            }
            reader.redone.ends = checkpoint.ends.clone();
            reader.follow(start)?;
        }
        (stale, _) => {
            reader.redone.damage.extend(slots.broken.iter().cloned());
            let what = if stale.is_some() { "is out of date" } else { "cannot be read" };
            reader.redone.damage.push(format!(
                "the checkpoint {what}: all that the logs hold is kept, and nothing is cut"
            ));
            reader.redo_newest_opening()?;
            take_all_for_durable(disk, &mut reader.redone)?;
        }
    }
    reader.finish(start)
}

fn old_files(disk: &Arc<dyn Disk>) -> Result<Vec<OldFile>> {
    let mut files = Vec::new();
    for number in journal_files(disk.as_ref())? {
        let path = journal_path(number);
        let failed = |error| Error::io(format!("open {}", path.display()), error);
        let file = disk.open(&path, OpenMode::Read).map_err(failed)?;
        let bytes = file.len().map_err(failed)?;
        files.push(OldFile { number, bytes, file, first: None });
    }
    Ok(files)
}

fn volume_of(files: &[OldFile]) -> Result<Option<u128>> {
    for file in files {
        let mut block = vec![0; JOURNAL_FILE_BLOCK_BYTES as usize];
        file.read(&mut block, 0)?;
        if let Ok(header) = JournalFileHeader::decode(&block) {
            return Ok(Some(header.volume));
        }
    }
    Ok(None)
}

/// Every byte that a log holds counts as durable: none of it is cut.
fn take_all_for_durable(disk: &Arc<dyn Disk>, redone: &mut Redone) -> Result<()> {
    let failed = |path: &Path, error| Error::io(format!("read {}", path.display()), error);
    let logs = disk
        .list(Path::new(LOGS_DIRECTORY))
        .map_err(|error| failed(Path::new(LOGS_DIRECTORY), error))?;
    for id in logs.iter().filter_map(|name| parse_log_directory(name)) {
        let directory = log_directory(id);
        let names = disk.list(&directory).map_err(|error| failed(&directory, error))?;
        let Some(number) = names.iter().filter_map(|name| parse_segment_name(name)).max() else {
            continue;
        };
        let path = segment_path(SegmentId { log: id, number });
        let len = disk
            .open(&path, OpenMode::Read)
            .and_then(|file| file.len())
            .map_err(|error| failed(&path, error))?;
        let end = LogEnd { segment: number, offset: len, position: Position(0) };
        let known = redone.ends.entry(id).or_insert(end);
        *known = (*known).max(end);
    }
    Ok(())
}

struct Reader<'a> {
    disk: &'a Arc<dyn Disk>,
    files: Vec<OldFile>,
    seed: u32,
    /// Segments written to; `None` where there is none to write to.
    segments: BTreeMap<SegmentId, Option<Arc<dyn DiskFile>>>,
    redone: Redone,
}

impl Reader<'_> {
    fn is_written_over(&self, start: JournalPlace) -> bool {
        let file = self.files.iter().find(|file| file.number == start.file);
        file.and_then(|file| file.first).is_some_and(|first| first.use_number > start.use_number)
    }

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
                    self.redone.damage.push(format!(
                        "{} at {}: round {} cannot be read, though it was durable; its frames are kept where the \
                         segments hold them",
                        journal_path(place.file).display(),
                        place.offset,
                        place.round,
                    ));
                    place = next;
                }
                Step::End => break,
            }
        }
        self.redone.next_round = place.round + 1;
        Ok(())
    }

    /// Of the rounds after an unreadable place: the highest `durable_through`, and the place of the next whole one.
    fn later(&self, place: JournalPlace) -> Result<Option<(u64, JournalPlace)>> {
        let mut durable = None;
        let mut next = None;
        let next_use = place.use_number + 1;
        let after = self
            .files
            .iter()
            .find(|file| file.first.is_some_and(|first| first.use_number == next_use));
        let here = self.file(place.file).map(|file| (file, place.use_number, place.offset));
        let after = after.map(|file| (file, next_use, JOURNAL_FILE_BLOCK_BYTES));
        for (file, use_number, from) in here.into_iter().chain(after) {
            let mut offset = from;
            while offset < file.bytes {
                let header = file.header_at(self.seed, offset)?.filter(|header| {
                    header.use_number == use_number && header.round >= place.round
                });
                if let Some(header) = header {
                    durable = durable.max(Some(header.durable_through));
                    if next.is_none() && file.body(&header, offset)?.is_some() {
                        let (file, round) = (file.number, header.round);
                        next = Some(JournalPlace { file, use_number, offset, round });
                    }
                }
                offset += STEP_BYTES;
            }
        }
        Ok(durable.zip(next))
    }

    /// Redoes every readable round of the newest opening, in order.
    fn redo_newest_opening(&mut self) -> Result<()> {
        let mut rounds = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            let mut offset = JOURNAL_FILE_BLOCK_BYTES;
            while offset < file.bytes {
                if let Some(header) = file.header_at(self.seed, offset)? {
                    rounds.push((header.use_number, header.round, index, offset));
                }
                offset += STEP_BYTES;
            }
        }
        rounds.sort_unstable();
        let newest = rounds.last().map_or(0, |round| round.0 / USES_PER_OPENING);
        self.redone.next_use = newest.saturating_mul(USES_PER_OPENING);
        self.redone.next_round = rounds.last().map_or(1, |round| round.1 + 1);
        for (use_number, _, index, offset) in rounds {
            let Some(file) = self.files.get(index) else { continue };
            if use_number / USES_PER_OPENING != newest {
                continue;
            }
            let Some(header) = file.header_at(self.seed, offset)? else { continue };
            if let Some(body) = file.body(&header, offset)? {
                self.redo(&header, &body)?;
            }
        }
        Ok(())
    }

    fn redo(&mut self, header: &RoundHeader, body: &[u8]) -> Result<()> {
        let mut rest = body;
        for _ in 0..header.entries {
            let Some((entry, frame, after)) = EntryHeader::take(rest) else {
                self.redone.damage.push(format!(
                    "{JOURNAL_DIRECTORY}: an entry of round {} cannot be read",
                    header.round
                ));
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
        let Some(Some(file)) = self.segments.get(&id) else { return Ok(()) };
        if entry.flags & ENTRY_FLAG_IN_SEGMENT == 0 {
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
                let is_rewritten = header.is_ok_and(|header| header.is_rewritten);
                return Ok((!is_rewritten).then_some(file));
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
            self.redone.damage.push(format!("{}: the segment is missing", path.display()));
        }
        Ok(None)
    }

    /// Syncs what was written. Nothing may be built on it before.
    fn finish(mut self, start: Option<JournalPlace>) -> Result<Redone> {
        for (id, file) in &self.segments {
            if let Some(file) = file {
                file.sync().map_err(|error| {
                    Error::ReadOnly(format!("sync of {}: {error}", segment_path(*id).display()))
                })?;
            }
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
