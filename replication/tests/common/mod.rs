//! Shared by the tests of this folder: waiting for conditions, configurations, messages.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use headwater_replication::{
    MirrorConfig, Replication, SourceConfig, Status, Transform, identity::OriginIdentity,
    origin::OriginFacts,
};
use headwater_storage::{Message, Timestamp, stream::Incarnation};
use std::time::{Duration, Instant};

/// Longest wait for a condition.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn within<T>(
    what: &str,
    mut condition: impl FnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let (what, begun) = (what.to_owned(), Instant::now());
    async move {
        loop {
            if let Some(value) = condition() {
                return value;
            }
            assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Waits until the status fits.
pub(crate) async fn status_within(
    replication: &Replication,
    what: &str,
    fits: impl Fn(&Status) -> bool,
) -> Status {
    within(what, || Some(replication.status()).filter(&fits)).await
}

pub(crate) fn mirror_of(name: &str) -> MirrorConfig {
    MirrorConfig { name: name.into(), ..MirrorConfig::default() }
}

pub(crate) fn source_of(name: &str) -> SourceConfig {
    SourceConfig { name: name.into(), ..SourceConfig::default() }
}

pub(crate) fn transform(source: &str, destination: &str) -> Transform {
    Transform::new(source, destination).expect("a transform of a test is right")
}

pub(crate) fn message(sequence: u64, subject: &str, headers: &str) -> Message {
    Message {
        sequence,
        time: Timestamp(1000 + i64::try_from(sequence).expect("small")),
        subject: subject.to_owned().into(),
        headers: headers.to_owned().into(),
        payload: format!("payload {sequence}").into(),
    }
}

pub(crate) fn identity(number: u128) -> OriginIdentity {
    OriginIdentity { incarnation: Some(Incarnation(number)), hash: format!("{number:08}") }
}

pub(crate) fn facts(number: u128, first_sequence: u64, last_sequence: u64) -> OriginFacts {
    OriginFacts { identity: identity(number), first_sequence, last_sequence }
}
