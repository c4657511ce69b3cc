//! Header blocks: `NATS/1.0[ <code>[ <text>]]`, then `Name: value` lines, then an empty line.
//! Names are compared with case, the first match wins, as nats-server does it.
//! Not here: the meaning of any header.

use bytes::Bytes;

const VERSION_LINE: &[u8] = b"NATS/1.0";
const LINE_END: &[u8] = b"\r\n";

/// The value of a header, without the spaces before it.
pub fn get<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    lines(block).find_map(|line| {
        let rest = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
        Some(value(rest))
    })
}

/// What follows the colon of a header line, without the spaces before it; those behind it belong to it.
pub fn value(rest: &[u8]) -> &[u8] {
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    rest.get(start..).unwrap_or_default()
}

/// The `name: value` lines, without their line ends.
pub fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    let mut is_first = true;
    std::iter::from_fn(move || {
        loop {
            let end = memchr::memmem::find(rest, LINE_END)?;
            let (line, tail) = rest.split_at_checked(end)?;
            rest = tail.strip_prefix(LINE_END)?;
            if std::mem::replace(&mut is_first, false) {
                continue;
            }
            return (!line.is_empty()).then_some(line);
        }
    })
}

/// The code and text of a status line; none when it is a plain version line.
pub fn status(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memmem::find(block, LINE_END)?;
    let rest = block.get(..end)?.strip_prefix(VERSION_LINE)?.trim_ascii();
    let code_end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    let (code, text) = rest.split_at_checked(code_end)?;
    (!code.is_empty()).then(|| (code, text.trim_ascii()))
}

/// A header block with a status line, or a plain one when `status` is empty.
pub fn block(status: &str, fields: &[(&str, &str)]) -> Bytes {
    let mut text = String::from("NATS/1.0");
    if !status.is_empty() {
        text.push(' ');
        text.push_str(status);
    }
    text.push_str("\r\n");
    for (name, value) in fields {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let block =
            b"NATS/1.0\r\nNats-Msg-Id:  a b \r\nnats-msg-id: c\r\nNats-Msg-Id: d\r\nE:\r\n\r\n";
        for (name, expected) in [
            ("Nats-Msg-Id", Some("a b ")),
            ("nats-msg-id", Some("c")),
            ("E", Some("")),
            ("Nats-Msg", None),
            ("F", None),
        ] {
            assert_eq!(get(block, name), expected.map(str::as_bytes), "{name}");
        }
        for broken in [&b""[..], b"NATS/1.0", b"NATS/1.0\r\nA: b", b"\r\n\r\n"] {
            assert_eq!(get(broken, "A"), None);
        }
    }

    #[test]
    fn status_lines() {
        for (text, expected) in [
            ("NATS/1.0\r\n\r\n", None),
            ("NATS/1.0 503\r\n\r\n", Some(("503", ""))),
            ("NATS/1.0 404 No Messages\r\n\r\n", Some(("404", "No Messages"))),
            ("HTTP/1.0 404 No\r\n\r\n", None),
        ] {
            let expected = expected.map(|(a, b): (&str, &str)| (a.as_bytes(), b.as_bytes()));
            assert_eq!(status(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(
            block("503", &[("Nats-Subject", "a")]),
            "NATS/1.0 503\r\nNats-Subject: a\r\n\r\n"
        );
        assert_eq!(block("", &[]), "NATS/1.0\r\n\r\n");
    }
}
