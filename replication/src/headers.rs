//! Editing of NATS header blocks: a version line, `Key: value` lines, an empty line, each ended by CR LF.
//! Keys are compared byte for byte, as nats-server does. A block that does not have this form is passed on untouched.
//! Not here: what the headers of a copy are (`mirror`, `source`).

use bytes::Bytes;

const VERSION: &[u8] = b"NATS/1.0";
const LINE_END: &[u8] = b"\r\n";

/// The value of the first line with this key, without the white space around it.
pub fn value<'a>(headers: &'a [u8], key: &str) -> Option<&'a [u8]> {
    lines(headers)?.find_map(|line| {
        let rest = line.strip_prefix(key.as_bytes())?.strip_prefix(b":")?;
        Some(rest.trim_ascii())
    })
}

/// The block without the lines that `unwanted` picks, and with one line more where `added` gives one. What would be left
/// without any line becomes empty.
pub fn rewrite(
    headers: &Bytes,
    unwanted: impl Fn(&[u8]) -> bool,
    added: Option<(&str, &str)>,
) -> Bytes {
    let Some(all) = lines(headers) else {
        return match (headers.is_empty(), added) {
            (true, Some((key, value))) => block(std::iter::empty(), key, value, 0),
            _ => headers.clone(),
        };
    };
    if let Some((key, value)) = added {
        return block(all.filter(|line| !unwanted(line)), key, value, headers.len());
    }
    if !all.clone().any(&unwanted) {
        return headers.clone();
    }
    let mut out = Vec::with_capacity(headers.len());
    for line in all.filter(|line| !unwanted(line)) {
        out.extend_from_slice(line);
        out.extend_from_slice(LINE_END);
    }
    if out.is_empty() {
        return Bytes::new();
    }
    let mut whole = Vec::with_capacity(VERSION.len() + out.len() + 2 * LINE_END.len());
    whole.extend_from_slice(first_line(headers));
    whole.extend_from_slice(LINE_END);
    whole.extend_from_slice(&out);
    whole.extend_from_slice(LINE_END);
    Bytes::from(whole)
}

/// The block with this key saying this: in the place of its first line, or behind the others.
pub fn set(headers: &Bytes, key: &str, value: &str) -> Bytes {
    let is_it =
        |line: &[u8]| line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
    let place = lines(headers).and_then(|mut all| all.find(|line| is_it(line)));
    let Some(line) = place else { return rewrite(headers, |_| false, Some((key, value))) };
    let line = headers.slice_ref(line);
    let start = line.as_ptr().addr() - headers.as_ptr().addr();
    let (before, after) = (headers.get(..start), headers.get(start + line.len()..));
    let text = [key.as_bytes(), b": ", value.as_bytes()].concat();
    Bytes::from([before.unwrap_or_default(), &text, after.unwrap_or_default()].concat())
}

fn block<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    key: &str,
    value: &str,
    capacity: usize,
) -> Bytes {
    let mut out =
        Vec::with_capacity(capacity + VERSION.len() + key.len() + value.len() + 4 * LINE_END.len());
    out.extend_from_slice(VERSION);
    out.extend_from_slice(LINE_END);
    for line in lines {
        out.extend_from_slice(line);
        out.extend_from_slice(LINE_END);
    }
    for part in [key.as_bytes(), b": ", value.as_bytes(), LINE_END, LINE_END] {
        out.extend_from_slice(part);
    }
    Bytes::from(out)
}

fn first_line(headers: &[u8]) -> &[u8] {
    split_line(headers).map_or(headers, |(line, _)| line)
}

/// The lines between the version line and the empty line; `None` where the block has another form.
fn lines(headers: &[u8]) -> Option<impl Iterator<Item = &[u8]> + Clone> {
    let (version, rest) = split_line(headers)?;
    if !version.starts_with(VERSION) {
        return None;
    }
    let mut body = rest.strip_suffix(LINE_END)?;
    if !body.is_empty() && !body.ends_with(LINE_END) {
        return None;
    }
    Some(std::iter::from_fn(move || {
        let (line, rest) = split_line(body)?;
        body = rest;
        Some(line)
    }))
}

fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|byte| *byte == b'\r')?;
        if text.get(at + 1) == Some(&b'\n') {
            return Some((text.get(..at)?, text.get(at + 2..)?));
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let block = b"NATS/1.0\r\nA: b\r\nNats-Msg-Id:  7 \r\nX-A: c\r\nA: d\r\n\r\n";
        for (key, expected) in [
            ("A", Some(&b"b"[..])),
            ("Nats-Msg-Id", Some(b"7")),
            ("X-A", Some(b"c")),
            ("a", None),
            ("Nats", None),
        ] {
            assert_eq!(value(block, key), expected, "{key}");
        }
        for block in [&b""[..], b"\r\n", b"A: b\r\n\r\n", b"NATS/1.0\r\nA: b", b"\r\r\r\n\r"] {
            assert_eq!(value(block, "A"), None);
        }
    }

    #[test]
    fn setting() {
        for (before, after) in [
            ("", "NATS/1.0\r\nK: v\r\n\r\n"),
            ("NATS/1.0\r\nA: b\r\n\r\n", "NATS/1.0\r\nA: b\r\nK: v\r\n\r\n"),
            ("NATS/1.0\r\nK:longer\r\nA: b\r\n\r\n", "NATS/1.0\r\nK: v\r\nA: b\r\n\r\n"),
            (
                "NATS/1.0\r\nA: b\r\nK: 1\r\nK: 2\r\n\r\n",
                "NATS/1.0\r\nA: b\r\nK: v\r\nK: 2\r\n\r\n",
            ),
            ("other", "other"),
        ] {
            assert_eq!(set(&Bytes::from(before), "K", "v"), after, "{before:?}");
        }
    }

    #[test]
    fn rewriting() {
        for (before, added, after) in [
            ("", None, ""),
            ("", Some(("K", "v")), "NATS/1.0\r\nK: v\r\n\r\n"),
            ("NATS/1.0\r\nA: b\r\n\r\n", None, "NATS/1.0\r\nA: b\r\n\r\n"),
            ("NATS/1.0\r\nNats-X-1: b\r\n\r\n", None, ""),
            (
                "NATS/1.0\r\nNats-X-1: b\r\nA: b\r\nNats-X-2: c\r\n\r\n",
                None,
                "NATS/1.0\r\nA: b\r\n\r\n",
            ),
            ("NATS/1.0\r\nNats-X-1: b\r\n\r\n", Some(("K", "v")), "NATS/1.0\r\nK: v\r\n\r\n"),
            ("NATS/1.0\r\nA: Nats-X-1: b\r\n\r\n", None, "NATS/1.0\r\nA: Nats-X-1: b\r\n\r\n"),
            (
                "NATS/1.0 100 Idle\r\nNats-X-1: b\r\nA: b\r\n\r\n",
                None,
                "NATS/1.0 100 Idle\r\nA: b\r\n\r\n",
            ),
            ("other", Some(("K", "v")), "other"),
            ("NATS/1.0\r\nNats-X-1", Some(("K", "v")), "NATS/1.0\r\nNats-X-1"),
        ] {
            let block = Bytes::from(before);
            let result = rewrite(&block, |line| line.starts_with(b"Nats-X-"), added);
            assert_eq!(result, after, "{before:?}");
        }
    }
}
