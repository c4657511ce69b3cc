//! What a server sends: an incremental parser of MSG, HMSG, INFO, PING, PONG, `+OK` and `-ERR`.
//!
//! It keeps no state and allocates nothing. Lines and payloads are bounded before their bytes have come.
//! Not here: what a server receives (`protocol::parse`), the meaning of a message (`acknowledgement`).

use super::error::{BenchError, Result};

/// Longest line; an INFO with many addresses is the longest there is.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Largest payload that is believed; nats-server allows no more than this.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Parts of the line of an HMSG, the verb aside.
const PARTS_MAX: usize = 5;

/// One operation of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// MSG or HMSG.
    Message {
        /// Where it was published.
        subject: &'a [u8],
        /// The header block; empty for none.
        headers: &'a [u8],
        /// The payload after the headers.
        payload: &'a [u8],
    },
    /// INFO with its JSON object.
    Info(&'a [u8]),
    /// PING.
    Ping,
    /// PONG.
    Pong,
    /// `+OK`.
    Ok,
    /// `-ERR` with its text.
    Error(&'a [u8]),
}

/// The first operation of `input` and the bytes it takes; none while it is not complete.
pub(super) fn parse(input: &[u8]) -> Result<Option<(Incoming<'_>, usize)>> {
    let Some(newline) = memchr::memchr(b'\n', input) else {
        if input.len() > LINE_BYTES_MAX {
            return Err(BenchError::Protocol("a line without an end"));
        }
        return Ok(None);
    };
    let line = input.get(..newline).unwrap_or_default().trim_ascii_end();
    let after = newline + 1;
    if let Some(rest) = line.strip_prefix(b"MSG ") {
        return message(input, rest, after, false);
    }
    if let Some(rest) = line.strip_prefix(b"HMSG ") {
        return message(input, rest, after, true);
    }
    let operation = match line {
        b"PING" => Incoming::Ping,
        b"PONG" => Incoming::Pong,
        b"+OK" => Incoming::Ok,
        _ => {
            if let Some(json) = line.strip_prefix(b"INFO ") {
                Incoming::Info(json)
            } else if let Some(text) = line.strip_prefix(b"-ERR") {
                Incoming::Error(text.trim_ascii())
            } else {
                return Err(BenchError::Protocol("an unknown operation"));
            }
        }
    };
    Ok(Some((operation, after)))
}

fn message<'a>(
    input: &'a [u8],
    line: &'a [u8],
    after: usize,
    has_headers: bool,
) -> Result<Option<(Incoming<'a>, usize)>> {
    const MALFORMED: BenchError = BenchError::Protocol("the line of a message");
    let mut parts = [&[][..]; PARTS_MAX];
    let mut count = 0;
    for part in line.split(|byte| *byte == b' ').filter(|part| !part.is_empty()) {
        *parts.get_mut(count).ok_or(MALFORMED)? = part;
        count += 1;
    }
    let (subject, header_size, total) = match (has_headers, parts.get(..count)) {
        (false, Some([subject, _, total] | [subject, _, _, total])) => (*subject, None, *total),
        (true, Some([subject, _, header, total] | [subject, _, _, header, total])) => {
            (*subject, Some(*header), *total)
        }
        _ => return Err(MALFORMED),
    };
    let total =
        number(total).filter(|total| *total <= PAYLOAD_BYTES_MAX as u64).ok_or(MALFORMED)?;
    let header_size = match header_size {
        Some(size) => number(size).filter(|size| *size <= total).ok_or(MALFORMED)?,
        None => 0,
    };
    let (headers_end, end) = (after + header_size as usize, after + total as usize);
    let Some(line_end) = input.get(end..end + 2) else { return Ok(None) };
    if line_end != b"\r\n" {
        return Err(BenchError::Protocol("the end of a message"));
    }
    let operation = Incoming::Message {
        subject,
        headers: input.get(after..headers_end).unwrap_or_default(),
        payload: input.get(headers_end..end).unwrap_or_default(),
    };
    Ok(Some((operation, end + 2)))
}

/// A decimal number of at most 19 digits, which 64 bits hold.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(operation: Incoming<'_>) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match operation {
            Incoming::Message { subject, headers, payload } => {
                format!("{}|{}|{}", text(subject), text(headers), text(payload))
            }
            Incoming::Info(json) => format!("info {}", text(json)),
            Incoming::Error(why) => format!("error {}", text(why)),
            other => format!("{other:?}"),
        }
    }

    /// Fed byte by byte it must say nothing before the end, and the same at the end.
    #[test]
    fn operations() {
        for (input, expected) in [
            ("MSG a.b 1 5\r\nhello\r\n", "a.b||hello"),
            ("MSG a.b 1 r.x 0\r\n\r\n", "a.b||"),
            ("HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "a|NATS/1.0\r\n\r\n|hi"),
            ("HMSG a 1 r 12 12\r\nNATS/1.0\r\n\r\n\r\n", "a|NATS/1.0\r\n\r\n|"),
            ("INFO {\"a\":1} \r\n", "info {\"a\":1}"),
            ("PING\r\n", "Ping"),
            ("PONG\r\n", "Pong"),
            ("+OK\r\n", "Ok"),
            ("-ERR 'No'\r\n", "error 'No'"),
        ] {
            let bytes = input.as_bytes();
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]).unwrap(), None, "{input:?} cut at {end}");
            }
            let (operation, taken) = parse(bytes).unwrap().unwrap();
            assert_eq!((show(operation), taken), (expected.to_owned(), bytes.len()));
        }
    }

    #[test]
    fn refusals() {
        for input in [
            "FOO\r\n",
            "MSG a 1\r\n",
            "MSG a 1 x\r\n",
            "MSG a 1 r 2 3 4\r\n",
            "MSG a 1 99999999999\r\n",
            "HMSG a 1 9 8\r\n12345678\r\n",
            "MSG a 1 1\r\nabc\r\n",
        ] {
            assert!(parse(input.as_bytes()).is_err(), "{input:?}");
        }
    }
}
