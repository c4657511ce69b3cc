//! The task of a stream with schedules: waits until the next one is due, and stores what it publishes.
//! Not here: what that is (`message`).

use super::check::{SCHEDULER, text};
use super::message::message;
use futures_util::future::join_all;
use headwater_replication::target::lifetime_seconds_min;
use headwater_storage::{Error, NewMessage, Stream, Timestamp};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Schedules that are looked at in one go.
const DUE_MAX: usize = 256;
/// Shortest pause between two looks, as in nats-server.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause: the clock may be set.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Runs until the stream is gone.
pub(in crate::jetstream) async fn run(stream: Weak<Stream>) {
    loop {
        let Some(held) = stream.upgrade() else { return };
        let mut changes = held.changes();
        changes.mark_unchanged();
        // A stream that takes nothing publishes nothing, until it is taken up again.
        let next = match held.failure() {
            Some(Error::Closed) => return,
            Some(_) => None,
            None => held.next_due(),
        };
        drop(held);
        let now = Timestamp::now().0;
        let left = left(next, now);
        if !left.is_zero() {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(left.min(PAUSE_MAX)) => {}
            }
            continue;
        }
        let Some(held) = stream.upgrade() else { return };
        fire(&held, Timestamp(now)).await;
        drop(held);
        tokio::time::sleep(PAUSE_MIN).await;
    }
}

/// How long it is until the next schedule is due, however long ago that was.
fn left(next: Option<Timestamp>, now: i64) -> Duration {
    let left = next.map_or(i64::MAX, |next| next.0.saturating_sub(now));
    Duration::from_nanos(u64::try_from(left).unwrap_or(0))
}

/// Stores what the schedules publish that are due, all of them at once and in order.
async fn fire(stream: &Arc<Stream>, now: Timestamp) {
    let least = lifetime_seconds_min(&stream.config());
    let mut appends = Vec::new();
    for (sequence, due) in stream.due(now, DUE_MAX) {
        // One that is gone or damaged is not due any more.
        let Ok(schedule) = stream.get(sequence) else { continue };
        let last_of = |subject: &str| stream.last_by_subject(subject).ok().flatten();
        // Something else was published under its subject, other than by a schedule: that ends it.
        let last = last_of(schedule.subject_str());
        let is_replaced = last.is_some_and(|last| {
            last.sequence != sequence && text(&last.headers, SCHEDULER).is_empty()
        });
        let made = if is_replaced { None } else { message(&schedule, due, least, last_of) };
        appends.push(fire_one(stream, sequence, made));
    }
    join_all(appends).await;
}

async fn fire_one(stream: &Stream, sequence: u64, made: Option<NewMessage>) {
    if let Some(new) = made {
        match stream.append(new).await {
            // It is gone, or is tried again as long as it is due.
            Ok(_)
            | Err(Error::MessageNotFound(_) | Error::Busy | Error::NoSpace | Error::Closed) => {
                return;
            }
            Err(error) => tracing::warn!(sequence, %error, "a schedule publishes nothing more"),
        }
    }
    if let Err(error) = stream.set_due(sequence, None).await {
        tracing::debug!(sequence, %error, "a schedule that is over stays due");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_due_long_ago_is_due() {
        let now = 1_795_694_400_000_000_000;
        for (next, expected) in [(now + 5, 5), (now, 0), (now - 5, 0), (i64::MIN + 1, 0)] {
            let left = left(Some(Timestamp(next)), now);
            assert_eq!(left, Duration::from_nanos(expected), "{next}");
        }
        assert!(left(None, now) > PAUSE_MAX && left(Some(Timestamp(i64::MAX)), now) > PAUSE_MAX);
    }
}
