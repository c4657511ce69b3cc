//! Headers of frames: what is taken, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// What a row of frames comes to: a letter each, with the payload's length.
fn walk(may_compress: bool, mut input: &[u8]) -> String {
    let (mut frames, mut found) = (Frames::new(may_compress), String::new());
    loop {
        match frames.next(input) {
            Ok(None) => return found + ".",
            Err(violation) => return found + "!" + violation.reason,
            Ok(Some((frame, used))) => {
                let mut behind = used;
                match frame {
                    Frame::Data { bytes, is_compressed, is_final, .. } => {
                        let letter = if is_compressed { 'z' } else { 'd' };
                        let end = if is_final { "" } else { "+" };
                        found.push_str(&format!("{letter}{bytes}{end} "));
                        behind +=
                            usize::try_from(bytes).unwrap_or(usize::MAX).min(input.len() - used);
                    }
                    Frame::Ping { payload_bytes, .. } => {
                        found.push_str(&format!("i{payload_bytes} "))
                    }
                    Frame::Pong => found.push_str("o "),
                    Frame::Close { payload_bytes, .. } => {
                        found.push_str(&format!("c{payload_bytes} "))
                    }
                }
                input = input.get(behind..).unwrap();
            }
        }
    }
}

#[test]
fn rows_of_frames() {
    let key = "\x01\x02\x03\x04";
    let f = |head: &[u8], payload: &str| [head, key.as_bytes(), payload.as_bytes()].concat();
    let rows: Vec<(Vec<Vec<u8>>, &str)> = vec![
        (vec![], "."),
        (vec![vec![0x82]], "."),
        (vec![f(&[0x82, 0x80], "")], "d0 ."),
        (vec![f(&[0x81, 0x82], "ab"), f(&[0x82, 0x81], "a")], "d2 d1 ."),
        (vec![f(&[0x02, 0x81], "a"), f(&[0x89, 0x81], "p"), f(&[0x80, 0x81], "b")], "d1+ i1 d1 ."),
        (vec![f(&[0x82, 0xfe, 0, 3], "abc"), f(&[0x8a, 0x80], "")], "d3 o ."),
        (vec![f(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1], "a"), f(&[0x88, 0x82], "\x03q")], "d1 c2 ."),
        (vec![vec![0x82, 0xfe, 0]], "."),
        (vec![vec![0x82, 0xff, 0, 0, 0, 0, 0, 0]], "."),
        (vec![vec![0x82, 0x81, 1, 2, 3]], "."),
        (vec![f(&[0x89, 0x83], "ab")], "."),
        (vec![vec![0x82, 0x01, b'a']], "!a frame without a mask"),
        (vec![f(&[0x83, 0x80], "")], "!unknown opcode"),
        (vec![f(&[0x8b, 0x80], "")], "!unknown opcode"),
        (vec![f(&[0xa2, 0x80], "")], "!RSV2 and RSV3 must be clear"),
        (vec![f(&[0xc2, 0x80], "")], "!a compressed frame where compression is not agreed on"),
        (vec![f(&[0x80, 0x80], "")], "!a continuation of nothing, or a compressed one"),
        (vec![f(&[0x02, 0x80], ""), f(&[0x82, 0x80], "")], "d0+ !a new message within another one"),
        (vec![f(&[0x09, 0x80], "")], "!a control frame in pieces, or compressed"),
        (vec![f(&[0x89, 0xfe, 0, 126], "")], "!a control frame of more than 125 bytes"),
        (vec![f(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1], "a")], "!a length of 64 bits"),
    ];
    for (frames, expected) in rows {
        assert_eq!(walk(false, &frames.concat()), expected, "{frames:?}");
    }
    let compressed = [f(&[0x42, 0x81], "a"), f(&[0x80, 0x81], "b"), f(&[0x82, 0x80], "")].concat();
    assert_eq!(walk(true, &compressed), "z1+ z1 d0 .");
    let again = [f(&[0x42, 0x80], ""), f(&[0xc0, 0x80], "")].concat();
    assert_eq!(walk(true, &again), "z0+ !a continuation of nothing, or a compressed one");
    assert_eq!(walk(true, &f(&[0xc9, 0x80], "")), "!a control frame in pieces, or compressed");
}

#[test]
fn last_words() {
    for (payload, expected) in [
        (&b""[..], Some((None, ""))),
        (b"\x03", None),
        (b"\x03\xe8", Some((Some(1000), ""))),
        (b"\x03\xe8bye", Some((Some(1000), "bye"))),
        (b"\x13\x87x", Some((Some(4999), "x"))),
        (b"\x13\x88x", None),
        (b"\x03\xed", None),
        (b"\x03\xf7", None),
        (b"\x03\xe8\xff", Some((Some(1007), "invalid utf8 body in close frame"))),
    ] {
        assert_eq!(answer_to_close(payload).ok(), expected, "{payload:?}");
    }
}
