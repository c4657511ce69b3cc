//! Recovery of volumes whose files were changed: journal, segments, indexes, checkpoints and catalogue, also with checksums
//! that are right for what was put into them.
//!
//! Opening never panics, ends, and takes memory in proportion to the files. What a stream says of itself is what can be read of
//! it, and is the same when the volume is closed and opened once more. Without forged checksums a message that can be
//! read is the one that was written.
#![no_main]

use headwater_fuzz::{now, within_memory};
use headwater_storage::{
    Error, Message, NewMessage, Stream, StreamConfig, Volume, VolumeOptions,
    stream::{Batch, Compression, Item, Purge, Step},
    testing::SimulatedMachine,
};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

/// Messages of each stream.
const MESSAGES: u64 = 60;
/// Changes of one input.
const CHANGES_MAX: usize = 12;
/// Bytes that one change copies at most.
const COPIED_MAX: usize = 8192;
/// Memory for a volume of some hundred KiB, and for its disk.
const MEMORY_MAX: usize = 48 * 1024 * 1024;

/// Numbers at which something may go wrong.
const NUMBERS: [u64; 12] = [
    0,
    1,
    64,
    255,
    4096,
    u32::MAX as u64,
    1 << 31,
    1 << 48,
    (1 << 62) - 1,
    1 << 62,
    i64::MAX as u64,
    u64::MAX,
];

#[derive(Arbitrary, Debug)]
struct Input {
    /// Which volume: closed, killed, or killed early.
    volume: u8,
    /// Whether the checksums are made right for what is in the files then.
    is_forged: bool,
    changes: Vec<Change>,
}

/// A place in a file, both numbers taken modulo what there is.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Place {
    file: u8,
    at: u32,
}

#[derive(Arbitrary, Debug)]
enum Change {
    /// Changes a byte.
    Flip(Place, u8),
    /// Puts a number of four or eight bytes.
    Number { place: Place, number: u8, add: i8, is_long: bool },
    /// Puts bytes.
    Bytes(Place, Vec<u8>),
    /// Copies bytes from one place to another.
    Copy { from: Place, to: Place, bytes: u16 },
    /// Cuts a file.
    Cut(Place),
    /// Removes a file.
    Remove(u8),
    /// Gives a file the content of another.
    Swap(u8, u8),
}

type Files = Vec<(PathBuf, Vec<u8>)>;

static VOLUMES: LazyLock<[Files; 3]> = LazyLock::new(|| {
    let machine = SimulatedMachine::new(1);
    let volume = machine.open(&options()).expect("a fresh volume");
    let streams: Vec<_> = ["S", "T"].map(|name| make(&volume, name)).into();
    for number in 1..=MESSAGES / 2 {
        streams.iter().for_each(|stream| work(stream, number));
    }
    // The ids of the logs are random: the files of a stream have the same place in every run.
    let id = format!("{:032x}", streams[0].incarnation().0);
    let files = || {
        let mut files = machine.files();
        files.sort_by_key(|(path, _)| path.to_string_lossy().contains(&id));
        files
    };
    let early = files();
    SimulatedMachine::keep_house(&volume);
    volume.checkpoint().expect("a checkpoint");
    for number in MESSAGES / 2 + 1..=MESSAGES {
        streams.iter().for_each(|stream| work(stream, number));
    }
    SimulatedMachine::keep_house(&volume);
    let killed = files();
    volume.close().expect("a clean close");
    [files(), killed, early]
});

fn options() -> VolumeOptions {
    VolumeOptions {
        segment_bytes: 3000,
        journal_bytes_max: 256 * 1024,
        ..VolumeOptions::new("unused")
    }
}

fn make(volume: &Volume, name: &str) -> Arc<Stream> {
    let compression = if name == "T" { Compression::Lz4 } else { Compression::None };
    let dedup_window = Duration::from_secs(60);
    let name = name.into();
    let config = StreamConfig {
        name,
        compression,
        dedup_window,
        allow_rollup: true,
        ..StreamConfig::default()
    };
    now(volume.create_stream(config)).expect("a stream")
}

/// The work of one number: a message, and now and then something else.
fn work(stream: &Stream, number: u64) {
    if number.is_multiple_of(7) {
        let key = Some(("key".to_owned(), number.to_le_bytes().to_vec()));
        let step = Step { items: vec![Item::Append(message(number))], progress: key };
        now(stream.apply(Batch { expect_progress: None, steps: vec![step] })).expect("a batch");
    } else {
        now(stream.append(message(number))).expect("an append");
    }
    match number {
        10 | 40 => now(stream.delete(number - 5)).expect("a delete"),
        20 | 50 => {
            let filter = Some("a.1".to_owned());
            now(stream.purge(Purge { filter, before: Some(number - 5), keep: None }))
                .expect("a purge");
        }
        _ => {}
    }
}

fn message(number: u64) -> NewMessage {
    NewMessage {
        subject: format!("a.{}", number % 3).into(),
        headers: if number.is_multiple_of(5) {
            "NATS/1.0\r\nA: b\r\n\r\n".into()
        } else {
            "".into()
        },
        payload: format!("payload {number} ").repeat(number as usize % 20).into(),
        message_id: (number.is_multiple_of(4)).then(|| format!("id {number}").into()),
        ..NewMessage::default()
    }
}

/// The bytes of a file from a place on; up to its last byte that is not zero, and some more, is worth changing.
fn at(files: &mut Files, place: Place) -> &mut [u8] {
    let count = files.len().max(1);
    let Some((_, bytes)) = files.get_mut(usize::from(place.file) % count) else { return &mut [] };
    let used =
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 512).min(bytes.len());
    let start = if used == 0 { 0 } else { place.at as usize % used };
    bytes.get_mut(start..).unwrap_or_default()
}

fn put(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

fn change(files: &mut Files, change: &Change) {
    let count = files.len().max(1);
    match change {
        Change::Flip(place, by) => {
            if let Some(byte) = at(files, *place).first_mut() {
                *byte ^= by;
            }
        }
        Change::Number { place, number, add, is_long } => {
            let number =
                NUMBERS[usize::from(*number) % NUMBERS.len()].wrapping_add_signed((*add).into());
            let bytes = number.to_le_bytes();
            put(at(files, *place), if *is_long { &bytes } else { &bytes[..4] });
        }
        Change::Bytes(place, bytes) => put(at(files, *place), bytes),
        Change::Copy { from, to, bytes } => {
            let from = at(files, *from);
            let bytes = usize::from(*bytes).min(COPIED_MAX).min(from.len());
            let copied = from[..bytes].to_vec();
            put(at(files, *to), &copied);
        }
        Change::Cut(place) => {
            let rest = at(files, *place).len();
            if let Some((_, bytes)) = files.get_mut(usize::from(place.file) % count) {
                bytes.truncate(bytes.len() - rest);
            }
        }
        Change::Remove(file) if !files.is_empty() => drop(files.remove(usize::from(*file) % count)),
        Change::Swap(one, other) if !files.is_empty() => {
            let content = files[usize::from(*other) % count].1.clone();
            files[usize::from(*one) % count].1 = content;
        }
        Change::Remove(_) | Change::Swap(..) => {}
    }
}

/// What can be read of a stream. It says the same of itself.
fn read(stream: &Arc<Stream>) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut tail = stream.tail(0, Vec::new());
    while let Ok(Some(batch)) = tail.try_next(50, 1 << 20) {
        messages.extend(batch.messages);
    }
    let state = stream.state();
    assert_eq!(state.messages, messages.len() as u64, "{state:?}");
    let subjects: u64 = stream.subjects(">").iter().map(|(_, count)| count).sum();
    assert_eq!(state.messages, subjects, "{state:?}");
    let rises = messages.is_sorted_by(|one, next| one.sequence < next.sequence);
    assert!(rises && messages.last().is_none_or(|last| last.sequence <= state.last_sequence));
    for message in &messages {
        assert_eq!(stream.get(message.sequence).as_ref().ok(), Some(message));
    }
    messages
}

/// What the streams of a volume hold, by name.
fn read_all(volume: &Volume, is_forged: bool) -> Vec<(String, u64, Vec<Message>)> {
    let mut all = Vec::new();
    for stream in volume.streams() {
        let messages = read(&stream);
        if !is_forged {
            for message in &messages {
                let written = self::message(message.sequence);
                assert!(message.sequence <= MESSAGES, "{message:?} was never written");
                assert_eq!(
                    (&message.subject, &message.payload),
                    (&written.subject, &written.payload)
                );
            }
        }
        all.push((stream.config().name, stream.state().last_sequence, messages));
    }
    all
}

fn recover(machine: &SimulatedMachine, is_forged: bool) {
    let Ok(volume) = machine.open(&options()) else { return };
    let _ = read_all(&volume, is_forged);
    // What a reader found to be damaged is gone now: this is what there is.
    let before = read_all(&volume, is_forged);
    let closed = volume.close();
    drop(volume);
    let again = match machine.open(&options()) {
        Ok(again) => again,
        Err(error) => panic!("it was open before ({closed:?}): {error}"),
    };
    let after = read_all(&again, is_forged);
    // A forged index may say something else than its segment, and which of the two is read changes with a clean close.
    if !is_forged {
        for (before, after) in before.iter().zip(&after) {
            assert_eq!((&before.0, before.1, before.2.len()), (&after.0, after.1, after.2.len()));
        }
        assert!(before == after, "closed and opened again, and it holds something else");
    }
    for stream in again.streams() {
        let last = stream.state().last_sequence;
        // Either it goes on behind what is there, or it says why not.
        match now(stream.append(message(1))) {
            Ok(appended) if !appended.duplicate => assert!(appended.sequence > last),
            Ok(_) | Err(_) => {}
        }
        SimulatedMachine::keep_house(&again);
        let _ = now(stream.purge(Purge { keep: Some(2), ..Purge::default() }));
        let _: Result<_, Error> = now(stream.delete(last));
        let _ = read(&stream);
    }
    let _ = again.close();
}

fuzz_target!(|input: Input| {
    let mut files = VOLUMES[usize::from(input.volume) % VOLUMES.len()].clone();
    for each in input.changes.iter().take(CHANGES_MAX) {
        change(&mut files, each);
    }
    let machine = SimulatedMachine::new(2);
    for (path, bytes) in &files {
        machine.put(path, bytes);
    }
    if input.is_forged {
        machine.repair_checksums();
    }
    within_memory(MEMORY_MAX, || recover(&machine, input.is_forged));
});
