//! Writes inputs to start from into a folder for each target: `seeds DIRECTORY`. The files of a small volume, taken apart, for
//! the targets that read the disk format; random numbers for those whose input is a structure.
//! Not here: inputs that are text (`fuzz/seeds`).

// The targets are linked with the fuzzer, and so must this be, to be built with them.
use libfuzzer_sys as _;

use headwater_fuzz::now;
use headwater_storage::{
    NewMessage, StreamConfig, VolumeOptions,
    stream::{Batch, Item, Purge, Step},
    testing::{SimulatedMachine, Structure},
};
use std::{fs, io, path::Path, time::Duration};

/// Bytes of segment header, frame header, index header, index frame, and of the block at the start of a journal file.
const SEGMENT_HEADER: usize = 64;
const FRAME_HEADER: usize = 64;
const INDEX_HEADER: usize = 88;
const INDEX_FRAME: usize = 28;
const JOURNAL_BLOCK: usize = 4096;

/// Targets whose input is a structure, and how long their inputs are, in bytes.
const STRUCTURED: [(&str, usize); 6] = [
    ("volume_recover", 400),
    ("stream_model", 1500),
    ("plugin_events", 800),
    ("jetstream_api", 800),
    ("backup_restore", 800),
    ("websocket_frames", 600),
];
/// Random inputs of each.
const RANDOM_INPUTS: u64 = 24;

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args().nth(1) else {
        return Err(io::Error::other("usage: seeds DIRECTORY"));
    };
    let directory = Path::new(&directory);
    for (path, content) in volume() {
        let name = path.replace('/', "-");
        if path.ends_with(".seg") {
            // No floor, the first position, checksums made right, a good header.
            write(directory, "segment_scan", &name, &[&[0, 0, 1, 0], &content[..]].concat())?;
        }
        for (structure, number, bytes) in structures(&path, &content) {
            let kind = Structure::ALL.iter().position(|each| *each == structure);
            let first = u8::try_from(kind.unwrap_or(0)).unwrap_or(0) | 0x80;
            let name = format!("{structure:?}-{name}-{number}");
            write(directory, "format_decode", &name, &[&[first], &bytes[..]].concat())?;
        }
    }
    for (target, bytes) in STRUCTURED {
        for seed in 1..=RANDOM_INPUTS {
            let content: Vec<u8> = random(seed).take(bytes).collect();
            write(directory, target, &format!("random-{seed}"), &content)?;
        }
    }
    Ok(())
}

fn write(directory: &Path, target: &str, name: &str, content: &[u8]) -> io::Result<()> {
    let folder = directory.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), content)
}

/// Random bytes, the lower ones more often, so that choices of a structure are all made.
fn random(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed;
    std::iter::from_fn(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [.., byte, shift] = (state >> 32).to_be_bytes();
        Some(byte >> (shift % 4))
    })
}

/// The files of a volume with everything that a stream can hold.
fn volume() -> Vec<(String, Vec<u8>)> {
    let machine = SimulatedMachine::new(1);
    let options = VolumeOptions { segment_bytes: 1500, ..VolumeOptions::new("unused") };
    let volume = machine.open(&options).expect("a fresh volume");
    let dedup_window = Duration::from_secs(60);
    let config = StreamConfig { name: "S".into(), dedup_window, ..StreamConfig::default() };
    let stream = now(volume.create_stream(config.clone())).expect("a stream");
    for number in 1..=30_u64 {
        let new = NewMessage {
            subject: format!("a.{}", number % 3).into(),
            payload: format!("payload {number}").into(),
            message_id: (number % 4 == 0).then(|| format!("id {number}").into()),
            ..NewMessage::default()
        };
        now(stream.append(new.clone())).expect("an append");
        if number == 20 {
            let items = vec![Item::Skip { through: 25 }, Item::Append(new)];
            let steps = vec![Step { items, progress: Some(("key".into(), vec![1, 2])) }];
            now(stream.apply(Batch { expect_progress: None, steps })).expect("a batch");
        }
    }
    now(stream.delete(3)).expect("a delete");
    now(stream.purge(Purge { filter: Some("a.1".into()), ..Purge::default() })).expect("a purge");
    now(stream.update(StreamConfig { allow_rollup: true, ..config })).expect("an update");
    SimulatedMachine::keep_house(&volume);
    let files = machine.files().into_iter();
    files.map(|(path, content)| (path.display().to_string(), content)).collect()
}

fn number(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
        as usize
}

/// The structures in a file, numbered.
fn structures(path: &str, content: &[u8]) -> Vec<(Structure, usize, Vec<u8>)> {
    let mut found = Vec::new();
    let part = |from: usize, bytes: usize| content.get(from..from + bytes).map(<[u8]>::to_vec);
    if path.ends_with(".seg") {
        found.extend(part(0, SEGMENT_HEADER).map(|bytes| (Structure::SegmentHeader, 0, bytes)));
        let mut at = SEGMENT_HEADER;
        while let Some(header) = part(at, FRAME_HEADER) {
            let body_bytes = number(&header, 4);
            let Some(body) = part(at + FRAME_HEADER, body_bytes) else { break };
            found.push((Structure::Frame, at, [&header[..], &body].concat()));
            if path.contains(&"0".repeat(32)) {
                let change = body.get(4..4 + number(&body, 0)).unwrap_or_default();
                found.push((Structure::CatalogueChange, at, change.to_vec()));
                // The configuration of a change stands behind version and kind.
                found.push((
                    Structure::Config,
                    at,
                    [&[1, 0], change.get(3..).unwrap_or_default()].concat(),
                ));
            } else {
                let count = u8::try_from(number(&header, 12)).unwrap_or(u8::MAX);
                found.push((Structure::Records, at, [&[count], &body[..]].concat()));
            }
            at += FRAME_HEADER + body_bytes;
        }
    } else if path.ends_with(".idx") {
        let owner = INDEX_HEADER + number(content, 12) * INDEX_FRAME;
        found.push((Structure::SegmentIndex, 0, content.to_vec()));
        found.push((Structure::Summary, 0, content.get(owner..).unwrap_or_default().to_vec()));
    } else if path.ends_with(".jnl") {
        found.extend(part(0, 48).map(|bytes| (Structure::JournalFileHeader, 0, bytes)));
        found.extend(part(JOURNAL_BLOCK, 1024).map(|bytes| (Structure::Round, 0, bytes)));
    } else if path.starts_with("checkpoint") {
        let bytes = 80 + number(content, 68) * 48;
        found.extend(part(0, bytes).map(|bytes| (Structure::Checkpoint, 0, bytes)));
    }
    found
}
