//! Folders of backups: what Headwater's command line writes the real one restores, and the other way round.
//! Not here: what the folders hold (`backups`).

use crate::backups::{Place, equal};
use crate::side;
use serde_json::Value;
use std::path::Path;

/// The streams of `from` go to `to` one by one, written and read by these programs.
fn moved(from: &mut Place, to: &mut Place, programs: [&Path; 2], home: &Path) {
    let list = from.succeeds("STREAM.NAMES", &Value::Null);
    for name in list["streams"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        let folder = home.join(name);
        let folder = folder.to_str().unwrap();
        let [writer, reader] = programs;
        match writer.ends_with("nats") {
            true => from.types(writer, home, &["backup", "stream", "--consumers", name, folder]),
            false => from.types(writer, home, &["stream", "backup", name, folder]),
        };
        match reader.ends_with("nats") {
            true => to.types(reader, home, &["backup", "restore", "stream", folder]),
            false => to.types(reader, home, &["stream", "restore", folder]),
        };
    }
    equal(&to.contents(), &from.contents());
}

#[test]
fn both_command_lines_read_what_the_other_writes() {
    let Some(program) = side::find("nats", "HEADWATER_NATS_CLI") else {
        eprintln!("skipped: no nats command line (HEADWATER_NATS_CLI names it)");
        return;
    };
    let own = side::headwater();
    let mut from = Place::start(side::headwater());
    from.fill();
    for programs in [[&*own, &*program], [&*program, &*own]] {
        let directory = tempfile::tempdir().unwrap();
        let mut to = Place::start(side::headwater());
        moved(&mut from, &mut to, programs, directory.path());
    }
}
