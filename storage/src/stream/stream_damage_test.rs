//! Damage of the files of a volume: bytes flipped, ranges zeroed, files cut, removed, swapped, or replaced by older copies,
//! after the volume was closed, after its process was killed, and after the power went off.
//!
//! Whatever the damage, the volume opens; what it serves is what was stored; what is missing is said; it goes on.
//! Known and accepted: damage of a frame that held a removal may bring removed messages back (the report names the
//! damage); bytes at the very end of the journal, which no later round vouches for, cannot be told from a torn write.
//! Not here: damage below the streams (`store_crash_test`).

mod counts_test;
pub(super) mod offline_test;
mod rest;
mod sequences_test;
mod unread_test;

use super::{
    OnPanic,
    stream_test::{TestClock, message, now},
};
use crate::{
    Error, Message, Stream, Timestamp, Volume,
    disk::{Disk, Random, SimulatedDisk},
};
use rest::{End, Kept, Rest, content, open, replace, rest};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What damage may do beyond what is said of each stream.
#[derive(Clone, Copy, Debug, Default)]
struct Allowed {
    /// Messages of this operation and later ones may be missing without a word.
    silent_from: Option<u64>,
    /// Which messages a round of the journal held is not known once it is damaged.
    unnamed: bool,
}

/// What was found after damage.
struct Found {
    damage: Vec<String>,
    served: BTreeMap<String, BTreeMap<u64, Message>>,
}

fn served(stream: &Arc<Stream>, highest: u64) -> BTreeMap<u64, Message> {
    let mut messages = BTreeMap::new();
    for at in 1..=highest + 5 {
        match stream.get(at) {
            Ok(found) => drop(messages.insert(at, found)),
            Err(Error::MessageNotFound(_) | Error::Damaged { .. }) => {}
            Err(error) => panic!("{at}: {error}"),
        }
    }
    let mut tail = stream.tail(0, Vec::new());
    let mut followed = BTreeMap::new();
    while let Some(batch) = tail.try_next(50, 1 << 20).unwrap() {
        followed.extend(batch.messages.into_iter().map(|found| (found.sequence, found)));
    }
    assert_eq!(messages, followed);
    assert_eq!(stream.state().messages, messages.len() as u64);
    messages
}

fn check_stream(
    volume: &Volume,
    name: &str,
    kept: &Kept,
    allowed: Allowed,
) -> BTreeMap<u64, Message> {
    let report = volume.recovery();
    let said = !report.damage.is_empty() || !report.unreadable_streams.is_empty();
    let Some(stream) = volume.stream(name) else {
        // A log whose stream is not known is listed under its own name.
        assert!(!report.unreadable_streams.is_empty(), "{name} is gone without a word");
        return BTreeMap::new();
    };
    let messages = served(&stream, kept.last);
    for (at, found) in &messages {
        let stored = kept.ever.get(at).map(|(_, stored)| stored);
        assert_eq!(Some(found), stored, "{name}: not what was stored");
        assert!(
            kept.held.contains(at) || said || allowed.silent_from.is_some(),
            "{name}: {at} came back"
        );
    }
    let state = stream.state();
    for at in &kept.held {
        if messages.contains_key(at) {
            continue;
        }
        let (operation, _) = &kept.ever[at];
        let lost = state.lost.sequences.iter().any(|(first, last)| (first..=last).contains(&at));
        // How many sequences the last copies of a mirror skipped, nothing tells once they are gone.
        let skipped = name == "mirror" && *at > state.last_sequence && said;
        let silent = allowed.silent_from.is_some_and(|from| *operation >= from);
        assert!(
            (lost && said) || silent || skipped || (allowed.unnamed && said),
            "{name}: {at} (operation {operation}) is missing, {:?} lost; {report:?}",
            state.lost,
        );
    }
    let goes_back = allowed.unnamed || allowed.silent_from.is_some();
    // The last copy of a mirror may be any number of sequences above what its log can tell.
    assert!(
        state.last_sequence >= kept.last || goes_back || (name == "mirror" && said),
        "{name}: last sequence {} of {}: {report:?}",
        state.last_sequence,
        kept.last
    );
    let same = stream.progress_entries() == kept.progress && stream.config() == kept.config;
    assert!(same || said || allowed.silent_from.is_some(), "{name}: progress or configuration");
    messages
}

/// Opens a damaged volume, looks at everything, appends, and looks again after a restart.
fn check(rest: &Rest, disk: &SimulatedDisk, allowed: Allowed) -> Found {
    let clock = TestClock::default();
    clock.advance(2_000_000);
    let volume = open(disk, &clock).unwrap();
    let damage = volume.recovery().damage.clone();
    let mut found = Found { damage, served: BTreeMap::new() };
    let mut appended = BTreeMap::new();
    for (name, kept) in &rest.streams {
        let mut messages = check_stream(&volume, name, kept, allowed);
        if let Some(stream) = volume.stream(name) {
            let sequence =
                now(stream.append(message("new", b"after the damage"))).unwrap().sequence;
            let new = stream.get(sequence).unwrap();
            assert_eq!(
                (&new.payload[..], &new.subject[..]),
                (&b"after the damage"[..], &b"new"[..])
            );
            let lost = stream.state().lost;
            assert!(lost.sequences.iter().all(|(_, last)| *last < sequence), "{lost:?}");
            // What came back may be over a limit, and goes with this append.
            let before = std::mem::replace(&mut messages, served(&stream, sequence));
            let came_back = before.keys().any(|at| !kept.held.contains(at));
            for (at, found) in &before {
                let stays = messages.get(at) == Some(found);
                assert!(stays || came_back, "{name}: {at} went");
            }
            assert_eq!(messages.get(&sequence), Some(&new));
            appended.insert(name.clone(), (messages.clone(), lost, stream.config()));
        }
        found.served.insert(name.clone(), messages);
    }
    drop(volume);
    let volume = open(&disk.restart(3), &clock).unwrap();
    for (name, (messages, lost, config)) in appended {
        let stream = volume.stream(&name).unwrap();
        let highest = stream.state().last_sequence;
        let after = served(&stream, highest);
        // A frame that was cut within zeros is whole again once the file is longer.
        let stored = |at: &u64| rest.streams[&name].ever.get(at).map(|(_, stored)| stored);
        let differs = |at: &&u64| {
            let (before, after) = (messages.get(at), after.get(at));
            let is_said = match (before, after) {
                (None, Some(_)) => after == stored(at),
                // Its removal is whole again.
                (Some(_), None) => !rest.streams[&name].held.contains(at) && before == stored(at),
                _ => false,
            };
            before != after && !is_said
        };
        let different: Vec<_> = after.keys().chain(messages.keys()).filter(differs).collect();
        assert!(
            different.is_empty(),
            "{name}: {different:?} after another restart, {:?}",
            stream.state()
        );
        assert_eq!(stream.config(), config);
        let again = stream.state().lost.sequences;
        let is_still_lost = |range: &(u64, u64)| {
            again.contains(range) || (range.0..=range.1).any(|at| after.contains_key(&at))
        };
        assert!(lost.sequences.iter().all(is_still_lost), "{lost:?} {again:?}");
    }
    found
}

/// One piece of damage.
#[derive(Clone, Debug)]
enum Damage {
    Flip { file: PathBuf, at: usize, with: u8 },
    Zero { file: PathBuf, at: usize, len: usize },
    Cut { file: PathBuf, at: usize },
    Remove(Vec<PathBuf>),
    Swap(PathBuf, PathBuf),
    Older(PathBuf),
}

impl Damage {
    fn files(&self) -> Vec<&PathBuf> {
        match self {
            Self::Flip { file, .. } | Self::Zero { file, .. } | Self::Cut { file, .. } => {
                vec![file]
            }
            Self::Remove(files) => files.iter().collect(),
            Self::Swap(one, two) => vec![one, two],
            Self::Older(file) => vec![file],
        }
    }

    fn is_of(&self, ending: &str) -> bool {
        self.files().iter().any(|file| file.extension().is_some_and(|found| found == ending))
    }

    /// The same, without names that differ from run to run.
    fn label(&self, rest: &Rest) -> String {
        let mut text = format!("{:?} {self:?}", rest.end);
        for (label, path) in &rest.files {
            text = text.replace(&path.display().to_string(), label);
        }
        text
    }

    /// Makes it; of files that earlier damage removed or cut, what is still there.
    fn make(&self, rest: &Rest, disk: &SimulatedDisk) {
        let there = disk.paths();
        if !self.files().iter().all(|file| there.contains(file)) {
            return;
        }
        match self {
            Self::Flip { file, at, with } => {
                let mut bytes = content(disk, file);
                if let Some(byte) = bytes.get_mut(*at) {
                    *byte ^= with;
                }
                replace(disk, file, &bytes);
            }
            Self::Zero { file, at, len } => {
                let mut bytes = content(disk, file);
                let end = (at + len).min(bytes.len());
                bytes[(*at).min(end)..end].fill(0);
                replace(disk, file, &bytes);
            }
            Self::Cut { file, at } => {
                let mut bytes = content(disk, file);
                bytes.truncate(*at);
                replace(disk, file, &bytes);
            }
            Self::Remove(files) => {
                for file in files {
                    disk.remove_file(file).unwrap();
                    disk.sync_directory(file.parent().unwrap()).unwrap();
                }
            }
            Self::Swap(one, two) => {
                let (first, second) = (content(disk, one), content(disk, two));
                replace(disk, one, &second);
                replace(disk, two, &first);
            }
            Self::Older(file) => replace(disk, file, &rest.older[file]),
        }
    }

    /// What it may do: only damage of the journal is more than what is said of the streams, and only where the journal
    /// is needed.
    fn allowed(&self, rest: &Rest) -> Allowed {
        if !self.is_of("jnl") || rest.end != End::PowerCut {
            return Allowed::default();
        }
        let last = last_round(&rest.now);
        let reaches_end = self.files().contains(&&last.0);
        let silent_from = match self {
            // The rounds of the last operation.
            Self::Flip { at, .. } if reaches_end && *at >= last.1 => Some(rest.operations),
            Self::Zero { at, len, .. } if reaches_end && at + len > last.1 => {
                let rounds = last.1.saturating_sub(*at).div_ceil(4096) as u64;
                Some(rest.operations.saturating_sub(2 * rounds))
            }
            Self::Older(_) if reaches_end => Some(0),
            _ => None,
        };
        Allowed { silent_from, unnamed: true }
    }
}

/// File and offset of the newest round of the journal.
fn last_round(files: &BTreeMap<PathBuf, Vec<u8>>) -> (PathBuf, usize) {
    let mut newest = ((0, 0), PathBuf::new(), 0);
    for (path, bytes) in files {
        if path.extension().is_none_or(|ending| ending != "jnl") {
            continue;
        }
        for at in (4096..bytes.len()).step_by(4096) {
            if bytes[at..].starts_with(b"HWrd") {
                let number =
                    |from: usize| u64::from_le_bytes(bytes[from..from + 8].try_into().unwrap());
                newest = newest.max(((number(at + 8), number(at + 16)), path.clone(), at));
            }
        }
    }
    (newest.1, newest.2)
}

fn check_damage(rest: &Rest, damage: &Damage) -> Found {
    let label = damage.label(rest);
    let _told = OnPanic(label.clone());
    let disk = rest.copy();
    damage.make(rest, &disk);
    check(rest, &disk, damage.allowed(rest))
}

/// Some offsets of a file: bytes that were written, and some that were not.
fn offsets(bytes: &[u8], random: &mut Random, most: usize) -> Vec<usize> {
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    if written.len() <= most {
        return written;
    }
    let some = (0..most).map(|_| match random.below(10) {
        0 => random.below(bytes.len() as u64) as usize,
        _ => written[random.below(written.len() as u64) as usize],
    });
    some.collect()
}

/// Where the seeds begin: another number makes other volumes and other damage.
fn first_seed() -> u64 {
    std::env::var("HEADWATER_DAMAGE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

const ENDS: [End; 3] = [End::Closed, End::Killed, End::PowerCut];

fn flips(seed: u64, end: End) {
    let seed = first_seed() + seed;
    let rest = rest(seed, end);
    let mut random = Random::new(seed);
    for (_, file) in &rest.files {
        let bytes = rest.now[file].clone();
        for at in offsets(&bytes, &mut random, 90) {
            let with = 1 + random.below(255) as u8;
            let damage = Damage::Flip { file: file.clone(), at, with };
            let found = check_damage(&rest, &damage);
            // All of a segment was read, but for the padding of its header.
            let is_read = end == End::Closed && damage.is_of("seg") && !(60..64).contains(&at);
            assert!(!is_read || !found.damage.is_empty(), "not detected: {}", damage.label(&rest));
        }
    }
}

#[test]
fn a_volume_without_damage_is_what_it_was() {
    for seed in first_seed()..first_seed() + 10 {
        for end in ENDS {
            let rest = rest(seed, end);
            let _told = OnPanic(format!("seed {seed} {end:?}"));
            let found = check(&rest, &rest.copy(), Allowed::default());
            assert!(found.damage.is_empty(), "{:?}", found.damage);
            let whole =
                |(name, kept): (&String, &Kept)| found.served[name].len() == kept.held.len() + 1;
            assert!(rest.streams.iter().all(whole));
        }
    }
}

#[test]
fn a_flipped_byte_after_a_clean_end() {
    flips(1, End::Closed);
}

#[test]
fn a_flipped_byte_after_a_kill() {
    flips(2, End::Killed);
}

#[test]
fn a_flipped_byte_after_a_power_cut() {
    flips(3, End::PowerCut);
}

#[test]
fn ranges_of_zeros_and_cut_files() {
    for (seed, end) in (first_seed() + 4..).zip(ENDS) {
        let rest = rest(seed, end);
        let mut random = Random::new(seed);
        for (_, file) in &rest.files {
            let bytes = rest.now[file].clone();
            for at in offsets(&bytes, &mut random, 25) {
                let len = [16, 512, 4096][random.below(3) as usize];
                check_damage(&rest, &Damage::Zero { file: file.clone(), at, len });
                check_damage(&rest, &Damage::Cut { file: file.clone(), at });
            }
            check_damage(&rest, &Damage::Cut { file: file.clone(), at: 0 });
        }
    }
}

#[test]
fn files_that_are_missing() {
    for (seed, end) in (first_seed() + 7..).zip(ENDS) {
        let rest = rest(seed, end);
        for (_, file) in &rest.files {
            check_damage(&rest, &Damage::Remove(vec![file.clone()]));
        }
        let mut groups: BTreeMap<&Path, Vec<PathBuf>> = BTreeMap::new();
        for (_, file) in &rest.files {
            groups.entry(file.parent().unwrap()).or_default().push(file.clone());
        }
        for files in groups.into_values() {
            for first in 0..files.len() {
                check_damage(&rest, &Damage::Remove(files[first..].to_vec()));
                check_damage(&rest, &Damage::Remove(files[..first].to_vec()));
            }
        }
    }
}

#[test]
fn files_in_the_place_of_others() {
    for (seed, end) in (first_seed() + 10..).zip(ENDS) {
        let rest = rest(seed, end);
        for (index, (_, one)) in rest.files.iter().enumerate() {
            for (_, two) in &rest.files[index + 1..] {
                if one.extension() == two.extension() {
                    check_damage(&rest, &Damage::Swap(one.clone(), two.clone()));
                }
            }
            if rest.older.contains_key(one) {
                check_damage(&rest, &Damage::Older(one.clone()));
            }
        }
    }
}

#[test]
fn damage_under_an_open_volume_is_found_when_it_is_read() {
    let seed = first_seed() + 20;
    let rest = rest(seed, End::Closed);
    let mut random = Random::new(seed);
    for round in 0..150 {
        let disk = rest.copy();
        let clock = TestClock::default();
        clock.advance(2_000_000);
        let volume = open(&disk, &clock).unwrap();
        let segments: Vec<_> =
            rest.files.iter().filter(|(label, _)| label.contains("packed")).collect();
        let (_, path) = segments[random.below(segments.len() as u64) as usize];
        let at = random.below(rest.now[path].len() as u64);
        disk.flip(path, at * 8 + random.below(8));
        let _told = OnPanic(format!("seed {seed} round {round} offset {at}"));
        let (stream, kept) = (volume.stream("packed").unwrap(), &rest.streams["packed"]);
        let messages = served(&stream, kept.last);
        let lost = stream.state().lost.sequences;
        for at in &kept.held {
            let is_lost = lost.iter().any(|(first, last)| (first..=last).contains(&at));
            assert_eq!(messages.contains_key(at), !is_lost, "{at}: {lost:?}");
            assert!(messages.get(at).is_none_or(|found| *found == kept.ever[at].1));
        }
        let appended = now(stream.append(message("new", b"goes on"))).unwrap();
        assert_eq!(stream.get(appended.sequence).unwrap().payload, b"goes on"[..]);
    }
}

/// Any damage of some file.
fn any_damage(rest: &Rest, random: &mut Random) -> Damage {
    let some =
        |random: &mut Random| rest.files[random.below(rest.files.len() as u64) as usize].1.clone();
    let file = some(random);
    let at = offsets(&rest.now[&file], random, 40).into_iter().next().unwrap_or(0);
    match random.below(8) {
        0..3 => Damage::Flip { file, at, with: 1 + random.below(255) as u8 },
        3 => Damage::Zero { file, at, len: 1 + random.below(5000) as usize },
        4 => Damage::Cut { file, at },
        5 => Damage::Remove(vec![file]),
        6 => Damage::Swap(file, some(random)),
        _ if rest.older.contains_key(&file) => Damage::Older(file),
        _ => Damage::Cut { file, at: 0 },
    }
}

#[test]
fn several_pieces_of_damage_at_once_never_give_wrong_bytes() {
    for (seed, end) in (first_seed() + 30..).zip(ENDS) {
        let rest = rest(seed, end);
        let mut random = Random::new(seed);
        for _ in 0..120 {
            let disk = rest.copy();
            let pieces: Vec<_> =
                (0..2 + random.below(4)).map(|_| any_damage(&rest, &mut random)).collect();
            let labels: Vec<_> = pieces.iter().map(|piece| piece.label(&rest)).collect();
            let _told = OnPanic(format!("{labels:#?}"));
            for piece in &pieces {
                piece.make(&rest, &disk);
            }
            let clock = TestClock::default();
            clock.advance(2_000_000);
            let volume = open(&disk, &clock).unwrap();
            for (name, kept) in &rest.streams {
                let Some(stream) = volume.stream(name) else { continue };
                for (at, found) in served(&stream, kept.last) {
                    assert_eq!(
                        Some(&found),
                        kept.ever.get(&at).map(|(_, stored)| stored),
                        "{name}"
                    );
                }
                let appended = now(stream.append(message("new", b"goes on"))).unwrap();
                assert_eq!(stream.get(appended.sequence).unwrap().payload, b"goes on"[..]);
            }
        }
    }
}

/// The sequences of a stream that lost all its segments are not given out again, also where nothing is appended before the
/// volume is opened once more.
#[test]
fn a_stream_without_segments_remembers_how_far_it_was() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let config = crate::StreamConfig { name: "s".into(), ..crate::StreamConfig::default() };
    let stream = now(volume.create_stream(config)).unwrap();
    for _ in 0..60 {
        now(stream.append(message("a", &[7; 300]))).unwrap();
    }
    let log = format!("{:032x}", stream.incarnation().0);
    drop(stream);
    volume.close().unwrap();
    for path in disk.paths() {
        if path.to_string_lossy().contains(&log) {
            disk.remove_file(&path).unwrap();
        }
    }
    for opening in 0..3 {
        let volume = open(&disk, &clock).unwrap();
        let stream = volume.stream("s").unwrap();
        assert!(stream.state().last_sequence >= 60, "opening {opening}: {:?}", stream.state());
        drop(stream);
        volume.close().unwrap();
    }
}
