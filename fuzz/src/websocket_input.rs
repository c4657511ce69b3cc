//! WebSocket connections as structured inputs: messages and words that keep to the rules, frames that may not, and any bytes.
//! Not here: what they come to (`websocket_model`).

use crate::websocket_model::TAIL;
use flate2::{Compress, Compression, FlushCompress};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// Bytes of a message that is made by repeating.
const REPEATED_BYTES_MAX: usize = 24 * 1024;
/// Bytes that a control frame may carry.
const WORD_BYTES_MAX: usize = 125;

/// A connection.
#[derive(Arbitrary, Debug)]
pub struct Connection<'a> {
    /// Whether a browser asks.
    pub is_browser: bool,
    /// Whether messages may be compressed.
    pub is_compressed: bool,
    /// Sizes of the pieces that the network gives and takes, and of the room for what is read.
    pub reads: &'a [u8],
    pub writes: &'a [u8],
    pub rooms: &'a [u8],
    /// What the client sends.
    pub parts: Vec<Part<'a>>,
    /// What the server does.
    pub steps: Vec<Step<'a>>,
}

/// A part of what a client sends.
#[derive(Arbitrary, Debug)]
pub enum Part<'a> {
    Message(Message<'a>),
    Ping([u8; 4], &'a [u8]),
    Pong([u8; 4], &'a [u8]),
    Close([u8; 4], Status, &'a str),
    /// A frame that may break any rule.
    Frame {
        first: u8,
        key: Option<[u8; 4]>,
        width: Width,
        bytes: u64,
        payload: &'a [u8],
    },
    Bytes(&'a [u8]),
}

/// Statuses of a last word.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Status {
    Normal,
    GoingAway,
    Own(u8),
}

/// How a length is said.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Width {
    /// As it should be.
    Right,
    /// In 16 or 64 bits, whatever it is.
    Middle,
    Long,
    /// As another length, in 64 bits.
    Wrong,
}

/// A message in frames.
#[derive(Arbitrary, Debug)]
pub struct Message<'a> {
    is_text: bool,
    is_compressed: bool,
    /// The last block of what is compressed says so.
    is_finished: bool,
    level: u8,
    payload: Payload<'a>,
    key: [u8; 4],
    frames: &'a [u8],
    /// A ping stands before each frame but the first.
    has_pings: bool,
}

/// Bytes, so many times.
#[derive(Arbitrary, Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    times: u8,
    is_many: bool,
}

/// What the server does.
#[derive(Arbitrary, Debug)]
pub enum Step<'a> {
    Read,
    Write(Payload<'a>, Payload<'a>),
    Flush,
}

impl Payload<'_> {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let times = if self.is_many { usize::from(self.times) * 8 } else { 1 };
        self.bytes.repeat(times.min(REPEATED_BYTES_MAX / self.bytes.len().max(1)).max(1))
    }
}

impl Status {
    fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Own(number) => 3000 + u16::from(number),
        }
    }
}

/// What a client sends, and what a connection is to make of it where it keeps to the rules.
#[derive(Debug, Default)]
pub struct Sent {
    /// The bytes on the wire.
    pub wire: Vec<u8>,
    /// The payloads of its messages, which keep to the rules, and the longest of those that are compressed.
    pub plain: Vec<u8>,
    pub longest: usize,
    /// The payloads of its pings.
    pub pings: Vec<Vec<u8>>,
    /// Its last word.
    pub last: Option<(u16, Vec<u8>)>,
    /// Whether there is something that may break the rules.
    pub is_any: bool,
}

impl Connection<'_> {
    /// What the client sends.
    pub fn sent(&self) -> Sent {
        let mut sent = Sent::default();
        for part in &self.parts {
            sent.part(part, self.is_compressed);
        }
        sent
    }
}

impl Sent {
    fn part(&mut self, part: &Part<'_>, may_compress: bool) {
        match part {
            Part::Message(message) => self.message(message, may_compress),
            Part::Ping(key, payload) => self.ping(*key, payload),
            Part::Pong(key, payload) => self.frame(0x8a, *key, short(payload)),
            Part::Close(key, status, text) => {
                let status = status.number();
                let text: String = text.chars().take(30).collect();
                let payload = [&status.to_be_bytes(), text.as_bytes()].concat();
                self.frame(0x88, *key, &payload);
                // What stands behind a last word means nothing.
                self.last.get_or_insert((status, text.into_bytes()));
            }
            Part::Frame { first, key, width, bytes, payload } => {
                self.is_any = true;
                let length = payload.len() as u64;
                let length = if matches!(width, Width::Wrong) { *bytes } else { length };
                self.header(*first, *key, length, *width);
                self.payload(key.unwrap_or_default(), payload);
            }
            Part::Bytes(bytes) => {
                self.is_any = true;
                self.wire.extend_from_slice(bytes);
            }
        }
    }

    fn message(&mut self, message: &Message<'_>, may_compress: bool) {
        let plain = message.payload.bytes();
        let is_compressed = message.is_compressed && may_compress;
        let deflated = is_compressed
            .then(|| deflate(&plain, u32::from(message.level % 10), message.is_finished));
        let mut rest = deflated.as_deref().unwrap_or(&plain);
        let opcode = if message.is_text { 1 } else { 2 };
        let mut first = if is_compressed { opcode | 0x40 } else { opcode };
        for (number, size) in message.frames.iter().enumerate() {
            if number > 0 && message.has_pings {
                self.ping(message.key, &[*size]);
            }
            let (payload, behind) = rest.split_at(usize::from(*size).min(rest.len()));
            self.frame(first, message.key, payload);
            (first, rest) = (0, behind);
        }
        self.frame(first | 0x80, message.key, rest);
        if self.last.is_none() {
            self.longest = self.longest.max(if is_compressed { plain.len() } else { 0 });
            self.plain.extend_from_slice(&plain);
        }
    }

    fn ping(&mut self, key: [u8; 4], payload: &[u8]) {
        let payload = short(payload);
        self.frame(0x89, key, payload);
        if self.last.is_none() {
            self.pings.push(payload.to_vec());
        }
    }

    fn frame(&mut self, first: u8, key: [u8; 4], payload: &[u8]) {
        self.header(first, Some(key), payload.len() as u64, Width::Right);
        self.payload(key, payload);
    }

    fn header(&mut self, first: u8, key: Option<[u8; 4]>, length: u64, width: Width) {
        let is_masked = if key.is_some() { 0x80 } else { 0 };
        self.wire.push(first);
        match (width, u8::try_from(length), u16::try_from(length)) {
            (Width::Right, Ok(short @ 0..126), _) => self.wire.push(is_masked | short),
            (Width::Right | Width::Middle, _, Ok(middle)) => {
                self.wire.push(is_masked | 126);
                self.wire.extend(middle.to_be_bytes());
            }
            _ => {
                self.wire.push(is_masked | 127);
                self.wire.extend(length.to_be_bytes());
            }
        }
        self.wire.extend(
            key.unwrap_or_default().get(..if is_masked == 0 { 0 } else { 4 }).unwrap_or_default(),
        );
    }

    fn payload(&mut self, key: [u8; 4], payload: &[u8]) {
        self.wire.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

fn short(payload: &[u8]) -> &[u8] {
    payload.get(..WORD_BYTES_MAX).unwrap_or(payload)
}

/// A compressed message.
fn deflate(plain: &[u8], level: u32, is_finished: bool) -> Vec<u8> {
    let mut stream = Compress::new(Compression::new(level), false);
    let mut out = Vec::with_capacity(2 * plain.len() + 4096);
    let flush = if is_finished { FlushCompress::Finish } else { FlushCompress::Sync };
    stream.compress_vec(plain, &mut out, flush).expect("there is room");
    assert_eq!(stream.total_in(), plain.len() as u64, "all of it is compressed");
    if is_finished {
        // The end of a block that holds nothing, as RFC 7692 has it for streams that were finished.
        out.push(0);
    } else {
        assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
    }
    out
}
