//! The parser of client operations: it never panics, never reads past its input, and however the bytes are cut the same
//! operations come out.
#![no_main]

use headwater_fuzz::pieces;
use headwater_server::protocol::{
    ConnectOptions, Limits, Operation, Parsed, ProtocolError, Span, parse,
};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { control_line_bytes_max: 64, payload_bytes_max: 100 };

/// An operation with the texts of its parts.
fn show(input: &[u8], operation: Operation) -> String {
    let text = |span: Span| {
        assert!(span.start <= span.end && span.end <= input.len(), "{span:?} of {}", input.len());
        format!("{:?}", String::from_utf8_lossy(span.of(input)))
    };
    match operation {
        Operation::Connect(json) => {
            let _ = ConnectOptions::from_json(json.of(input));
            format!("connect {}", text(json))
        }
        Operation::Publish { subject, reply, headers, payload, has_header_verb } => {
            let parts = [subject, reply, headers, payload].map(text).join(" ");
            format!("publish {parts} {has_header_verb}")
        }
        Operation::Subscribe { subject, queue, sid } => {
            format!("subscribe {}", [subject, queue, sid].map(text).join(" "))
        }
        Operation::Unsubscribe { sid, deliveries_max } => {
            format!("unsubscribe {} {deliveries_max}", text(sid))
        }
        Operation::Ping | Operation::Pong | Operation::Ignored | Operation::ClientError => {
            format!("{operation:?}")
        }
    }
}

/// What a connection made of its bytes.
#[derive(Debug)]
struct Outcome {
    operations: Vec<String>,
    error: Option<ProtocolError>,
    /// Bytes without which it does not look again.
    missing: usize,
}

/// What a connection makes of chunks: operations, and the error that ends it.
fn run<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let (mut buffer, mut operations, mut wanted) = (Vec::new(), Vec::new(), 0);
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        while buffer.len() >= wanted {
            match parse(&buffer, LIMITS) {
                Ok(Parsed::Complete { bytes, operation }) => {
                    assert!(bytes > 0 && bytes <= buffer.len(), "{bytes} of {}", buffer.len());
                    let own = buffer.get(..bytes).unwrap_or_default();
                    operations.push(show(own, operation));
                    buffer.drain(..bytes);
                    wanted = 0;
                }
                Ok(Parsed::Incomplete { bytes_needed }) => {
                    assert!(bytes_needed > buffer.len(), "asks for what is there");
                    wanted = bytes_needed;
                }
                Err(error) => return Outcome { operations, error: Some(error), missing: 0 },
            }
        }
    }
    Outcome { operations, error: None, missing: wanted.saturating_sub(buffer.len()) }
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let (cuts, bytes) = input;
    let whole = run(std::iter::once(bytes));
    let cut = run(pieces(bytes, cuts));
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(cut.operations, whole.operations, "{text:?}");
    // The two bytes behind a payload are looked at together; where one is there and wrong, a connection that was told to
    // wait for both does not know yet.
    if !(whole.error == Some(ProtocolError::UnknownOperation)
        && cut.error.is_none()
        && cut.missing == 1)
    {
        assert_eq!(cut.error, whole.error, "{text:?}");
    }
});
