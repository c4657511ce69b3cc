//! The parser of what leaf nodes send: it never panics, however the bytes are cut the same operations come out, and a message
//! that is read and written again is the same message.
#![no_main]

use bytes::{Bytes, BytesMut};
use headwater_fuzz::pieces;
use headwater_server::protocol::{
    Limits, ProtocolError,
    leaf::{LeafOperation, acknowledgement_end, message, parse},
};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { control_line_bytes_max: 64, payload_bytes_max: 100 };

/// What a link makes of chunks: operations, the error that ends it, and the bytes that are left.
fn run<'a>(
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<LeafOperation>, Option<ProtocolError>, usize) {
    let (mut buffer, mut operations) = (BytesMut::new(), Vec::new());
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        loop {
            let before = buffer.len();
            match parse(&mut buffer, LIMITS) {
                Ok(Some(operation)) => {
                    assert!(buffer.len() < before, "an operation of no bytes");
                    operations.push(operation);
                }
                Ok(None) => {
                    assert_eq!(buffer.len(), before, "bytes are gone");
                    break;
                }
                Err(error) => return (operations, Some(error), buffer.len()),
            }
        }
    }
    (operations, None, buffer.len())
}

/// Writes a message again and reads it.
fn again(operation: &LeafOperation) {
    let LeafOperation::Message(read) = operation else { return };
    if let Some(at) = acknowledgement_end(&read.reply) {
        assert_eq!(read.reply.get(at), Some(&b'@'));
    }
    let mut out = BytesMut::new();
    message(&mut out, &read.subject, &read.reply, &read.queues, &read.headers, &read.payload);
    // Sizes may be longer than they were.
    let limits = Limits { control_line_bytes_max: 80, ..LIMITS };
    let written = parse(&mut out, limits);
    assert_eq!(written, Ok(Some(operation.clone())));
    assert_eq!(out, Bytes::new(), "nothing is left");
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let (cuts, bytes) = input;
    let whole = run(std::iter::once(bytes));
    whole.0.iter().for_each(again);
    let cut = run(pieces(bytes, cuts));
    let text = String::from_utf8_lossy(bytes);
    assert_eq!((&cut.0, cut.1), (&whole.0, whole.1), "{text:?}");
});
