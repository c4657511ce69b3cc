//! `headwater tune` as a process: the table, the page, the JSON, the configuration, and that nothing stays behind.
//! Not here: which figures speak for which settings (unit tests of `tune`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use headwater_server::Server;
use headwater_server::config::file;
use headwater_storage::stream::SyncPolicy;
use roxmltree::{Document, ParsingOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const HEADWATER: &str = env!("CARGO_BIN_EXE_headwater");
const DEADLINE: Duration = Duration::from_secs(60);
/// Two of these fill a segment of 1 MiB.
const FILLING_BYTES: usize = 900_000;
const AXES: [&str; 6] = ["disk", "inflight", "message_size", "segment_size", "sync", "compression"];

fn tune(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(HEADWATER);
    command.current_dir(folder).arg("tune").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_quick_run_recommends_what_the_server_takes() {
    let folder = tempfile::tempdir().unwrap();
    let asked = "--quick --seconds 0.1 --json t.json --report t.html --output t.conf";
    let output = tune(folder.path(), &asked.split(' ').collect::<Vec<_>>());
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));

    let json: Value =
        serde_json::from_slice(&fs::read(folder.path().join("t.json")).unwrap()).unwrap();
    let points = json["points"].as_array().unwrap();
    for name in AXES.into_iter().filter(|name| *name != "disk") {
        let is_on = |point: &&Value| point["part"]["axis"] == name;
        assert!(points.iter().any(|point| is_on(&point)), "{name}: {json:#}");
    }
    // The one that differs may be refused by the machine, but then it is said.
    let methods = points.iter().filter(|point| point["part"]["axis"] == "disk").count();
    assert_eq!(methods + json["skipped"].as_array().unwrap().len(), 1);
    // Twice on the way; then once, or in turn with what looked good.
    let count = |part: &str| points.iter().filter(|point| point["part"] == part).count();
    let together = count("together");
    assert!(together == 0 || together == 3, "{json:#}");
    assert_eq!(count("base"), 2 + together.max(1), "{json:#}");
    let reasons = json["recommendation"]["reasons"].as_array().unwrap();
    let is_said = reasons.iter().any(|reason| reason["about"] == "together");
    assert!(is_said || together == 0, "{json:#}");
    for point in points {
        let figures = &point["figures"];
        let figure = |name: &str| figures[name].as_f64().unwrap();
        assert!(figure("messages_per_second") > 0.0, "{point}");
        assert!(figure("p50_us") > 0.0 && figure("p50_us") <= figure("p99_us"), "{point}");
        assert!(figure("p99_us") <= figure("p999_us"), "{point}");
        assert!(printed.contains(&figure_text(figure("messages_per_second"))), "{point}");
    }
    assert_eq!(json["raw"].as_array().unwrap().len(), 3);

    check_page(&fs::read_to_string(folder.path().join("t.html")).unwrap(), methods);

    let configuration = folder.path().join("t.conf");
    assert_eq!(fs::read_to_string(&configuration).unwrap(), json["configuration"]);
    assert!(printed.contains(json["configuration"].as_str().unwrap()));
    let options = file::load(&configuration).unwrap();
    assert!(options.jetstream.is_some() && options.warnings.is_empty());
    assert_eq!(options.storage.sync, SyncPolicy::Always);
    let store = folder.path().canonicalize().unwrap().join("headwater-data");
    assert_eq!(options.storage.store_dir.as_deref(), Some(store.as_path()));
    let checked = Command::new(HEADWATER).args(["serve", "-t", "-c"]).arg(configuration).output();
    assert!(text(&checked.unwrap().stdout).contains("test is successful"));

    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["t.conf", "t.html", "t.json"], "nothing else stays");
}

/// A rate as the table has it.
fn figure_text(rate: f64) -> String {
    let digits = (rate.round() as u64).to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(text).collect();
    groups.join(",")
}

fn check_page(page: &str, methods: usize) {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(page, options).unwrap();
    let named = |name: &'static str| {
        document.descendants().filter(move |node| node.tag_name().name() == name)
    };
    // Each axis is drawn, but for disk methods where there is one only: 3 percentiles with a line and points.
    assert_eq!(named("svg").count(), 5 + methods);
    for plot in named("svg") {
        let count =
            |name: &str| plot.descendants().filter(|node| node.tag_name().name() == name).count();
        assert!(count("polyline") >= 6, "lines and axes");
        assert!(count("circle") >= 6, "points");
    }
    let headings: Vec<_> = named("h2").filter_map(|node| node.text()).collect();
    for heading in ["Recommendation", "How to read this", "By sync policy", "All figures"] {
        assert!(headings.contains(&heading), "{headings:?}");
    }
    assert!(!page.contains("src=") && !page.contains("href="), "everything is in the page");
}

#[test]
fn a_configuration_names_the_directory_and_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("store")).unwrap();
    fs::write(folder.path().join("s.conf"), "jetstream { store_dir: store, sync_interval: '7s' }")
        .unwrap();
    let asked = "-c s.conf --quick --seconds 0.05 --output t.conf";
    let output = tune(folder.path(), &asked.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let storage = file::load(&folder.path().join("t.conf")).unwrap().storage;
    assert_eq!(storage.sync, SyncPolicy::Interval(Duration::from_secs(7)));
    let store = folder.path().canonicalize().unwrap().join("store");
    assert_eq!(storage.store_dir.as_deref(), Some(store.as_path()));
    assert_eq!(fs::read_dir(store).unwrap().count(), 0);
}

#[test]
fn a_signal_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(HEADWATER);
        command.current_dir(folder.path()).args(["tune", "--seconds", "30"]);
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let scratch = folder.path().join("headwater-data");
        let started = Instant::now();
        while !fs::read_dir(&scratch).is_ok_and(|mut entries| entries.next().is_some()) {
            assert!(started.elapsed() < DEADLINE, "it begins");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(started.elapsed() < Duration::from_secs(20), "it ends at once");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("interrupted"), "{}", text(&output.stderr));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn refusals() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bad.conf"), "jetstream { disk: fast }").unwrap();
    for (arguments, expected) in [
        (&["no/such/place"][..], "cannot make the directory no/such/place"),
        (&["--seconds", "0"], "from 0.05 to 600 seconds"),
        (&["-c", "none.conf"], "none.conf"),
        (&["-c", "bad.conf"], "auto, uring or posix expected"),
    ] {
        let output = tune(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

/// Files of segments that hold messages of the test, after four of them, with this line in the block `jetstream`.
async fn filled_segments(line: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = (folder.path().join("store"), folder.path().join("s.conf"));
    let text = format!(
        "listen: '127.0.0.1:-1'\njetstream {{\n store_dir: '{}'\n {line}\n}}",
        store.display()
    );
    fs::write(&path, text).unwrap();
    let server = Server::start(file::load(&path).unwrap()).await.unwrap();
    let client = async_nats::connect(server.client_address().to_string()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let config = async_nats::jetstream::stream::Config {
        name: "S".into(),
        subjects: vec!["s".into()],
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    for _ in 0..4 {
        let payload = vec![1; FILLING_BYTES].into();
        jetstream.publish("s", payload).await.unwrap().await.unwrap();
    }
    server.shutdown().await;
    let logs = fs::read_dir(store.join("headwater/logs")).unwrap();
    let files = logs.flat_map(|log| fs::read_dir(log.unwrap().path()).unwrap());
    let is_filled = |file: &fs::DirEntry| {
        file.path().extension().is_some_and(|end| end == "seg")
            && file.metadata().unwrap().len() > FILLING_BYTES as u64
    };
    files.map(Result::unwrap).filter(is_filled).count()
}

#[tokio::test]
async fn the_segment_size_of_the_configuration_reaches_the_engine() {
    assert_eq!(filled_segments("").await, 1);
    assert_eq!(filled_segments("segment_size: 1MB").await, 2);
}
