//! `STREAM.MSG.GET` and `STREAM.MSG.DELETE`: one message, by sequence, subject or time.
//! Not here: reads whose replies are the messages themselves (`direct_get`).

use super::endpoint::object;
use super::{Reply, Request};
use crate::jetstream::errors::{self, ApiError};
use crate::jetstream::json::{self, Fields};
use crate::jetstream::text_time;
use data_encoding::BASE64;
use headwater_storage::{Error, Message, Result as StorageResult, Stream, Timestamp, subject};
use serde_json::json;

const DELETE_FAILED: u16 = 10057;

/// Which message, or messages, are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) sequence: u64,
    pub(super) last_by_subject: String,
    pub(super) next_by_subject: String,
    pub(super) start_time: Option<Timestamp>,
    pub(super) batch: i64,
    pub(super) bytes_max: i64,
    pub(super) multi_last: Vec<String>,
    pub(super) up_to_sequence: u64,
    pub(super) up_to_time: Option<Timestamp>,
    pub(super) no_headers: bool,
}

impl Selection {
    /// Reads what is asked for.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            sequence: fields.count("seq")?.unwrap_or(0),
            last_by_subject: fields.text("last_by_subj")?,
            next_by_subject: fields.text("next_by_subj")?,
            start_time: fields.time("start_time")?.map(text_time::stored),
            batch: fields.integer("batch")?,
            bytes_max: fields.integer("max_bytes")?,
            multi_last: fields.texts("multi_last")?,
            up_to_sequence: fields.count("up_to_seq")?.unwrap_or(0),
            up_to_time: fields.time("up_to_time")?.map(text_time::stored),
            no_headers: fields.flag("no_hdr")?,
        })
    }
    /// Whether nothing says which message.
    pub(super) fn is_empty(&self) -> bool {
        self.sequence == 0
            && self.last_by_subject.is_empty()
            && self.next_by_subject.is_empty()
            && self.start_time.is_none()
    }
    /// Whether two ways of saying which message exclude each other.
    pub(super) fn is_contradictory(&self) -> bool {
        let (last, next) = (!self.last_by_subject.is_empty(), !self.next_by_subject.is_empty());
        let (sequence, time) = (self.sequence > 0, self.start_time.is_some());
        (sequence && (last || time)) || (last && (next || time))
    }
    /// The message asked for, if there is one.
    pub(super) fn find(&self, stream: &Stream) -> StorageResult<Option<Message>> {
        if !self.last_by_subject.is_empty() {
            return match subject::is_valid(&self.last_by_subject) {
                true => stream.last_by_subject(&self.last_by_subject),
                false => Ok(None),
            };
        }
        if self.next_by_subject.is_empty() && self.start_time.is_none() {
            return match stream.get(self.sequence) {
                Ok(message) => Ok(Some(message)),
                Err(Error::MessageNotFound(_)) => Ok(None),
                Err(error) => Err(error),
            };
        }
        let filters = match self.next_by_subject.as_str() {
            "" => Vec::new(),
            filter if subject::is_valid(filter) => vec![filter.to_owned()],
            _ => return Ok(None),
        };
        stream.next_by_subject(&filters, self.start(stream)?)
    }
    /// Where reading begins.
    pub(super) fn start(&self, stream: &Stream) -> StorageResult<u64> {
        match self.start_time {
            Some(time) => stream.sequence_at_time(time),
            None => Ok(self.sequence.max(1)),
        }
    }
}

/// One message in the reply.
pub(super) fn get(request: &Request<'_>) -> Reply {
    if request.body.trim_ascii().is_empty() {
        return Err(errors::BAD_REQUEST);
    }
    let selection = request.required(Selection::read)?;
    let is_batch = selection.batch > 0 || selection.bytes_max > 0;
    if selection.is_empty() || selection.is_contradictory() || is_batch {
        return Err(errors::BAD_REQUEST);
    }
    let entry = request.entry()?;
    let found = selection.find(&entry.stream);
    let found = found.map_err(|error| ApiError::of_storage(&error, 10051))?;
    let message = found.ok_or(errors::NO_MESSAGE_FOUND)?;
    let mut value = object(json!({
        "subject": message.subject_str(),
        "seq": message.sequence,
        "time": text_time::text(message.time),
    }));
    if !message.payload.is_empty() {
        value.insert("data".into(), BASE64.encode(&message.payload).into());
    }
    if !selection.no_headers && !message.headers.is_empty() {
        value.insert("hdrs".into(), BASE64.encode(&message.headers).into());
    }
    Ok(object(json!({"message": value})))
}

/// Deletes one message. With or without `no_erase` its bytes stay in their segment until that goes.
pub(super) async fn delete(request: &Request<'_>) -> Reply {
    if json::is_empty(request.body) {
        return Err(errors::BAD_REQUEST);
    }
    let read = |fields: &Fields<'_>| Ok((fields.count("seq")?, fields.flag("no_erase")?));
    let (sequence, _no_erase) = request.required(read)?;
    let sequence = sequence.unwrap_or(0);
    let entry = request.entry()?;
    let config = entry.config();
    let refused = |text: String| ApiError::with(500, DELETE_FAILED, text);
    if config.sealed {
        return Err(errors::SEALED);
    }
    if config.deny_delete {
        return Err(refused("message delete not permitted".into()));
    }
    match entry.stream.delete(sequence).await {
        Ok(()) => Ok(object(json!({"success": true}))),
        Err(Error::MessageNotFound(_)) => Err(ApiError::with(
            400,
            errors::SEQUENCE_NOT_FOUND,
            format!("sequence {sequence} not found"),
        )),
        Err(error) => Err(ApiError::of_storage(&error, DELETE_FAILED)),
    }
}
