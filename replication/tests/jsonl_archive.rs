//! The example archive keeps each message in exactly one line, wherever it is killed.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

#[path = "../examples/jsonl_archive/archive.rs"]
mod archive;
#[path = "../examples/jsonl_archive/lines.rs"]
mod lines;

use archive::Archive;
use common::{facts, message, status_within};
use headwater_replication::{
    Replicator,
    plugin::Plugin,
    testing::{ScriptedOrigin, check_plugin},
};
use lines::Lines;
use std::{fs, io::Write as _, path::Path, sync::Arc};

/// Subjects of all lines, in the order of the files.
fn archived(directory: &Path) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("directory")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).expect("file")).collect();
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
            line["subject"].as_str().expect("subject").to_owned()
        })
        .collect()
}

#[test]
fn lines_pass_the_suite() {
    let messages: Vec<_> = (3..12).map(|sequence| message(sequence, "a", "")).collect();
    let make = || Box::new(Lines::default()) as Box<dyn Plugin>;
    check_plugin(&make, &facts(1, 3, 11), &messages);
}

#[tokio::test]
async fn each_message_has_one_line() {
    let directory = tempfile::tempdir().expect("directory");
    let origin = ScriptedOrigin::default();
    origin.create(1);
    let mut expected = Vec::new();
    for round in 0..6 {
        for number in 0..700 {
            expected.push(format!("s.{round}.{number}"));
            origin.publish(&format!("s.{round}.{number}"), "", number % 2);
        }
        let target = Arc::new(Archive::open(directory.path(), 50_000).expect("opens"));
        let plugin = Box::new(Lines::default());
        let replication = Replicator::start(target, plugin, Arc::new(origin.clone()));
        if round % 2 == 0 {
            // As a kill does: the driver ends somewhere, and the file holds more than was confirmed.
            status_within(&replication, "copies", |status| status.copied > 0).await;
            replication.stop().await;
            tear(directory.path());
        } else {
            status_within(&replication, "is done", |status| status.lag == Some(0)).await;
            replication.stop().await;
            assert_eq!(archived(directory.path()), expected);
        }
    }
    assert!(fs::read_dir(directory.path()).expect("directory").count() > 3, "files are rotated");
}

/// Adds lines and a half that no checkpoint knows of, to the newest file and in one behind it.
fn tear(directory: &Path) {
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("directory")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    let last = files.last().expect("a file");
    let mut file = fs::OpenOptions::new().append(true).open(last).expect("opens");
    file.write_all(b"{\"subject\":\"x\"}\n{\"subj").expect("writes");
    let number: u64 =
        last.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).expect("number");
    let next = directory.join(format!("{:08}.jsonl", number + 1));
    fs::write(next, b"{\"subject\":\"x\"}\n").expect("writes");
}
