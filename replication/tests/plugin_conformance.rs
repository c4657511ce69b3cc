//! The plugins that ship pass the suite for plugins.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{facts, message, mirror_of, source_of, transform};
use headwater_replication::{
    MirrorConfig, SourceConfig, mirror::Mirror, plugin::Plugin, source::Source,
    testing::check_plugin,
};
use headwater_storage::{Message, Timestamp};

fn origin() -> Vec<Message> {
    let sequences = [3, 4, 5, 9, 10, 11, 12, 20, 21];
    let subject = |sequence: u64| if sequence.is_multiple_of(3) { "o.a" } else { "o.b.c" };
    sequences.map(|sequence| message(sequence, subject(sequence), "")).to_vec()
}

#[test]
fn mirror() {
    let plain = mirror_of("O");
    for config in [
        plain.clone(),
        MirrorConfig { start_sequence: Some(5), ..plain.clone() },
        MirrorConfig { start_time: Some(Timestamp(1010)), ..plain.clone() },
        MirrorConfig { filter: Some("o.*".into()), ..plain.clone() },
        MirrorConfig { transforms: vec![transform("o.*.*", "p.$2")], ..plain },
    ] {
        let make = || Box::new(Mirror::new(config.clone()).expect("config")) as Box<dyn Plugin>;
        check_plugin(&make, &facts(1, 3, 22), &origin());
    }
}

#[test]
fn source() {
    let plain = source_of("O");
    for config in [
        plain.clone(),
        SourceConfig { start_sequence: Some(5), ..plain.clone() },
        SourceConfig { start_time: Some(Timestamp(1010)), ..plain.clone() },
        SourceConfig { filter: Some("o.*".into()), ..plain.clone() },
        SourceConfig { transforms: vec![transform("o.*.*", "p.$2")], ..plain },
    ] {
        let make = || Box::new(Source::new(config.clone()).expect("config")) as Box<dyn Plugin>;
        check_plugin(&make, &facts(1, 3, 22), &origin());
    }
}
