//! The house rules that a machine can check, run on the whole repository by `cargo test`.
//! Not here: formatting (rustfmt) and everything clippy already denies.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Lines of code a file may have before its tests.
const CODE_LINES_MAX: usize = 400;

/// Files that may be longer, with the reason. The list may only shrink.
const LONG_FILES: &[(&str, &str)] = &[];

/// Files that may hold `unsafe`.
const UNSAFE_PLACES: &[&str] = &["storage/src/disk/"];

/// File names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helpers", "misc"];

/// Words that must not be committed. Spelled in two halves, so that this file passes its own check.
const BANNED: &[(&str, &str, &str)] = &[
    ("FIX", "ME", "mend it or list it in docs/LIMITATIONS.md"),
    ("TO", "DO:", "mend it or list it in docs/LIMITATIONS.md"),
    ("#[ign", "ore", "a test that does not run proves nothing"),
    ("/ro", "ot/", "a path of one machine"),
    ("/wo", "rk/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
    ("todo", "!(", "build it or refuse it with an error"),
    ("unimple", "mented!(", "build it or refuse it with an error"),
];

struct File {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}

/// Every file of the repository with one of these endings, but for build output and hidden folders.
fn files(endings: &[&str]) -> Vec<File> {
    let root = root();
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "corpus" {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path).expect("readable text");
                let path = path.strip_prefix(&root).expect("below the root").to_string_lossy();
                found.push(File { path: path.replace('\\', "/"), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no files found below {}", root.display());
    found
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("_test.rs") || path.ends_with("/tests.rs")
}

fn code_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim().is_empty())
        .count()
}

/// Fails with every finding at once.
fn report(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

#[test]
fn every_source_file_says_what_it_is() {
    let findings: Vec<_> = files(&[".rs"])
        .iter()
        .filter(|file| !file.text.starts_with("//!") && !file.text.starts_with("#!["))
        .map(|file| file.path.clone())
        .collect();
    report("a source file opens with `//!`", &findings);
}

#[test]
fn files_hold_one_concept() {
    let mut findings = Vec::new();
    for file in files(&[".rs"]).iter().filter(|file| !is_test(&file.path)) {
        let lines = code_lines(&file.text);
        let excused = LONG_FILES.iter().any(|(path, _)| *path == file.path);
        if lines > CODE_LINES_MAX && !excused {
            findings.push(format!("{}: {lines} lines of code", file.path));
        }
        if lines <= CODE_LINES_MAX && excused {
            findings.push(format!("{}: short enough now, take it off the list", file.path));
        }
        let stem = Path::new(&file.path).file_stem().unwrap_or_default().to_string_lossy();
        if EMPTY_NAMES.contains(&stem.as_ref()) {
            findings.push(format!("{}: name the file by what it holds", file.path));
        }
    }
    report("at most 400 lines of code a file, named by its noun", &findings);
}

#[test]
fn nothing_unfinished_and_no_machine_paths() {
    let mut findings = Vec::new();
    for file in files(&[".rs", ".md", ".toml", ".sh", ".yml"]) {
        for (number, line) in file.text.lines().enumerate() {
            for (one, two, why) in BANNED {
                if line.contains(&format!("{one}{two}")) {
                    findings.push(format!("{}:{}: {one}{two}: {why}", file.path, number + 1));
                }
            }
        }
    }
    report("words that must not be committed", &findings);
}

#[test]
fn unsafe_code_stays_in_its_place() {
    let keyword = ["uns", "afe "].concat();
    let mut findings = Vec::new();
    for file in files(&[".rs"]) {
        if UNSAFE_PLACES.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains(&format!("{keyword}{{")) || code.contains(&format!("{keyword}fn")) {
                findings.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    report("`unsafe` only under storage/src/disk", &findings);
}

#[test]
fn layers_point_one_way() {
    let manifest = |krate: &str| {
        let path = root().join(krate).join("Cargo.toml");
        let text = fs::read_to_string(path).expect("a manifest");
        let end = text.find("[dev-dependencies]").unwrap_or(text.len());
        text.get(..end).unwrap_or_default().to_owned()
    };
    for (krate, forbidden) in [
        ("storage", ["headwater-replication", "headwater-server"]),
        ("replication", ["headwater-server", "async-nats"]),
    ] {
        for name in forbidden {
            let text = manifest(krate);
            assert!(
                !text.lines().any(|line| line.starts_with(name)),
                "{krate} must not depend on {name}"
            );
        }
    }
}

/// Words in backquotes that look like paths of this repository.
fn named_paths(page: &str) -> BTreeSet<String> {
    const TOPS: &[&str] = &["storage/", "replication/", "server/", "benches/", "fuzz/", "docs/"];
    page.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| TOPS.iter().any(|top| word.starts_with(top)))
        .filter(|word| !word.contains(['*', '<', ' ', '{']))
        .map(str::to_owned)
        .collect()
}

#[test]
fn pages_name_what_is_there() {
    let mut findings = Vec::new();
    for page in files(&[".md"]) {
        for path in named_paths(&page.text) {
            if !root().join(&path).exists() {
                findings.push(format!("{}: no {path}", page.path));
            }
        }
    }
    report("paths named in the documentation exist", &findings);
}

#[test]
fn the_codemap_names_every_source_folder() {
    let page =
        fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("docs/ARCHITECTURE.md");
    let named = named_paths(&page);
    let folders: BTreeSet<_> = files(&[".rs"])
        .iter()
        .filter(|file| file.path.contains("/src/"))
        .filter_map(|file| {
            Path::new(&file.path).parent().map(|dir| dir.to_string_lossy().into_owned())
        })
        .collect();
    let missing: Vec<_> = folders
        .into_iter()
        .filter(|folder| !named.iter().any(|name| name.trim_end_matches('/') == folder))
        .collect();
    report("docs/ARCHITECTURE.md names each source folder in backquotes", &missing);
}

#[test]
fn guarantees_name_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/GUARANTEES.md")).expect("docs/GUARANTEES.md");
    let sources: String = files(&[".rs"]).into_iter().map(|file| file.text).collect();
    let tests: Vec<_> =
        page.split('`').skip(1).step_by(2).filter_map(|word| word.strip_prefix("test ")).collect();
    assert!(tests.len() >= 10, "each guarantee names its tests as `test name`");
    let missing: Vec<_> = tests
        .into_iter()
        .filter(|name| !sources.contains(&format!("fn {name}(")))
        .map(str::to_owned)
        .collect();
    report("docs/GUARANTEES.md names tests that exist", &missing);
}

/// The program on the engine's front page is one that a reader copies, with the lines of `Cargo.toml` beside it.
#[test]
fn the_front_page_of_the_engine_names_what_its_program_needs() {
    let page = fs::read_to_string(root().join("storage/src/lib.rs")).expect("the front page");
    let page: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let version = |name: &str| {
        let line = workspace.lines().find(|line| line.starts_with(&format!("{name} = ")));
        line.expect("a dependency").split('"').nth(1).expect("its version").to_owned()
    };
    let program: Vec<_> =
        page.iter().skip_while(|line| !line.starts_with("use headwater_storage")).collect();
    assert!(program.iter().all(|line| !line.starts_with("# #[") && !line.starts_with("# async")));
    assert!(page.contains(&"headwater-storage = { path = \"../headwater/storage\" }"));
    for (name, features) in [("tempfile", ""), ("tokio", "features = [\"macros\", \"rt\"]")] {
        let line = page.iter().find(|line| line.starts_with(&format!("{name} = ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not named"));
        let named = line.split('"').nth(1).expect("a version");
        assert!(version(name).starts_with(named) && line.contains(features), "{line}");
        assert!(program.iter().any(|line| line.contains(&format!("{name}::"))), "{name}");
    }
}

#[test]
fn the_checks_find_what_they_look_for() {
    assert_eq!(code_lines("a\n\nb\n#[cfg(test)]\nmod tests {}\n"), 2);
    let names = named_paths("see `storage/src/log` and `cargo test`, not `docs/*.md`");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["storage/src/log"]);
    assert!(is_test("server/tests/tidy.rs") && !is_test("server/src/lib.rs"));
}
