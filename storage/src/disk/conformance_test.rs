//! What every disk must do, run on all of them.

use super::{AlignedBuffer, Disk, OpenMode, OverlayDisk, SimulatedDisk, open_directory};
use crate::volume::DiskMethod;
use std::{io::ErrorKind, path::Path, sync::Arc};

const ALL: [&str; 4] = ["io_uring or what is allowed", "posix", "simulated", "overlay"];

/// A fresh disk of each kind, with what keeps its directory.
fn disk(kind: &str) -> (Arc<dyn Disk>, Option<tempfile::TempDir>) {
    if kind == "simulated" {
        return (Arc::new(SimulatedDisk::new(1)), None);
    }
    if kind == "overlay" {
        return (Arc::new(OverlayDisk::new(Arc::new(SimulatedDisk::new(1)))), None);
    }
    let directory = tempfile::tempdir().unwrap();
    let method = if kind == "posix" { DiskMethod::Posix } else { DiskMethod::Auto };
    (open_directory(directory.path(), method).unwrap(), Some(directory))
}

fn check(conforms: impl Fn(&dyn Disk)) {
    for kind in ALL {
        let (disk, _directory) = disk(kind);
        println!("{kind}: {}", disk.method());
        conforms(disk.as_ref());
    }
}

fn kind<T>(result: std::io::Result<T>) -> ErrorKind {
    result.map(drop).expect_err("an error").kind()
}

#[test]
fn files_hold_what_is_written() {
    check(|disk| {
        let path = Path::new("file");
        assert_eq!(kind(disk.open(path, OpenMode::Read)), ErrorKind::NotFound);
        assert_eq!(kind(disk.open(path, OpenMode::Write)), ErrorKind::NotFound);
        let file = disk.open(path, OpenMode::Create).unwrap();
        assert_eq!(kind(disk.open(path, OpenMode::Create)), ErrorKind::AlreadyExists);
        file.write_at(b"world", 6).unwrap();
        file.write_at(b"hello", 0).unwrap();
        file.sync().unwrap();
        assert_eq!(file.len().unwrap(), 11);
        let mut bytes = [9; 16];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 11);
        assert_eq!(&bytes[..11], b"hello\0world");
        assert_eq!(file.read_at(&mut bytes, 8).unwrap(), 3);
        assert_eq!(file.read_at(&mut bytes, 100).unwrap(), 0);
        file.preallocate(11, 4096).unwrap();
        assert_eq!(file.len().unwrap(), 11, "space is no length");
        file.truncate(5).unwrap();
        let again = disk.open(path, OpenMode::Read).unwrap();
        assert_eq!(again.map().unwrap().read(0, 99).unwrap(), "hello");
        file.truncate(7).unwrap();
        let map = again.map().unwrap();
        assert_eq!(map.read(0, 99).unwrap(), "hello\0\0", "cut bytes never come back");
        assert_eq!(map.read(3, 2).unwrap(), "lo");
    });
}

#[test]
fn directories_list_rename_and_remove() {
    check(|disk| {
        let (one, two) = (Path::new("one"), Path::new("two"));
        assert_eq!(kind(disk.list(one)), ErrorKind::NotFound);
        disk.create_directory(one).unwrap();
        disk.create_directory(one).unwrap();
        for name in ["b", "a"] {
            disk.open(&one.join(name), OpenMode::Create).unwrap();
        }
        assert_eq!(disk.list(one).unwrap(), ["a", "b"]);
        disk.sync_directory(one).unwrap();
        assert_eq!(kind(disk.remove_directory(one)), ErrorKind::DirectoryNotEmpty);
        disk.rename(one, two).unwrap();
        assert_eq!(kind(disk.list(one)), ErrorKind::NotFound);
        assert_eq!(kind(disk.rename(one, two)), ErrorKind::NotFound);
        assert_eq!(disk.list(two).unwrap(), ["a", "b"]);
        disk.remove_file(&two.join("a")).unwrap();
        assert_eq!(kind(disk.remove_file(&two.join("a"))), ErrorKind::NotFound);
        disk.remove_file(&two.join("b")).unwrap();
        disk.remove_directory(two).unwrap();
        assert_eq!(kind(disk.open(&two.join("a"), OpenMode::Create)), ErrorKind::NotFound);
        assert!(disk.list(Path::new("")).unwrap().is_empty());
        assert_eq!(kind(disk.sync_directory(two)), ErrorKind::NotFound);
    });
}

#[test]
fn a_lock_keeps_others_out_until_it_is_dropped() {
    for kind_of_disk in &ALL[..3] {
        let (disk, _directory) = disk(kind_of_disk);
        let path = Path::new("LOCK");
        let lock = disk.lock(path).unwrap();
        assert_eq!(kind(disk.lock(path)), ErrorKind::WouldBlock);
        assert_eq!(kind(disk.lock_shared(path)), ErrorKind::WouldBlock);
        drop(lock);
        drop(disk.lock(path).unwrap());
        let _shared = (disk.lock_shared(path).unwrap(), disk.lock_shared(path).unwrap());
    }
}

#[test]
fn unlinked_files_stay_readable() {
    check(|disk| {
        let path = Path::new("file");
        let file = disk.open(path, OpenMode::Create).unwrap();
        file.write_at(b"bytes", 0).unwrap();
        let map = file.map().unwrap();
        disk.remove_file(path).unwrap();
        assert_eq!(map.read(0, 99).unwrap(), "bytes");
        let mut bytes = [0; 5];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 5);
        assert_eq!(&bytes, b"bytes");
    });
}

#[test]
fn what_was_written_back_is_there() {
    check(|disk| {
        let file = disk.open(Path::new("file"), OpenMode::Create).unwrap();
        let bytes = vec![7; 100_000];
        file.write_at(&bytes, 0).unwrap();
        file.start_writeback(0..50_000);
        file.finish_writeback(0..100_000).unwrap();
        // Of a range that is not there nothing is written.
        file.finish_writeback(200_000..300_000).unwrap();
        file.finish_writeback(9..9).unwrap();
        let mut found = vec![0; 100_000];
        assert_eq!(file.read_at(&mut found, 0).unwrap(), bytes.len());
        assert_eq!(found, bytes);
        assert_eq!(file.len().unwrap(), 100_000);
    });
}

#[test]
fn synced_writes_complete_with_their_tokens_and_buffers() {
    check(|disk| {
        let path = Path::new("file");
        let zeros = disk.open(path, OpenMode::Create).unwrap();
        zeros.write_at(&[0; 16 * 4096], 0).unwrap();
        zeros.sync().unwrap();
        let file = disk.open(path, OpenMode::Direct).unwrap();
        let mut writer = disk.synced_writer(4).unwrap();
        assert!(writer.wait().unwrap().is_none());
        let mut started = 0_u64;
        let mut seen = Vec::new();
        while seen.len() < 16 {
            while started < 16 && started - (seen.len() as u64) < 4 {
                let mut buffer = AlignedBuffer::new(4096);
                buffer.extend(&[started as u8 + 1; 100]);
                buffer.pad();
                let offset = started * 4096;
                match started % 3 {
                    0 => writer.submit_alone(started, &file, offset, buffer).unwrap(),
                    _ => writer.submit(started, &file, offset, buffer).unwrap(),
                }
                started += 1;
            }
            let completion = writer.wait().unwrap().expect("a write is under way");
            completion.result.unwrap();
            assert_eq!(completion.buffer.as_slice()[0] as u64, completion.token + 1);
            seen.push(completion.token);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..16).collect::<Vec<_>>());
        for block in 0..16 {
            let mut bytes = [0; 101];
            zeros.read_at(&mut bytes, block * 4096).unwrap();
            assert_eq!((bytes[99], bytes[100]), (block as u8 + 1, 0), "block {block}");
        }
    });
}

#[test]
fn a_writer_that_is_dropped_with_writes_under_way_is_harmless() {
    check(|disk| {
        let path = Path::new("file");
        let zeros = disk.open(path, OpenMode::Create).unwrap();
        zeros.write_at(&[0; 4096], 0).unwrap();
        zeros.sync().unwrap();
        let file = disk.open(path, OpenMode::Direct).unwrap();
        let mut writer = disk.synced_writer(1).unwrap();
        let mut buffer = AlignedBuffer::new(4096);
        buffer.extend(&[5; 4096]);
        writer.submit(1, &file, 0, buffer).unwrap();
        drop(writer);
        assert_eq!(file.len().unwrap(), 4096);
    });
}

#[test]
fn a_failed_write_is_said() {
    // A file that is open for reading only refuses, whatever the method.
    for kind in &ALL[..2] {
        let (disk, _directory) = disk(kind);
        let path = Path::new("file");
        disk.open(path, OpenMode::Create).unwrap().write_at(&[0; 4096], 0).unwrap();
        let file = disk.open(path, OpenMode::Read).unwrap();
        let mut writer = disk.synced_writer(1).unwrap();
        for token in [3, 4] {
            let mut buffer = AlignedBuffer::new(4096);
            buffer.extend(&[5; 4096]);
            match token {
                3 => writer.submit(token, &file, 0, buffer).unwrap(),
                _ => writer.submit_alone(token, &file, 0, buffer).unwrap(),
            }
            let completion = writer.wait().unwrap().unwrap();
            assert!(
                completion.token == token && completion.result.is_err(),
                "{kind}: {completion:?}"
            );
        }
    }
}
