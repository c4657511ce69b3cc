//! What damage of a segment may cost: the messages of the frames that it touches, and no others (G3).
//!
//! Frames are found by the sizes in their headers, as `docs/DISK_FORMAT.md` has them, in the files before the damage.
//! Not here: what else a damaged volume has to be (`damage_check`).

use headwater_storage::testing::SimulatedDisk;
use std::{
    ops::Range,
    path::{Path, PathBuf},
};

/// A segment header, and a frame header.
const HEADER_BYTES: usize = 64;
/// What a frame header begins with.
const MAGIC: &[u8] = b"HWfr";

/// What a piece of damage may have taken.
pub(crate) enum Cost {
    /// No message.
    Nothing,
    /// Messages of this log with these sequences.
    Frames { log: u128, sequences: Range<u64> },
    /// Nobody can say: the journal or the catalogue was hit, or what a power cut left of the end.
    Unknown,
}

impl Cost {
    /// Of these bytes of a file, which is not empty, on the disk as it was before.
    pub(crate) fn of(before: &SimulatedDisk, file: &Path, bytes: &Range<usize>) -> Self {
        let ending = file.extension().and_then(|ending| ending.to_str());
        let log = file.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let log = log.and_then(|name| u128::from_str_radix(name, 16).ok());
        match (ending, log) {
            (Some("seg"), Some(0)) | (Some("jnl"), _) => Self::Unknown,
            (Some("seg"), Some(_)) if bytes.end <= HEADER_BYTES => Self::Nothing,
            (Some("seg"), Some(log)) => match hit(before, file, bytes) {
                Some(sequences) => Self::Frames { log, sequences },
                None => Self::Unknown,
            },
            _ => Self::Nothing,
        }
    }

    /// Whether a message has to be there still.
    pub(crate) fn spares(&self, log: u128, sequence: u64) -> bool {
        match self {
            Self::Nothing => true,
            Self::Frames { log: hit, sequences } => *hit != log || !sequences.contains(&sequence),
            Self::Unknown => false,
        }
    }
}

/// The sequences of the frames that the bytes are in; `None` where they begin behind what can be followed.
fn hit(before: &SimulatedDisk, file: &Path, damaged: &Range<usize>) -> Option<Range<u64>> {
    let content = before.content(file)?;
    let (mut at, mut found) = (HEADER_BYTES, None);
    while content.get(at..at + 4) == Some(MAGIC) {
        let bytes = number::<4>(&content, at + 4)?;
        let end = at + HEADER_BYTES + usize::try_from(bytes).ok()?;
        let base = number::<8>(&content, at + 24)?;
        match found {
            // What a power cut left of a header may say anything.
            Some(first) if at >= damaged.end => {
                return Some(first..if base < first { u64::MAX } else { base });
            }
            None if damaged.start < end => found = Some(base),
            _ => {}
        }
        at = end;
    }
    // The last frame of its segment is among them: the next segment says how far it went.
    let is_whole = at == content.len();
    let next = next_segment(file).and_then(|next| before.content(&next));
    let base = next.and_then(|content| number::<8>(&content, 48));
    found.map(|first| first..base.filter(|_| is_whole).unwrap_or(u64::MAX))
}

fn next_segment(file: &Path) -> Option<PathBuf> {
    let number: u64 = file.file_stem()?.to_str()?.parse().ok()?;
    Some(file.with_file_name(format!("{:020}.seg", number + 1)))
}

fn number<const BYTES: usize>(content: &[u8], at: usize) -> Option<u64> {
    let mut number = [0; 8];
    number.get_mut(..BYTES)?.copy_from_slice(content.get(at..at + BYTES)?);
    Some(u64::from_le_bytes(number))
}
