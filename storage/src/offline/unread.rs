//! What the system cannot read of a data directory, and what that means.
//!
//! Invariants: a file is tried before anything else is read; one that cannot be opened counts as missing from then on.
//! Not here: bytes in a file that can be opened (`disk::readable`), what is lost with them (`log_walk`).

use super::{Finding, OfflineVolume, Verdict, survey::is_of_journal, volume::list};
use crate::{
    DamagedBytes, Result,
    disk::{Disk, OpenMode, ReadableDisk},
    journal::JOURNAL_DIRECTORY,
    segment::{LOGS_DIRECTORY, parse_log_directory, parse_segment_name},
};
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

/// Tries every file that recovery may read, and hides those that cannot be read.
pub(super) fn hide_unreadable(disk: &ReadableDisk) -> Result<()> {
    let mut files: Vec<PathBuf> = ["checkpoint.0", "checkpoint.1"].map(PathBuf::from).into();
    let below = |directory: &Path, names: Vec<String>| {
        names.into_iter().map(|name| directory.join(name)).collect::<Vec<_>>()
    };
    let journal = Path::new(JOURNAL_DIRECTORY);
    files.extend(below(journal, list(disk, journal)?));
    let logs = Path::new(LOGS_DIRECTORY);
    for name in list(disk, logs)? {
        let directory = logs.join(&name);
        match disk.list(&directory) {
            Ok(names) if parse_log_directory(&name).is_some() => {
                files.extend(below(&directory, names));
            }
            Ok(_) => {}
            Err(error) => disk.hide(&directory, &error),
        }
    }
    let names: BTreeSet<String> = list(disk, Path::new(""))?.into_iter().collect();
    for path in files {
        match try_file(disk, &path) {
            // There is no such file, unless it has a name and that leads nowhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let is_named = path.components().count() > 1
                    || path.to_str().is_some_and(|name| names.contains(name));
                if is_named {
                    disk.hide(&path, &error);
                }
            }
            Err(error) => disk.hide(&path, &error),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn try_file(disk: &ReadableDisk, path: &Path) -> io::Result<()> {
    disk.open(path, OpenMode::Read)?.len().map(drop)
}

impl OfflineVolume {
    /// What could not be read up to now, as it is shown.
    pub(super) fn unread_places(&self) -> Vec<DamagedBytes> {
        let unread = self.readable.unread().into_iter();
        unread
            .map(|unread| {
                let what = format!("cannot be read: {}", unread.error);
                DamagedBytes::new(&unread.path, unread.offset, unread.bytes, what)
            })
            .collect()
    }

    /// Whether something in a directory could not be read up to now that is not made again.
    pub(super) fn is_unread(&self, directory: &Path) -> bool {
        let mut unread = self.unread_places().into_iter();
        unread.any(|unread| {
            unread.path.starts_with(directory) && verdict(&unread.path) == Verdict::Damage
        })
    }

    /// Says of files that recovery takes for missing, and of bytes that it takes for zeros, why they are.
    pub(super) fn explain(&self, places: &mut [DamagedBytes]) {
        let unread = self.unread_places();
        for place in places {
            if let Some(found) = unread.iter().find(|found| is_same(found, place)) {
                place.what.clone_from(&found.what);
            }
        }
    }

    /// Says of all findings what they are, and adds those for what could not be read and that none names.
    pub(super) fn explain_all(&self, findings: &mut Vec<Finding>) {
        let unread = self.unread_places();
        if unread.is_empty() {
            return;
        }
        let mut named = Vec::new();
        for finding in findings.iter_mut() {
            self.explain(&mut finding.places);
            if finding.stream.is_some() {
                named.extend(finding.places.iter().filter(|place| unread.contains(place)).cloned());
            }
        }
        // The journal and the log miss the same file: the log knows what is lost with it.
        let is_known = |place: &DamagedBytes| named.contains(place);
        findings.retain(|finding| finding.stream.is_some() || !finding.places.iter().all(is_known));
        let places = findings.iter().flat_map(|finding| &finding.places);
        let places: BTreeSet<DamagedBytes> = places.cloned().collect();
        let rest = unread.into_iter().filter(|unread| !places.contains(unread));
        findings.extend(rest.map(|unread| Finding::at(verdict(&unread.path), unread)));
    }
}

/// Whether a place is the one that could not be read.
fn is_same(unread: &DamagedBytes, place: &DamagedBytes) -> bool {
    (&unread.path, unread.offset, unread.bytes) == (&place.path, place.offset, place.bytes)
}

/// No crash leaves a file that cannot be read, so it is damage, but where nothing depends on it.
fn verdict(path: &Path) -> Verdict {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_ours = match path.components().count() {
        // Checkpoints are all that is looked at here.
        1 => true,
        2 if path.starts_with(JOURNAL_DIRECTORY) => is_of_journal(name, ".jnl"),
        2 => parse_log_directory(name).is_some(),
        _ => parse_segment_name(name).is_some(),
    };
    if is_ours { Verdict::Damage } else { Verdict::Spare }
}
