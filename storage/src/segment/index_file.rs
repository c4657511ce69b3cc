//! Reading and writing the index of a sealed segment.
//!
//! Invariants: an index is believed only where segment and index agree about length and last frame. It is not synced:
//! a torn one is noticed and made again.
//! Not here: the bytes (`format::segment_index`).

use super::{SegmentFile, index_path};
use crate::{
    Error, Result,
    disk::{Disk, OpenMode},
    format::{
        frame::{FRAME_HEADER_BYTES, FrameHeader, HEADER_CRC},
        segment_index::{INDEX_HEADER_BYTES, SegmentIndex},
    },
};
use std::{io, path::Path, sync::Arc};

/// Reads the index of a segment, where there is one that fits it. `len` is the length of the segment's file.
pub(crate) fn read_index(
    disk: &Arc<dyn Disk>,
    file: &SegmentFile,
    len: u64,
) -> Result<Option<SegmentIndex>> {
    let path = index_path(file.id());
    let decoded = match read_bytes(disk, &path) {
        Ok(None) => return Ok(None),
        Ok(Some(decoded)) => decoded,
        Err(error) => {
            let what = "the segment is read instead of its index, which cannot be read";
            tracing::warn!(path = %path.display(), %error, what);
            return Ok(None);
        }
    };
    let index = match decoded {
        Ok(index) => index,
        Err(what) => {
            tracing::info!(path = %path.display(), what, "the segment is read instead of its index");
            return Ok(None);
        }
    };
    let fits = index.id == file.id() && index.segment_bytes == len;
    Ok((fits && last_frame_crc(file, &index)? == Some(index.last_frame_crc)).then_some(index))
}

/// The index file, decoded; `None` where there is none.
fn read_bytes(
    disk: &Arc<dyn Disk>,
    path: &Path,
) -> io::Result<Option<Result<SegmentIndex, &'static str>>> {
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    let mut bytes = vec![0; INDEX_HEADER_BYTES];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(Some(match SegmentIndex::encoded_bytes(&bytes) {
        Ok(whole) if whole == len => {
            bytes.resize(whole, 0);
            file.read_at(&mut bytes, 0)?;
            SegmentIndex::decode(bytes.into())
        }
        Ok(_) => Err("segment index is of another length"),
        Err(what) => Err(what),
    }))
}

/// The checksum in the header of the segment's last frame, where the index says that it is.
fn last_frame_crc(file: &SegmentFile, index: &SegmentIndex) -> Result<Option<u32>> {
    let Some(last) = index.frames.last().filter(|last| last.end() == index.segment_bytes) else {
        return Ok(None);
    };
    let header = file.read(last.offset, FRAME_HEADER_BYTES)?;
    let decoded = FrameHeader::decode(file.id().seed(), &header);
    Ok(decoded.ok().map(|_| HEADER_CRC.u32(&header)))
}

/// Writes the index of a segment, over an older one where there is one.
pub(crate) fn write_index(
    disk: &Arc<dyn Disk>,
    file: &SegmentFile,
    mut index: SegmentIndex,
) -> Result<()> {
    let Some(crc) = last_frame_crc(file, &index)? else {
        let place = file.path().display().to_string();
        return Err(Error::Damaged { place, what: "last frame cannot be read".into() });
    };
    index.last_frame_crc = crc;
    let path = index_path(file.id());
    let failed = |error| Error::io(format!("write {}", path.display()), error);
    match disk.remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let created = disk.open(&path, OpenMode::Create).map_err(failed)?;
    created.write_at(&index.encode(), 0).map_err(failed)
}
