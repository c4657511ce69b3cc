//! Encoders of what the server sends: MSG, HMSG, and the short answers.
//! Not here: when to send what.

use bytes::{BufMut, BytesMut};

/// PING.
pub const PING: &[u8] = b"PING\r\n";
/// PONG.
pub const PONG: &[u8] = b"PONG\r\n";
/// The answer to every operation in verbose mode.
pub const OK: &[u8] = b"+OK\r\n";

/// Bytes that the line of a MSG or HMSG takes at most, beside its subject, sid and reply.
const LINE_OVERHEAD_BYTES: usize = 64;

/// Appends the control line of a delivery: HMSG when there are headers, else MSG.
pub fn message_line(
    out: &mut BytesMut,
    subject: &[u8],
    sid: &[u8],
    reply: &[u8],
    header_bytes: usize,
    payload_bytes: usize,
) {
    out.reserve(subject.len() + sid.len() + reply.len() + LINE_OVERHEAD_BYTES);
    out.put_slice(if header_bytes > 0 { b"HMSG " } else { b"MSG " });
    out.put_slice(subject);
    out.put_u8(b' ');
    out.put_slice(sid);
    out.put_u8(b' ');
    if !reply.is_empty() {
        out.put_slice(reply);
        out.put_u8(b' ');
    }
    let mut digits = itoa::Buffer::new();
    if header_bytes > 0 {
        out.put_slice(digits.format(header_bytes).as_bytes());
        out.put_u8(b' ');
    }
    out.put_slice(digits.format(header_bytes + payload_bytes).as_bytes());
    out.put_slice(b"\r\n");
}

/// The bytes of an error message.
pub fn error(text: &str) -> String {
    format!("-ERR '{text}'\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (reply, headers, payload, expected) in [
            ("", 0, 5, "MSG a.b 7 5\r\n"),
            ("r", 0, 0, "MSG a.b 7 r 0\r\n"),
            ("", 12, 5, "HMSG a.b 7 12 17\r\n"),
            ("r.x", 12, 0, "HMSG a.b 7 r.x 12 12\r\n"),
        ] {
            let mut out = BytesMut::new();
            message_line(&mut out, b"a.b", b"7", reply.as_bytes(), headers, payload);
            assert_eq!(out, expected.as_bytes());
        }
    }
}
