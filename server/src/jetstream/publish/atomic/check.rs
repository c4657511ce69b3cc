//! What the members of a complete batch ask for, checked in nats-server's order before the engine sees any of them.
//!
//! The engine checks ids, sequences and limits itself, member by member; what is refused here is what only means
//! something among the members of a batch, or in headers that the engine does not read.
//! Not here: whether the batch is complete (`staging`).

use super::super::headers::Headers;
use super::super::settings::Settings;
use super::super::{HEADER_BYTES_MAX, expectations, set_lifetime, unmet};
use super::staging::Member;
use crate::jetstream::errors::{self, ApiError};
use crate::jetstream::schedule;
use bytes::Bytes;
use headwater_replication::time_to_live::TimeToLive;
use headwater_storage::message::{Expect, Rollup};
use headwater_storage::{NewMessage, Stream};
use std::collections::HashSet;

/// Subjects and ids of the members before the one that is checked.
#[derive(Debug, Default)]
struct Earlier {
    subjects: HashSet<Bytes>,
    ids: HashSet<Bytes>,
    count: u64,
}

/// The appends of a batch, or what its publisher is told.
pub(super) fn check(
    stream: &Stream,
    settings: &Settings,
    members: Vec<Member>,
) -> Result<Vec<NewMessage>, ApiError> {
    let mut earlier = Earlier::default();
    let mut checked: Vec<NewMessage> = Vec::with_capacity(members.len());
    for member in members {
        let new = message(stream, settings, member, &earlier).map_err(|error| {
            let before = checked.iter().find_map(|new| unmet(stream, &new.expect));
            before.unwrap_or(error)
        })?;
        earlier.subjects.insert(new.subject.clone());
        earlier.ids.extend(new.message_id.clone());
        earlier.count += 1;
        checked.push(new);
    }
    Ok(checked)
}

fn message(
    stream: &Stream,
    settings: &Settings,
    member: Member,
    earlier: &Earlier,
) -> Result<NewMessage, ApiError> {
    let block = member.headers.clone();
    let headers = Headers::read(&block);
    plain(settings, &member, &headers)?;
    let message_id = headers.message_id.map(Bytes::copy_from_slice);
    let is_known = |id: &Bytes| earlier.ids.contains(id) || stream.sequence_of_id(id).is_some();
    if message_id.as_ref().is_some_and(is_known) {
        return Err(errors::ATOMIC_PUBLISH_DUPLICATE);
    }
    if headers.has_source {
        return Err(errors::SOURCE_HEADER_REFUSED);
    }
    if settings.is_counter && headers.increment.is_none() {
        return Err(errors::COUNTER_INCREMENT_MISSING);
    }
    let subject = settings.transformed(&member.subject);
    let expect = expected(stream, &headers, &subject, earlier)?;
    let own = |error| unmet(stream, &expect).unwrap_or(error);
    let mut new = NewMessage {
        subject: subject.clone(),
        headers: member.headers,
        payload: member.payload,
        ..NewMessage::default()
    };
    schedule::check(stream, &settings.schedules, &mut new).map_err(own)?;
    let asked = headers.rollup.or(new.due.map(|_| &b"sub"[..]));
    let rollup = asked.map(|value| rollup(settings, value, &subject, earlier));
    let rollup = rollup.transpose().map_err(own)?;
    (new.message_id, new.rollup) = (message_id, rollup);
    new.expect = expect;
    set_lifetime(settings, &headers, &mut new);
    Ok(new)
}

/// What does not depend on the stream's messages.
fn plain(settings: &Settings, member: &Member, headers: &Headers<'_>) -> Result<(), ApiError> {
    if headers.expected_message_id.is_some() {
        return Err(ApiError::atomic_publish_header("Nats-Expected-Last-Msg-Id"));
    }
    let is_other_stream =
        headers.expected_stream.is_some_and(|name| name != settings.name.as_bytes());
    let is_ttl_invalid = headers.time_to_live == Some(TimeToLive::Invalid);
    if member.headers.len() > HEADER_BYTES_MAX {
        return Err(errors::HEADERS_EXCEED_MAXIMUM);
    }
    headers.check_increment(settings.is_counter, &member.payload)?;
    let verdicts = [
        (is_other_stream, errors::EXPECTED_STREAM),
        (headers.has_lifetime() && !settings.allow_ttl, errors::TTL_DISABLED),
        (is_ttl_invalid && !settings.allow_ttl, errors::TTL_DISABLED),
        (is_ttl_invalid, errors::TTL_INVALID),
    ];
    let found = verdicts.into_iter().find(|(is_wrong, _)| *is_wrong);
    found.map_or(Ok(()), |(_, error)| Err(error))
}

/// What a member expects of the stream. About what the batch itself writes nothing can be expected.
fn expected(
    stream: &Stream,
    headers: &Headers<'_>,
    subject: &Bytes,
    earlier: &Earlier,
) -> Result<Expect, ApiError> {
    if let Some(expected) = headers.expected_sequence
        && earlier.count > 0
    {
        let last = stream.committed_sequence().saturating_add(earlier.count);
        return Err(match expected == Some(last) {
            true => errors::WRONG_LAST_SEQUENCE_IN_BATCH,
            false => ApiError::wrong_last_sequence(last),
        });
    }
    let of = headers.expected_subject.unwrap_or(subject);
    if headers.expected_subject_sequence.is_some() && earlier.subjects.contains(of) {
        return Err(errors::WRONG_LAST_SEQUENCE_IN_BATCH);
    }
    expectations(stream, headers, subject)
}

/// A rollup must not take away what the batch itself writes.
fn rollup(
    settings: &Settings,
    value: &[u8],
    subject: &Bytes,
    earlier: &Earlier,
) -> Result<Rollup, ApiError> {
    if !settings.allow_rollup {
        return Err(errors::ROLLUP_DENIED);
    }
    if value.eq_ignore_ascii_case(b"sub") {
        let is_written = earlier.subjects.contains(subject);
        return match is_written {
            true => Err(ApiError::rollup("batch rollup sub invalid")),
            false => Ok(Rollup::Subject),
        };
    }
    if value.eq_ignore_ascii_case(b"all") {
        return match earlier.count > 0 {
            true => Err(ApiError::rollup("batch rollup all invalid")),
            false => Ok(Rollup::All),
        };
    }
    Err(ApiError::rollup_value(value))
}
