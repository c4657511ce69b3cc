//! A scan of one segment of any bytes.
//! Not here: what is done about what it finds (`log::open`).

use super::{checksums, simulated_machine::SimulatedMachine, structure::SEGMENT};
use crate::{
    Result,
    disk::Disk,
    log::Position,
    segment::{Scan, ScanEvent, SegmentFile, segment_path},
};
use std::sync::Arc;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScannedSegment {
    /// Offset and length of each good frame, in order, in bytes.
    pub frames: Vec<(u64, u64)>,
    /// Offset and length of what is damaged, in order, in bytes.
    pub damage: Vec<(u64, u64)>,
    /// Where the next frame goes.
    pub end: u64,
    /// Bytes behind the end do not count.
    pub is_torn: bool,
    /// Bytes that were read of the file.
    pub bytes_read: u64,
}

/// Scans a segment of these bytes, of which those below `floor` were durable (the maximum: all of them), with its checksums
/// made right where `is_sealed`. Its first record is at position `expected`, or above it where its header is damaged.
pub fn scan_segment(
    bytes: &[u8],
    floor: u64,
    expected: u64,
    [is_sealed, is_header_damaged]: [bool; 2],
) -> Result<ScannedSegment> {
    let mut files = [(segment_path(SEGMENT), bytes.to_vec())];
    if is_sealed {
        checksums::repair_checksums(&mut files);
    }
    let machine = SimulatedMachine::new(0);
    for (path, content) in &files {
        machine.put(path, content);
    }
    let disk: Arc<dyn Disk> = Arc::new(machine.disk().clone());
    let file = SegmentFile::existing(&disk, SEGMENT);
    let mut found = ScannedSegment::default();
    let expected = Position(expected);
    let scan = Scan::new(&file, floor, Position(0), expected, is_header_damaged)?;
    let end = scan.run(&mut |event| {
        match event {
            ScanEvent::Frame { header, offset, .. } => {
                found.frames.push((offset, header.frame_bytes()));
            }
            ScanEvent::Damage { offset, bytes, .. } => found.damage.push((offset, bytes)),
        }
        Ok(())
    })?;
    found.end = end.offset;
    found.is_torn = end.torn.is_some();
    found.bytes_read = machine.disk().bytes_read();
    Ok(found)
}
