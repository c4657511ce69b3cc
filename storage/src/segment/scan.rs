//! Reads a segment from its start, finds every good frame, names what is damaged, and says where a torn end is cut.
//!
//! Invariants: nothing below the floor (what was durable) is ever cut; above it, the first byte that is no good frame
//! ends the segment.
//! Not here: what is done about it (`log::open`).

use super::SegmentFile;
use crate::{
    Error, Result,
    disk::DiskFile,
    format::{
        frame::{FRAME_HEADER_BYTES, FrameHeader},
        segment_header::SEGMENT_HEADER_BYTES,
    },
    log::Position,
};
use bytes::Bytes;
use std::sync::Arc;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// What a scan finds, in order.
pub(crate) enum ScanEvent {
    /// A good frame.
    Frame { header: FrameHeader, offset: u64, records: Bytes },
    /// Bytes that are no frame, though they were durable once.
    Damage {
        offset: u64,
        bytes: u64,
        /// The position after what is lost, where that is known.
        end_position: Option<Position>,
        /// The header of the frame that was here, where it is good.
        header: Option<FrameHeader>,
        what: &'static str,
    },
}

/// Where a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScanEnd {
    /// The next frame goes here.
    pub(crate) offset: u64,
    /// Position of the next record.
    pub(crate) position: Position,
    /// Why bytes from there on do not count, where there are any.
    pub(crate) torn: Option<&'static str>,
}

/// A scan of one segment.
pub(crate) struct Scan {
    path: String,
    file: Arc<dyn DiskFile>,
    len: u64,
    seed: u32,
    /// What is below was durable.
    floor: u64,
    /// Position of the record at the floor; 0 where it is not known.
    floor_position: Position,
    expected: Position,
    after_damage: bool,
    chunk: Bytes,
    chunk_offset: u64,
}

impl Scan {
    /// Prepares a scan. `expected` is the position of the first record; at or above it, where `after_damage`.
    pub(crate) fn new(
        segment: &SegmentFile,
        floor: u64,
        floor_position: Position,
        expected: Position,
        after_damage: bool,
    ) -> Result<Self> {
        let path = segment.path().display().to_string();
        let file = segment.file()?;
        let len = file.len().map_err(|error| Error::io(format!("length of {path}"), error))?;
        Ok(Self {
            path,
            file,
            len,
            seed: segment.id().seed(),
            floor,
            floor_position,
            expected,
            after_damage,
            chunk: Bytes::new(),
            chunk_offset: 0,
        })
    }

    /// At most `want` bytes from `offset` on.
    fn bytes(&mut self, offset: u64, want: usize) -> Result<Bytes> {
        let held = offset
            .checked_sub(self.chunk_offset)
            .and_then(|skip| usize::try_from(skip).ok())
            .filter(|skip| skip.saturating_add(want) <= self.chunk.len());
        if let Some(skip) = held {
            return Ok(self.chunk.slice(skip..skip + want));
        }
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut chunk = vec![0; want.max(CHUNK_BYTES).min(left)];
        let count = self
            .file
            .read_at(&mut chunk, offset)
            .map_err(|error| Error::io(format!("read {} at {offset}", self.path), error))?;
        chunk.truncate(count);
        self.chunk = chunk.into();
        self.chunk_offset = offset;
        Ok(self.chunk.slice(..want.min(self.chunk.len())))
    }

    /// Bytes from `offset` on, up to `end` at most: those that are held, where a header would fit into them.
    fn window(&mut self, offset: u64, end: u64) -> Result<Bytes> {
        let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
        let skip =
            offset.checked_sub(self.chunk_offset).and_then(|skip| usize::try_from(skip).ok());
        let held = skip.map_or(0, |skip| self.chunk.len().saturating_sub(skip));
        let is_enough = held >= left.min(FRAME_HEADER_BYTES);
        self.bytes(offset, if is_enough { held.min(left) } else { left.min(CHUNK_BYTES) })
    }

    /// The header at `offset`, or what is wrong with it.
    fn header(&mut self, offset: u64) -> Result<Result<FrameHeader, &'static str>> {
        let bytes = self.bytes(offset, FRAME_HEADER_BYTES)?;
        Ok(FrameHeader::decode(self.seed, &bytes))
    }

    /// The frame at `offset`: its header, and its records or what is wrong with them.
    #[expect(clippy::type_complexity, reason = "two levels of wrong: header, then body")]
    fn frame(
        &mut self,
        offset: u64,
    ) -> Result<Result<(FrameHeader, Result<Bytes, &'static str>), &'static str>> {
        let header = match self.header(offset)? {
            Ok(header) => header,
            Err(what) => return Ok(Err(what)),
        };
        let body_offset = offset + FRAME_HEADER_BYTES as u64;
        if body_offset + u64::from(header.body_bytes) > self.len {
            return Ok(Ok((header, Err("frame body is cut short"))));
        }
        let body = self.bytes(body_offset, header.body_bytes as usize)?;
        Ok(Ok((header, header.records(body))))
    }

    /// Runs to the end of the segment.
    pub(crate) fn run(mut self, sink: &mut dyn FnMut(ScanEvent) -> Result<()>) -> Result<ScanEnd> {
        let mut offset = SEGMENT_HEADER_BYTES as u64;
        while offset < self.len {
            let torn = match self.frame(offset)? {
                Ok((header, records)) if self.follows(&header) => match records {
                    Ok(records) => {
                        sink(ScanEvent::Frame { header, offset, records })?;
                        offset += header.frame_bytes();
                        self.expected = header.end_position();
                        self.after_damage = false;
                        continue;
                    }
                    Err(what) if offset < self.floor => {
                        let bytes = header.frame_bytes();
                        let end_position = Some(header.end_position());
                        sink(ScanEvent::Damage {
                            offset,
                            bytes,
                            end_position,
                            header: Some(header),
                            what,
                        })?;
                        offset += bytes;
                        self.expected = header.end_position();
                        continue;
                    }
                    Err(what) => what,
                },
                Ok(_) => "frame does not follow the one before it",
                Err(what) => what,
            };
            if offset >= self.floor {
                return Ok(ScanEnd { offset, position: self.expected, torn: Some(torn) });
            }
            offset = self.skip_damage(offset, torn, sink)?;
        }
        if self.floor != u64::MAX && offset < self.floor {
            let what = "file is shorter than what was durable";
            let bytes = self.floor - offset;
            let end_position = (self.floor_position > self.expected).then_some(self.floor_position);
            sink(ScanEvent::Damage { offset, bytes, end_position, header: None, what })?;
            offset = self.floor;
            self.expected = self.expected.max(self.floor_position);
        }
        Ok(ScanEnd { offset, position: self.expected, torn: None })
    }

    fn follows(&self, header: &FrameHeader) -> bool {
        header.base_position == self.expected
            || (self.after_damage && header.base_position > self.expected)
    }

    /// Names the damage at `offset` and gives where to go on.
    fn skip_damage(
        &mut self,
        offset: u64,
        what: &'static str,
        sink: &mut dyn FnMut(ScanEvent) -> Result<()>,
    ) -> Result<u64> {
        let end = self.len.min(self.floor);
        self.after_damage = true;
        let mut next = offset + 1;
        let found = loop {
            if next >= end {
                break None;
            }
            let window = self.window(next, end)?;
            let Some(skip) =
                (0..window.len()).find(|at| window.get(*at..).is_some_and(FrameHeader::may_begin))
            else {
                // The magic number may lie across the end of the window.
                next += window.len().saturating_sub(3).max(1) as u64;
                continue;
            };
            next += skip as u64;
            // The body is read only where the header is one that could come here.
            if matches!(self.header(next)?, Ok(header) if self.follows(&header))
                && let Ok((header, Ok(_))) = self.frame(next)?
            {
                break Some(header);
            }
            next += 1;
        };
        let (end, end_position) = match found {
            Some(header) => (next, Some(header.base_position)),
            None if self.floor <= self.len => {
                let known = self.floor_position > self.expected;
                (self.floor, known.then_some(self.floor_position))
            }
            None => (self.len, None),
        };
        let bytes = end - offset;
        sink(ScanEvent::Damage { offset, bytes, end_position, header: None, what })?;
        if let Some(position) = end_position {
            self.expected = self.expected.max(position);
        }
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::scan_segment;

    /// Payloads full of what a frame begins with make a search behind damage no slower.
    #[test]
    fn bytes_that_look_like_frames_are_read_once() {
        let bytes = b"HWfr".repeat(1024 * 1024);
        let found = scan_segment(&bytes, u64::MAX, 0, [false, true]).unwrap();
        assert_eq!((found.frames.len(), found.end), (0, bytes.len() as u64));
        assert_eq!(found.damage, [(64, bytes.len() as u64 - 64)]);
        assert!(found.bytes_read <= 2 * bytes.len() as u64, "{} bytes", found.bytes_read);
    }
}
