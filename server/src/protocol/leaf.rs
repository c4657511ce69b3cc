//! The protocol between servers that are linked as leaf nodes: parsing what a peer sends, and encoding what it is sent.
//! Like the protocol of clients, but interest is in subjects (`LS+`, `LS-`), and messages name who receives them (`LMSG`, `HMSG`).
//!
//! Pure: no sockets, no clocks. A line and a message are bounded before their bytes have come.
//! Not here: the handshake and what operations do (`leaf`).

use super::{Limits, ProtocolError};
use bytes::{BufMut, Bytes, BytesMut};

/// The most digits of a size.
const SIZE_DIGITS_MAX: usize = 9;

/// How the reply of a delivered message begins, and the dots that it has.
const ACKNOWLEDGEMENT: &[u8] = b"$JS.ACK.";
const ACKNOWLEDGEMENT_DOTS: usize = 8;

/// One operation of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeafOperation {
    /// What a server says of itself, JSON.
    Info(Bytes),
    /// How the server that dialed logs in, JSON.
    Connect(Bytes),
    /// Somebody listens there.
    Subscribe {
        /// Subject, perhaps with wildcards.
        subject: Bytes,
        /// Queue group; empty for none.
        queue: Bytes,
    },
    /// Nobody listens there any more.
    Unsubscribe {
        /// The subject.
        subject: Bytes,
        /// The queue group; empty for none.
        queue: Bytes,
    },
    /// A message.
    Message(LeafMessage),
    /// PING.
    Ping,
    /// PONG.
    Pong,
    /// Nothing to do.
    Ignored,
    /// What the peer complains about.
    Error(Bytes),
}

/// A message between servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafMessage {
    /// Who receives it.
    pub subject: Bytes,
    /// Where to answer; empty for nowhere.
    pub reply: Bytes,
    /// Queue groups of which one member receives it, beside those without a group.
    pub queues: Vec<Bytes>,
    /// The header block; empty for none.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
}

/// Takes the first operation off `input`; none while it is not whole.
pub fn parse(input: &mut BytesMut, limits: Limits) -> Result<Option<LeafOperation>, ProtocolError> {
    let line_bytes_max = limits.control_line_bytes_max;
    let Some(newline) = memchr::memchr(b'\n', input) else {
        let is_long = input.len() > line_bytes_max;
        return if is_long { Err(ProtocolError::ControlLine) } else { Ok(None) };
    };
    if newline > line_bytes_max {
        return Err(ProtocolError::ControlLine);
    }
    let line = input.get(..newline).unwrap_or_default().trim_ascii_end();
    let verb_bytes = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (verb, rest) = line.split_at_checked(verb_bytes).unwrap_or_default();
    let is_message = verb == b"LMSG" || verb == b"HMSG";
    if is_message {
        let message = Sizes::read(rest, verb == b"HMSG", limits)?;
        return message.take(input, newline + 1);
    }
    let rest = Bytes::copy_from_slice(rest.trim_ascii());
    let operation = match verb {
        b"LS+" | b"LS-" => interest(&rest, verb == b"LS+")?,
        b"PING" => LeafOperation::Ping,
        b"PONG" => LeafOperation::Pong,
        b"INFO" => LeafOperation::Info(rest),
        b"CONNECT" => LeafOperation::Connect(rest),
        b"-ERR" => LeafOperation::Error(rest),
        b"+OK" => LeafOperation::Ignored,
        _ => return Err(ProtocolError::UnknownOperation),
    };
    let _ = input.split_to(newline + 1);
    Ok(Some(operation))
}

fn words(line: &[u8]) -> Vec<&[u8]> {
    let words = line.split(|byte| matches!(byte, b' ' | b'\t'));
    words.filter(|word| !word.is_empty()).collect()
}

fn interest(rest: &Bytes, is_there: bool) -> Result<LeafOperation, ProtocolError> {
    let words = words(rest);
    let copy = |word: &[u8]| rest.slice_ref(word);
    let (subject, queue) = match words.as_slice() {
        [subject] => (copy(subject), Bytes::new()),
        [subject, queue] if !is_there => (copy(subject), copy(queue)),
        [subject, queue, _] => (copy(subject), copy(queue)),
        _ => return Err(ProtocolError::Malformed),
    };
    Ok(match is_there {
        true => LeafOperation::Subscribe { subject, queue },
        false => LeafOperation::Unsubscribe { subject, queue },
    })
}

/// The line of a message, taken apart.
struct Sizes {
    message: LeafMessage,
    header_bytes: usize,
    bytes: usize,
}

impl Sizes {
    fn read(rest: &[u8], has_headers: bool, limits: Limits) -> Result<Self, ProtocolError> {
        let words = words(rest);
        let sizes = if has_headers { 2 } else { 1 };
        let split = words.len().checked_sub(sizes).ok_or(ProtocolError::Malformed)?;
        let (names, sizes) = words.split_at_checked(split).ok_or(ProtocolError::Malformed)?;
        let copy = |word: &&[u8]| Bytes::copy_from_slice(word);
        let mut message = LeafMessage::default();
        let (subject, names) = names.split_first().ok_or(ProtocolError::Malformed)?;
        message.subject = copy(subject);
        let queues: &[&[u8]] = match names {
            [] => &[],
            [reply] => {
                message.reply = copy(reply);
                &[]
            }
            [b"+", reply, queues @ ..] => {
                message.reply = copy(reply);
                queues
            }
            [b"|", queues @ ..] => queues,
            _ => return Err(ProtocolError::Malformed),
        };
        message.queues = queues.iter().map(copy).collect();
        let sizes: Option<Vec<usize>> = sizes.iter().map(|digits| size(digits)).collect();
        let (header_bytes, bytes) = match sizes.as_deref() {
            Some([bytes]) => (0, *bytes),
            Some([header_bytes, bytes]) if header_bytes <= bytes => (*header_bytes, *bytes),
            _ => return Err(ProtocolError::Malformed),
        };
        if bytes > limits.payload_bytes_max {
            return Err(ProtocolError::Payload);
        }
        Ok(Self { message, header_bytes, bytes })
    }
    fn take(
        self,
        input: &mut BytesMut,
        start: usize,
    ) -> Result<Option<LeafOperation>, ProtocolError> {
        let Self { mut message, header_bytes, bytes } = self;
        let end = start + bytes;
        if input.len() < end + 2 {
            input.reserve(end + 2 - input.len());
            return Ok(None);
        }
        if input.get(end..end + 2) != Some(b"\r\n") {
            return Err(ProtocolError::Malformed);
        }
        let mut frame = input.split_to(end + 2).freeze();
        let _ = frame.split_to(start);
        message.headers = frame.split_to(header_bytes);
        message.payload = frame.split_to(bytes - header_bytes);
        Ok(Some(LeafOperation::Message(message)))
    }
}

fn size(digits: &[u8]) -> Option<usize> {
    let is_number = (1..=SIZE_DIGITS_MAX).contains(&digits.len());
    let is_number = is_number && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// The place of the `@` in the reply of a delivered message, behind which its subject stands; none in other replies. Names
/// may hold one too: it is the first behind the words of an acknowledgement, as in nats-server.
pub fn acknowledgement_end(reply: &[u8]) -> Option<usize> {
    if !reply.starts_with(ACKNOWLEDGEMENT) {
        return None;
    }
    let mut dots = 0;
    reply.iter().position(|byte| {
        dots += usize::from(*byte == b'.');
        *byte == b'@' && dots >= ACKNOWLEDGEMENT_DOTS
    })
}

/// Appends a message; `queues` are the groups of which one member is to receive it.
pub fn message(
    out: &mut BytesMut,
    subject: &[u8],
    reply: &[u8],
    queues: &[Bytes],
    headers: &[u8],
    payload: &[u8],
) {
    out.put_slice(if headers.is_empty() { b"LMSG " } else { b"HMSG " });
    out.put_slice(subject);
    out.put_u8(b' ');
    if !queues.is_empty() {
        out.put_slice(if reply.is_empty() { b"| " } else { b"+ " });
    }
    let queues = queues.iter().map(|queue| &queue[..]);
    for word in std::iter::once(reply).chain(queues).filter(|word| !word.is_empty()) {
        out.put_slice(word);
        out.put_u8(b' ');
    }
    let bytes = headers.len() + payload.len();
    match headers.is_empty() {
        true => out.put_slice(format!("{bytes}\r\n").as_bytes()),
        false => out.put_slice(format!("{} {bytes}\r\n", headers.len()).as_bytes()),
    }
    out.put_slice(headers);
    out.put_slice(payload);
    out.put_slice(b"\r\n");
}

/// The line that tells of interest: `count` listeners of a queue group, or any number without one; 0 for none any more.
pub fn interest_line(subject: &str, queue: &str, count: u64) -> String {
    match (queue, count) {
        ("", 0) => format!("LS- {subject}\r\n"),
        ("", _) => format!("LS+ {subject}\r\n"),
        (_, 0) => format!("LS- {subject} {queue}\r\n"),
        _ => format!("LS+ {subject} {queue} {count}\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { control_line_bytes_max: 64, payload_bytes_max: 32 };

    fn built(subject: &str, reply: &str, queues: &[&str], headers: &str) -> LeafMessage {
        let copy = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        LeafMessage {
            subject: copy(subject),
            reply: copy(reply),
            queues: queues.iter().map(|each| copy(each)).collect(),
            headers: copy(headers),
            payload: copy("hello"),
        }
    }

    #[test]
    fn messages_come_back() {
        for (expected, line) in [
            (built("a.b", "", &[], ""), "LMSG a.b 5\r\n"),
            (built("a.b", "r", &[], ""), "LMSG a.b r 5\r\n"),
            (built("a", "", &["q", "p"], ""), "LMSG a | q p 5\r\n"),
            (built("a", "r", &["q"], "NATS/1.0\r\n\r\n"), "HMSG a + r q 12 17\r\n"),
        ] {
            let mut bytes = BytesMut::new();
            let LeafMessage { subject, reply, queues, headers, payload } = &expected;
            message(&mut bytes, subject, reply, queues, headers, payload);
            assert!(bytes.starts_with(line.as_bytes()), "{bytes:?}");
            let whole = bytes.clone();
            for end in 0..whole.len() {
                let mut cut = BytesMut::from(&whole[..end]);
                assert_eq!(parse(&mut cut, LIMITS), Ok(None), "cut at {end}");
                assert_eq!(cut, whole[..end], "what is not whole stays");
            }
            assert_eq!(parse(&mut bytes, LIMITS), Ok(Some(LeafOperation::Message(expected))));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn interest_comes_back() {
        for (queue, count) in [("", 1), ("", 0), ("q", 3), ("q", 0)] {
            let mut bytes = BytesMut::from(interest_line("a.*", queue, count).as_bytes());
            let (subject, queue) = (Bytes::from("a.*"), Bytes::from(queue));
            let expected = match count {
                0 => LeafOperation::Unsubscribe { subject, queue },
                _ => LeafOperation::Subscribe { subject, queue },
            };
            assert_eq!(parse(&mut bytes, LIMITS), Ok(Some(expected)));
        }
    }

    #[test]
    fn replies_of_deliveries_end_at_the_first_at_behind_their_words() {
        for (reply, subject) in [
            ("$JS.ACK.S.C.1.5.3.1000.9@a.b", Some("a.b")),
            ("$JS.ACK.S.C.1.5.3.1000.9@a@b.c@d", Some("a@b.c@d")),
            ("$JS.ACK.S@T.C@D.1.5.3.1000.9@a", Some("a")),
            ("$JS.ACK.hub.hash.S.C.1.5.3.1000.9.x@a", Some("a")),
            ("$JS.ACK.q@other.secret", None),
            ("$JS.ACK.S.C.1.5.3.1000.9", None),
            ("_INBOX.a.b.c.d.e.f.g.h@i", None),
        ] {
            let end = acknowledgement_end(reply.as_bytes());
            assert_eq!(end.map(|end| &reply[end + 1..]), subject, "{reply}");
        }
    }

    #[test]
    fn strange_bytes_are_refused() {
        for text in [
            "NOPE\r\n",
            "LMSG 5\r\nhello\r\n",
            "LMSG a 33\r\n",
            "LMSG a 99999999999\r\n",
            "LMSG a -1\r\n",
            "LMSG a b c 5\r\n",
            "HMSG a 6 5\r\nhello\r\n",
            "LMSG a 5\r\nhelloXY",
            "LS+\r\n",
            "LS+ a b\r\n",
            "LS- a b c d\r\n",
            "LS+ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(parse(&mut BytesMut::from(text), LIMITS).is_err(), "{text}");
        }
    }
}
