//! The journal's files as a start finds them: which rounds they hold, and which files are not what they should be.
//! Not here: what is done about it (`replay`).

use super::ring::{FILES_MIN, journal_files, journal_path};
use crate::{
    DamagedBytes, Error, Result,
    disk::{Disk, DiskFile, OpenMode},
    format::{
        checksum,
        journal_file::{JOURNAL_FILE_BLOCK_BYTES, JournalFileHeader},
        journal_round::{ROUND_HEADER_BYTES, RoundHeader},
    },
};
use std::sync::Arc;

/// Rounds begin at multiples of this.
const STEP_BYTES: u64 = 4096;

/// A journal file as it was found.
pub(super) struct OldFile {
    pub(super) number: u32,
    pub(super) bytes: u64,
    file: Arc<dyn DiskFile>,
    /// The first round in it.
    pub(super) first: Option<RoundHeader>,
}

impl OldFile {
    /// The round at an offset, where its header is whole.
    pub(super) fn header_at(&self, seed: u32, offset: u64) -> Result<Option<RoundHeader>> {
        let mut bytes = [0; ROUND_HEADER_BYTES];
        self.read(&mut bytes, offset)?;
        let header = RoundHeader::decode(seed, &bytes);
        Ok(header.filter(|header| offset.saturating_add(header.round_bytes()) <= self.bytes))
    }

    /// The entries of a round, where their checksum is right.
    pub(super) fn body(&self, header: &RoundHeader, offset: u64) -> Result<Option<Vec<u8>>> {
        let mut body = vec![0; header.body_bytes as usize];
        self.read(&mut body, offset + ROUND_HEADER_BYTES as u64)?;
        Ok((checksum(0, &body) == header.body_crc).then_some(body))
    }

    pub(super) fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let path = journal_path(self.number);
        self.file
            .read_at(bytes, offset)
            .map(drop)
            .map_err(|error| Error::io(format!("read {} at {offset}", path.display()), error))
    }
}

/// A round whose header is whole.
pub(super) struct FoundRound {
    pub(super) header: RoundHeader,
    /// Index of the file.
    pub(super) file: usize,
    pub(super) offset: u64,
}

/// The files there are.
pub(super) fn old_files(disk: &Arc<dyn Disk>) -> Result<Vec<OldFile>> {
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

/// Whose they are, where one of them says it.
pub(super) fn volume_of(files: &[OldFile]) -> Result<Option<u128>> {
    for file in files {
        let mut block = vec![0; JOURNAL_FILE_BLOCK_BYTES as usize];
        file.read(&mut block, 0)?;
        if let Ok(header) = JournalFileHeader::decode(&block) {
            return Ok(Some(header.volume));
        }
    }
    Ok(None)
}

/// All rounds that have a whole header, in order.
pub(super) fn find_rounds(files: &[OldFile], seed: u32) -> Result<Vec<FoundRound>> {
    let mut rounds = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let mut offset = JOURNAL_FILE_BLOCK_BYTES;
        while offset < file.bytes {
            if let Some(header) = file.header_at(seed, offset)? {
                rounds.push(FoundRound { header, file: index, offset });
            }
            offset += STEP_BYTES;
        }
    }
    rounds.sort_unstable_by_key(|found| (found.header.use_number, found.header.round));
    Ok(rounds)
}

/// Names files that are missing or not whole: they get their names when they are.
pub(super) fn broken_files(files: &[OldFile]) -> Result<Vec<DamagedBytes>> {
    let mut damage = Vec::new();
    // A file that is not whole says how far the numbers go only where that is near: a stray name may be any number.
    let near = files.len() as u32 + FILES_MIN;
    let mut end = FILES_MIN;
    for file in files {
        let what = what_is_broken(file)?;
        if what.is_none() || file.number < near {
            end = end.max(file.number.saturating_add(1));
        }
        if let Some(what) = what {
            let path = journal_path(file.number);
            damage.push(DamagedBytes::new(&path, 0, JOURNAL_FILE_BLOCK_BYTES, what));
        }
    }
    for number in (0..end).filter(|number| files.iter().all(|file| file.number != *number)) {
        damage.push(DamagedBytes::file(&journal_path(number), "the file is missing"));
    }
    Ok(damage)
}

/// Why a file is not the one that its name says.
fn what_is_broken(file: &OldFile) -> Result<Option<&'static str>> {
    let mut block = vec![0; JOURNAL_FILE_BLOCK_BYTES as usize];
    file.read(&mut block, 0)?;
    Ok(match JournalFileHeader::decode(&block) {
        Ok(header) if header.number != file.number => Some("it is another file"),
        Ok(header) if header.file_bytes != file.bytes => Some("it has another length"),
        Ok(_) => None,
        Err(what) => Some(what),
    })
}
