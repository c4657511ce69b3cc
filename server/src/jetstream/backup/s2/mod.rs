//! S2, the compression of backups: a stream of chunks, each with a checksum of what it unpacks to. The form is that of the
//! Snappy framing, with larger blocks and one more kind of copy; both are read, and what is written is read by both.
//!
//! Everything read here comes from outside: no length is believed before it is checked, and no block unpacks to more than
//! `BLOCK_BYTES_MAX`.
//! Not here: what the bytes mean (`archive`).

mod block;
mod reader;
mod writer;

pub(super) use reader::Reader;
pub(super) use writer::Writer;

/// Most bytes that one block unpacks to, as in the format.
const BLOCK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a stream begins with, without the head of its chunk.
const IDENTIFIER: &[u8] = b"S2sTwO";
/// The same in a stream of the older form.
const OLDER_IDENTIFIER: &[u8] = b"sNaPpY";
/// Kinds of chunks.
const COMPRESSED: u8 = 0x00;
const PLAIN: u8 = 0x01;
const BEGIN: u8 = 0xff;
/// Chunks of unknown kinds from here on may be passed over.
const SKIPPABLE: u8 = 0x80;
/// Kind and length.
const HEAD_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;

/// The checksum as it is written.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.write(bytes);
        writer.finish();
        let mut packed = Vec::new();
        while let Some(piece) = writer.take(1000) {
            packed.extend_from_slice(&piece);
        }
        packed
    }

    fn unpack(packed: &[u8], piece_bytes: usize) -> Result<Vec<u8>, &'static str> {
        let (mut reader, mut bytes) = (Reader::default(), Vec::new());
        for piece in packed.chunks(piece_bytes) {
            reader.push(piece);
            while let Some(block) = reader.next_block()? {
                bytes.extend_from_slice(&block);
            }
        }
        reader.finish().map(|()| bytes)
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let repeated = b"the same again, ".repeat(100_000);
        let random: Vec<u8> = (0..300_000).map(|_| rand::random()).collect();
        for bytes in [&b""[..], b"a", b"aaaaaaaaaaaaaaaaaaaaaaaaa", &repeated, &random] {
            let packed = pack(bytes);
            assert_eq!(unpack(&packed, 7777).unwrap(), bytes);
            assert!(packed.len() < bytes.len() + bytes.len() / 100 + 64);
        }
        assert!(pack(&repeated).len() < repeated.len() / 10);
    }

    /// Each kind of element, and each form of the copy that is only in S2.
    #[test]
    fn elements() {
        for (block, expected) in [
            (&[6, 0x14, b'a', b'b', b'c', b'd', b'e', b'f'][..], Some(&b"abcdef"[..])),
            (&[5, 0x00, b'a', 0x01, 0x01], Some(b"aaaaa")),
            (&[5, 0x00, b'a', 0x0e, 0x01, 0x00], Some(b"aaaaa")),
            (&[5, 0x00, b'a', 0x0f, 0x01, 0x00, 0x00, 0x00], Some(b"aaaaa")),
            // The same distance again, with its length in the tag and behind it.
            (&[9, 0x00, b'a', 0x01, 0x01, 0x01, 0x00], Some(b"aaaaaaaaa")),
            (&[14, 0x00, b'a', 0x01, 0x01, 0x15, 0x00, 0x01], Some(b"aaaaaaaaaaaaaa")),
            // A distance that is none yet, one beyond the start, too much, too little.
            (&[5, 0x00, b'a', 0x01, 0x00], None),
            (&[5, 0x00, b'a', 0x01, 0x02], None),
            (&[4, 0x00, b'a', 0x01, 0x01], None),
            (&[6, 0x00, b'a', 0x01, 0x01], None),
            (&[6, 0x14, b'a'], None),
            (&[0xff, 0xff, 0xff, 0xff, 0x7f], None),
            (&[], None),
        ] {
            let unpacked = block::unpack(block).ok();
            assert_eq!(unpacked.as_deref(), expected, "{block:x?}");
        }
    }

    #[test]
    fn streams_that_are_refused() {
        let packed = pack(&b"some text, some more text, and the same text again".repeat(9));
        assert!(unpack(&packed, 1).is_ok());
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 0x10;
            let _ = unpack(&changed, 100);
            if at >= 14 {
                assert!(unpack(&changed, 100).is_err(), "byte {at}");
            }
            let is_start = at == 0 || at == 10;
            assert!(is_start || unpack(&packed[..at], 100).is_err(), "cut at {at}");
        }
        // A block that claims to be larger than any, a chunk that claims to, and one of a kind that must be known.
        let begin = b"\xff\x06\x00\x00S2sTwO";
        for chunk in [
            &b"\x00\x0a\x00\x00\x00\x00\x00\x00\x81\x80\x80\x02\x00\x00"[..],
            b"\x00\xff\xff\xff",
            b"\x02\x01\x00\x00\x00",
        ] {
            assert!(unpack(&[begin, chunk].concat(), 100).is_err(), "{chunk:x?}");
        }
        let skipped = b"\x99\x02\x00\x00ab\xfe\x00\x00\x00";
        assert_eq!(unpack(&[&begin[..], skipped].concat(), 1).unwrap(), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = block::unpack(&bytes);
            let _ = unpack(&bytes, 50);
            let _ = unpack(&[&b"\xff\x06\x00\x00S2sTwO\x00"[..], &bytes].concat(), 50);
        }

        #[test]
        fn texts_come_back(words in proptest::collection::vec("[a-c]{1,9}", 0..400)) {
            let bytes = words.concat().into_bytes();
            prop_assert_eq!(unpack(&pack(&bytes), 100).unwrap(), bytes);
        }
    }
}
