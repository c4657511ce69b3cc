//! `headwater log verify | dump | stat | salvage` as processes: exit status, what is printed, and that nothing is changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use headwater_storage::stream::{Compression, Purge};
use headwater_storage::{NewMessage, StreamConfig, Volume, VolumeOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const MESSAGES: u64 = 300;

fn headwater(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.arg("log").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command; gives its exit status and everything it said.
fn run(arguments: &[&str]) -> (i32, String) {
    let output = headwater(arguments);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said.into_owned())
}

fn json(arguments: &[&str]) -> (i32, serde_json::Value) {
    let output = headwater(arguments);
    let value = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap(), value.unwrap_or_else(|_| panic!("{output:?}")))
}

fn options(folder: &Path) -> VolumeOptions {
    VolumeOptions { segment_bytes: 20_000, ..VolumeOptions::new(folder.join("headwater")) }
}

/// What a server leaves in its folder: two streams, one of them compressed, with some messages removed.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let volume = Volume::open(options(folder.path())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for (name, compression) in
            [("$G/ORDERS", Compression::None), ("A/PACKED", Compression::Lz4)]
        {
            let config = StreamConfig { name: name.into(), compression, ..StreamConfig::default() };
            let stream = volume.create_stream(config).await.unwrap();
            for number in 1..=MESSAGES {
                let message = NewMessage {
                    subject: format!("orders.{}", number % 7).into(),
                    headers: "NATS/1.0\r\nA: b\r\n\r\n".into(),
                    payload: format!("order {number} ").repeat(20).into(),
                    message_id: Some(format!("id-{number}").into()),
                    ..NewMessage::default()
                };
                stream.append(message).await.unwrap();
            }
            let filter = Some("orders.3".to_owned());
            stream.purge(Purge { filter, ..Purge::default() }).await.unwrap();
        }
    });
    volume.close().unwrap();
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All files below a folder with their bytes and the times of their last change.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut open = vec![folder.to_path_buf()];
    let mut found = BTreeMap::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let changed = path.metadata().unwrap().modified().unwrap();
                found.insert(path.clone(), (std::fs::read(&path).unwrap(), changed));
            }
        }
    }
    found
}

/// A segment of the stream, in the middle of it.
fn middle_segment(folder: &Path, stream: &str) -> PathBuf {
    let (_, figures) = json(&["stat", text(folder), "--json"]);
    let logs = figures["logs"].as_array().unwrap();
    let log = logs.iter().find(|log| log["stream"] == stream).unwrap();
    let logs = folder.join("headwater/logs").join(log["log"].as_str().unwrap());
    let names = std::fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|ending| ending == "seg")).collect();
    segments.sort();
    assert!(segments.len() > 2, "{segments:?}");
    segments.remove(segments.len() / 2)
}

fn damage(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn whole_directories_and_what_is_none() {
    let data = data();
    let folder = text(data.path());
    let before = files(data.path());
    let (status, said) = run(&["verify", folder]);
    assert_eq!((status, said.lines().count()), (0, 2), "{said}");
    assert!(said.contains("2 streams, 514 messages") && said.contains("\nno damage"), "{said}");
    let volume = data.path().join("headwater");
    assert_eq!(run(&["verify", text(&volume)]).0, 0, "the folder of the volume itself will do");
    let (status, said) = run(&["stat", folder]);
    assert!(status == 0 && said.contains("| ORDERS ") && said.contains("| A/PACKED "), "{said}");
    let (status, said) =
        run(&["dump", folder, "--stream", "ORDERS", "--from", "100", "--limit", "1"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("message 100 ") && said.contains("id=\"id-100\""), "{said}");
    assert!(
        said.contains(" orders.2 ") && said.contains("payload=\"order 100 order 100 "),
        "{said}"
    );
    assert_eq!(said.lines().filter(|line| line.starts_with("  ")).count(), 1, "{said}");
    let (_, said) = run(&["dump", folder, "--payload", "none"]);
    let count =
        |word: &str| said.lines().filter(|line| line.trim_start().starts_with(word)).count();
    assert_eq!((count("message "), count("put ")), (2 * MESSAGES as usize, 2), "{said}");
    assert!(said.contains("payload=200B") && !said.contains("order 10 "), "{said}");
    assert_eq!(files(data.path()), before, "something was changed");

    let empty = tempfile::tempdir().unwrap();
    let missing = empty.path().join("missing");
    for (arguments, expected) in [
        (vec!["verify", text(&missing)], "No such file or directory"),
        (vec!["verify", text(empty.path())], "there is no volume in the directory"),
        (vec!["dump", folder, "--stream", "OTHER"], "no log of \"OTHER\""),
        (vec!["salvage", folder, folder], "not a new directory"),
        (vec!["salvage", folder, text(&volume.join("new"))], "not a new directory"),
        (vec!["verify"], "DIR"),
        (vec!["mend", folder], "unrecognized subcommand"),
    ] {
        let (status, said) = run(&arguments);
        assert!(status == 2 && said.contains(expected), "{arguments:?}: {status} {said}");
    }
    assert!(!missing.exists() && std::fs::read_dir(empty.path()).unwrap().next().is_none());
    assert_eq!(files(data.path()), before, "something was changed");
}

#[test]
fn a_directory_in_use_is_refused() {
    let data = data();
    let volume = Volume::open(options(data.path())).unwrap();
    let target = data.path().join("new");
    for arguments in [
        vec!["verify", text(data.path())],
        vec!["dump", text(data.path())],
        vec!["stat", text(data.path())],
        vec!["salvage", text(data.path()), text(&target)],
    ] {
        let (status, said) = run(&arguments);
        assert!(status == 2 && said.contains("in use by another process"), "{status} {said}");
    }
    assert!(!target.exists());
    volume.close().unwrap();
    assert_eq!(run(&["verify", text(data.path())]).0, 0);
}

#[test]
fn damage_is_named_and_the_rest_is_salvaged() {
    let data = data();
    let folder = text(data.path());
    let segment = middle_segment(data.path(), "ORDERS");
    let len = segment.metadata().unwrap().len() as usize;
    damage(&segment, len / 2);
    let before = files(data.path());
    let name = segment.strip_prefix(data.path().join("headwater")).unwrap();

    let (status, said) = run(&["verify", folder]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains(&format!("damage: {} at ", name.display())), "{said}");
    assert!(said.contains("checksum of the frame body does not match"), "{said}");
    assert!(said.contains("ORDERS lost ") && said.contains("\n1 damaged place"), "{said}");
    let (status, verified) = json(&["verify", folder, "--json"]);
    let finding = &verified["findings"][0];
    assert_eq!((status, &verified["damaged"]), (1, &true.into()), "{verified}");
    assert_eq!((&finding["stream"], &finding["verdict"]), (&"ORDERS".into(), &"damage".into()));
    assert_eq!(run(&["stat", folder]).0, 1);
    let (status, said) = run(&["dump", folder, "--segment", text(name)]);
    assert!(status == 1 && said.lines().any(|line| line.starts_with("damage ")), "{said}");

    let new = tempfile::tempdir().unwrap();
    let (status, salvaged) = json(&["salvage", folder, text(new.path()), "--json"]);
    assert_eq!(status, 1, "{salvaged}");
    assert_eq!(files(data.path()), before, "something was changed");
    let streams = salvaged["streams"].as_array().unwrap();
    let lost: Vec<(u64, u64)> = serde_json::from_value(streams[0]["lost"].clone()).unwrap();
    assert!(!lost.is_empty() && streams[1]["lost"].as_array().unwrap().is_empty(), "{salvaged}");
    assert_eq!(run(&["verify", text(new.path()), "--strict"]).0, 0);

    // The old directory as a server opens it, and the new one, are the same.
    let (old, new) =
        (Volume::open(options(data.path())).unwrap(), Volume::open(options(new.path())).unwrap());
    assert!(new.recovery().damage.is_empty() && !new.recovery().unclean, "{:?}", new.recovery());
    let mut missing = 0;
    for name in ["$G/ORDERS", "A/PACKED"] {
        let (old, new) = (old.stream(name).unwrap(), new.stream(name).unwrap());
        assert_eq!(old.incarnation(), new.incarnation());
        assert_eq!((old.config(), old.created()), (new.config(), new.created()));
        for sequence in 1..=MESSAGES {
            let is_lost = name == "$G/ORDERS"
                && lost.iter().any(|range| (range.0..=range.1).contains(&sequence));
            assert_eq!(old.get(sequence).ok(), new.get(sequence).ok(), "{name} {sequence}");
            assert_eq!(new.get(sequence).is_err(), is_lost || sequence % 7 == 3, "{sequence}");
            missing += u64::from(is_lost);
        }
        assert_eq!(new.state().last_sequence, MESSAGES);
    }
    assert!(missing > 0);
}

#[test]
fn a_stream_that_the_catalogue_lost_is_found_by_its_log() {
    let data = data();
    std::fs::remove_dir_all(data.path().join("headwater/logs").join("0".repeat(32))).unwrap();
    let (status, said) = run(&["verify", text(data.path())]);
    assert!(status == 1 && said.contains("the directory of the catalogue is missing"), "{said}");
    let new = tempfile::tempdir().unwrap();
    let (status, said) = run(&["salvage", text(data.path()), text(new.path())]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("ORDERS: 257 messages copied; nothing lost; the catalogue lacked it"),
        "{said}"
    );
    let volume = Volume::open(options(new.path())).unwrap();
    assert!(volume.recovery().damage.is_empty());
    assert_eq!(volume.stream("A/PACKED").unwrap().state().messages, 257);
}
