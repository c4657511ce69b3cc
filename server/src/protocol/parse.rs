//! The incremental parser of client operations. It looks at the bytes that are there and gives one operation with the
//! places of its parts, or says how many bytes it needs before it is worth asking again.
//!
//! It keeps no state, allocates nothing and never reads past its input. A control line is bounded by
//! [`Limits::control_line_bytes_max`], a payload by [`Limits::payload_bytes_max`], both before the bytes have come.
//! Not here: the meaning of operations and the validity of subjects.

use super::ProtocolError;

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
    match verb {
        Verb::Publish | Verb::PublishHeaders => {
            let Some(line) = scan(input, verb_bytes, limits)? else { return Ok(more(input)) };
            return publish(input, &line, verb == Verb::PublishHeaders, limits);
        }
        Verb::Subscribe | Verb::Unsubscribe => {
            let Some(line) = scan(input, verb_bytes, limits)? else { return Ok(more(input)) };
            let operation = if verb == Verb::Subscribe {
                subscribe(&line)?
            } else {
                unsubscribe(input, &line)?
            };
            return Ok(Parsed::Complete { bytes: line.bytes, operation });
        }
        _ => {}
    }
    let newline = memchr::memchr(b'\n', input);
    let line = input.get(verb_bytes..newline.unwrap_or(input.len())).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // One byte more, because the one that ends the verb does not count.
    if line.len() > limits.control_line_bytes_max + 1 {
        return Err(ProtocolError::ControlLine);
    }
    let Some(newline) = newline else { return Ok(more(input)) };
    let rest = trim(input, Span { start: verb_bytes, end: newline });
    let operation = match verb {
        Verb::Ping => Operation::Ping,
        Verb::Pong => Operation::Pong,
        Verb::Connect => Operation::Connect(rest),
        Verb::Error => Operation::ClientError,
        _ => Operation::Ignored,
    };
    Ok(Parsed::Complete { bytes: newline + 1, operation })
}

/// The answer when not even the control line is complete.
fn more(input: &[u8]) -> Parsed {
    Parsed::Incomplete { bytes_needed: input.len() + 1 }
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

fn trim(input: &[u8], span: Span) -> Span {
    let text = span.of(input);
    let start = span.start + (text.len() - text.trim_ascii_start().len());
    Span { start, end: start + text.trim_ascii().len() }
}

/// The most arguments an operation has.
const ARGUMENTS_MAX: usize = 4;

/// A control line taken apart.
#[derive(Debug, Default)]
struct Line {
    parts: [Span; ARGUMENTS_MAX],
    count: usize,
    /// Bytes with the line end.
    bytes: usize,
}

impl Line {
    fn arguments(&self) -> &[Span] {
        self.parts.get(..self.count).unwrap_or_default()
    }
    fn push(&mut self, span: Span) -> Result<(), ProtocolError> {
        let slot = self.parts.get_mut(self.count).ok_or(ProtocolError::Malformed)?;
        *slot = span;
        self.count += 1;
        Ok(())
    }
}

/// Splits the control line that goes on at `from` at white space, in one pass; none while its end is not there.
/// Each byte is judged by its place alone, so that the verdict does not depend on how the bytes came.
fn scan(input: &[u8], from: usize, limits: Limits) -> Result<Option<Line>, ProtocolError> {
    let mut line = Line::default();
    let mut start = None;
    // The first place that only the end of the line may have; the byte after the verb does not count.
    let over = from + 1 + limits.control_line_bytes_max;
    let within = input.get(from..input.len().min(over + 1)).unwrap_or_default();
    for (offset, byte) in within.iter().enumerate() {
        let at = from + offset;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                if let Some(start) = start.take() {
                    line.push(Span { start, end: at })?;
                }
                if *byte == b'\n' {
                    line.bytes = at + 1;
                    return Ok(Some(line));
                }
            }
            _ if start.is_none() => start = Some(at),
            _ => {}
        }
    }
    match input.get(over..).unwrap_or_default() {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => {
            line.bytes = over + 2;
            Ok(Some(line))
        }
        _ => Err(ProtocolError::ControlLine),
    }
}

fn size(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > SIZE_DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0usize, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + usize::from(digit - b'0'))
    })
}

fn subscribe(line: &Line) -> Result<Operation, ProtocolError> {
    match line.arguments() {
        [subject, sid] => {
            Ok(Operation::Subscribe { subject: *subject, queue: Span::default(), sid: *sid })
        }
        [subject, queue, sid] => {
            Ok(Operation::Subscribe { subject: *subject, queue: *queue, sid: *sid })
        }
        _ => Err(ProtocolError::Malformed),
    }
}

fn unsubscribe(input: &[u8], line: &Line) -> Result<Operation, ProtocolError> {
    match line.arguments() {
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
    line: &Line,
    has_header_verb: bool,
    limits: Limits,
) -> Result<Parsed, ProtocolError> {
    let none = Span::default();
    let (subject, reply, header_size, total) = match (has_header_verb, line.arguments()) {
        (false, [subject, total]) => (*subject, none, none, *total),
        (false, [subject, reply, total]) => (*subject, *reply, none, *total),
        (true, [subject, headers, total]) => (*subject, none, *headers, *total),
        (true, [subject, reply, headers, total]) => (*subject, *reply, *headers, *total),
        _ => return Err(ProtocolError::Malformed),
    };
    let line_bytes = line.bytes;
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
