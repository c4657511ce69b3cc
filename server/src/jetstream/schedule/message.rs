//! The message that a schedule publishes.
//! Not here: when (`pattern`), storing it (`task`).

use super::check::{NEXT, PATTERN, PURGE, ROLLUP, SCHEDULER, SOURCE, TARGET, TTL, text, zone};
use super::pattern;
use bytes::Bytes;
use headwater_replication::headers;
use headwater_replication::time_to_live::{self, TIME_TO_LIVE, TimeToLive};
use headwater_storage::message::{Fires, Rollup};
use headwater_storage::{Message, NewMessage, Timestamp};

const MESSAGE_ROLLUP: &str = "Nats-Rollup";
/// Headers of the scheduled content that are not those of the message: of schedules, and of publishing.
const DROPPED: [&[u8]; 2] = [b"Nats-Schedule", b"Nats-Expected-"];
const DROPPED_NAMES: [&[u8]; 3] = [b"Nats-Msg-Id:", b"Nats-TTL:", b"Nats-Rollup:"];

/// What a schedule publishes that was due at a time; none where it cannot be read, which ends it. `last_of` gives the last
/// message of a subject, from which the content may come. `least` is the shortest lifetime of a message, in seconds.
pub(super) fn message(
    schedule: &Message,
    due: Timestamp,
    least: u64,
    last_of: impl FnOnce(&str) -> Option<Message>,
) -> Option<NewMessage> {
    let block = &schedule.headers;
    let (pattern, target) = (text(block, PATTERN), text(block, TARGET));
    let zone = zone(block).ok()?;
    let next = pattern::next(pattern, zone.as_ref(), due.0, Timestamp::now().0)?;
    if target.is_empty() {
        return None;
    }
    let (ttl, rollup, source) = (text(block, TTL), text(block, ROLLUP), text(block, SOURCE));
    let sampled = if source.is_empty() { None } else { last_of(source) };
    let content = sampled.as_ref().unwrap_or(schedule);
    let is_dropped =
        |line: &[u8]| DROPPED.iter().chain(&DROPPED_NAMES).any(|prefix| line.starts_with(prefix));
    let mut headers = headers::rewrite(&content.headers, is_dropped, None);
    headers = headers::set(&headers, SCHEDULER, schedule.subject_str());
    headers = headers::set(&headers, NEXT, next.text.as_deref().unwrap_or(PURGE));
    let mut lifetime = TimeToLive::None;
    if !ttl.is_empty() {
        headers = headers::set(&headers, TIME_TO_LIVE, ttl);
        lifetime = TimeToLive::read(ttl.as_bytes());
    }
    if let TimeToLive::Seconds(seconds) = lifetime
        && seconds < least
    {
        headers = time_to_live::replaced(&headers, least);
        lifetime = TimeToLive::Seconds(least);
    }
    if !rollup.is_empty() {
        headers = headers::set(&headers, MESSAGE_ROLLUP, rollup);
    }
    let is_last = next.text.is_none();
    Some(NewMessage {
        subject: Bytes::copy_from_slice(target.as_bytes()),
        headers,
        payload: content.payload.clone(),
        rollup: (!rollup.is_empty()).then_some(Rollup::Subject),
        lifetime: lifetime.lifetime(),
        purge: is_last.then(|| schedule.subject.clone()),
        fires: Some(Fires {
            sequence: schedule.sequence,
            next: (!is_last).then_some(Timestamp(next.at)),
        }),
        ..NewMessage::default()
    })
}
