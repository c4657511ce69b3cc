//! The headers that mean something to a stream, found in one pass. Names are compared with case, the first one wins.
//! Not here: what they do.

use crate::jetstream::counter::is_increment;
use crate::jetstream::errors::{self, ApiError};
use crate::protocol::headers;
use bytes::{Bytes, BytesMut};
use headwater_replication::time_to_live::TimeToLive;

const VERSION: &[u8] = b"NATS/1.0";

/// Headers of a publish. A header without a value counts as absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Headers<'a> {
    pub(super) message_id: Option<&'a [u8]>,
    pub(super) expected_stream: Option<&'a [u8]>,
    /// The inner value is none where it is not a number.
    pub(super) expected_sequence: Option<Option<u64>>,
    pub(super) expected_subject_sequence: Option<Option<u64>>,
    pub(super) expected_subject: Option<&'a [u8]>,
    pub(super) expected_message_id: Option<&'a [u8]>,
    pub(super) rollup: Option<&'a [u8]>,
    pub(super) time_to_live: Option<TimeToLive>,
    pub(super) increment: Option<&'a [u8]>,
    pub(super) has_source: bool,
}

impl<'a> Headers<'a> {
    /// Reads a header block.
    pub(super) fn read(block: &'a [u8]) -> Self {
        let mut found = Self::default();
        for line in headers::lines(block) {
            let Some(rest) = line.strip_prefix(b"Nats-") else { continue };
            let Some(colon) = memchr::memchr(b':', rest) else { continue };
            let Some((name, value)) = rest.split_at_checked(colon) else { continue };
            let value = headers::value(value.get(1..).unwrap_or_default());
            if !value.is_empty() {
                found.take(name, value);
            }
        }
        found
    }

    /// Whether the message is to expire, or never to.
    pub(super) fn has_lifetime(&self) -> bool {
        matches!(self.time_to_live, Some(TimeToLive::Never | TimeToLive::Seconds(_)))
    }

    /// What is wrong with the increment of a counter, if there is one.
    pub(super) fn check_increment(&self, is_counter: bool, payload: &[u8]) -> Result<(), ApiError> {
        let Some(increment) = self.increment else { return Ok(()) };
        let is_expecting = self.rollup.is_some()
            || self.expected_stream.is_some()
            || self.expected_message_id.is_some()
            || self.expected_subject.is_some()
            || self.expected_sequence.is_some()
            || self.expected_subject_sequence.is_some();
        let verdicts = [
            (!is_increment(increment), errors::COUNTER_INCREMENT_INVALID),
            (!is_counter, errors::COUNTERS_DISABLED),
            (!payload.is_empty(), errors::COUNTER_PAYLOAD),
            (is_expecting, errors::COUNTER_INCREMENT_INVALID),
        ];
        let found = verdicts.into_iter().find(|(is_wrong, _)| *is_wrong);
        found.map_or(Ok(()), |(_, error)| Err(error))
    }

    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"Msg-Id" => set(&mut self.message_id, value),
            b"Expected-Stream" => set(&mut self.expected_stream, value),
            b"Expected-Last-Sequence" => set(&mut self.expected_sequence, number(value)),
            b"Expected-Last-Subject-Sequence" => {
                set(&mut self.expected_subject_sequence, number(value));
            }
            b"Expected-Last-Subject-Sequence-Subject" => set(&mut self.expected_subject, value),
            b"Expected-Last-Msg-Id" => set(&mut self.expected_message_id, value),
            b"Rollup" => set(&mut self.rollup, value),
            b"TTL" => set(&mut self.time_to_live, TimeToLive::read(value)),
            b"Incr" => set(&mut self.increment, value),
            b"Stream-Source" => self.has_source = true,
            _ => {}
        }
    }
}

fn set<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

/// A number as nats-server reads it: digits and nothing else.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    let is_digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_digits)?.parse().ok()
}

/// The block without the code and text of a status line, which must not be stored; nothing where that was all.
pub(super) fn without_status(block: &Bytes) -> Bytes {
    let Some(rest) = block.strip_prefix(VERSION) else { return block.clone() };
    if rest.starts_with(b"\r\n") {
        return block.clone();
    }
    let Some(end) = memchr::memmem::find(rest, b"\r\n") else { return block.clone() };
    if rest.get(end..) == Some(b"\r\n\r\n") {
        return Bytes::new();
    }
    let mut plain = BytesMut::with_capacity(block.len());
    plain.extend_from_slice(VERSION);
    plain.extend_from_slice(rest.get(end..).unwrap_or_default());
    plain.freeze()
}

/// The block without the lines of one header.
pub(super) fn without(block: &Bytes, name: &str) -> Bytes {
    let is_it =
        |line: &[u8]| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
    headwater_replication::headers::rewrite(block, is_it, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found() {
        let block = b"NATS/1.0\r\nNats-Msg-Id: a\r\nnats-ttl: 1\r\nNats-Msg-Id: b\r\n\
            Nats-Expected-Last-Sequence: x\r\nNats-Expected-Last-Subject-Sequence: 18446744073709551615\r\n\
            Nats-Rollup: \r\nNats-Expected-Stream:S\r\nK: V\r\n\r\n";
        let expected = Headers {
            message_id: Some(b"a"),
            expected_stream: Some(b"S"),
            expected_sequence: Some(None),
            expected_subject_sequence: Some(Some(u64::MAX)),
            ..Headers::default()
        };
        assert_eq!(Headers::read(block), expected);
        for odd in [&b""[..], b"\r\n", b"NATS/1.0", b"NATS/1.0\r\nNats-", b"Nats-TTL: 1"] {
            assert_eq!(Headers::read(odd), Headers::default());
        }
    }

    #[test]
    fn headers_go() {
        for (block, expected) in [
            ("NATS/1.0\r\nK: 1\r\nKK: V\r\nK: 2\r\n\r\n", "NATS/1.0\r\nKK: V\r\n\r\n"),
            ("NATS/1.0\r\nKK: K: 1\r\n\r\n", "NATS/1.0\r\nKK: K: 1\r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(without(&Bytes::from(block), "K"), expected);
        }
    }

    #[test]
    fn status_lines_go() {
        for (block, expected) in [
            ("NATS/1.0\r\n\r\n", "NATS/1.0\r\n\r\n"),
            ("NATS/1.0 503\r\nK: V\r\n\r\n", "NATS/1.0\r\nK: V\r\n\r\n"),
            ("NATS/1.0 100 Idle\r\n\r\n", ""),
            ("NATS/1.0 1", "NATS/1.0 1"),
            ("", ""),
        ] {
            assert_eq!(without_status(&Bytes::from(block)), expected);
        }
    }
}
