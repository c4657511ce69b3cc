//! The incremental parser of client operations. It looks at the bytes that are there and gives one operation with the
//! places of its parts, or says how many bytes it needs before it is worth asking again.
//!
//! It keeps no state, allocates nothing and never reads past its input. A control line is bounded by
//! [`Limits::control_line_bytes_max`], a payload by [`Limits::payload_bytes_max`], both before the bytes have come.
//! Not here: the meaning of operations and the validity of subjects.

use super::ProtocolError;
use smallvec::SmallVec;

/// Bounds of what a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest control line, in bytes.
    pub control_line_bytes_max: usize,
    /// Largest payload, headers included, in bytes.
    pub payload_bytes_max: usize,
}

/// A part of the input, by position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes it stands for; empty when it does not lie in `input`.
    pub fn of(self, input: &[u8]) -> &[u8] {
        input.get(self.start..self.end).unwrap_or_default()
    }
    /// How many bytes it is.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }
    /// Whether it is nothing.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// One operation of a client. Spans count from the first byte of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// CONNECT with its JSON object.
    Connect(Span),
    /// PUB or HPUB.
    Publish {
        /// Where it goes.
        subject: Span,
        /// Where to answer; empty for nowhere.
        reply: Span,
        /// The header block; empty for none.
        headers: Span,
        /// The payload after the headers.
        payload: Span,
        /// Whether it came as HPUB.
        has_header_verb: bool,
    },
    /// SUB.
    Subscribe {
        /// Subject, perhaps with wildcards.
        subject: Span,
        /// Queue group; empty for none.
        queue: Span,
        /// The client's name for the subscription.
        sid: Span,
    },
    /// UNSUB.
    Unsubscribe {
        /// The client's name for the subscription.
        sid: Span,
        /// Deliveries after which it ends; 0 for at once.
        deliveries_max: u64,
    },
    /// PING.
    Ping,
    /// PONG.
    Pong,
    /// `+OK` or INFO from a client: nothing to do.
    Ignored,
    /// `-ERR` from a client.
    ClientError,
}

/// What the input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not yet an operation; ask again when there are at least this many bytes.
    Incomplete {
        /// Bytes, counted from the start of the input.
        bytes_needed: usize,
    },
    /// One operation.
    Complete {
        /// Bytes it takes.
        bytes: usize,
        /// The operation.
        operation: Operation,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Publish,
    PublishHeaders,
    Subscribe,
    Unsubscribe,
    Ping,
    Pong,
    Connect,
    Info,
    Ok,
    Error,
}

const VERBS: [(&[u8], Verb); 10] = [
    (b"pub", Verb::Publish),
    (b"hpub", Verb::PublishHeaders),
    (b"sub", Verb::Subscribe),
    (b"unsub", Verb::Unsubscribe),
    (b"ping", Verb::Ping),
    (b"pong", Verb::Pong),
    (b"connect", Verb::Connect),
    (b"info", Verb::Info),
    (b"+ok", Verb::Ok),
    (b"-err", Verb::Error),
];

/// The most digits a size may have; more cannot be within any limit.
const SIZE_DIGITS_MAX: usize = 9;

/// Reads the first operation of `input`.
pub fn parse(input: &[u8], limits: Limits) -> Result<Parsed, ProtocolError> {
    let Some(verb) = verb(input)? else {
        return Ok(Parsed::Incomplete { bytes_needed: input.len() + 1 });
    };
    let (verb, verb_bytes) = verb;
    let Some(newline) = memchr::memchr(b'\n', input) else {
        if input.len().saturating_sub(verb_bytes + 1) > limits.control_line_bytes_max {
            return Err(ProtocolError::ControlLine);
        }
        return Ok(Parsed::Incomplete { bytes_needed: input.len() + 1 });
    };
    let line_end =
        if input.get(newline.wrapping_sub(1)) == Some(&b'\r') { newline - 1 } else { newline };
    let line = Span { start: verb_bytes, end: line_end.max(verb_bytes) };
    if line.len() > limits.control_line_bytes_max + 1 {
        return Err(ProtocolError::ControlLine);
    }
    let bytes = newline + 1;
    let complete = |operation| Ok(Parsed::Complete { bytes, operation });
    match verb {
        Verb::Ping => complete(Operation::Ping),
        Verb::Pong => complete(Operation::Pong),
        Verb::Ok | Verb::Info => complete(Operation::Ignored),
        Verb::Error => complete(Operation::ClientError),
        Verb::Connect => complete(Operation::Connect(trim(input, line))),
        Verb::Subscribe => complete(subscribe(input, line)?),
        Verb::Unsubscribe => complete(unsubscribe(input, line)?),
        Verb::Publish | Verb::PublishHeaders => {
            publish(input, line, bytes, verb == Verb::PublishHeaders, limits)
        }
    }
}

/// The verb at the start, with its length: none while it is still a prefix of one.
fn verb(input: &[u8]) -> Result<Option<(Verb, usize)>, ProtocolError> {
    if let [b'P' | b'p', b'U' | b'u', b'B' | b'b', b' ' | b'\t', ..] = input {
        return Ok(Some((Verb::Publish, 3)));
    }
    for (name, verb) in VERBS {
        let common = name.len().min(input.len());
        let (Some(have), Some(want)) = (input.get(..common), name.get(..common)) else { continue };
        if !have.eq_ignore_ascii_case(want) {
            continue;
        }
        if common < name.len() {
            return Ok(None);
        }
        let takes_arguments = matches!(
            verb,
            Verb::Publish | Verb::PublishHeaders | Verb::Subscribe | Verb::Unsubscribe
        );
        return match input.get(common) {
            None if takes_arguments => Ok(None),
            Some(b' ' | b'\t') => Ok(Some((verb, common))),
            Some(_) | None if !takes_arguments => Ok(Some((verb, common))),
            _ => Err(ProtocolError::UnknownOperation),
        };
    }
    if input.is_empty() { Ok(None) } else { Err(ProtocolError::UnknownOperation) }
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(input: &[u8], span: Span) -> Span {
    let text = span.of(input);
    let lead = text.iter().take_while(|byte| is_space(**byte)).count();
    let tail = text.iter().rev().take_while(|byte| is_space(**byte)).count();
    if lead == text.len() {
        return Span { start: span.end, end: span.end };
    }
    Span { start: span.start + lead, end: span.end - tail }
}

/// Splits a control line at white space; a line with more parts than any operation has is malformed.
fn arguments(input: &[u8], line: Span) -> Result<SmallVec<[Span; 4]>, ProtocolError> {
    let mut found = SmallVec::new();
    let mut start = None;
    for (offset, byte) in line.of(input).iter().enumerate() {
        let at = line.start + offset;
        match (is_space(*byte) || *byte == b'\r', start) {
            (true, Some(first)) => {
                found.push(Span { start: first, end: at });
                start = None;
            }
            (false, None) => {
                if found.len() == 4 {
                    return Err(ProtocolError::Malformed);
                }
                start = Some(at);
            }
            _ => {}
        }
    }
    if let Some(first) = start {
        found.push(Span { start: first, end: line.end });
    }
    Ok(found)
}

fn size(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > SIZE_DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0usize, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + usize::from(digit - b'0'))
    })
}

fn subscribe(input: &[u8], line: Span) -> Result<Operation, ProtocolError> {
    match arguments(input, line)?.as_slice() {
        [subject, sid] => {
            Ok(Operation::Subscribe { subject: *subject, queue: Span::default(), sid: *sid })
        }
        [subject, queue, sid] => {
            Ok(Operation::Subscribe { subject: *subject, queue: *queue, sid: *sid })
        }
        _ => Err(ProtocolError::Malformed),
    }
}

fn unsubscribe(input: &[u8], line: Span) -> Result<Operation, ProtocolError> {
    match arguments(input, line)?.as_slice() {
        [sid] => Ok(Operation::Unsubscribe { sid: *sid, deliveries_max: 0 }),
        [sid, max] => {
            let deliveries_max = size(max.of(input)).unwrap_or(0) as u64;
            Ok(Operation::Unsubscribe { sid: *sid, deliveries_max })
        }
        _ => Err(ProtocolError::Malformed),
    }
}

fn publish(
    input: &[u8],
    line: Span,
    line_bytes: usize,
    has_header_verb: bool,
    limits: Limits,
) -> Result<Parsed, ProtocolError> {
    let parts = arguments(input, line)?;
    let none = Span::default();
    let zero = Span { start: line.end, end: line.end };
    let (subject, reply, header_size, total) = match (has_header_verb, parts.as_slice()) {
        (false, [subject, total]) => (*subject, none, zero, *total),
        (false, [subject, reply, total]) => (*subject, *reply, zero, *total),
        (true, [subject, headers, total]) => (*subject, none, *headers, *total),
        (true, [subject, reply, headers, total]) => (*subject, *reply, *headers, *total),
        _ => return Err(ProtocolError::Malformed),
    };
    let total = size(total.of(input)).ok_or(ProtocolError::Malformed)?;
    let header_bytes = if has_header_verb {
        size(header_size.of(input)).filter(|h| *h <= total).ok_or(ProtocolError::Malformed)?
    } else {
        0
    };
    if total > limits.payload_bytes_max {
        return Err(ProtocolError::Payload);
    }
    let body_end = line_bytes + total;
    let bytes = body_end + 2;
    match input.get(body_end..).unwrap_or_default() {
        [] | [b'\r'] => return Ok(Parsed::Incomplete { bytes_needed: bytes }),
        [b'\r', b'\n', ..] => {}
        _ => return Err(ProtocolError::UnknownOperation),
    }
    let headers_end = line_bytes + header_bytes;
    let operation = Operation::Publish {
        subject,
        reply,
        headers: Span { start: line_bytes, end: headers_end },
        payload: Span { start: headers_end, end: body_end },
        has_header_verb,
    };
    Ok(Parsed::Complete { bytes, operation })
}

#[cfg(test)]
#[path = "parse_test.rs"]
mod tests;
