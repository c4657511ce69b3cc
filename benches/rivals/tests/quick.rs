//! The whole program, with so little to do that it only shows that everything runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn a_quick_run_measures_everybody_and_writes_the_page() {
    let place = tempfile::tempdir().unwrap();
    let docs = place.path().join("docs");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater-rivals"));
        command.arg("--dir").arg(place.path()).arg("--report").arg(&docs);
        command
    };
    let output = run().arg("--quick").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let figures = std::fs::read(docs.join("benchmarks/figures.json")).unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&figures).unwrap();
    assert_eq!(figures["failures"], serde_json::json!([]));
    let mut measured = BTreeSet::new();
    for figure in figures["figures"].as_array().unwrap() {
        let rounds = figure["rounds"].as_array().unwrap();
        assert_eq!(rounds.len(), 1, "{figure}");
        assert!(rounds[0].as_f64().unwrap() > 0.0, "{figure}");
        measured.insert((figure["group"].to_string(), figure["who"].to_string()));
    }
    for store in ["headwater", "walrus", "okay_wal", "wal_db", "fjall", "redb", "sqlite"] {
        let who = serde_json::json!({ "store": store }).to_string();
        for group in ["append", "streams", "large", "latency", "scan", "open"] {
            let is_expected = store != "okay_wal" || !matches!(group, "scan" | "open");
            let found = measured.contains(&(format!("\"{group}\""), who.clone()));
            assert_eq!(found, is_expected, "{group} of {store}");
        }
    }

    let page = std::fs::read_to_string(docs.join("BENCHMARKS.md")).unwrap();
    assert!(!page.contains("{{"), "every place of the page is filled: {page}");
    for picture in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let text = std::fs::read_to_string(docs.join(picture)).unwrap();
        assert!(text.starts_with("<svg") && text.contains("okaywal"), "{picture}");
    }
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "nothing is left but the report: {left:?}");

    std::fs::remove_file(docs.join("BENCHMARKS.md")).unwrap();
    assert!(run().arg("--from-figures").output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(docs.join("BENCHMARKS.md")).unwrap(), page);
}
