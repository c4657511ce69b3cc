//! Looks at every round of the journal, needed or not, without a change.
//!
//! Invariants: what is found here is beyond what `replay` finds: rounds that a start reads are not judged again.
//! Not here: where the journal ends, and what of it counts (`replay`).

use super::{
    old_files::{find_rounds, old_files, volume_of},
    ring::journal_path,
    slots::SlotsRead,
};
use crate::{
    DamagedBytes, Result,
    disk::Disk,
    format::{
        checkpoint::JournalPlace,
        journal_round::{self, ROUND_HEADER_BYTES, RoundHeader},
    },
};
use std::sync::Arc;

/// What the journal's files hold.
#[derive(Debug, Default)]
pub(crate) struct JournalSurvey {
    pub(crate) files: u64,
    /// Bytes of the files.
    pub(crate) bytes: u64,
    /// Whole rounds, those that are not needed any more included.
    pub(crate) rounds: u64,
    /// Rounds that the next start reads, and the bytes they take.
    pub(crate) needed_rounds: u64,
    pub(crate) needed_bytes: u64,
    /// A round at the end that was being written.
    pub(crate) torn: Option<DamagedBytes>,
    /// Rounds that are not whole and not needed.
    pub(crate) spare: Vec<DamagedBytes>,
}

/// Looks at all rounds. `end` is where the replay found the journal's end; `examined` is told the size of each file.
pub(crate) fn survey(
    disk: &Arc<dyn Disk>,
    slots: &SlotsRead,
    end: Option<JournalPlace>,
    examined: &mut dyn FnMut(u64),
) -> Result<JournalSurvey> {
    let files = old_files(disk)?;
    let mut survey = JournalSurvey { files: files.len() as u64, ..JournalSurvey::default() };
    let volume = match &slots.checkpoint {
        Some(checkpoint) => Some(checkpoint.volume),
        None => volume_of(&files)?,
    };
    let Some(volume) = volume else { return Ok(survey) };
    let seed = journal_round::seed(volume);
    let start = slots.checkpoint.as_ref().filter(|found| !found.closed).map(|found| found.start);
    let is_needed = |header: &RoundHeader| {
        start.is_some_and(|start| {
            header.use_number >= start.use_number && header.round >= start.round
        })
    };
    for found in find_rounds(&files, seed)? {
        let Some(file) = files.get(found.file) else { continue };
        let header = &found.header;
        let is_end =
            end.is_some_and(|end| (end.use_number, end.round) == (header.use_number, header.round));
        if file.body(header, found.offset)?.is_none() {
            let what = format!("checksum of round {} does not match", header.round);
            let path = journal_path(file.number);
            let place = DamagedBytes::new(&path, found.offset, header.round_bytes(), what);
            match is_end {
                true => survey.torn = Some(place),
                false => survey.spare.push(place),
            }
            continue;
        }
        survey.rounds += 1;
        if is_needed(header) {
            survey.needed_rounds += 1;
            survey.needed_bytes += header.round_bytes();
        }
    }
    if let Some(end) = end
        && let Some(file) = files.iter().find(|file| file.number == end.file)
    {
        let mut bytes = [0; ROUND_HEADER_BYTES];
        file.read(&mut bytes, end.offset)?;
        if RoundHeader::may_begin(&bytes) && RoundHeader::decode(seed, &bytes).is_none() {
            let what = "checksum of the header of a round does not match";
            let path = journal_path(file.number);
            let len = ROUND_HEADER_BYTES as u64;
            survey.torn = Some(DamagedBytes::new(&path, end.offset, len, what));
        }
    }
    for file in &files {
        survey.bytes += file.bytes;
        examined(file.bytes);
    }
    Ok(survey)
}
