//! Counters: what is stored of an increment is the sum with the last value of its subject.
//!
//! A direct increment adds its `Nats-Incr`. A copy of another counter brings that one's value; what is added is how far it is
//! from the value that came from there before, which `Nats-Counter-Sources` keeps for each stream and subject.
//! Invariant: the value of a subject is the sum of its direct increments and of the last value of each source.
//! Not here: what a publisher may not say beside an increment (`publish`).

mod number;

use super::errors::{self, ApiError};
use bytes::Bytes;
use headwater_replication::headers;
use headwater_replication::source_header::STREAM_SOURCE;
use headwater_storage::stream::{Combine, Last};
use headwater_storage::{Error as StorageError, NewMessage};
use number::Number;
use serde_json::Value;
use std::collections::BTreeMap;

/// The header of an increment.
const INCREMENT: &str = "Nats-Incr";
/// The header that keeps what came from where.
const SOURCES: &str = "Nats-Counter-Sources";
const SOURCES_LINE: &[u8] = b"Nats-Counter-Sources:";
/// Largest headers and payload of a stored counter together: what a message may have by default.
const CONTENT_BYTES_MAX: usize = 1024 * 1024;
/// Largest headers of a stored counter.
const HEADER_BYTES_MAX: usize = 65_535;

/// Last values that came from other counters: by stream, by subject there.
type Sources = BTreeMap<String, BTreeMap<String, String>>;

/// Whether a text is an increment.
pub(super) fn is_increment(text: &[u8]) -> bool {
    Number::read(text).is_some()
}

/// Adds up increments.
#[derive(Debug)]
pub(super) struct Counter;

impl Combine for Counter {
    fn combine(&self, last: Option<&Last>, message: &mut NewMessage) -> Result<(), StorageError> {
        add(last, message).map_err(|error| StorageError::NotCombined {
            code: error.err_code,
            what: error.description.into_owned(),
        })
    }
}

fn add(last: Option<&Last>, message: &mut NewMessage) -> Result<(), ApiError> {
    let increment = headers::value(&message.headers, INCREMENT).filter(|text| !text.is_empty());
    let increment = increment.ok_or(errors::COUNTER_INCREMENT_MISSING)?;
    let mut increment = Number::read(increment).ok_or(errors::COUNTER_INCREMENT_INVALID)?;
    let mut total = last.map_or(Ok(Number::default()), |last| value(&last.payload))?;
    let mut sources = last.map_or(Ok(Sources::new()), |last| sources(&last.headers))?;
    let source = headers::value(&message.headers, STREAM_SOURCE).filter(|text| !text.is_empty());
    if let Some(source) = source.map(|source| String::from_utf8_lossy(source).into_owned()) {
        let mut fields = source.split(' ');
        let stream = fields.next().unwrap_or_default();
        let own = String::from_utf8_lossy(&message.subject);
        let subject = fields.nth(3).unwrap_or(&own);
        let sourced = value(&message.payload)?;
        let of_stream = sources.entry(stream.to_owned()).or_default();
        let before = of_stream.insert(subject.to_owned(), sourced.to_string());
        let before = before.and_then(|text| Number::read(text.as_bytes())).unwrap_or_default();
        increment = sourced.minus(&before);
        message.headers = headers::set(&message.headers, INCREMENT, &increment.to_string());
    }
    total = total.plus(&increment);
    message.payload = Bytes::from(format!("{{\"val\":\"{total}\"}}"));
    // What a publisher or another counter says of sources counts for nothing here.
    if !sources.is_empty() {
        message.headers = headers::set(&message.headers, SOURCES, &json(&sources));
    } else if headers::value(&message.headers, SOURCES).is_some() {
        let is_sources = |line: &[u8]| line.starts_with(SOURCES_LINE);
        message.headers = headers::rewrite(&message.headers, is_sources, None);
    }
    let bytes = message.headers.len() + message.payload.len();
    if bytes > CONTENT_BYTES_MAX {
        return Err(errors::MESSAGE_EXCEEDS_MAXIMUM);
    }
    if message.headers.len() > HEADER_BYTES_MAX {
        return Err(errors::HEADERS_EXCEED_MAXIMUM);
    }
    Ok(())
}

/// The value that a stored counter holds; a text that is no number stands for none.
fn value(payload: &[u8]) -> Result<Number, ApiError> {
    let text = match serde_json::from_slice(payload) {
        Ok(Value::Null) => return Ok(Number::default()),
        Ok(Value::Object(mut map)) => map.remove("val").unwrap_or_default(),
        _ => return Err(errors::COUNTER_BROKEN),
    };
    match text {
        Value::Null => Ok(Number::default()),
        Value::String(text) => Ok(Number::read(text.as_bytes()).unwrap_or_default()),
        _ => Err(errors::COUNTER_BROKEN),
    }
}

fn sources(block: &[u8]) -> Result<Sources, ApiError> {
    match headers::value(block, SOURCES).filter(|text| !text.is_empty()) {
        None => Ok(Sources::new()),
        Some(text) => serde_json::from_slice(text).map_err(|_| errors::COUNTER_BROKEN),
    }
}

/// As Go writes it: without the characters that mean something in HTML.
fn json(sources: &Sources) -> String {
    let text = serde_json::to_string(sources).unwrap_or_default();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(block: &str, payload: &str) -> NewMessage {
        let headers = format!("NATS/1.0\r\n{block}\r\n");
        NewMessage {
            subject: "a".into(),
            headers: headers.into(),
            payload: payload.to_owned().into(),
            ..NewMessage::default()
        }
    }

    fn apply(last: &mut Option<Last>, block: &str, payload: &str) -> Result<(String, String), u16> {
        let mut new = message(block, payload);
        add(last.as_ref(), &mut new).map_err(|error| error.err_code)?;
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let stored = (text(&new.headers), text(&new.payload));
        *last = Some(Last { headers: new.headers, payload: new.payload });
        Ok(stored)
    }

    #[test]
    fn increments_add_up() {
        let mut last = None;
        for (increment, total) in [
            ("1", "1"),
            ("-5", "-4"),
            ("100000000000000000000", "99999999999999999996"),
            ("+4", "100000000000000000000"),
            ("-100000000000000000000", "0"),
        ] {
            let (_, payload) =
                apply(&mut last, &format!("Nats-Incr: {increment}\r\n"), "").unwrap();
            assert_eq!(payload, format!("{{\"val\":\"{total}\"}}"));
        }
        assert_eq!(apply(&mut last, "", ""), Err(10169));
        assert_eq!(apply(&mut last, "Nats-Incr: x\r\n", ""), Err(10171));
        last = Some(Last { headers: Bytes::new(), payload: "text".into() });
        assert_eq!(apply(&mut last, "Nats-Incr: 1\r\n", ""), Err(10172));
    }

    #[test]
    fn sources_count_once() {
        let mut last = None;
        let from =
            |stream: &str| format!("Nats-Incr: 7\r\nNats-Stream-Source: {stream} 1 > > b.1 id\r\n");
        apply(&mut last, "Nats-Incr: 5\r\n", "").unwrap();
        let (headers, payload) = apply(&mut last, &from("X"), r#"{"val":"10"}"#).unwrap();
        assert_eq!(payload, r#"{"val":"15"}"#);
        assert!(headers.contains("Nats-Incr: 10\r\n"), "{headers}");
        assert!(
            headers.contains("Nats-Counter-Sources: {\"X\":{\"b.1\":\"10\"}}\r\n"),
            "{headers}"
        );
        let (_, payload) = apply(&mut last, &from("Y"), r#"{"val":"100"}"#).unwrap();
        assert_eq!(payload, r#"{"val":"115"}"#);
        // The same again adds nothing; a value that fell takes away.
        let (_, payload) = apply(&mut last, &from("X"), r#"{"val":"10"}"#).unwrap();
        assert_eq!(payload, r#"{"val":"115"}"#);
        let (headers, payload) = apply(&mut last, &from("X"), r#"{"val":"-1"}"#).unwrap();
        assert_eq!(payload, r#"{"val":"104"}"#);
        assert!(headers.contains("Nats-Incr: -11\r\n"), "{headers}");
        // A direct increment keeps what is known of the sources.
        let (headers, payload) = apply(&mut last, "Nats-Incr: 1\r\n", "").unwrap();
        assert_eq!(payload, r#"{"val":"105"}"#);
        let known = r#"{"X":{"b.1":"-1"},"Y":{"b.1":"100"}}"#;
        assert!(headers.contains(known), "{headers}");
        assert_eq!(apply(&mut last, &from("X"), "5"), Err(10172));
    }

    #[test]
    fn a_publisher_says_nothing_of_sources() {
        for said in ["x", r#"{"X":{"b.1":"999"}}"#] {
            let mut last = None;
            let block = format!("Nats-Incr: 1\r\nNats-Counter-Sources: {said}\r\n");
            let (headers, _) = apply(&mut last, &block, "").unwrap();
            assert!(!headers.contains(SOURCES), "{headers}");
            let (_, payload) = apply(&mut last, "Nats-Incr: 1\r\n", "").unwrap();
            assert_eq!(payload, r#"{"val":"2"}"#);
            let from = "Nats-Incr: 7\r\nNats-Stream-Source: X 1 > > b.1 id\r\n";
            let (headers, payload) = apply(&mut last, from, r#"{"val":"10"}"#).unwrap();
            assert_eq!(payload, r#"{"val":"12"}"#);
            let (again, _) = apply(&mut last, &block, "").unwrap();
            let known = |headers: &str| {
                headers.lines().find(|line| line.starts_with(SOURCES)).map(str::to_owned)
            };
            assert_eq!(known(&again), known(&headers));
        }
    }
}
