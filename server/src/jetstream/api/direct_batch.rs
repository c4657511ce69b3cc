//! `DIRECT.GET` of many messages: a run of them, or the last of each of several subjects.
//! Invariant: a reply is bounded by messages and bytes, and ends with a status unless it was for one message.
//! Not here: what makes a request wrong (`direct_get`).

use super::direct_get::{NOT_FOUND, Replies};
use super::messages::Selection;
use crate::jetstream::lookup::last_up_to;
use headwater_storage::{Message, Result, Stream, Timestamp, subject};
use std::collections::BTreeMap;

/// Most messages of one reply.
const MESSAGES_MAX: usize = 100_000;
/// Most subjects of which the last message is given.
const SUBJECTS_MAX: usize = 1024;
/// Most bytes of one reply, where the request does not say less.
const BYTES_MAX: usize = 64 * 1024 * 1024;

fn bytes_max(selection: &Selection) -> usize {
    let asked = usize::try_from(selection.bytes_max).unwrap_or(0);
    if asked == 0 { BYTES_MAX } else { asked.min(BYTES_MAX) }
}

fn size(message: &Message) -> usize {
    message.subject.len() + message.headers.len() + message.payload.len()
}

/// A run of messages, from a sequence or time on.
pub(super) fn batch(replies: &Replies<'_>, stream: &Stream, selection: &Selection) {
    if let Err(error) = send_batch(replies, stream, selection) {
        tracing::warn!("direct read failed: {error}");
        replies.status("500 Read Failed", &[]);
    }
}

fn send_batch(replies: &Replies<'_>, stream: &Stream, selection: &Selection) -> Result<()> {
    let filters = match selection.next_by_subject.as_str() {
        "" => Vec::new(),
        filter if subject::is_valid(filter) => vec![filter.to_owned()],
        _ => {
            replies.status(NOT_FOUND, &[]);
            return Ok(());
        }
    };
    let mut next = selection.start(stream)?;
    let mut pending = stream.count_from(next, &filters);
    if pending == 0 {
        replies.status(NOT_FOUND, &[]);
        return Ok(());
    }
    let messages_max = usize::try_from(selection.batch).unwrap_or(0).min(MESSAGES_MAX);
    let (mut sent, mut last) = (0, 0);
    for _ in 0..messages_max {
        let Some(message) = stream.next_by_subject(&filters, next)? else { break };
        if sent >= bytes_max(selection) {
            break;
        }
        sent += size(&message);
        pending = pending.saturating_sub(1);
        let more = format!("Nats-Num-Pending: {pending}\r\nNats-Last-Sequence: {last}\r\n");
        replies.message(&message, &more);
        last = message.sequence;
        next = last.saturating_add(1);
    }
    let (pending, last) = (pending.to_string(), last.to_string());
    let fields = [("Nats-Num-Pending", pending.as_str()), ("Nats-Last-Sequence", last.as_str())];
    replies.status("204 EOB", &fields);
    Ok(())
}

/// The last message of each subject that matches, as of one sequence.
pub(super) fn last_of_each(replies: &Replies<'_>, stream: &Stream, selection: &Selection) {
    match find_last(stream, selection) {
        Ok(Found::TooMany) => replies.status("413 Too Many Results", &[]),
        Ok(Found::Messages { messages, .. }) if messages.is_empty() => {
            replies.status("404 No Results", &[]);
        }
        Ok(Found::Messages { messages, up_to }) => send_last(replies, selection, messages, up_to),
        Err(error) => {
            tracing::warn!("direct read failed: {error}");
            replies.status("500 Read Failed", &[]);
        }
    }
}

enum Found {
    TooMany,
    Messages { messages: BTreeMap<u64, Message>, up_to: u64 },
}

fn find_last(stream: &Stream, selection: &Selection) -> Result<Found> {
    let committed = stream.committed_sequence();
    let up_to = match (selection.up_to_sequence, selection.up_to_time) {
        (0, None) => committed,
        (0, Some(time)) => before(stream, time)?,
        (sequence, _) => sequence,
    };
    let mut messages = BTreeMap::new();
    for filter in selection.multi_last.iter().filter(|filter| subject::is_valid(filter)) {
        for (subject, _) in stream.subjects(filter) {
            let Some(message) = last_up_to(stream, &subject, up_to)? else { continue };
            messages.insert(message.sequence, message);
            if messages.len() > SUBJECTS_MAX {
                return Ok(Found::TooMany);
            }
        }
    }
    Ok(Found::Messages { messages, up_to })
}

/// The last sequence whose message is older than a time.
fn before(stream: &Stream, time: Timestamp) -> Result<u64> {
    Ok(stream.sequence_at_time(time)?.saturating_sub(1))
}

fn send_last(
    replies: &Replies<'_>,
    selection: &Selection,
    messages: BTreeMap<u64, Message>,
    up_to: u64,
) {
    let messages: Vec<Message> =
        messages.into_values().filter(|message| message.sequence >= selection.sequence).collect();
    let messages_max = match usize::try_from(selection.batch) {
        Ok(0) | Err(_) => SUBJECTS_MAX,
        Ok(batch) => batch,
    };
    let (mut pending, mut sent, mut last) = (messages.len(), 0, 0);
    for message in messages.iter().take(messages_max) {
        if sent >= bytes_max(selection) {
            break;
        }
        sent += size(message);
        pending -= 1;
        let more = format!("Nats-Num-Pending: {pending}\r\nNats-Last-Sequence: {last}\r\n");
        replies.message(message, &more);
        last = message.sequence;
    }
    let (pending, last, up_to) = (pending.to_string(), last.to_string(), up_to.to_string());
    replies.status(
        "204 EOB",
        &[
            ("Nats-Num-Pending", pending.as_str()),
            ("Nats-Last-Sequence", last.as_str()),
            ("Nats-UpTo-Sequence", up_to.as_str()),
        ],
    );
}
