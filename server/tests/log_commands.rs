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

/// Ways to put something that cannot be read in the place of a file.
fn replace(path: &Path, with: &str) {
    std::fs::remove_file(path).unwrap();
    match with {
        "directory" => std::fs::create_dir(path).unwrap(),
        "link" => std::os::unix::fs::symlink("nowhere", path).unwrap(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding() {
    for with in ["directory", "link"] {
        for place in ["segment", "journal", "checkpoint.0", "checkpoint.1"] {
            let data = data();
            let folder = text(data.path());
            let volume = data.path().join("headwater");
            let path = match place {
                "segment" => middle_segment(data.path(), "ORDERS"),
                "journal" => {
                    let names = std::fs::read_dir(volume.join("journal")).unwrap();
                    names.map(|entry| entry.unwrap().path()).min().unwrap()
                }
                name => volume.join(name),
            };
            replace(&path, with);
            let name = path.strip_prefix(&volume).unwrap();
            let expected = match with {
                "directory" => format!("{}: cannot be read: is a directory", name.display()),
                _ => format!("{}: cannot be read: No such file", name.display()),
            };
            let (status, said) = run(&["verify", folder]);
            assert_eq!(status, 1, "{place}: {said}");
            assert!(said.contains(&format!("damage: {expected}")), "{place}: {said}");
            assert!(said.contains("2 streams, "), "{place}: {said}");
            let is_lost = said.contains("ORDERS lost ");
            assert_eq!(is_lost, place == "segment", "{place}: {said}");
            let (status, said) = run(&["stat", folder]);
            assert!(status == 1 && said.contains("| A/PACKED "), "{place}: {said}");
            assert!(said.contains(&expected), "{place}: {said}");
            let (status, said) = run(&["dump", folder, "--payload", "none"]);
            assert_eq!(status, 1, "{place}: {said}");
            assert!(said.contains(&format!("damage {expected}")), "{place}: {said}");
            assert!(said.contains("  message 300 "), "{place}: {said}");
            let new = tempfile::tempdir().unwrap();
            let (status, said) = run(&["salvage", folder, text(new.path())]);
            assert_eq!(status, 1, "{place}: {said}");
            assert!(said.contains(&expected), "{place}: {said}");
            assert!(said.contains("A/PACKED: 257 messages copied; nothing lost"), "{said}");
            let is_whole = said.contains("ORDERS: 257 messages copied; nothing lost");
            assert_eq!(is_whole, place != "segment", "{place}: {said}");
            assert_eq!(run(&["verify", text(new.path()), "--strict"]).0, 0);
        }
    }
}

#[test]
fn what_lies_beside_the_logs_and_cannot_be_listed_is_spare() {
    let data = data();
    std::fs::write(data.path().join("headwater/logs/stray"), "x").unwrap();
    let (status, said) = run(&["verify", text(data.path())]);
    assert!(status == 0 && said.contains("spare: logs/stray: cannot be read"), "{status}: {said}");
}

/// What a server says at its start, until it is ready or gives up.
fn start(folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    let log = folder.join("log");
    command.args(["serve", "-js", "-a", "127.0.0.1", "-p", "-1", "-sd"]).arg(folder);
    let mut child = command.arg("-l").arg(&log).stdin(Stdio::null()).spawn().unwrap();
    let started = std::time::Instant::now();
    loop {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let is_over = said.contains("Server is ready") || child.try_wait().unwrap().is_some();
        assert!(started.elapsed().as_secs() < 20, "{said}");
        if is_over {
            let said = std::fs::read_to_string(&log).unwrap_or(said);
            let _ = child.kill();
            child.wait().unwrap();
            std::fs::remove_file(&log).unwrap();
            return said;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_start_names_what_each_stream_lost() {
    let data = data();
    let said = start(data.path());
    assert!(said.contains("Server is ready") && !said.contains(" lost "), "{said}");
    let segment = middle_segment(data.path(), "ORDERS");
    let len = segment.metadata().unwrap().len() as usize;
    damage(&segment, len / 2);
    let _ = std::fs::remove_file(segment.with_extension("idx"));
    let (_, verified) = json(&["verify", text(data.path()), "--json"]);
    let lost: Vec<(u64, u64)> =
        serde_json::from_value(verified["findings"][0]["lost"].clone()).unwrap();
    let [(first, last)] = lost[..] else { panic!("{verified}") };
    assert_eq!(first, last, "each message has a frame of its own here");
    for _ in 0..2 {
        let said = start(data.path());
        let name = segment.file_name().unwrap().to_str().unwrap();
        assert!(said.contains("Server is ready") && said.contains(name), "{said}");
        let line = format!("stream \"$G/ORDERS\" lost sequence {first} to damage");
        assert_eq!(said.matches(&line).count(), 1, "{line}: {said}");
        assert!(!said.contains("A/PACKED"), "{said}");
    }
}

#[test]
fn a_server_names_a_file_that_it_cannot_read() {
    let data = data();
    let segment = middle_segment(data.path(), "ORDERS");
    replace(&segment, "directory");
    let said = start(data.path());
    let name = segment.strip_prefix(data.path().join("headwater")).unwrap().display().to_string();
    assert!(said.contains("Server is ready"), "{said}");
    let line = said.lines().find(|line| line.contains("cannot be opened")).unwrap_or_default();
    assert!(line.contains("ORDERS") && line.contains(&name), "{said}");
    assert!(line.contains("is a directory"), "{line}");
    replace(&data.path().join("headwater/checkpoint.0"), "directory");
    let said = start(data.path());
    assert!(
        !said.contains("Server is ready") && said.contains("checkpoint.0: is a directory"),
        "{said}"
    );
}
