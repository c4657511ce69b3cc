//! Files that the system cannot read, looked at offline: each is damage that is named, and the rest is read.

use super::{
    offline_test::{check_salvage, indexed},
    *,
};
use crate::offline::{DumpItem, DumpSelection, Finding, OfflineVolume, Verdict};
use std::ops::{ControlFlow, Range};

/// A way for a file to be unreadable.
#[derive(Clone, Debug)]
enum Unreadable {
    Directory,
    Rot(Range<u64>),
}

impl Unreadable {
    fn make(&self, disk: &SimulatedDisk, file: &Path) {
        match self {
            Self::Directory => disk.replace_with_directory(file),
            Self::Rot(range) => disk.rot(file, range.clone()),
        }
    }

    /// The damage that costs the same.
    fn like(&self, file: &Path) -> Damage {
        let file = file.to_owned();
        match self {
            Self::Directory => Damage::Remove(vec![file]),
            Self::Rot(range) => {
                let at = range.start as usize / 4096 * 4096;
                Damage::Zero { file, at, len: range.end as usize - at + 4096 }
            }
        }
    }
}

fn is_named(findings: &[Finding], file: &Path) -> Option<Verdict> {
    let is_it = |found: &&Finding| {
        let mut places = found.places.iter();
        places.any(|place| place.path == file && place.what.starts_with("cannot be read: "))
    };
    findings.iter().filter(is_it).map(|found| found.verdict).min()
}

fn check(rest: &Rest, label: &str, file: &Path, way: &Unreadable) {
    let _told = OnPanic(format!("{:?} {way:?} {label}", rest.end));
    let disk = rest.copy();
    way.make(&disk, file);
    let operations = disk.operations();
    let volume = OfflineVolume::open_on(Arc::new(disk.clone())).unwrap();
    let survey = volume.survey(&mut |_| {}).unwrap();
    let expected = if label.ends_with(".idx") { Verdict::Spare } else { Verdict::Damage };
    assert_eq!(is_named(&survey.findings, file), Some(expected), "{:#?}", survey.findings);
    let places = survey.findings.iter().flat_map(|finding| &finding.places);
    let named = places.filter(|place| place.path == file && (place.offset, place.bytes) == (0, 0));
    assert!(named.count() <= 1, "named twice: {:#?}", survey.findings);

    let mut damage = Vec::new();
    let mut frames = 0;
    let dumped = volume.dump(&DumpSelection::default(), &mut |item| {
        match item {
            DumpItem::Damage { places, .. } => damage.extend(places),
            DumpItem::Frame { .. } => frames += 1,
            _ => {}
        }
        ControlFlow::Continue(())
    });
    dumped.unwrap();
    assert!(frames > 0);
    let shown = damage.iter().filter(|place| place.path == file);
    assert!(shown.clone().any(|place| place.what.starts_with("cannot be read")), "{damage:#?}");
    assert_eq!(disk.operations(), operations, "something was done to the directory");
    drop(volume);
    check_salvage(rest, &disk, way.like(file).allowed(rest), false);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_rest_is_salvaged() {
    for (seed, end) in (first_seed() + 95..).zip(ENDS) {
        let rest = rest(seed, end);
        let rest = if end == End::Closed { indexed(rest) } else { rest };
        let mut random = Random::new(seed);
        for (label, file) in rest.files.iter().filter(|(label, _)| label != "LOCK") {
            let len = rest.now[file].len() as u64;
            check(&rest, label, file, &Unreadable::Directory);
            check(&rest, label, file, &Unreadable::Rot(0..len));
            if label.ends_with(".seg") {
                let at = random.below(len);
                check(&rest, label, file, &Unreadable::Rot(at..at + 1));
            }
        }
    }
}

/// What the system says of the directory of a log is said, and not that the directory is missing.
#[test]
fn a_log_that_cannot_be_listed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let volume = Volume::open(crate::VolumeOptions::new(folder.path())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = crate::StreamConfig { name: "s".into(), ..crate::StreamConfig::default() };
    let stream = runtime.block_on(volume.create_stream(config)).unwrap();
    runtime.block_on(stream.append(message("a", b"b"))).unwrap();
    let log = format!("{:032x}", stream.incarnation().0);
    volume.close().unwrap();
    drop((stream, volume));
    let directory = folder.path().join("logs").join(&log);
    std::fs::rename(&directory, folder.path().join("kept")).unwrap();
    // A link that leads to itself: neither missing nor no directory.
    std::os::unix::fs::symlink(&log, &directory).unwrap();
    let volume = OfflineVolume::open(folder.path()).unwrap();
    let survey = volume.survey(&mut |_| {}).unwrap();
    let path = Path::new("logs").join(&log);
    assert_eq!(is_named(&survey.findings, &path), Some(Verdict::Damage), "{survey:#?}");
    let damage = survey.findings.iter().filter(|found| found.verdict == Verdict::Damage);
    assert_eq!(damage.count(), 1, "{survey:#?}");
}

/// An index that cannot be read costs time: the server reads the segment.
#[test]
fn a_volume_opens_without_its_indexes() {
    let rest = indexed(rest(first_seed() + 99, End::Closed));
    let mut random = Random::new(7);
    for (label, file) in rest.files.iter().filter(|(label, _)| label.ends_with(".idx")) {
        let _told = OnPanic(label.clone());
        let disk = rest.copy();
        match random.coin() {
            true => Unreadable::Directory.make(&disk, file),
            false => Unreadable::Rot(0..1).make(&disk, file),
        }
        let clock = TestClock::default();
        clock.advance(2_000_000);
        let volume = open(&disk, &clock).unwrap();
        assert!(volume.recovery().damage.is_empty(), "{:?}", volume.recovery());
        assert!(volume.recovery().unreadable_streams.is_empty(), "{:?}", volume.recovery());
        for (name, kept) in &rest.streams {
            let messages = served(&volume.stream(name).unwrap(), kept.last);
            assert!(messages.keys().eq(kept.held.iter()), "{name}");
        }
        for _ in 0..3 {
            volume.tick();
        }
    }
}

/// What the server does with a segment that it cannot read: that stream is not served, and the report names the file.
#[test]
fn a_start_names_a_segment_that_it_cannot_read() {
    let rest = rest(first_seed() + 98, End::Closed);
    for (label, file) in rest.files.iter().filter(|(label, _)| label.ends_with(".seg")) {
        let _told = OnPanic(label.clone());
        let disk = rest.copy();
        Unreadable::Directory.make(&disk, file);
        let clock = TestClock::default();
        clock.advance(2_000_000);
        let opened = open(&disk, &clock);
        let name = file.display().to_string();
        let Ok(volume) = opened else {
            let error = opened.map(drop).unwrap_err().to_string();
            assert!(label.contains(&"0".repeat(32)) && error.contains(&name), "{error}");
            continue;
        };
        let unreadable = &volume.recovery().unreadable_streams;
        assert!(
            unreadable.iter().any(|(_, error)| error.to_string().contains(&name)),
            "{:?}",
            volume.recovery()
        );
        assert_eq!(unreadable.len(), 1);
        for (name, kept) in rest.streams.iter().filter(|(name, _)| !label.contains(name.as_str())) {
            let messages = served(&volume.stream(name).unwrap(), kept.last);
            assert!(messages.keys().eq(kept.held.iter()), "{name}");
        }
    }
}
