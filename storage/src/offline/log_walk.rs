//! Reads one log from its first frame to its last, and writes down its figures, its damage, and what that costs.
//!
//! Invariants: which sequences are lost is what the engine says (`stream::replay`), less those that a later record, or
//! the index of the damaged segment, says were removed.
//! Not here: whose log it is (`survey`).

use super::{
    Finding, LogFigures, OfflineVolume, Verdict,
    index_check::{CheckedIndex, SegmentWalk, check_alone},
    lost::{keep_only, take_out},
    volume::is_index,
};
use crate::{
    DamagedBytes, Error, Result, Timestamp,
    catalogue::CATALOGUE_LOG,
    format::segment_header::SegmentId,
    log::{FoundFrame, FrameBody, LogId, RECORDS_BEFORE_MISSING, Replay, SegmentNumber},
    segment::{index_path, segment_path},
    stream::{
        record::{Ranges, Record, Records},
        replay::Rebuild,
        stored::StoredConfig,
        summary::Summary,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

/// What was found in a log.
pub(super) struct WalkedLog {
    pub(super) id: LogId,
    pub(super) figures: LogFigures,
    pub(super) findings: Vec<Finding>,
    /// The newest configuration in it.
    pub(super) config: Option<StoredConfig>,
    /// What indexes say of segments that are damaged.
    pub(super) notes: BTreeMap<SegmentNumber, Summary>,
    /// Whole frames that the engine does not take, by segment and offset.
    pub(super) refused: BTreeSet<(SegmentNumber, u64)>,
    /// It never held a record.
    pub(super) is_empty: bool,
}

impl WalkedLog {
    pub(super) fn is_whole(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != Verdict::Damage)
    }
}

/// Reads a log. `files` are those of its directory; `examined` is told how many bytes were read.
pub(super) fn walk(
    volume: &OfflineVolume,
    id: LogId,
    files: &[(PathBuf, u64)],
    examined: &mut dyn FnMut(u64),
) -> Result<WalkedLog> {
    let mut walk = LogWalk {
        volume,
        is_stream: id != CATALOGUE_LOG,
        rebuild: Rebuild::new(Duration::ZERO, Timestamp(0)),
        figures: LogFigures { log: format!("{:032x}", id.0), ..LogFigures::default() },
        findings: Vec::new(),
        notes: BTreeMap::new(),
        refused: BTreeSet::new(),
        segment: None,
        shares: Vec::new(),
        checked: BTreeSet::new(),
        examined,
    };
    let log = volume.walk(id, &mut |event| {
        walk.event(event)?;
        Ok(walk.is_stream.then(|| walk.rebuild.last_sequence().saturating_add(1)))
    })?;
    let is_empty = log.committed().0 == 0;
    drop(log);
    walk.close_segment()?;
    for (path, bytes) in files {
        walk.file(path, *bytes)?;
    }
    walk.count_held();
    Ok(WalkedLog {
        id,
        config: walk.rebuild.config().filter(|config| config.incarnation().0 == id.0).cloned(),
        figures: walk.figures,
        findings: walk.findings,
        notes: walk.notes,
        refused: walk.refused,
        is_empty,
    })
}

struct LogWalk<'a> {
    volume: &'a OfflineVolume,
    is_stream: bool,
    rebuild: Rebuild,
    figures: LogFigures,
    findings: Vec<Finding>,
    notes: BTreeMap<SegmentNumber, Summary>,
    refused: BTreeSet<(SegmentNumber, u64)>,
    segment: Option<SegmentWalk>,
    /// Messages with the bytes that they take on disk.
    shares: Vec<(u64, u32)>,
    /// Indexes that were looked at.
    checked: BTreeSet<PathBuf>,
    examined: &'a mut dyn FnMut(u64),
}

impl LogWalk<'_> {
    fn event(&mut self, event: Replay) -> Result<()> {
        match event {
            Replay::Frame(found, body) => return self.frame(found, body),
            // There are no indexes here.
            Replay::Summary(_) => return Err(Error::Closed),
            Replay::Torn(torn) => self.findings.push(Finding::at(Verdict::Torn, torn)),
            Replay::Damage { from_sequence, to_sequence, mut places } => {
                self.volume.explain(&mut places);
                let known = self.rebuild.lost().sequences.len();
                let damage = Replay::Damage { from_sequence, to_sequence, places: places.clone() };
                self.rebuild.event(damage)?;
                self.rebuild.damage();
                let mut finding = Finding {
                    verdict: Verdict::Damage,
                    places,
                    stream: None,
                    lost: Vec::new(),
                    end_is_unknown: to_sequence.is_none() && self.is_stream,
                };
                if self.is_stream {
                    let lost = self.rebuild.lost().sequences.get(known..).unwrap_or_default();
                    finding.lost = lost.to_vec();
                }
                self.findings.push(finding);
            }
        }
        Ok(())
    }

    fn frame(&mut self, found: FoundFrame, body: FrameBody) -> Result<()> {
        if self.segment.as_ref().is_none_or(|segment| segment.id() != found.segment) {
            self.close_segment()?;
            self.segment = Some(SegmentWalk::new(&self.volume.disk, &found));
        }
        let header = found.header;
        (self.examined)(header.frame_bytes());
        if self.is_stream {
            // First: what the engine does not take as a frame, counts for none.
            if let Err(error) = self.rebuild.event(Replay::Frame(found, body.clone())) {
                self.refused.insert((found.segment.number, found.offset));
                return Err(error);
            }
            for what in self.rebuild.damage() {
                self.findings.push(Finding::at(Verdict::Damage, found.damaged(&what)));
            }
        }
        self.figures.frames += 1;
        self.figures.groups += u64::from(header.groups);
        self.figures.compressed_frames += u64::from(header.flags != 0);
        self.figures.body_bytes += u64::from(header.body_bytes);
        self.figures.record_bytes += u64::from(header.records_bytes);
        if let Some(segment) = &mut self.segment {
            segment.frame(&found);
            segment.summing.frame(&body);
        }
        if self.is_stream {
            self.records(&found, &body);
        }
        Ok(())
    }

    fn records(&mut self, found: &FoundFrame, body: &FrameBody) {
        let mut records = Records::of(body);
        let mut left = records.left_bytes();
        while let Some(Ok(record)) = records.next() {
            let bytes = (left - records.left_bytes()) as u64;
            left = records.left_bytes();
            let counts = &mut self.figures.records;
            match record {
                Record::Message(message) => {
                    counts.messages += 1;
                    let stored = bytes * u64::from(found.header.body_bytes);
                    let share = stored / u64::from(found.header.records_bytes.max(1));
                    self.shares.push((message.sequence, u32::try_from(share).unwrap_or(u32::MAX)));
                }
                Record::Remove(ranges) => {
                    counts.removals += 1;
                    self.removed(&ranges);
                }
                Record::Skip(_) => counts.skips += 1,
                Record::Schedule(..) => counts.schedules += 1,
                Record::Progress(..) => counts.progress += 1,
                Record::State(_) => counts.states += 1,
                Record::Config(_) => counts.configurations += 1,
                Record::Void(records) => counts.voids += u64::from(records),
            }
        }
    }

    /// What was removed is not lost.
    fn removed(&mut self, ranges: &Ranges) {
        for finding in self.findings.iter_mut().filter(|finding| !finding.lost.is_empty()) {
            ranges.iter().for_each(|range| take_out(&mut finding.lost, *range));
        }
    }

    /// All of a segment was read: compares its index with it.
    fn close_segment(&mut self) -> Result<()> {
        let Some(segment) = self.segment.take() else { return Ok(()) };
        let id = segment.id();
        let path = segment_path(id);
        // What is cut off between two frames is missed where the next segment begins.
        let number = SegmentNumber(id.number.0.saturating_add(1));
        let next = segment_path(SegmentId { number, ..id });
        let is_here = |place: &DamagedBytes| {
            place.path == path || (place.path == next && place.what == RECORDS_BEFORE_MISSING)
        };
        let is_damaged = self.findings.iter().any(|finding| {
            finding.verdict == Verdict::Damage && finding.places.iter().any(is_here)
        });
        let checked = segment.check(&self.volume.below, is_damaged)?;
        self.checked.insert(index_path(id));
        self.index(checked, is_damaged);
        Ok(())
    }

    /// Counts a file of the log's directory, and looks at an index that no readable segment has.
    fn file(&mut self, path: &Path, bytes: u64) -> Result<()> {
        if path.extension().is_some_and(|ending| ending == "seg") {
            self.figures.segments += 1;
            self.figures.bytes += bytes;
        }
        if is_index(path) && !self.checked.contains(path) {
            let checked = check_alone(&self.volume.below, path)?;
            self.index(checked, true);
        }
        Ok(())
    }

    /// Takes in what was found of an index. What it says counts where its segment is damaged.
    fn index(&mut self, checked: CheckedIndex, is_damaged: bool) {
        if checked.bytes > 0 {
            self.figures.indexes += 1;
            self.figures.index_bytes += checked.bytes;
            (self.examined)(checked.bytes);
        }
        self.findings.extend(checked.finding);
        let Some((index, summary)) = checked.summary.filter(|_| is_damaged) else { return };
        let Ok(messages) = summary.messages() else { return };
        let held: Vec<u64> = messages.iter().map(|noted| noted.sequence).collect();
        let first = index.frames.first().map_or(0, |frame| frame.base_sequence);
        let path = segment_path(index.id);
        for finding in self.findings.iter_mut().filter(|finding| !finding.lost.is_empty()) {
            let begins_here =
                |place: &DamagedBytes| place.path == path && place.what != RECORDS_BEFORE_MISSING;
            if finding.places.first().is_some_and(begins_here) {
                // It begins in this segment: nothing that was before is lost with it.
                take_out(&mut finding.lost, (0, first.saturating_sub(1)));
            }
            keep_only(&mut finding.lost, (first, summary.last_sequence), &held);
        }
        self.removed(&Ranges::from_slice(&summary.removed));
        self.notes.insert(index.id.number, summary);
    }

    fn count_held(&mut self) {
        let contents = self.rebuild.contents();
        for (sequence, bytes) in &self.shares {
            match contents.entries.get(*sequence) {
                Some(_) => self.figures.live_bytes += u64::from(*bytes),
                None => self.figures.dead_bytes += u64::from(*bytes),
            }
        }
        self.figures.messages = contents.held_messages;
        self.figures.message_bytes = contents.held_bytes;
        self.figures.subjects = contents.subjects.len() as u64;
        self.figures.first_sequence = contents.entries.first().map_or(0, |(first, _)| first);
        self.figures.last_sequence = self.rebuild.last_sequence();
    }
}
