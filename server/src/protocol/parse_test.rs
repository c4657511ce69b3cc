//! The parser as tables: each row is also fed split at every byte, which must give the same result.

use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { control_line_bytes_max: 64, payload_bytes_max: 100 };

fn show(input: &[u8], operation: Operation) -> String {
    let text = |span: Span| String::from_utf8_lossy(span.of(input)).into_owned();
    match operation {
        Operation::Connect(json) => format!("connect {}", text(json)),
        Operation::Publish { subject, reply, headers, payload, .. } => {
            format!("pub {}|{}|{}|{}", text(subject), text(reply), text(headers), text(payload))
        }
        Operation::Subscribe { subject, queue, sid } => {
            format!("sub {}|{}|{}", text(subject), text(queue), text(sid))
        }
        Operation::Unsubscribe { sid, deliveries_max } => {
            format!("unsub {}|{deliveries_max}", text(sid))
        }
        other => format!("{other:?}"),
    }
}

fn check(input: &str, expected: &str) {
    let input = input.as_bytes();
    let mut bytes_needed = 0;
    for end in 0..input.len() {
        match parse(&input[..end], LIMITS) {
            Ok(Parsed::Incomplete { bytes_needed: now }) => {
                assert!(now > end, "asks for nothing more at {end} of {expected}");
                assert!(now >= bytes_needed || bytes_needed <= end, "goes back at {end}");
                assert!(now <= input.len(), "asks for more than there is at {end} of {expected}");
                bytes_needed = now;
            }
            Ok(Parsed::Complete { bytes, .. }) => {
                panic!("complete at {end} with {bytes} bytes: {expected}")
            }
            Err(error) => {
                assert_eq!(format!("{error}"), expected, "early at {end}");
                return;
            }
        }
    }
    match parse(input, LIMITS) {
        Ok(Parsed::Complete { bytes, operation }) => {
            assert_eq!(show(input, operation), expected);
            assert_eq!(bytes, input.len(), "{expected}");
        }
        Ok(other) => panic!("{other:?}, not {expected}"),
        Err(error) => assert_eq!(format!("{error}"), expected),
    }
}

#[test]
fn operations() {
    for (input, expected) in [
        ("PING\r\n", "Ping"),
        ("ping\n", "Ping"),
        ("PoNg \r\n", "Pong"),
        ("CONNECT {\"a\":1}\r\n", "connect {\"a\":1}"),
        ("connect\t{} \r\n", "connect {}"),
        ("PUB a 5\r\nhello\r\n", "pub a|||hello"),
        ("pub\ta.b  r\t2\r\n\r\n\r\n", "pub a.b|r||\r\n"),
        ("PUB a 0\r\n\r\n", "pub a|||"),
        ("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "pub a||NATS/1.0\r\n\r\n|hi"),
        ("HPUB a r 12 12\r\nNATS/1.0\r\n\r\n\r\n", "pub a|r|NATS/1.0\r\n\r\n|"),
        ("SUB a.* 1\r\n", "sub a.*||1"),
        ("SUB a.> q  9x\r\n", "sub a.>|q|9x"),
        ("UNSUB 1\r\n", "unsub 1|0"),
        ("UNSUB 1 5\r\n", "unsub 1|5"),
        ("UNSUB 1 x\r\n", "unsub 1|0"),
        ("+OK\r\n", "Ignored"),
        ("-ERR 'x'\r\n", "ClientError"),
    ] {
        check(input, expected);
    }
}

#[test]
fn refusals() {
    let long = format!("SUB {} 1\r\n", "a".repeat(100));
    for (input, expected) in [
        ("FOO\r\n", "Unknown Protocol Operation"),
        ("P\r\n", "Unknown Protocol Operation"),
        ("PUBS a 1\r\n", "Unknown Protocol Operation"),
        ("\r\n", "Unknown Protocol Operation"),
        ("PUB a 2\r\nabcd\r\n", "Unknown Protocol Operation"),
        ("PUB a\r\n", "Malformed Arguments"),
        ("PUB a b c d\r\n", "Malformed Arguments"),
        ("PUB a -1\r\n", "Malformed Arguments"),
        ("PUB a 1234567890\r\n", "Malformed Arguments"),
        ("PUB a 101\r\n", "Maximum Payload Violation"),
        ("HPUB a 5 4\r\n", "Malformed Arguments"),
        ("HPUB a 5\r\n", "Malformed Arguments"),
        ("SUB a\r\n", "Malformed Arguments"),
        ("SUB a b c d\r\n", "Malformed Arguments"),
        ("UNSUB\r\n", "Unknown Protocol Operation"),
        ("UNSUB \r\n", "Malformed Arguments"),
        (long.as_str(), "maximum control line exceeded"),
    ] {
        check(input, expected);
    }
}

/// Where the limit of a control line lies, with and without white space at its end.
#[test]
fn control_lines() {
    let limit = LIMITS.control_line_bytes_max;
    let subject = "a".repeat(limit - 2);
    for (rest, spaces, expected) in [
        (format!("{subject} 1"), 0, format!("sub {subject}||1")),
        (format!("{subject}a 1"), 0, "maximum control line exceeded".to_owned()),
        ("a 1".to_owned(), limit - 3, "sub a||1".to_owned()),
        ("a 1".to_owned(), limit - 2, "maximum control line exceeded".to_owned()),
        ("a 1 2 3 4".to_owned(), limit, "Malformed Arguments".to_owned()),
    ] {
        for end in ["\n", "\r\n"] {
            check(&format!("SUB {rest}{}{end}", " ".repeat(spaces)), &expected);
        }
    }
    for (spaces, expected) in [(limit, "connect "), (limit + 1, "maximum control line exceeded")] {
        for end in ["\n", "\r\n"] {
            check(&format!("CONNECT {}{end}", " ".repeat(spaces)), expected);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Parsed::Complete { bytes, .. }) = parse(&input, LIMITS) {
            prop_assert!(bytes <= input.len());
        }
    }

    #[test]
    fn almost_operations_give_an_answer(
        verb in "(PUB|HPUB|SUB|UNSUB|PING|CONNECT|pub|hPub)",
        rest in "[ \\t\\r\\na.*>0-9{}]{0,80}",
    ) {
        let input = format!("{verb}{rest}");
        if let Ok(Parsed::Complete { bytes, .. }) = parse(input.as_bytes(), LIMITS) {
            prop_assert!(bytes <= input.len());
        }
    }
}
