//! `DIRECT.GET`: reads whose replies are the messages themselves, with where they lie in their headers.
//! Not here: reads of many messages (`direct_batch`).

use super::messages::Selection;
use super::{direct_batch, is_level_supported};
use crate::jetstream::json::{self, Fields};
use crate::jetstream::publish::republish::with_fields;
use crate::jetstream::tenant::Tenant;
use crate::jetstream::text_time;
use crate::protocol::headers;
use crate::routing::Message;
use bytes::Bytes;
use headwater_storage::{Message as Stored, subject};
use std::sync::Arc;

pub(super) const BAD_REQUEST: &str = "408 Bad Request";
pub(super) const NOT_FOUND: &str = "404 Message Not Found";

/// Where replies go, and how they look.
pub(super) struct Replies<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) stream: &'a str,
    pub(super) reply: &'a Bytes,
    pub(super) no_headers: bool,
}

impl Replies<'_> {
    /// Sends a status without a message.
    pub(super) fn status(&self, status: &str, fields: &[(&str, &str)]) {
        let headers = headers::block(status, fields);
        self.send(headers, Bytes::new());
    }
    /// Sends a message; `more` are further header lines.
    pub(super) fn message(&self, message: &Stored, more: &str) {
        if self.no_headers {
            return self.send(Bytes::new(), message.payload.clone());
        }
        let fields = format!(
            "Nats-Stream: {}\r\nNats-Subject: {}\r\nNats-Sequence: {}\r\nNats-Time-Stamp: {}\r\n{more}",
            self.stream,
            message.subject_str(),
            message.sequence,
            text_time::text(message.time),
        );
        self.send(with_fields(&message.headers, &fields), message.payload.clone());
    }

    fn send(&self, headers: Bytes, payload: Bytes) {
        let subject = self.reply.clone();
        self.tenant.account.send(&Message { subject, headers, payload, ..Message::default() });
    }
}

/// Answers a read; `target` is the stream, and a subject behind a dot where the request names one.
pub(super) fn answer(tenant: &Arc<Tenant>, target: &str, request: &Message) {
    if request.reply.is_empty() {
        return;
    }
    let (stream, subject) = match target.split_once('.') {
        Some((stream, subject)) => (stream, Some(subject)),
        None => (target, None),
    };
    let mut replies = Replies { tenant, stream, reply: &request.reply, no_headers: false };
    let entry = tenant.entry(stream).filter(|entry| entry.config().allow_direct);
    let Some(entry) = entry else {
        let subject = String::from_utf8_lossy(&request.subject);
        return replies.status("503", &[("Nats-Subject", &subject)]);
    };
    if !is_level_supported(request) {
        return replies.status("412 Required Api Level", &[]);
    }
    let selection = match selection(&request.payload, subject) {
        Ok(selection) => selection,
        Err(status) => return replies.status(status, &[]),
    };
    replies.no_headers = selection.no_headers;
    if !selection.multi_last.is_empty() {
        return direct_batch::last_of_each(&replies, &entry.stream, &selection);
    }
    if selection.batch != 0 {
        return direct_batch::batch(&replies, &entry.stream, &selection);
    }
    match selection.find(&entry.stream) {
        Ok(Some(message)) => replies.message(&message, ""),
        Ok(None) => replies.status(NOT_FOUND, &[]),
        Err(error) => {
            tracing::warn!(stream, "direct read failed: {error}");
            replies.status("500 Read Failed", &[]);
        }
    }
}

/// What is asked for, or the status of what is wrong with the request.
fn selection(body: &[u8], subject: Option<&str>) -> Result<Selection, &'static str> {
    let selection = match body.trim_ascii().is_empty() {
        true => Selection::default(),
        false => {
            let malformed = |_| "408 Malformed Request";
            let value = json::parse(body).map_err(malformed)?;
            let fields = Fields::new("request", &value, false).map_err(malformed)?;
            Selection::read(&fields).map_err(malformed)?
        }
    };
    if let Some(subject) = subject {
        let is_plain = selection.is_empty() && selection.multi_last.is_empty();
        return match is_plain && selection.batch == 0 && subject::is_valid(subject) {
            true => Ok(Selection { last_by_subject: subject.to_owned(), ..selection }),
            false => Err(BAD_REQUEST),
        };
    }
    let is_multi = !selection.multi_last.is_empty();
    if selection.is_empty() && !is_multi {
        return Err("408 Empty Request");
    }
    let names_last = !selection.last_by_subject.is_empty();
    let is_wrong = selection.is_contradictory()
        || (names_last && (selection.batch > 0 || is_multi))
        || (is_multi && !selection.next_by_subject.is_empty())
        || (selection.up_to_sequence > 0 && selection.up_to_time.is_some());
    if is_wrong { Err(BAD_REQUEST) } else { Ok(selection) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_are_refused() {
        for (body, subject, expected) in [
            ("", None, Some("408 Empty Request")),
            ("{}", None, Some("408 Empty Request")),
            (r#"{"seq":0}"#, None, Some("408 Empty Request")),
            (r#"{"x":1}"#, None, Some("408 Empty Request")),
            (r#"{"batch":3}"#, None, Some("408 Empty Request")),
            (r#"{"multi_last":[]}"#, None, Some("408 Empty Request")),
            ("junk", None, Some("408 Malformed Request")),
            (r#"{"seq":"1"}"#, None, Some("408 Malformed Request")),
            (r#"{"seq":1,"last_by_subj":"a"}"#, None, Some(BAD_REQUEST)),
            (r#"{"last_by_subj":"a","batch":2}"#, None, Some(BAD_REQUEST)),
            (r#"{"multi_last":["a"],"last_by_subj":"a"}"#, None, Some(BAD_REQUEST)),
            (r#"{"seq":1}"#, Some("a"), Some(BAD_REQUEST)),
            (r#"{"seq":1}"#, None, None),
            ("", Some("a.b"), None),
            (r#"{"next_by_subj":"a","seq":2,"batch":2}"#, None, None),
        ] {
            assert_eq!(selection(body.as_bytes(), subject).err(), expected, "{body}");
        }
    }
}
