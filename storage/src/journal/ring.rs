//! The files of the journal: made full of zeros, used one after the other, and again.
//!
//! Invariants: every use of a file has a higher number than all uses before; a file is used again only when a durable
//! checkpoint starts after everything in it.
//! Not here: what is in a round (`commit`), how rounds are found again (`replay`).

use crate::{
    Error, Result,
    disk::{ALIGNMENT, Disk, DiskFile, OpenMode},
    format::{
        checkpoint::JournalPlace,
        journal_file::{JOURNAL_FILE_BLOCK_BYTES, JournalFileHeader},
    },
};
use std::{
    collections::VecDeque,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where the journal is, below the volume's directory.
pub(crate) const JOURNAL_DIRECTORY: &str = "journal";
/// Zeros are written in pieces of this size. The disk gets one at a time: the rounds of the other files would wait behind all
/// of them, for as long as 4 ms a file.
const ZERO_BYTES: usize = 256 * 1024;
/// Files that a new journal has.
pub(super) const FILES_MIN: u32 = 2;

/// A file of the ring.
#[derive(Clone, Debug)]
pub(crate) struct RingFile {
    number: u32,
    bytes: u64,
    file: Arc<dyn DiskFile>,
}

/// Files in use and files free, shared with the checkpoint.
#[derive(Default)]
pub(crate) struct RingSpace {
    state: Mutex<SpaceState>,
}

#[derive(Default)]
struct SpaceState {
    free: VecDeque<RingFile>,
    /// Use numbers with their files, oldest first; the last is written.
    live: VecDeque<(u64, RingFile)>,
    bytes: u64,
    bytes_max: u64,
    file_bytes: u64,
    next_number: u32,
    volume: u128,
}

/// The path of a journal file.
pub(crate) fn journal_path(number: u32) -> PathBuf {
    Path::new(JOURNAL_DIRECTORY).join(format!("{number:04}.jnl"))
}

/// The path of a journal file that is being made.
fn unfinished_path(number: u32) -> PathBuf {
    Path::new(JOURNAL_DIRECTORY).join(format!("{number:04}.new"))
}

/// The numbers of the journal files there are.
pub(crate) fn journal_files(disk: &dyn Disk) -> Result<Vec<u32>> {
    let names = disk
        .list(Path::new(JOURNAL_DIRECTORY))
        .map_err(|error| Error::io(format!("list {JOURNAL_DIRECTORY}"), error))?;
    let number = |name: &String| {
        let number = name.strip_suffix(".jnl")?.parse::<u32>().ok()?;
        // Another spelling of the number is no file of the journal.
        (journal_path(number).file_name()? == name.as_str()).then_some(number)
    };
    Ok(names.iter().filter_map(number).collect())
}

/// Makes a journal file: header and zeros, durable on return. It gets its name when it is whole: one that is not is
/// damage.
fn make_file(disk: &Arc<dyn Disk>, header: &JournalFileHeader) -> Result<RingFile> {
    let path = unfinished_path(header.number);
    let failed = |what: &str, error| Error::io(format!("{what} {}", path.display()), error);
    let file =
        disk.open(&path, OpenMode::Create).map_err(|error| failed("create journal file", error))?;
    let fill = || -> std::io::Result<()> {
        let zeros = vec![0; ZERO_BYTES];
        let mut offset = 0;
        while offset < header.file_bytes {
            let piece = ZERO_BYTES.min((header.file_bytes - offset) as usize);
            file.write_at(zeros.get(..piece).unwrap_or_default(), offset)?;
            file.finish_writeback(offset..offset + piece as u64)?;
            offset += piece as u64;
        }
        file.write_at(&header.encode(), 0)?;
        file.sync()?;
        disk.rename(&path, &journal_path(header.number))?;
        disk.sync_directory(Path::new(JOURNAL_DIRECTORY))
    };
    if let Err(error) = fill() {
        let _ = disk.remove_file(&path);
        return Err(failed("fill journal file", error));
    }
    open_file(disk, header.number, header.file_bytes)
}

fn open_file(disk: &Arc<dyn Disk>, number: u32, bytes: u64) -> Result<RingFile> {
    let path = journal_path(number);
    let file = disk
        .open(&path, OpenMode::Direct)
        .map_err(|error| Error::io(format!("open journal file {}", path.display()), error))?;
    Ok(RingFile { number, bytes, file })
}

/// Removes what a crash left of files that were being made.
fn remove_unfinished(disk: &dyn Disk) -> Result<()> {
    let directory = Path::new(JOURNAL_DIRECTORY);
    let failed = |error| Error::io(format!("clear {JOURNAL_DIRECTORY}"), error);
    let mut names = disk.list(directory).map_err(failed)?;
    names.retain(|name| name.ends_with(".new"));
    for name in &names {
        disk.remove_file(&directory.join(name)).map_err(failed)?;
    }
    // Or a power cut may leave them, and they would take the names of those that are made next.
    if names.is_empty() { Ok(()) } else { disk.sync_directory(directory).map_err(failed) }
}

impl RingSpace {
    fn lock(&self) -> MutexGuard<'_, SpaceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything before the place is superfluous: files that end before it are free.
    pub(crate) fn release(&self, start: JournalPlace) {
        let mut state = self.lock();
        while state.live.len() > 1
            && state.live.front().is_some_and(|(number, _)| *number < start.use_number)
        {
            if let Some((_, file)) = state.live.pop_front() {
                state.free.push_back(file);
            }
        }
    }

    /// Whether so much is in use that more files or a checkpoint are due.
    pub(crate) fn is_filling(&self) -> bool {
        let state = self.lock();
        state.free.len() <= state.live.len()
    }

    /// Whether so much is in use that a checkpoint is due: half of what the journal may have.
    pub(crate) fn is_half_full(&self) -> bool {
        let state = self.lock();
        let live: u64 = state.live.iter().map(|(_, file)| file.bytes).sum();
        2 * live >= state.bytes_max
    }

    /// Makes another file, where the journal has little room. False where it may not grow.
    pub(crate) fn grow(&self, disk: &Arc<dyn Disk>) -> Result<bool> {
        let header = {
            let mut state = self.lock();
            if state.free.len() > 1 {
                return Ok(true);
            }
            if state.bytes + state.file_bytes > state.bytes_max {
                return Ok(false);
            }
            let number = state.next_number;
            state.next_number += 1;
            state.bytes += state.file_bytes;
            JournalFileHeader { number, volume: state.volume, file_bytes: state.file_bytes }
        };
        let made = make_file(disk, &header);
        let mut state = self.lock();
        match made {
            Ok(file) => {
                state.free.push_back(file);
                Ok(true)
            }
            Err(error) => {
                state.bytes -= header.file_bytes;
                Err(error)
            }
        }
    }
}

impl fmt::Debug for RingSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        write!(f, "RingSpace({} in use, {} free)", state.live.len(), state.free.len())
    }
}

/// Where the next round goes; the commit thread's.
#[derive(Debug)]
pub(crate) struct Ring {
    current: RingFile,
    place: JournalPlace,
}

/// How the ring is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingOptions {
    pub(crate) volume: u128,
    pub(crate) file_bytes: u64,
    pub(crate) bytes_max: u64,
    /// Higher than every use number before.
    pub(crate) first_use: u64,
    /// Higher than every round before.
    pub(crate) first_round: u64,
}

impl Ring {
    /// Takes all files there are as free, makes what is missing, and begins a use of the first.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        space: &RingSpace,
        options: RingOptions,
    ) -> Result<Self> {
        let mut state = SpaceState {
            bytes_max: options.bytes_max,
            file_bytes: options.file_bytes.next_multiple_of(ALIGNMENT as u64),
            volume: options.volume,
            ..SpaceState::default()
        };
        remove_unfinished(disk.as_ref())?;
        let mut whole = Vec::new();
        for number in journal_files(disk.as_ref())? {
            match Self::reusable(disk, number, options.volume)? {
                Some(header) => whole.push(header),
                None => {
                    // Damaged: everything in it is replayed or reported by now.
                    let path = journal_path(number);
                    disk.remove_file(&path)
                        .map_err(|error| Error::io(format!("remove {}", path.display()), error))?;
                }
            }
        }
        // Only whole files say how far the numbers go: a stray name may be any number, and all below it would be made.
        let end = whole.iter().map(|header| header.number.saturating_add(1)).max().unwrap_or(0);
        state.next_number = end.max(FILES_MIN);
        for number in 0..state.next_number {
            let (volume, file_bytes) = (state.volume, state.file_bytes);
            let file = match whole.iter().find(|header| header.number == number) {
                Some(header) => open_file(disk, number, header.file_bytes)?,
                None => make_file(disk, &JournalFileHeader { number, volume, file_bytes })?,
            };
            state.bytes += file.bytes;
            state.free.push_back(file);
        }
        let Some(current) = state.free.pop_front() else { return Err(Error::NoSpace) };
        let place = JournalPlace {
            file: current.number,
            use_number: options.first_use,
            offset: JOURNAL_FILE_BLOCK_BYTES,
            round: options.first_round,
        };
        state.live.push_back((place.use_number, current.clone()));
        *space.lock() = state;
        Ok(Self { current, place })
    }

    /// The header of a file that is whole and of this volume.
    fn reusable(
        disk: &Arc<dyn Disk>,
        number: u32,
        volume: u128,
    ) -> Result<Option<JournalFileHeader>> {
        let path = journal_path(number);
        let failed = |error| Error::io(format!("read {}", path.display()), error);
        let file = disk.open(&path, OpenMode::Write).map_err(failed)?;
        // A killed process may have left it written and not synced.
        file.sync().map_err(failed)?;
        let mut block = vec![0; JOURNAL_FILE_BLOCK_BYTES as usize];
        file.read_at(&mut block, 0).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        Ok(JournalFileHeader::decode(&block).ok().filter(|header| {
            header.volume == volume && header.number == number && header.file_bytes == len
        }))
    }

    /// The place of the next round.
    pub(crate) fn place(&self) -> JournalPlace {
        self.place
    }

    /// Takes the place for a round of that many bytes. `None` where every file is in use.
    pub(crate) fn reserve(
        &mut self,
        space: &RingSpace,
        bytes: u64,
    ) -> Option<(Arc<dyn DiskFile>, JournalPlace)> {
        if self.place.offset + bytes > self.current.bytes {
            let mut state = space.lock();
            let next = state.free.pop_front()?;
            self.place.use_number += 1;
            self.place.file = next.number;
            self.place.offset = JOURNAL_FILE_BLOCK_BYTES;
            state.live.push_back((self.place.use_number, next.clone()));
            self.current = next;
        }
        let place = self.place;
        assert!(place.offset + bytes <= self.current.bytes, "a round fits into a file");
        self.place.offset += bytes;
        self.place.round += 1;
        Some((Arc::clone(&self.current.file), place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimulatedDisk;

    #[test]
    fn what_was_left_of_a_journal_file_never_becomes_one() {
        let options = RingOptions {
            volume: 7,
            file_bytes: 64 << 10,
            bytes_max: 256 << 10,
            first_use: 1,
            first_round: 1,
        };
        let mut named = 0;
        for (crash_at, seed) in (1..=16).flat_map(|at| (0..8).map(move |seed| (at, seed))) {
            let simulated = SimulatedDisk::new(seed);
            let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
            disk.create_directory(Path::new(JOURNAL_DIRECTORY)).unwrap();
            disk.sync_directory(Path::new("")).unwrap();
            Ring::open(&disk, &RingSpace::default(), options).unwrap();
            simulated.put(&unfinished_path(FILES_MIN), b"what a crash left");
            simulated.crash_at(simulated.operations() + crash_at);
            let space = RingSpace::default();
            let grown = Ring::open(&disk, &space, options).and_then(|_| space.grow(&disk));
            assert!(grown.is_ok() || simulated.is_crashed(), "{grown:?}");
            let after = simulated.restart(seed);
            let Some(content) = after.content(&journal_path(FILES_MIN)) else { continue };
            assert_eq!(content.len() as u64, options.file_bytes, "{crash_at} {seed}");
            named += 1;
        }
        assert!(named > 0);
    }
}
