//! Compares the index of a segment with the segment.
//!
//! Invariants: what is expected is made from the frames by the code that makes indexes; so a start that takes an index
//! on trust, and one that reads the segment, come to the same.
//! Not here: reading the frames (`log_walk`).

use super::{Finding, Verdict};
use crate::{
    DamagedBytes, Error, Result,
    disk::{Disk, OpenMode},
    format::{
        frame::{FrameHeader, HEADER_CRC},
        segment_header::SegmentId,
        segment_index::SegmentIndex,
    },
    log::FoundFrame,
    segment::{FramePlace, SegmentFile, SegmentFrames, index_path, segment_path},
    stream::summary::{Summary, Summing},
};
use bytes::Bytes;
use std::{io, path::Path, sync::Arc};

/// A segment, as far as its frames were read.
pub(super) struct SegmentWalk {
    id: SegmentId,
    frames: SegmentFrames,
    /// What a stream would note of it.
    pub(super) summing: Summing,
    last: FrameHeader,
}

/// What is there of an index.
#[derive(Debug, Default)]
pub(super) struct CheckedIndex {
    pub(super) bytes: u64,
    pub(super) finding: Option<Finding>,
    /// What it says, where it fits its segment.
    pub(super) summary: Option<(SegmentIndex, Summary)>,
}

impl SegmentWalk {
    /// Begins at the first good frame of a segment.
    pub(super) fn new(disk: &Arc<dyn Disk>, found: &FoundFrame) -> Self {
        let FoundFrame { segment: id, header, .. } = *found;
        let file = Arc::new(SegmentFile::existing(disk, id));
        let frames = SegmentFrames::new(file, header.base_position, header.base_sequence);
        Self { id, frames, summing: Summing::default(), last: header }
    }

    pub(super) fn id(&self) -> SegmentId {
        self.id
    }

    /// Takes the next good frame.
    pub(super) fn frame(&mut self, found: &FoundFrame) {
        let header = &found.header;
        let bytes = u32::try_from(header.frame_bytes()).unwrap_or(u32::MAX);
        let place =
            FramePlace::new(header.base_position, header.base_sequence, found.offset, bytes);
        self.frames.push(place, header.end_position(), header.last_time);
        self.last = *header;
    }

    /// Looks at the index of the segment, now that all of it was read.
    pub(super) fn check(self, below: &Arc<dyn Disk>, is_damaged: bool) -> Result<CheckedIndex> {
        let path = index_path(self.id);
        let Some(bytes) = read(below, &path)? else { return Ok(CheckedIndex::default()) };
        let crc = HEADER_CRC.u32(&self.last.encode(self.id.seed()));
        let index = match SegmentIndex::decode(bytes.clone()) {
            Ok(index) => index,
            Err(what) => return Ok(spare(&path, &bytes, what)),
        };
        // An index that was made before the damage knows what the damage took.
        let len = segment_len(below, self.id)?;
        let fits = match is_damaged {
            true => len <= index.segment_bytes,
            false => len == index.segment_bytes && index.last_frame_crc == crc,
        };
        if index.id != self.id || !fits {
            return Ok(spare(&path, &bytes, "the index is of another state of its segment"));
        }
        let summary = match Summary::decode(&index.owner) {
            Ok(summary) => summary,
            Err(what) => return Ok(spare(&path, &bytes, what)),
        };
        if !is_damaged
            && let Some(expected) = self.expected(crc)
            && expected != bytes
        {
            let len = bytes.len() as u64;
            let what = "the index fits its segment and says something else";
            let finding = Finding::at(Verdict::Damage, DamagedBytes::new(&path, 0, len, what));
            return Ok(CheckedIndex { bytes: len, finding: Some(finding), summary: None });
        }
        let summary = Some((index, summary));
        Ok(CheckedIndex { bytes: bytes.len() as u64, finding: None, summary })
    }

    /// The bytes that an index of the segment has.
    fn expected(self, crc: u32) -> Option<Vec<u8>> {
        let owner = self.summing.finish()?.encode();
        let mut index = self.frames.index(owner.into())?;
        index.last_frame_crc = crc;
        Some(index.encode())
    }
}

/// Looks at an index whose segment has no good frame, or is missing.
pub(super) fn check_alone(below: &Arc<dyn Disk>, path: &Path) -> Result<CheckedIndex> {
    let Some(bytes) = read(below, path)? else { return Ok(CheckedIndex::default()) };
    let index = match SegmentIndex::decode(bytes.clone()) {
        Ok(index) if index_path(index.id) == path => index,
        Ok(_) => return Ok(spare(path, &bytes, "the index is of another segment")),
        Err(what) => return Ok(spare(path, &bytes, what)),
    };
    let summary = Summary::decode(&index.owner).ok().map(|summary| (index, summary));
    let what = "the segment of the index cannot be read";
    Ok(CheckedIndex { summary, ..spare(path, &bytes, what) })
}

fn segment_len(disk: &Arc<dyn Disk>, id: SegmentId) -> Result<u64> {
    let path = segment_path(id);
    let len = disk.open(&path, OpenMode::Read).and_then(|file| file.len());
    len.map_err(|error| Error::io(format!("length of {}", path.display()), error))
}

fn spare(path: &Path, bytes: &Bytes, what: &str) -> CheckedIndex {
    let len = bytes.len() as u64;
    let finding = Finding::at(Verdict::Spare, DamagedBytes::new(path, 0, len, what));
    CheckedIndex { bytes: len, finding: Some(finding), summary: None }
}

fn read(disk: &Arc<dyn Disk>, path: &Path) -> Result<Option<Bytes>> {
    let failed = |error| Error::io(format!("read {}", path.display()), error);
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = vec![0; usize::try_from(file.len().map_err(failed)?).unwrap_or(usize::MAX)];
    let count = file.read_at(&mut bytes, 0).map_err(failed)?;
    bytes.truncate(count);
    Ok(Some(bytes.into()))
}
