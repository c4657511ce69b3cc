//! The frames of a client as a pure codec: headers are checked one after the other, as RFC 6455 and nats-server have them.
//! Not here: sockets (`reader`), what is done with control frames.

use super::control::{INVALID_DATA, PAYLOAD_BYTES_MAX, PROTOCOL_ERROR};
use super::mask::Mask;
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes of the longest header.
pub(super) const HEADER_BYTES_MAX: usize = 14;

/// Why a client is told that it broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// Status of the last word.
    pub(super) status: u16,
    /// What was wrong.
    pub(super) reason: &'static str,
}

const fn violation(reason: &'static str) -> Violation {
    Violation { status: PROTOCOL_ERROR, reason }
}

/// The next piece of what a client sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    /// A part of a message begins; `bytes` of payload follow.
    Data { bytes: u64, mask: Mask, is_compressed: bool, is_final: bool },
    /// A control frame, which is whole: its payload ends the input that was used.
    Ping { payload_bytes: usize, mask: Mask },
    /// An answer to a ping that was not sent.
    Pong,
    /// The last word.
    Close { payload_bytes: usize, mask: Mask },
}

/// Where in a message the client is.
#[derive(Debug)]
pub(super) struct Frames {
    may_compress: bool,
    is_within_message: bool,
    is_message_compressed: bool,
}

impl Frames {
    pub(super) fn new(may_compress: bool) -> Self {
        Self { may_compress, is_within_message: false, is_message_compressed: false }
    }

    /// Reads the next header, and the payload of a control frame; none where bytes are missing. Gives the bytes used too.
    pub(super) fn next(&mut self, input: &[u8]) -> Result<Option<(Frame, usize)>, Violation> {
        let mut cursor = Cursor::new(input);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| violation("unknown opcode"))?;
        let Some((header, bytes)) = parsed else { return Ok(None) };
        let used = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        if header.rsv2 || header.rsv3 {
            return Err(violation("RSV2 and RSV3 must be clear"));
        }
        if header.rsv1 && !self.may_compress {
            return Err(violation("a compressed frame where compression is not agreed on"));
        }
        let Some(key) = header.mask else { return Err(violation("a frame without a mask")) };
        let mask = Mask::new(key);
        match header.opcode {
            OpCode::Control(word) => {
                let payload_bytes = control_bytes(&header, bytes)?;
                if input.len() - used < payload_bytes {
                    return Ok(None);
                }
                let frame = match word {
                    Control::Ping => Frame::Ping { payload_bytes, mask },
                    Control::Pong => Frame::Pong,
                    _ => Frame::Close { payload_bytes, mask },
                };
                Ok(Some((frame, used + payload_bytes)))
            }
            OpCode::Data(kind) => {
                self.enter(kind, &header)?;
                if bytes >> 63 != 0 {
                    return Err(violation("a length of 64 bits"));
                }
                let (is_compressed, is_final) = (self.is_message_compressed, header.is_final);
                Ok(Some((Frame::Data { bytes, mask, is_compressed, is_final }, used)))
            }
        }
    }

    fn enter(&mut self, kind: Data, header: &FrameHeader) -> Result<(), Violation> {
        if kind == Data::Continue {
            if !self.is_within_message || header.rsv1 {
                return Err(violation("a continuation of nothing, or a compressed one"));
            }
        } else {
            if self.is_within_message {
                return Err(violation("a new message within another one"));
            }
            self.is_message_compressed = header.rsv1;
        }
        self.is_within_message = !header.is_final;
        Ok(())
    }
}

fn control_bytes(header: &FrameHeader, bytes: u64) -> Result<usize, Violation> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(violation("a control frame of more than 125 bytes"));
    }
    if !header.is_final || header.rsv1 {
        return Err(violation("a control frame in pieces, or compressed"));
    }
    Ok(bytes)
}

/// The status and the text with which a client's last word is answered: its own, or none.
pub(super) fn answer_to_close(payload: &[u8]) -> Result<(Option<u16>, &str), Violation> {
    match payload {
        [] => Ok((None, "")),
        [_] => Err(violation("a close frame of 1 byte")),
        [high, low, text @ ..] => {
            let status = u16::from_be_bytes([*high, *low]);
            if !matches!(status, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(violation("invalid close status"));
            }
            match std::str::from_utf8(text) {
                Ok(text) => Ok((Some(status), text)),
                Err(_) => Ok((Some(INVALID_DATA), "invalid utf8 body in close frame")),
            }
        }
    }
}

#[cfg(test)]
#[path = "frames_test.rs"]
mod tests;
