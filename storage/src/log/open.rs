//! Opens a log from its segments: feeds every good frame to the owner, names damage, cuts a torn end.
//!
//! Invariants: what the checkpoint or the journal calls durable is never cut; what is above it and good is kept, after a
//! sync, so that nobody sees what a second crash could take back.
//! Not here: how a segment is read (`segment::scan`).

use super::{
    FileLog, FoundFrame, FrameBody, LogId, Observer, Position, SegmentNumber, damage::DamageReport,
    write::Writing,
};
use crate::{
    DamagedBytes, Error, Result,
    disk::DiskFile,
    format::{
        checkpoint::LogEnd,
        segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId},
    },
    journal::Shared,
    segment::{
        ANOTHER_SEGMENT, FramePlace, FrameTable, Scan, ScanEnd, ScanEvent, SegmentFile,
        SegmentFrames, log_directory, parse_segment_name, read_index,
    },
    store::LogOptions,
};
use std::{ops::Range, sync::Arc};

/// What is said of a segment that begins after the end of the one before: the damage is not in it.
pub(crate) const RECORDS_BEFORE_MISSING: &str = "records before this segment are missing";
/// So many missing segments in a row are named at most.
const MISSING_NAMED_MAX: usize = 1000;

/// Bytes that are written again at a time.
const WRITE_AGAIN_BYTES: usize = 1024 * 1024;

/// A log that is being opened.
pub(crate) struct Opening<'a> {
    shared: &'a Arc<Shared>,
    id: LogId,
    /// How far it is durable; `None` where nothing ever was.
    durable: Option<LogEnd>,
    /// The first segment that was not given up; `None` where that is not known.
    kept_from: Option<SegmentNumber>,
    table: FrameTable,
    report: DamageReport<'a>,
    expected: Position,
    last: Option<(Arc<SegmentFile>, ScanEnd)>,
    /// The last file is another segment: nothing is cut off it, and nothing is written to it.
    foreign: bool,
    /// The last file was written again: nothing of the journal belongs into it, so nothing is written to it.
    rewritten: bool,
}

impl<'a> Opening<'a> {
    /// Prepares to open a log.
    pub(crate) fn new(
        shared: &'a Arc<Shared>,
        id: LogId,
        durable: Option<LogEnd>,
        kept_from: Option<SegmentNumber>,
        replay: &'a mut Observer<'a>,
    ) -> Self {
        Self {
            shared,
            id,
            durable,
            kept_from,
            table: FrameTable::default(),
            report: DamageReport::new(replay),
            expected: Position(0),
            last: None,
            foreign: false,
            rewritten: false,
        }
    }

    /// Opens it.
    pub(crate) fn run(mut self, options: LogOptions) -> Result<Arc<FileLog>> {
        let numbers = self.segment_numbers()?;
        if self.shared.unclean {
            self.sync_directory()?;
        }
        for (index, number) in numbers.iter().enumerate() {
            if !self.segment(*number)? {
                self.discard(numbers.get(index..).unwrap_or_default())?;
                break;
            }
            if self.cut_torn_end()? {
                self.discard(numbers.get(index + 1..).unwrap_or_default())?;
                break;
            }
        }
        let position = self.durable.map_or(self.expected, |end| end.position.max(self.expected));
        let ends_missing = self.note_missing_end();
        self.report.finish(position)?;
        let writing = match self.last.take() {
            Some((file, end)) if !ends_missing && !self.foreign && !self.rewritten => {
                Writing::new(file, end.offset, position)
            }
            last => self.new_segment(last.map(|(file, _)| file), position)?,
        };
        Ok(FileLog::new(self.id, options, self.shared, self.table, writing))
    }

    fn segment_numbers(&self) -> Result<Vec<SegmentNumber>> {
        let directory = log_directory(self.id);
        let names = self
            .shared
            .disk
            .list(&directory)
            .map_err(|error| Error::io(format!("list {}", directory.display()), error))?;
        Ok(names.iter().filter_map(|name| parse_segment_name(name)).collect())
    }

    /// Reads one segment. False where it was never acknowledged and does not continue the log.
    fn segment(&mut self, number: SegmentNumber) -> Result<bool> {
        let id = SegmentId { log: self.id, number };
        let file = Arc::new(SegmentFile::existing(&self.shared.disk, id));
        let first = self.last.is_none();
        let header = file.header()?;
        let is_rewritten = header.is_ok_and(|header| header.is_rewritten);
        let floor = match self.durable {
            Some(end) if number < end.segment => u64::MAX,
            // It was durable before it took the place of the one that the end is in.
            Some(end) if number == end.segment && is_rewritten => u64::MAX,
            Some(end) if number == end.segment => end.offset,
            _ => 0,
        };
        let follows = match &self.last {
            Some((before, _)) => before.id().number.0 + 1 == number.0,
            None => self.kept_from.is_none_or(|kept| number <= kept),
        };
        let opened = file.file()?;
        let len = opened
            .len()
            .map_err(|error| Error::io(format!("length of {}", file.path().display()), error))?;
        // The header is durable before a frame comes behind it: alone, it may be what a crash left.
        let torn = header.is_err() && len <= SEGMENT_HEADER_BYTES as u64;
        if self.durable.is_none() && first && torn {
            // A crash while the log was made: it never held anything.
            return Ok(false);
        }
        if floor == 0 && !first {
            let continues = header.map_or(!torn, |header| header.base_position == self.expected);
            if !continues || !follows {
                return Ok(false);
            }
        }
        if !follows {
            let before = self.last.as_ref().map(|(before, _)| before.id().number.0 + 1);
            let from = before.or(self.kept_from.map(|kept| kept.0)).unwrap_or(number.0);
            self.note_missing(from..number.0);
        }
        self.begin(&file, header, first);
        // A file that ends at the floor may have been cut there by a process that did not come to the sync.
        if len > floor || (self.shared.unclean && floor != u64::MAX) {
            if self.shared.unclean {
                write_again(&opened, floor, len).map_err(|error| {
                    Error::io(format!("write {} again", file.path().display()), error)
                })?;
            }
            opened.sync().map_err(|error| {
                let failed = Error::ReadOnly(format!("sync {}: {error}", file.path().display()));
                self.shared.fail(&failed);
                failed
            })?;
        }
        let end = match self.indexed(&file, floor, len)? {
            Some(end) => end,
            None => self.scan(&file, floor, header.is_err())?,
        };
        let empty = end.offset <= SEGMENT_HEADER_BYTES as u64;
        if floor == 0 && !first && empty {
            // It was made, and nothing in it was acknowledged: the group that opens it comes again.
            self.table.pop_segment();
            return Ok(false);
        }
        // Only now is it the last one: behind one that is taken back the one before it stays that.
        (self.foreign, self.rewritten) = (header == Err(ANOTHER_SEGMENT), is_rewritten);
        if let Some((before, _)) = self.last.replace((file, end)) {
            before.seal();
        }
        Ok(true)
    }

    /// Puts the segment into the table.
    fn begin(
        &mut self,
        file: &Arc<SegmentFile>,
        header: Result<SegmentHeader, &'static str>,
        first: bool,
    ) {
        let (position, sequence) = match header {
            Ok(header) => {
                if !first && header.base_position > self.expected {
                    self.report.damage(RECORDS_BEFORE_MISSING, file, 0, 0);
                }
                (header.base_position, header.base_sequence)
            }
            Err(what) => {
                self.report.damage(what, file, 0, SEGMENT_HEADER_BYTES as u64);
                (self.expected, self.report.next_sequence())
            }
        };
        self.expected = self.expected.max(position);
        self.report.at_segment(sequence, header.is_ok());
        let sequence = self.report.next_sequence();
        self.table.push_segment(SegmentFrames::new(Arc::clone(file), position, sequence));
    }

    /// Takes the segment from its index, where it has one that the owner accepts. `None`: it has to be scanned.
    ///
    /// All of it has to be durable, which the last one may be too, where a crash took the segment behind it. A later start
    /// believes the index in any case, so this one must: what damage leaves to guess here, the index knows.
    fn indexed(
        &mut self,
        file: &Arc<SegmentFile>,
        floor: u64,
        len: u64,
    ) -> Result<Option<ScanEnd>> {
        if floor != u64::MAX && floor != len {
            return Ok(None);
        }
        let Some(index) = read_index(&self.shared.disk, file, len)? else { return Ok(None) };
        let Some(first) = index.frames.first().copied() else { return Ok(None) };
        if first.base_position != self.expected {
            return Ok(None);
        }
        if let Err(error) = self.report.summary(&index, first.base_sequence) {
            tracing::info!(path = %file.path().display(), %error, "the segment is read instead");
            return Ok(None);
        }
        self.table.fill(&index);
        self.expected = index.end_position;
        Ok(Some(ScanEnd { offset: len, position: index.end_position, torn: None }))
    }

    fn scan(&mut self, file: &Arc<SegmentFile>, floor: u64, loose: bool) -> Result<ScanEnd> {
        let floor_position = match self.durable {
            Some(end) if end.segment == file.id().number => end.position,
            _ => Position(0),
        };
        let scan = Scan::new(file, floor, floor_position, self.expected, loose)?;
        let (table, report) = (&mut self.table, &mut self.report);
        let mut expected = self.expected;
        let end = scan.run(&mut |event| match event {
            ScanEvent::Frame { header, offset, records } => {
                let bytes = u32::try_from(header.frame_bytes()).unwrap_or(u32::MAX);
                let place =
                    FramePlace::new(header.base_position, header.base_sequence, offset, bytes);
                expected = header.end_position();
                let (base_position, base_sequence) = (header.base_position, header.base_sequence);
                let count = header.count;
                let body = FrameBody { base_position, base_sequence, count, records };
                match report.frame(FoundFrame { segment: file.id(), offset, header }, body) {
                    Ok(()) => table.push(place, header.end_position(), header.last_time),
                    // A reader would find it in the place of the frame that had its sequences first.
                    Err(Error::Damaged { what, .. }) => {
                        let (sequence, bytes) = (report.next_sequence(), header.frame_bytes());
                        let place = FramePlace::lost(base_position, sequence, offset, bytes);
                        table.push_lost(place, offset + bytes);
                        report.damage(&what, file, offset, bytes);
                    }
                    Err(error) => return Err(error),
                }
                Ok(())
            }
            ScanEvent::Damage { offset, bytes, end_position, header, what } => {
                if let Some(header) = header {
                    report.before_sequence(header.base_sequence)?;
                }
                let sequence = report.next_sequence();
                let place = FramePlace::lost(expected, sequence, offset, bytes);
                table.push_lost(place, offset + bytes);
                report.damage(what, file, offset, bytes);
                expected = end_position.unwrap_or(expected);
                Ok(())
            }
        })?;
        self.expected = end.position;
        Ok(end)
    }

    /// Cuts what was never acknowledged off the last segment read. True where there was something.
    fn cut_torn_end(&mut self) -> Result<bool> {
        let Some((file, end)) = &self.last else { return Ok(false) };
        let Some(why) = end.torn.filter(|_| !self.foreign) else { return Ok(false) };
        let path = file.path();
        let opened = file.file()?;
        let len = opened
            .len()
            .map_err(|error| Error::io(format!("length of {}", path.display()), error))?;
        let bytes = len.saturating_sub(end.offset);
        self.report.torn(DamagedBytes::new(&path, end.offset, bytes, why))?;
        opened
            .truncate(end.offset)
            .map_err(|error| Error::io(format!("truncate {}", path.display()), error))?;
        opened.sync().map_err(|error| {
            let failed = Error::ReadOnly(format!("sync {}: {error}", path.display()));
            self.shared.fail(&failed);
            failed
        })?;
        Ok(true)
    }

    /// Removes segments in which nothing was acknowledged.
    fn discard(&mut self, numbers: &[SegmentNumber]) -> Result<()> {
        for number in numbers.iter().rev() {
            let path = crate::segment::segment_path(SegmentId { log: self.id, number: *number });
            let what = "segment without acknowledged frames";
            self.report.torn(DamagedBytes::file(&path, what))?;
            self.shared
                .disk
                .remove_file(&path)
                .map_err(|error| Error::io(format!("remove {}", path.display()), error))?;
        }
        if numbers.is_empty() {
            return Ok(());
        }
        self.sync_directory()
    }

    fn sync_directory(&self) -> Result<()> {
        let directory = log_directory(self.id);
        self.shared.disk.sync_directory(&directory).map_err(|error| {
            let failed = Error::ReadOnly(format!("sync {}: {error}", directory.display()));
            self.shared.fail(&failed);
            failed
        })
    }

    /// Names the segments that were durable and that nothing comes after. True where there are any.
    fn note_missing_end(&mut self) -> bool {
        let Some(end) = self.durable else { return false };
        let last = self.last.as_ref().map(|(file, _)| file.id().number);
        if last.is_some_and(|last| last >= end.segment) {
            return false;
        }
        let kept = self.kept_from.map_or(end.segment.0, |kept| kept.0.min(end.segment.0));
        let from = last.map_or(kept, |last| last.0 + 1);
        self.note_missing(from..end.segment.0 + 1);
        true
    }

    /// Names segments that are missing.
    fn note_missing(&mut self, numbers: Range<u64>) {
        for number in numbers.take(MISSING_NAMED_MAX) {
            let id = SegmentId { log: self.id, number: SegmentNumber(number) };
            let file = SegmentFile::existing(&self.shared.disk, id);
            self.report.damage("the segment is missing", &file, 0, 0);
        }
    }

    /// A segment to write to, where there is none, or none that can be written to.
    fn new_segment(
        &mut self,
        last: Option<Arc<SegmentFile>>,
        position: Position,
    ) -> Result<Writing> {
        let known = self.durable.map(|end| end.segment);
        let number = known.max(last.as_ref().map(|file| file.id().number));
        let number = number.map_or(0, |number| number.0 + 1);
        if let Some(last) = last {
            last.seal();
        }
        let header = SegmentHeader {
            id: SegmentId { log: self.id, number: SegmentNumber(number) },
            base_position: position,
            base_sequence: self.report.next_sequence(),
            is_rewritten: false,
        };
        let file = Arc::new(SegmentFile::create(&self.shared.disk, &header)?);
        let frames = SegmentFrames::new(Arc::clone(&file), position, header.base_sequence);
        self.table.push_segment(frames);
        Ok(Writing::new(file, SEGMENT_HEADER_BYTES as u64, position))
    }
}

/// Writes what lies behind the last checkpoint once more, and cuts the file where it ends: after a failed sync of an earlier
/// process the system may show what it will never write, and say that it has nothing to sync.
fn write_again(file: &Arc<dyn DiskFile>, from: u64, to: u64) -> std::io::Result<()> {
    file.truncate(to)?;
    if to <= from {
        return Ok(());
    }
    let mut chunk =
        vec![0; WRITE_AGAIN_BYTES.min(usize::try_from(to - from).unwrap_or(usize::MAX))];
    let mut at = from;
    while at < to {
        let count = file.read_at(&mut chunk, at)?;
        if count == 0 {
            break;
        }
        file.write_at(chunk.get(..count).unwrap_or_default(), at)?;
        at += count as u64;
    }
    Ok(())
}
