//! What the side that reads frames has the side that writes them say: the answer to a ping, and the last word.
//!
//! Only the newest ping is answered, as the protocol allows, so that pings that nobody reads the answers of cost nothing.
//! Not here: the frames' bytes on the wire (`reader`, `writer`).

use crate::network::Close;
use crate::protocol::ProtocolError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control as Word, OpCode};

/// Bytes a control frame may carry.
pub(super) const PAYLOAD_BYTES_MAX: usize = 125;

/// Status codes of the last word.
pub(super) const NORMAL: u16 = 1000;
pub(super) const GOING_AWAY: u16 = 1001;
pub(super) const PROTOCOL_ERROR: u16 = 1002;
pub(super) const INVALID_DATA: u16 = 1007;
pub(super) const POLICY: u16 = 1008;
pub(super) const TOO_BIG: u16 = 1009;
const INTERNAL: u16 = 1011;

/// What one side has the other say.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pong: Option<Vec<u8>>,
    /// The frame with the last word; empty when it was said.
    last: Option<Vec<u8>>,
}

impl Control {
    /// Answers a ping.
    pub(super) fn answer(&self, payload: &[u8]) {
        self.lock().pong = Some(frame(Word::Pong, payload));
    }
    /// Sets the last word; the first one stays. It may be one without a status.
    pub(super) fn end(&self, status: Option<u16>, reason: &str) {
        let word = match status {
            Some(status) => last_word(status, reason),
            None => frame(Word::Close, b""),
        };
        self.lock().last.get_or_insert(word);
    }
    /// Takes the frame that answers the newest ping.
    pub(super) fn take_pong(&self) -> Option<Vec<u8>> {
        self.lock().pong.take()
    }
    /// Takes the frame that is the last word, made of the reason why the connection ends where none was set.
    pub(super) fn take_last(&self, reason: Option<Close>) -> Vec<u8> {
        let set = self.lock().last.replace(Vec::new());
        set.unwrap_or_else(|| {
            let reason = reason.unwrap_or(Close::Client);
            last_word(status(reason), &reason.to_string())
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status nats-server gives an end.
fn status(reason: Close) -> u16 {
    match reason {
        Close::Client => NORMAL,
        Close::Framing | Close::Shutdown | Close::Violation(ProtocolError::Stale) => GOING_AWAY,
        Close::SlowPending | Close::SlowWrite => POLICY,
        Close::Kicked | Close::Fault => INTERNAL,
        Close::Violation(error) => match error {
            ProtocolError::Authorization
            | ProtocolError::AuthenticationTimeout
            | ProtocolError::Connections
            | ProtocolError::ControlLine
            | ProtocolError::Subscriptions => POLICY,
            ProtocolError::Payload => TOO_BIG,
            _ => PROTOCOL_ERROR,
        },
    }
}

fn last_word(status: u16, reason: &str) -> Vec<u8> {
    let mut payload = status.to_be_bytes().to_vec();
    payload.extend(reason.bytes().take(PAYLOAD_BYTES_MAX - payload.len()));
    frame(Word::Close, &payload)
}

/// A whole frame.
fn frame(word: Word, payload: &[u8]) -> Vec<u8> {
    let payload = payload.get(..PAYLOAD_BYTES_MAX).unwrap_or(payload);
    let mut bytes = Vec::with_capacity(2 + payload.len());
    let header = FrameHeader { opcode: OpCode::Control(word), ..FrameHeader::default() };
    // Writing to memory does not fail.
    let _ = header.format(payload.len() as u64, &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let control = Control::default();
        control.answer(b"old");
        control.answer(b"new");
        assert_eq!(control.take_pong().as_deref(), Some(&b"\x8a\x03new"[..]));
        assert_eq!(control.take_pong(), None);
        control.end(Some(PROTOCOL_ERROR), "no");
        control.end(None, "");
        assert_eq!(control.take_last(Some(Close::Client)), b"\x88\x04\x03\xeano");
        assert_eq!(control.take_last(Some(Close::Client)), b"", "it is said once");
        let control = Control::default();
        assert_eq!(control.take_last(Some(Close::Shutdown)), b"\x88\x11\x03\xe9Server Shutdown");
        let control = Control::default();
        control.end(Some(NORMAL), &"x".repeat(200));
        assert_eq!(control.take_last(None).len(), 2 + PAYLOAD_BYTES_MAX);
    }
}
