//! The archive of a backup, as nats-server 2.15 writes it: eight bytes that say what it is, then entries. An entry is
//!
//! | field | form |
//! |---|---|
//! | length of the name | varint |
//! | time, nanoseconds since 1970 | zigzag varint |
//! | sequence; 0 for none | varint |
//! | length of the headers | varint |
//! | length of the payload | varint |
//! | name, headers, payload | bytes |
//!
//! First comes `state.json`, then `consumers/<name>` for each consumer, then the messages in order, each under its subject,
//! then an entry of which everything is empty: without it the archive is not whole.
//! Not here: compression (`s2`), what the entries hold (`snapshot`, `install`).

use bytes::{Buf, Bytes, BytesMut};
use headwater_storage::limits::{HEADER_BYTES_MAX, MESSAGE_BYTES_MAX, SUBJECT_BYTES_MAX};

const MAGIC: &[u8] = b"NATSARC1";
/// Longest name of an entry: a subject, or a consumer behind its prefix.
const NAME_BYTES_MAX: usize = SUBJECT_BYTES_MAX;
/// Bytes of a varint at most.
const VARINT_BYTES_MAX: usize = 10;
const NOT_AN_ARCHIVE: &str = "archive: invalid archive stream";

/// Name of the entry that the archive begins with.
pub(super) const STATE: &str = "state.json";
/// What the names of consumers begin with.
pub(super) const CONSUMERS: &str = "consumers/";

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    /// A subject, or what the entry is.
    pub(super) name: Bytes,
    /// Nanoseconds since 1970.
    pub(super) time: i64,
    /// 0 for none.
    pub(super) sequence: u64,
    /// Header block.
    pub(super) headers: Bytes,
    /// Payload.
    pub(super) payload: Bytes,
}

impl Item {
    /// Whether it says that the archive is whole.
    pub(super) fn is_end(&self) -> bool {
        *self == Self::default()
    }
    /// Bytes beside the head.
    pub(super) fn bytes(&self) -> usize {
        self.name.len() + self.headers.len() + self.payload.len()
    }
    /// Writes it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let zigzag = (self.time << 1 ^ self.time >> 63).cast_unsigned();
        put_varint(out, self.name.len() as u64);
        put_varint(out, zigzag);
        put_varint(out, self.sequence);
        put_varint(out, self.headers.len() as u64);
        put_varint(out, self.payload.len() as u64);
        for part in [&self.name, &self.headers, &self.payload] {
            out.extend_from_slice(part);
        }
    }
}

/// Writes what an archive begins with.
pub(super) fn put_magic(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
}

/// Whether bytes are the beginning of an archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes().first().copied().unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes().first().copied().unwrap_or(0));
}

/// Reads entries as their bytes come. Holds at most one entry, and what was pushed last.
#[derive(Debug, Default)]
pub(super) struct Parser {
    pending: BytesMut,
    has_begun: bool,
}

/// Lengths and numbers in front of an entry.
struct Head {
    bytes: usize,
    name: usize,
    time: i64,
    sequence: u64,
    headers: usize,
    payload: usize,
}

impl Parser {
    /// Takes more bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }
    /// The next entry; `None` until more is pushed.
    pub(super) fn next_item(&mut self) -> Result<Option<Item>, &'static str> {
        if !self.has_begun {
            if self.pending.len() < MAGIC.len() {
                return Ok(None);
            }
            if !self.pending.starts_with(MAGIC) {
                return Err("not an archive of nats-server 2.15 or later");
            }
            self.pending.advance(MAGIC.len());
            self.has_begun = true;
        }
        let Some(head) = head(&self.pending)? else { return Ok(None) };
        let whole = head.bytes + head.name + head.headers + head.payload;
        if self.pending.len() < whole {
            return Ok(None);
        }
        self.pending.advance(head.bytes);
        // A buffer of its own: else a small entry would hold what was pushed with it.
        let mut body = Bytes::copy_from_slice(&self.pending.split_to(whole - head.bytes));
        let name = body.split_to(head.name);
        let headers = body.split_to(head.headers);
        let Head { time, sequence, .. } = head;
        Ok(Some(Item { name, time, sequence, headers, payload: body }))
    }
}

fn head(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let mut at = 0;
    let mut fields = [0_u64; 5];
    for field in &mut fields {
        match varint(bytes.get(at..).unwrap_or_default())? {
            Some((number, length)) => {
                *field = number;
                at += length;
            }
            None => return Ok(None),
        }
    }
    let [name, time, sequence, headers, payload] = fields;
    let bounded = |length: u64, max: usize| {
        usize::try_from(length).ok().filter(|length| *length <= max).ok_or(NOT_AN_ARCHIVE)
    };
    let head = Head {
        bytes: at,
        name: bounded(name, NAME_BYTES_MAX)?,
        time: (time >> 1).cast_signed() ^ -(time & 1).cast_signed(),
        sequence,
        headers: bounded(headers, HEADER_BYTES_MAX)?,
        payload: bounded(payload, MESSAGE_BYTES_MAX)?,
    };
    Ok(Some(head))
}

/// A varint and its length.
fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, &'static str> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * at);
        if shifted >> (7 * at) != bits {
            return Err(NOT_AN_ARCHIVE);
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Ok(Some((number, at + 1)));
        }
    }
    if bytes.len() < VARINT_BYTES_MAX { Ok(None) } else { Err(NOT_AN_ARCHIVE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items() -> Vec<Item> {
        let item =
            |name: &'static str, time, sequence, headers: &'static str, payload: &'static str| {
                let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
                Item {
                    name: bytes(name),
                    time,
                    sequence,
                    headers: bytes(headers),
                    payload: bytes(payload),
                }
            };
        vec![
            item(STATE, i64::MAX, 0, "", "{}"),
            item("a.b", i64::MIN, u64::MAX, "NATS/1.0\r\nA: b\r\n\r\n", "text"),
            item("a.c", -1, 300, "", ""),
            Item::default(),
        ]
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Item>, &'static str> {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            parser.push(piece);
            while let Some(item) = parser.next_item()? {
                found.push(item);
            }
        }
        if parser.pending.is_empty() { Ok(found) } else { Err("cut") }
    }

    #[test]
    fn what_was_written_is_read() {
        let mut bytes = Vec::new();
        put_magic(&mut bytes);
        items().iter().for_each(|item| item.put(&mut bytes));
        for piece in [1, 7, 1000] {
            assert_eq!(read(&bytes, piece).unwrap(), items());
        }
        assert!(items().last().unwrap().is_end());
    }

    #[test]
    fn lengths_are_bounded() {
        for fields in [
            &[0x81_u8, 0x20, 0, 0, 0, 0][..],
            &[0, 0, 0, 0x80, 0x80, 0x04, 0],
            &[0, 0, 0, 0, 0x81, 0x80, 0x80, 0x20],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(read(&[MAGIC, fields].concat(), 100).is_err(), "{fields:x?}");
        }
        assert!(read(b"NATSARC2", 100).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&[MAGIC, &bytes].concat(), 20);
        }
    }
}
