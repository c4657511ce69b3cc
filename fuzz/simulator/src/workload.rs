//! Configurations, subjects and messages by chance.
//! Not here: what is done with them (`changes`).

use crate::{random::Random, world::World};
use headwater_storage::{
    NewMessage, StreamConfig,
    stream::{Compression, Discard, Limits, StorageKind, SyncPolicy},
};
use std::time::Duration;

/// Limits and options of any kind.
pub(crate) fn config(random: &mut Random, name: &str) -> StreamConfig {
    let some = |random: &mut Random, of: u64, least: u64, below: u64| {
        random.one_in(of).then(|| least + random.below(below))
    };
    let limits = Limits {
        messages: some(random, 3, 1, 30),
        bytes: some(random, 4, 200, 6000),
        age: some(random, 4, 10, 5000).map(Duration::from_millis),
        messages_per_subject: some(random, 3, 1, 6),
        message_bytes: some(random, 6, 100, 600).and_then(|bytes| u32::try_from(bytes).ok()),
    };
    let discard = if random.one_in(5) { Discard::New } else { Discard::Old };
    StreamConfig {
        name: name.to_owned(),
        limits,
        discard,
        discard_new_per_subject: discard == Discard::New && random.one_in(2),
        storage: if random.one_in(10) { StorageKind::Memory } else { StorageKind::File },
        dedup_window: Duration::from_millis(some(random, 2, 10, 8000).unwrap_or(0)),
        compression: if random.one_in(3) { Compression::Lz4 } else { Compression::None },
        sync: random.one_in(5).then(|| SyncPolicy::Interval(Duration::from_secs(1))),
        first_sequence: some(random, 6, 1, 1000).unwrap_or(0),
        deny_delete: random.one_in(12),
        deny_purge: random.one_in(12),
        allow_rollup: random.one_in(2),
        application: vec![7; usize::try_from(random.below(60)).unwrap_or(0)],
        ..StreamConfig::default()
    }
}

/// A configuration in few words.
pub(crate) struct Short<'a>(pub(crate) &'a StreamConfig);

impl std::fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let StreamConfig { storage, limits, discard, sync, compression, sealed, .. } = self.0;
        let Limits { messages, bytes, age, messages_per_subject, message_bytes } = limits;
        write!(f, "{storage:?} {compression:?} {sync:?} {discard:?} sealed: {sealed} ")?;
        write!(f, "messages {messages:?} bytes {bytes:?} age {age:?} ")?;
        write!(f, "per subject {messages_per_subject:?} message {message_bytes:?} ")?;
        write!(f, "window {:?} first {}", self.0.dedup_window, self.0.first_sequence)
    }
}

/// A subject.
pub(crate) fn subject(random: &mut Random) -> String {
    match random.below(8) {
        0 => format!("b.{}.x", random.below(3)),
        _ => format!("a.{}", random.below(6)),
    }
}

/// A filter, or a subject.
pub(crate) fn filter(random: &mut Random) -> String {
    ["a.*", "b.>", "a.1", ">", "*.*.x"]
        .get(usize::try_from(random.below(8)).unwrap_or(0))
        .map_or_else(|| subject(random), |text| (*text).to_owned())
}

impl World {
    /// A message like no other.
    pub(crate) fn message(&mut self, random: &mut Random) -> NewMessage {
        self.tag += 1;
        let length = match random.below(60) {
            0 => 60_000 + random.below(20_000),
            1..5 => random.below(5000),
            _ => random.below(300),
        };
        let mut payload = format!("message {} ", self.tag).into_bytes();
        let is_random = random.one_in(2);
        for index in 0..length {
            payload.push(if is_random { (random.number() & 0xff) as u8 } else { index as u8 / 16 });
        }
        let headers = match random.below(4) {
            0 => format!("NATS/1.0\r\nTag: {}\r\n\r\n", self.tag),
            _ => String::new(),
        };
        NewMessage {
            subject: subject(random).into(),
            headers: headers.into(),
            payload: payload.into(),
            ..NewMessage::default()
        }
    }
}
