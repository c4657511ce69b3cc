//! What is done to a stream, as structures for a fuzzer to fill.
//! Not here: what must come of it (`stream_model`).

use headwater_storage::{
    StreamConfig,
    stream::{Compression, Discard, Limits, StorageKind, SyncPolicy},
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use std::time::Duration;

pub const SUBJECTS: [&str; 8] = ["a", "a.1", "a.2", "b.1", "b.1.2", "c", "a.*", ""];
pub const FILTERS: [&str; 8] = [">", "a.*", "*.1", "b.>", "a.1", "c", "none", "a.1.>"];

#[derive(Arbitrary, Debug)]
pub struct Input {
    pub in_memory: bool,
    pub syncs_late: bool,
    pub first_sequence: u16,
    pub dedup_window: Option<u8>,
    pub settings: Settings,
    pub operations: Vec<Operation>,
}

/// What can change of a configuration.
#[derive(Arbitrary, Clone, Debug)]
pub struct Settings {
    pub messages: Option<u8>,
    pub bytes: Option<u16>,
    pub age: Option<u8>,
    pub subject_messages: Option<u8>,
    pub message_bytes: Option<u8>,
    pub refuses: bool,
    pub refuses_per_subject: bool,
    pub compresses: bool,
    pub denies_delete: bool,
    pub denies_purge: bool,
    pub allows_rollup: bool,
    /// Sealed where it is 0: a sealed stream is not much to look at.
    pub is_open: u8,
}

#[derive(Arbitrary, Debug)]
pub struct New {
    pub subject: u8,
    pub headers: bool,
    pub payload: u8,
    pub id: Option<u8>,
    pub rollup: Option<bool>,
    pub expect: Option<Expected>,
}

/// What an append expects, as the distance from what is right.
#[derive(Arbitrary, Debug)]
pub enum Expected {
    Last(i8),
    OfSubject { filter: u8, by: i8 },
    Id(Option<u8>),
}

#[derive(Arbitrary, Debug)]
pub enum NewItem {
    Append(New),
    Copy { above: i8, earlier: u8, new: New },
    Skip { above: i8 },
}

#[derive(Arbitrary, Debug)]
pub struct NewStep {
    pub items: Vec<NewItem>,
    pub progress: Option<(u8, Vec<u8>)>,
}

#[derive(Arbitrary, Debug)]
pub enum Operation {
    Append { new: New, waits: bool },
    AppendAll(Vec<New>),
    Apply { steps: Vec<NewStep>, expects: Option<Option<u8>> },
    Delete(u8),
    Purge { filter: Option<u8>, before: Option<u8>, keep: Option<u8> },
    Update(Settings),
    Advance(u8),
    KeepHouse,
    Checkpoint,
    Restart(Restart),
    Check { from: u8 },
}

#[derive(Arbitrary, Debug)]
pub enum Restart {
    Close,
    Kill(u8),
    PowerCut(u8),
}

impl Input {
    /// The configuration with these settings.
    pub fn config(&self, settings: &Settings) -> StreamConfig {
        let least = |number: Option<u8>| number.map(|number| u64::from(number).max(1));
        let limits = Limits {
            messages: least(settings.messages),
            bytes: settings.bytes.map(u64::from),
            age: least(settings.age).map(Duration::from_nanos),
            messages_per_subject: least(settings.subject_messages.map(|number| number % 8)),
            message_bytes: settings.message_bytes.map(u32::from),
        };
        StreamConfig {
            name: "s".into(),
            storage: if self.in_memory { StorageKind::Memory } else { StorageKind::File },
            limits,
            discard: if settings.refuses { Discard::New } else { Discard::Old },
            discard_new_per_subject: settings.refuses_per_subject,
            dedup_window: Duration::from_nanos(self.dedup_window.unwrap_or(0).into()),
            compression: if settings.compresses { Compression::Lz4 } else { Compression::None },
            sync: self.syncs_late.then_some(SyncPolicy::Interval(Duration::from_secs(1))),
            first_sequence: self.first_sequence.into(),
            sealed: settings.is_open == 0,
            deny_delete: settings.denies_delete,
            deny_purge: settings.denies_purge,
            allow_rollup: settings.allows_rollup,
            ..StreamConfig::default()
        }
    }
}

pub fn subject(number: u8) -> &'static str {
    SUBJECTS[usize::from(number) % SUBJECTS.len()]
}

pub fn filter(number: u8) -> &'static str {
    FILTERS[usize::from(number) % FILTERS.len()]
}

pub fn id(number: u8) -> Vec<u8> {
    format!("id {}", number % 8).into_bytes()
}
