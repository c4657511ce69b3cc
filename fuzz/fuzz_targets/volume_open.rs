//! Volumes with damage: opening one never panics, and a message that can be read is the one that was written.
//!
//! The input changes bytes of the files, or cuts them, of a volume that was closed or whose process was killed.
#![no_main]

use headwater_storage::{
    NewMessage, StreamConfig, Volume, VolumeOptions, stream::Compression, volume::DiskMethod,
};
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// Messages of each stream.
const MESSAGES: u64 = 40;
/// Streams, with their compression.
const STREAMS: [(&str, Compression); 2] = [("S", Compression::None), ("T", Compression::Lz4)];
/// Changes of one input.
const CHANGES_MAX: usize = 8;

/// A file of a volume.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Bytes that are worth changing: up to the last one that is not zero, and some more.
    used: usize,
}

/// Volumes with the same messages: one closed, one killed.
static VOLUMES: LazyLock<[Vec<File>; 2]> = LazyLock::new(|| {
    let place = directory();
    let volume = open(place.path()).expect("a fresh volume");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (name, compression) in STREAMS {
        let config = StreamConfig { name: name.into(), compression, ..StreamConfig::default() };
        let stream = runtime.block_on(volume.create_stream(config)).expect("a stream");
        for number in 1..=MESSAGES {
            stream.append_blocking(message(number)).expect("an append");
        }
    }
    let killed = files(place.path());
    volume.close().expect("a clean close");
    [files(place.path()), killed]
});

/// A folder in memory, where there is one: the disk is not what is tested.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn open(directory: &Path) -> headwater_storage::Result<Volume> {
    Volume::open(VolumeOptions { disk: DiskMethod::Posix, ..VolumeOptions::new(directory) })
}

fn message(number: u64) -> NewMessage {
    NewMessage {
        subject: format!("a.{}", number % 3).into(),
        payload: format!("payload {number} ").repeat(number as usize).into(),
        ..NewMessage::default()
    }
}

fn files(root: &Path) -> Vec<File> {
    let (mut open, mut found) = (vec![root.to_path_buf()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).expect("a file");
            let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            let used = (last + 512).min(bytes.len());
            let path = path.strip_prefix(root).expect("below the root").to_path_buf();
            found.push(File { path, bytes, used });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Which file, where in it, and what: a byte to be changed by, or 0 for a cut.
type Change = (u8, u16, u8);

fn lay(files: &[File], changes: &[Change], directory: &Path) {
    for (index, file) in files.iter().enumerate() {
        let mut bytes = file.bytes.clone();
        for (number, place, by) in changes {
            if usize::from(*number) % files.len() != index || file.used == 0 {
                continue;
            }
            let at = file.used * usize::from(*place) / (usize::from(u16::MAX) + 1);
            match (bytes.get_mut(at), by) {
                (_, 0) => bytes.truncate(at),
                (Some(byte), by) => *byte ^= by,
                (None, _) => {}
            }
        }
        let path = directory.join(&file.path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
}

fuzz_target!(|input: (bool, Vec<Change>)| {
    let (is_killed, changes) = input;
    let place = directory();
    lay(&VOLUMES[usize::from(is_killed)], &changes[..changes.len().min(CHANGES_MAX)], place.path());
    let Ok(volume) = open(place.path()) else { return };
    for stream in volume.streams() {
        let last = stream.state().last_sequence;
        // What a lost frame held is not known: the record that opens the log counts for a message then.
        assert!(last <= MESSAGES + 1, "{last} is more than there ever were");
        for sequence in 1..=last {
            let Ok(found) = stream.get(sequence) else { continue };
            let written = message(sequence);
            assert_eq!((found.subject, found.payload), (written.subject, written.payload));
        }
        // Either it goes on behind what is there, or it says why not.
        if let Ok(appended) = stream.append_blocking(message(1)) {
            assert!(appended.sequence > last);
        }
    }
    let _ = volume.close();
});
