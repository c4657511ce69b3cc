//! What a client's WebSocket frames come to, by a slow and plain reading of RFC 6455 and RFC 7692: all of them are there, and a
//! compressed message is inflated again with each of its frames.
//! Not here: how inputs are made (`websocket_input`).

use flate2::{Decompress, FlushDecompress, Status};

/// What a compressed message ends with, and is not sent.
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Bytes that may be inflated beyond the bound before it is noticed.
pub const INFLATED_BEYOND_MAX: usize = 16 * 1024;

/// What a client's bytes come to.
#[derive(Debug, Default)]
pub struct Expected {
    /// The payloads of all messages.
    pub bytes: Vec<u8>,
    /// Where the message begins that did not inflate; some of its bytes may be missing, or there may be more.
    pub inexact_from: Option<usize>,
    /// The payloads of all pings.
    pub pings: Vec<Vec<u8>>,
    /// How it ends.
    pub end: End,
}

/// How a client's bytes end.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Without a last word.
    #[default]
    Silent,
    /// With a last word that is answered so.
    Closed(Option<u16>, Vec<u8>),
    /// The client broke the rules, and gets one of these statuses.
    Broken(Vec<u16>),
}

/// A frame as it stands there.
#[derive(Debug)]
pub struct RawFrame<'a> {
    /// FIN, RSV and opcode.
    pub first: u8,
    /// The mask.
    pub key: Option<[u8; 4]>,
    /// How long the payload says it is.
    pub bytes: u64,
    /// Whether there is a shorter way to say it.
    pub is_long_winded: bool,
    /// As much of the payload as there is, without mask.
    pub payload: Vec<u8>,
    /// What stands behind it.
    pub rest: &'a [u8],
}

impl RawFrame<'_> {
    /// Reads a frame; none where the header is not whole.
    pub fn read(input: &[u8]) -> Option<RawFrame<'_>> {
        let ([first, second], mut rest) = input.split_first_chunk()?;
        let bytes = match second & 0x7f {
            126 => {
                let (length, behind) = rest.split_first_chunk()?;
                rest = behind;
                u64::from(u16::from_be_bytes(*length))
            }
            127 => {
                let (length, behind) = rest.split_first_chunk()?;
                rest = behind;
                u64::from_be_bytes(*length)
            }
            short => u64::from(short),
        };
        let is_long_winded = match second & 0x7f {
            126 => bytes < 126,
            127 => bytes < 65536,
            _ => false,
        };
        let mut key = None;
        if second & 0x80 != 0 {
            let (found, behind) = rest.split_first_chunk()?;
            (rest, key) = (behind, Some(*found));
        }
        let there = usize::try_from(bytes).unwrap_or(usize::MAX).min(rest.len());
        let (payload, rest) = rest.split_at(there);
        let keys = key.unwrap_or_default().into_iter().cycle();
        let payload = payload.iter().zip(keys).map(|(byte, key)| byte ^ key).collect();
        Some(RawFrame { first: *first, key, bytes, is_long_winded, payload, rest })
    }
    /// Whether all of the payload is there.
    pub fn is_whole(&self) -> bool {
        self.payload.len() as u64 == self.bytes
    }
}

/// A message that is not over.
#[derive(Debug)]
struct Open {
    /// Its frames, where it is compressed.
    compressed: Option<Vec<u8>>,
    /// Where its bytes begin.
    from: usize,
}

/// Reads everything that a client sends.
pub fn expect(mut input: &[u8], may_compress: bool, inflated_bytes_max: usize) -> Expected {
    let mut found = Expected::default();
    let mut open = None;
    while let Some(frame) = RawFrame::read(input) {
        if found.is_end(&frame, &mut open, may_compress, inflated_bytes_max) || !frame.is_whole() {
            break;
        }
        input = frame.rest;
    }
    found
}

impl Expected {
    fn broken(&mut self, statuses: &[u16]) -> bool {
        self.end = End::Broken(statuses.to_vec());
        true
    }

    /// Takes a frame; gives whether it is the last one.
    fn is_end(
        &mut self,
        frame: &RawFrame<'_>,
        open: &mut Option<Open>,
        may_compress: bool,
        inflated_bytes_max: usize,
    ) -> bool {
        let (is_final, rsv1) = (frame.first & 0x80 != 0, frame.first & 0x40 != 0);
        let opcode = frame.first & 15;
        let is_known = matches!(opcode, 0..=2 | 8..=10);
        if !is_known || frame.first & 0x30 != 0 || frame.key.is_none() || rsv1 && !may_compress {
            return self.broken(&[1002]);
        }
        if opcode >= 8 {
            if frame.bytes > 125 || !is_final || rsv1 {
                return self.broken(&[1002]);
            }
            return frame.is_whole() && self.is_end_by_word(opcode, &frame.payload);
        }
        let is_allowed = if opcode == 0 { open.is_some() && !rsv1 } else { open.is_none() };
        if !is_allowed || frame.bytes >> 63 != 0 {
            return self.broken(&[1002]);
        }
        let from = self.bytes.len();
        let message = open.get_or_insert_with(|| Open { compressed: rsv1.then(Vec::new), from });
        let is_over = is_final && frame.is_whole();
        let is_bad = match &mut message.compressed {
            None => {
                self.bytes.extend_from_slice(&frame.payload);
                None
            }
            Some(compressed) => {
                compressed.extend_from_slice(&frame.payload);
                let tail: &[u8] = if is_over { &TAIL } else { &[] };
                let (plain, is_bad) = inflate(&[compressed, tail].concat(), inflated_bytes_max);
                self.bytes.truncate(message.from);
                self.bytes.extend_from_slice(&plain);
                is_bad.map(|statuses| (message.from, statuses))
            }
        };
        if let Some((from, statuses)) = is_bad {
            self.inexact_from = Some(from);
            return self.broken(statuses);
        }
        if is_over {
            *open = None;
        }
        false
    }

    fn is_end_by_word(&mut self, opcode: u8, payload: &[u8]) -> bool {
        match (opcode, payload) {
            (8, []) => self.end = End::Closed(None, Vec::new()),
            (8, [high, low, text @ ..]) => {
                let status = u16::from(*high) << 8 | u16::from(*low);
                // Those that stand for something that is not said are never sent.
                let is_valid =
                    (1000..5000).contains(&status) && !matches!(status, 1004..=1006 | 1015..=2999);
                if !is_valid {
                    return self.broken(&[1002]);
                }
                self.end = match String::from_utf8(text.to_vec()) {
                    Ok(text) => End::Closed(Some(status), text.into_bytes()),
                    Err(_) => End::Closed(Some(1007), b"invalid utf8 body in close frame".into()),
                };
            }
            (8, _) => return self.broken(&[1002]),
            (9, _) => {
                self.pings.push(payload.to_vec());
                return false;
            }
            _ => return false,
        }
        true
    }
}

/// Inflates the beginning of a message, or all of it; gives the statuses for a bad one.
///
/// Where a message inflates to too much and is broken too, it depends on the room for it what is noticed first.
pub fn inflate(input: &[u8], bytes_max: usize) -> (Vec<u8>, Option<&'static [u16]>) {
    let mut stream = Decompress::new(false);
    let mut plain = Vec::new();
    let mut used = 0;
    while plain.len() <= bytes_max + 2 * INFLATED_BEYOND_MAX {
        let before = (plain.len(), used);
        plain.reserve(4096);
        match stream.decompress_vec(&input[used..], &mut plain, FlushDecompress::Sync) {
            // What was inflated before may not be shown.
            Err(_) if plain.len() + INFLATED_BEYOND_MAX > bytes_max => {
                return (plain, Some(&[1007, 1009]));
            }
            Err(_) => return (plain, Some(&[1007])),
            Ok(Status::StreamEnd) => break,
            Ok(_) => used = usize::try_from(stream.total_in()).expect("bytes of an input"),
        }
        if (plain.len(), used) == before {
            break;
        }
    }
    let is_too_much = plain.len() > bytes_max;
    (plain, is_too_much.then_some(&[1009]))
}
