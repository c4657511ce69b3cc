//! Offline reading of volumes at rest: whole, left by a crash, and damaged in every way.

use super::*;
use crate::{
    offline::{OfflineVolume, Salvage, Survey, Verdict},
    stream::stream_damage_test::rest::all_files,
};
use std::collections::BTreeSet;

/// Reads everything, and looks that nothing was changed.
pub(super) fn survey(disk: &SimulatedDisk) -> Survey {
    let (before, operations) = (all_files(disk), disk.operations());
    let survey = OfflineVolume::open_on(Arc::new(disk.clone()))
        .unwrap()
        .survey(&mut |progress| assert!(progress.bytes <= progress.bytes_total))
        .unwrap();
    assert_eq!(disk.operations(), operations, "something was done to the directory");
    assert!(all_files(disk) == before, "something was changed");
    survey
}

/// A directory that a crash left is not damaged.
pub(in crate::stream) fn assert_no_damage(disk: &SimulatedDisk) {
    match OfflineVolume::open_on(Arc::new(disk.clone())) {
        Err(Error::NotAVolume) => {}
        Err(error) => panic!("{error}"),
        Ok(_) => {
            let survey = survey(disk);
            assert!(!survey.is_damaged(), "{:#?}", survey.findings);
        }
    }
}

/// The same volume with an index beside each sealed segment.
pub(super) fn indexed(rest: Rest) -> Rest {
    let clock = TestClock::default();
    clock.advance(2_000_000);
    let disk = rest.copy();
    let volume = open(&disk, &clock).unwrap();
    for _ in 0..200 {
        volume.tick();
        clock.advance(1_000_000_000);
    }
    let mut files = rest.files.clone();
    for path in disk.paths() {
        if path.extension().is_some_and(|ending| ending == "idx") {
            let segment = path.with_extension("seg");
            let (label, _) = rest.files.iter().find(|(_, known)| *known == segment).unwrap();
            files.push((label.replace(".seg", ".idx"), path));
        }
    }
    assert!(files.len() > rest.files.len() + 5, "{} indexes", files.len() - rest.files.len());
    volume.close().unwrap();
    drop(volume);
    // Indexes are not synced, and may be torn.
    for (_, path) in files.iter().filter(|(label, _)| label.ends_with(".idx")) {
        replace(&disk, path, &content(&disk, path));
    }
    let disk = disk.restart(1);
    let now = all_files(&disk);
    files.retain(|(_, path)| now.contains_key(path));
    Rest { disk, files, now, end: End::Closed, ..rest }
}

#[test]
fn a_whole_directory_is_found_whole_and_counted() {
    for seed in first_seed()..first_seed() + 6 {
        for end in ENDS {
            let _told = OnPanic(format!("seed {seed} {end:?}"));
            let rest = rest(seed, end);
            let survey = survey(&rest.copy());
            assert!(!survey.is_damaged(), "{:#?}", survey.findings);
            assert_eq!(survey.is_closed, end == End::Closed);
            if end == End::Closed {
                assert!(survey.findings.is_empty(), "{:#?}", survey.findings);
                assert_eq!(survey.journal.needed_rounds, 0);
            }
            for (name, kept) in &rest.streams {
                let log = survey.logs.iter().find(|log| log.stream.as_ref() == Some(name)).unwrap();
                assert_eq!(log.messages, kept.held.len() as u64, "{name}");
                assert_eq!(log.last_sequence, kept.last, "{name}");
                assert_eq!(log.first_sequence, kept.held.first().copied().unwrap_or(0), "{name}");
                assert!(log.live_bytes + log.dead_bytes <= log.bytes, "{log:?}");
                assert!(log.compressed_frames == 0 || name == "packed");
                assert!(log.records.messages >= log.messages && log.records.states > 0);
            }
        }
        let indexed = indexed(rest(seed, End::Closed));
        let survey = survey(&indexed.copy());
        assert!(survey.findings.is_empty(), "{:#?}", survey.findings);
        assert!(survey.logs.iter().any(|log| log.indexes > 1));
    }
}

/// Whether a change of this byte can be told, in a volume that was closed; `None` where that depends.
fn is_covered(path: &Path, bytes: &[u8], at: usize) -> Option<bool> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let is_covered = match path.extension().and_then(|ending| ending.to_str()) {
        // The padding of the header.
        Some("seg") => !(60..64).contains(&at),
        // A round that is not needed and has no header is none, but where the journal ends.
        Some("jnl") if at >= 4096 && at % 4096 < 48 => return None,
        // The header of the file, and the bodies of rounds.
        Some("jnl") => {
            let is_in_body = |start: usize| {
                bytes[start..].starts_with(b"HWrd")
                    && (start + 48..start + 48 + number(start + 32)).contains(&at)
            };
            at < 48 || (4096..bytes.len()).step_by(4096).any(is_in_body)
        }
        Some("idx") => true,
        _ if path.starts_with("LOCK") => false,
        _ => at < 80 + 48 * number(68),
    };
    Some(is_covered)
}

#[test]
fn every_flipped_byte_is_named() {
    for seed in first_seed() + 40..first_seed() + 42 {
        let rest = indexed(rest(seed, End::Closed));
        let mut random = Random::new(seed);
        for (_, file) in &rest.files {
            let bytes = &rest.now[file];
            for at in offsets(bytes, &mut random, 60) {
                let damage = Damage::Flip { file: file.clone(), at, with: 1 << random.below(8) };
                let _told = OnPanic(damage.label(&rest));
                let disk = rest.copy();
                damage.make(&rest, &disk);
                let survey = survey(&disk);
                let named = survey.findings.iter().find(|finding| {
                    finding.places.iter().any(|place| {
                        let end = place.offset + place.bytes.max(1);
                        place.path == *file && (place.offset..end).contains(&(at as u64))
                    })
                });
                let is_covered = is_covered(file, bytes, at).unwrap_or(named.is_some());
                assert_eq!(named.is_some(), is_covered, "{:?}", survey.findings);
                if let Some(named) = named.filter(|_| damage.is_of("seg")) {
                    assert_eq!(named.verdict, Verdict::Damage);
                }
                if damage.is_of("idx") {
                    assert!(!survey.is_damaged(), "{:?}", survey.findings);
                }
            }
        }
    }
}

/// Damage of every kind, some of each.
fn all_damage(rest: &Rest, random: &mut Random) -> Vec<Damage> {
    let mut all: Vec<_> = (0..60).map(|_| any_damage(rest, random)).collect();
    for (index, (_, one)) in rest.files.iter().enumerate() {
        all.push(Damage::Remove(vec![one.clone()]));
        if let Some((_, two)) = rest.files.get(index + 1) {
            all.push(Damage::Remove(vec![one.clone(), two.clone()]));
            if one.extension() == two.extension() {
                all.push(Damage::Swap(one.clone(), two.clone()));
            }
        }
        if rest.older.contains_key(one) {
            all.push(Damage::Older(one.clone()));
        }
    }
    all
}

#[test]
fn damage_is_named_where_a_start_names_it() {
    for (seed, end) in (first_seed() + 50..).zip(ENDS) {
        let rest = rest(seed, end);
        let mut random = Random::new(seed);
        for damage in all_damage(&rest, &mut random) {
            let _told = OnPanic(damage.label(&rest));
            let disk = rest.copy();
            damage.make(&rest, &disk);
            let survey = survey(&disk);
            let clock = TestClock::default();
            clock.advance(2_000_000);
            let volume = open(&disk, &clock).unwrap();
            let report = volume.recovery();
            let said = !report.damage.is_empty() || !report.unreadable_streams.is_empty();
            assert_eq!(survey.is_damaged(), said, "{:#?}\n{report:#?}", survey.findings);
            for stream in volume.streams() {
                let (name, lost) = (stream.config().name, stream.state().lost.sequences);
                let is_lost = |at: u64| lost.iter().any(|range| (range.0..=range.1).contains(&at));
                let of_stream = survey.findings.iter().filter(|f| f.stream.as_ref() == Some(&name));
                for (first, last) in of_stream.flat_map(|finding| finding.lost.clone()) {
                    assert!((first..=last).all(is_lost), "{name}: {first}-{last} {lost:?}");
                }
            }
        }
    }
}

#[test]
fn logs_without_journal_and_checkpoints_are_said() {
    let rest = rest(first_seed() + 55, End::Closed);
    let disk = rest.copy();
    for path in disk.paths().iter().filter(|path| !path.starts_with("logs")) {
        disk.remove_file(path).unwrap();
    }
    let survey = survey(&disk);
    assert!(survey.is_damaged(), "{:?}", survey.findings);
    check_salvage(&rest, &disk, Allowed::default(), true);
}

/// Copies what can be read to a disk of its own.
pub(super) fn salvage(disk: &SimulatedDisk) -> (Salvage, SimulatedDisk) {
    let target = SimulatedDisk::new(77);
    let volume = OfflineVolume::open_on(Arc::new(disk.clone())).unwrap();
    let to = Arc::new(target.clone());
    let salvage = volume.salvage_to(to, 2500, 64 << 10, &mut |_| {}).unwrap();
    (salvage, target.restart(5))
}

/// Salvages a damaged volume and compares what is there with what was; gives what is missing without being said.
pub(super) fn check_salvage(rest: &Rest, disk: &SimulatedDisk, allowed: Allowed, is_exact: bool) {
    let operations = disk.operations();
    let (salvage, target) = salvage(disk);
    assert_eq!(disk.operations(), operations, "something was done to the directory");
    let clock = TestClock::default();
    clock.advance(2_000_000);
    let volume = open(&target, &clock).unwrap();
    let report = volume.recovery();
    assert!(report.damage.is_empty() && report.unreadable_streams.is_empty(), "{report:#?}");
    let said = salvage.survey.is_damaged();
    for (name, kept) in &rest.streams {
        let Some(copied) = salvage.streams.iter().find(|stream| stream.name == *name) else {
            assert!(said, "{name} is gone without a word");
            assert!(is_exact || !salvage.left.is_empty() || allowed.unnamed, "{name} {salvage:#?}");
            continue;
        };
        let stream = volume.stream(name).unwrap();
        let messages = served(&stream, kept.last);
        assert_eq!(copied.messages, messages.len() as u64);
        let lost: BTreeSet<u64> =
            copied.lost.iter().flat_map(|(first, last)| *first..=*last).collect();
        for (at, found) in &messages {
            assert_eq!(Some(found), kept.ever.get(at).map(|(_, stored)| stored), "{name}");
            assert!(!lost.contains(at), "{name}: {at} is there and said to be lost");
            assert!(
                kept.held.contains(at) || (said && !is_exact) || allowed.silent_from.is_some(),
                "{name}: {at} came back"
            );
        }
        for at in kept.held.iter().filter(|at| !messages.contains_key(at)) {
            let (operation, _) = &kept.ever[at];
            let silent = allowed.silent_from.is_some_and(|from| *operation >= from);
            let is_named = lost.contains(at) || copied.end_is_unknown || copied.is_new;
            let skipped = name == "mirror" && said && *at > copied_last(&stream);
            assert!(
                (is_named && said) || silent || skipped || (allowed.unnamed && said),
                "{name}: {at} is missing, lost {:?}; {:#?}",
                copied.lost,
                salvage.survey.findings
            );
        }
        if is_exact {
            let missing: BTreeSet<u64> =
                kept.held.iter().filter(|at| !messages.contains_key(at)).copied().collect();
            assert_eq!(lost, missing, "{name}: {:#?}", salvage.survey.findings);
        }
        if !said && allowed.silent_from.is_none() {
            assert_eq!(stream.progress_entries(), kept.progress);
            assert_eq!(stream.state().last_sequence, kept.last);
        }
        if !said || is_exact {
            assert_eq!(stream.config(), kept.config);
        }
        let appended = now(stream.append(message("new", b"goes on"))).unwrap().sequence;
        assert!(lost.last().is_none_or(|last| *last < appended) || copied.is_new, "{lost:?}");
    }
}

fn copied_last(stream: &Stream) -> u64 {
    stream.state().last_sequence
}

#[test]
fn a_whole_directory_is_copied_whole() {
    for (seed, end) in (first_seed() + 60..).zip(ENDS) {
        let _told = OnPanic(format!("seed {seed} {end:?}"));
        let rest = rest(seed, end);
        check_salvage(&rest, &rest.copy(), Allowed::default(), true);
        let indexed = indexed(rest);
        check_salvage(&indexed, &indexed.copy(), Allowed::default(), true);
    }
}

#[test]
fn what_is_readable_of_a_damaged_directory_is_copied() {
    for (seed, end) in (first_seed() + 70..).zip(ENDS) {
        let rest = rest(seed, end);
        let mut random = Random::new(seed);
        for damage in all_damage(&rest, &mut random) {
            let _told = OnPanic(damage.label(&rest));
            let disk = rest.copy();
            damage.make(&rest, &disk);
            check_salvage(&rest, &disk, damage.allowed(&rest), false);
        }
    }
}

#[test]
fn with_indexes_the_list_of_what_is_lost_is_exact() {
    for seed in first_seed() + 80..first_seed() + 83 {
        let rest = indexed(rest(seed, End::Closed));
        let mut random = Random::new(seed);
        for (label, file) in &rest.files {
            let has_index = rest.now.contains_key(&file.with_extension("idx"));
            if !label.ends_with(".seg") || !has_index {
                continue;
            }
            let len = rest.now[file].len();
            for number in 0..7 {
                let at = random.below(len as u64) as usize;
                let damage = match random.below(4) {
                    // The header alone, which no message is lost with.
                    _ if number == 6 => Damage::Flip { file: file.clone(), at: 10, with: 1 },
                    0 => Damage::Remove(vec![file.clone()]),
                    1 => Damage::Cut { file: file.clone(), at },
                    2 => Damage::Zero { file: file.clone(), at, len: 300 },
                    _ => Damage::Flip { file: file.clone(), at, with: 8 },
                };
                let _told = OnPanic(damage.label(&rest));
                let disk = rest.copy();
                damage.make(&rest, &disk);
                check_salvage(&rest, &disk, Allowed::default(), true);
            }
        }
    }
}

#[test]
fn an_older_copy_of_a_segment_loses_nothing_without_a_word() {
    let seed = first_seed() + 90;
    let rest = indexed(rest(seed, End::Closed));
    let mut older = 0;
    for (label, file) in &rest.files {
        let has_index = rest.now.contains_key(&file.with_extension("idx"));
        if !label.ends_with(".seg") || !has_index {
            continue;
        }
        // As it was when it had fewer frames: nothing in it is damaged.
        let bytes = &rest.now[file];
        let mut at = 64;
        while let Some(header) = bytes.get(at..at + 64) {
            if at > 64 {
                let damage = Damage::Cut { file: file.clone(), at };
                let _told = OnPanic(damage.label(&rest));
                let disk = rest.copy();
                damage.make(&rest, &disk);
                check_salvage(&rest, &disk, Allowed::default(), false);
                older += 1;
            }
            at += 64 + u32::from_le_bytes(header[4..8].try_into().unwrap()) as usize;
        }
    }
    assert!(older > 20, "{older}");
}
