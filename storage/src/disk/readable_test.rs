//! What cannot be read is written down, and everything else is read.

use super::*;
use crate::{
    disk::{SimulatedDisk, open_directory},
    volume::DiskMethod,
};

/// A file of four pieces and some bytes.
fn file(disk: &SimulatedDisk) -> Vec<u8> {
    let bytes: Vec<u8> = (0..4 * 4096 + 100).map(|at| (at % 251) as u8 | 1).collect();
    disk.put(Path::new("file"), &bytes);
    bytes
}

fn read(disk: &ReadableDisk, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![9; len];
    let file = disk.open(Path::new("file"), OpenMode::Read).unwrap();
    let count = file.read_at(&mut bytes, offset).unwrap();
    bytes.truncate(count);
    bytes
}

#[test]
fn bytes_that_cannot_be_read_are_zeros() {
    let below = SimulatedDisk::new(1);
    let mut expected = file(&below);
    let disk = ReadableDisk::new(Arc::new(below.clone()));
    assert_eq!(read(&disk, 0, 100_000), expected);
    assert_eq!(disk.unread(), []);
    below.rot(Path::new("file"), 5000..8300);
    expected[4096..3 * 4096].fill(0);
    assert_eq!(read(&disk, 0, 100_000), expected);
    assert_eq!(read(&disk, 3 * 4096, 100_000), expected[3 * 4096..]);
    let unread = disk.unread();
    let places: Vec<_> = unread.iter().map(|unread| (unread.offset, unread.bytes)).collect();
    assert_eq!(places, [(4096, 8192)], "neighbours are one place");
    assert!(unread[0].error.contains("Input/output error"), "{unread:?}");
    // A piece that is read from its middle on.
    assert_eq!(read(&disk, 6000, 8000), expected[6000..14_000]);
    let disk_file = disk.open(Path::new("file"), OpenMode::Read).unwrap();
    assert_eq!(disk_file.map().unwrap().read(0, usize::MAX).unwrap(), expected);
    assert_eq!(disk.unread(), unread);
}

#[test]
fn a_small_read_costs_what_it_touches() {
    let below = SimulatedDisk::new(1);
    let expected = file(&below);
    below.rot(Path::new("file"), 5000..8300);
    let disk = ReadableDisk::new(Arc::new(below));
    assert_eq!(read(&disk, 4100, 500), expected[4100..4600]);
    assert_eq!(read(&disk, 4900, 300), [0; 300]);
    let unread = disk.unread();
    let places: Vec<_> = unread.iter().map(|unread| (unread.offset, unread.bytes)).collect();
    assert_eq!(places, [(4900, 300)]);
}

#[test]
fn what_is_hidden_is_missing() {
    let below = SimulatedDisk::new(1);
    below.put(Path::new("logs/one"), b"one");
    below.put(Path::new("logs/two"), b"two");
    let disk = ReadableDisk::new(Arc::new(below));
    let logs = Path::new("logs");
    assert_eq!(disk.list(logs).unwrap(), ["one", "two"]);
    disk.hide(&logs.join("one"), &io::ErrorKind::IsADirectory.into());
    assert_eq!(disk.list(logs).unwrap(), ["two"]);
    let missing = disk.open(&logs.join("one"), OpenMode::Read).map(drop);
    assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    disk.hide(logs, &io::ErrorKind::PermissionDenied.into());
    assert_eq!(disk.list(logs).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(disk.open(&logs.join("two"), OpenMode::Read).is_err());
    assert_eq!(disk.unread().len(), 2);
}

#[test]
fn the_real_disk_says_at_once_what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("directory")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.path().join("device")).unwrap();
    let disk = open_directory(folder.path(), DiskMethod::Posix).unwrap();
    for (name, expected) in [
        ("directory", io::ErrorKind::IsADirectory),
        ("link", io::ErrorKind::NotFound),
        ("device", io::ErrorKind::Other),
    ] {
        for mode in [OpenMode::Read, OpenMode::Write, OpenMode::Direct] {
            let error = disk.open(Path::new(name), mode).map(drop).unwrap_err();
            assert_eq!(error.kind(), expected, "{name} {mode:?}: {error}");
        }
    }
}
