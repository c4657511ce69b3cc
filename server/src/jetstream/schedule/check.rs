//! What a publisher may say about schedules: the checks of nats-server in its order.
//! Not here: when a schedule comes (`pattern`), what it publishes then (`message`).

use super::pattern;
use crate::jetstream::errors::{self, ApiError};
use bytes::Bytes;
use headwater_replication::headers;
use headwater_replication::time_to_live::TimeToLive;
use headwater_storage::{NewMessage, Stream, Timestamp, subject};
use jiff::tz::TimeZone;

/// The headers of a schedule.
pub(super) const PATTERN: &str = "Nats-Schedule";
pub(super) const ZONE: &str = "Nats-Schedule-Time-Zone";
pub(super) const TTL: &str = "Nats-Schedule-TTL";
pub(super) const ROLLUP: &str = "Nats-Schedule-Rollup";
pub(super) const TARGET: &str = "Nats-Schedule-Target";
pub(super) const SOURCE: &str = "Nats-Schedule-Source";
/// The headers of what a schedule publishes.
pub(super) const SCHEDULER: &str = "Nats-Scheduler";
pub(super) const NEXT: &str = "Nats-Schedule-Next";
/// That a schedule is over.
pub(super) const PURGE: &str = "purge";
const MESSAGE_ROLLUP: &str = "Nats-Rollup";

/// What the stream allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::jetstream) struct Rules {
    /// Schedules.
    pub(in crate::jetstream) allow_schedules: bool,
    /// Messages with a lifetime.
    pub(in crate::jetstream) allow_ttl: bool,
    /// The subjects of the stream.
    pub(in crate::jetstream) subjects: Vec<String>,
}

/// The value of a header as text; nothing where it is not there or empty.
pub(super) fn text<'a>(block: &'a [u8], name: &str) -> &'a str {
    headers::value(block, name).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
}

/// The zone that a schedule goes by; an error where it is none.
pub(super) fn zone(block: &[u8]) -> Result<Option<TimeZone>, ApiError> {
    if headers::value(block, ZONE).is_none() {
        return Ok(None);
    }
    let name = text(block, ZONE);
    let found = TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name));
    found.map(Some).ok_or(errors::SCHEDULES_TIME_ZONE)
}

/// Checks what a message says about schedules: one that is a schedule is told when it is due and takes the place of the
/// one before, one that ends a schedule takes it away. A message about no schedule stays as it is.
pub(in crate::jetstream) fn check(
    stream: &Stream,
    rules: &Rules,
    new: &mut NewMessage,
) -> Result<(), ApiError> {
    let block = new.headers.clone();
    if memchr::memmem::find(&block, SCHEDULE_PREFIX).is_none() {
        return Ok(());
    }
    if let Some(due) = due(rules, &block)? {
        schedule(rules, new, &block)?;
        new.due = Some(due);
    }
    ending(stream, rules, new, &block)
}

const SCHEDULE_PREFIX: &[u8] = b"Nats-Schedule";

/// When a schedule is due the first time; none where the message is no schedule.
fn due(rules: &Rules, block: &[u8]) -> Result<Option<Timestamp>, ApiError> {
    let own = |error| if rules.allow_schedules { error } else { errors::SCHEDULES_DISABLED };
    let zone = zone(block).map_err(own)?;
    let pattern = text(block, PATTERN);
    if headers::value(block, PATTERN).is_none_or(<[u8]>::is_empty) {
        return Ok(None);
    }
    let now = Timestamp::now().0;
    let next = pattern::next(pattern, zone.as_ref(), now, now);
    let next = next.ok_or_else(|| own(errors::SCHEDULES_PATTERN))?;
    if !rules.allow_schedules {
        return Err(errors::SCHEDULES_DISABLED);
    }
    Ok(Some(Timestamp(next.at)))
}

/// When a schedule that was stored at a time is due the next time; none where the message is no schedule.
pub(in crate::jetstream) fn due_since(block: &[u8], stored: Timestamp) -> Option<Timestamp> {
    let pattern = headers::value(block, PATTERN).and_then(|text| str::from_utf8(text).ok())?;
    let zone = zone(block).ok()?;
    let next = pattern::next(pattern, zone.as_ref(), stored.0, Timestamp::now().0)?;
    Some(Timestamp(next.at))
}

fn schedule(rules: &Rules, new: &mut NewMessage, block: &Bytes) -> Result<(), ApiError> {
    let own = String::from_utf8_lossy(&new.subject).into_owned();
    let (ttl, rollup) = (text(block, TTL), text(block, ROLLUP));
    let (target, source) = (text(block, TARGET), text(block, SOURCE));
    let captured = |text: &str| rules.subjects.iter().any(|each| subject::collides(each, text));
    let is_ttl_wrong = !ttl.is_empty() && TimeToLive::read(ttl.as_bytes()) == TimeToLive::Invalid;
    let is_target_wrong = target.is_empty() || !subject::is_literal(target) || target == own;
    let has_source = !source.is_empty();
    let is_source_wrong = source == target || source == own || !subject::is_literal(source);
    let own_rollup = text(block, MESSAGE_ROLLUP);
    let is_rollup_wrong = !own_rollup.is_empty() && !own_rollup.eq_ignore_ascii_case("sub");
    let verdicts = [
        (is_ttl_wrong, errors::SCHEDULES_TTL),
        (!rollup.is_empty() && rollup != "sub", errors::SCHEDULES_ROLLUP),
        (!ttl.is_empty() && !rules.allow_ttl, errors::TTL_DISABLED),
        (is_target_wrong, errors::SCHEDULES_TARGET),
        (has_source && is_source_wrong, errors::SCHEDULES_SOURCE),
        (!captured(target), errors::SCHEDULES_TARGET),
        (has_source && !captured(source), errors::SCHEDULES_SOURCE),
        (is_rollup_wrong, errors::SCHEDULES_ROLLUP),
    ];
    if let Some((_, error)) = verdicts.into_iter().find(|(is_wrong, _)| *is_wrong) {
        return Err(error);
    }
    if own_rollup.is_empty() {
        new.headers = headers::rewrite(block, |_| false, Some((MESSAGE_ROLLUP, "sub")));
    }
    Ok(())
}

/// A message that ends a schedule names it; what else a schedule writes nobody may say.
fn ending(
    stream: &Stream,
    rules: &Rules,
    new: &mut NewMessage,
    block: &Bytes,
) -> Result<(), ApiError> {
    let (next, scheduler) = (text(block, NEXT), text(block, SCHEDULER));
    if next.is_empty() {
        return if scheduler.is_empty() { Ok(()) } else { Err(errors::SCHEDULES_SCHEDULER) };
    }
    let is_own = scheduler.as_bytes() == &new.subject[..];
    if next != PURGE || scheduler.is_empty() || is_own || !subject::is_literal(scheduler) {
        return Err(errors::SCHEDULES_SCHEDULER);
    }
    if !rules.allow_schedules {
        return Err(errors::SCHEDULES_DISABLED);
    }
    let last = stream.last_by_subject(scheduler).ok().flatten();
    if last.is_some_and(|last| text(&last.headers, PATTERN).is_empty()) {
        return Err(errors::SCHEDULES_SCHEDULER);
    }
    new.purge = Some(Bytes::copy_from_slice(scheduler.as_bytes()));
    Ok(())
}
