//! The scan of a segment: it ends, names every byte up to its end once, and cuts nothing below what was durable.
#![no_main]

use headwater_storage::testing::scan_segment;
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};

/// Bytes of a segment's header.
const HEADER_BYTES: u64 = 64;
/// How often a byte may be read: once for its frame, and again where a frame is looked for behind damage.
const READS_MAX: u64 = 8;
/// Bytes that may be read of any segment.
const READ_MIN: u64 = 4096;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// What was durable; `None`: all.
    floor: Option<u16>,
    expected: u8,
    is_sealed: bool,
    is_header_damaged: bool,
    bytes: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let Input { floor, expected, is_sealed, is_header_damaged, bytes } = input;
    let floor = floor.map_or(u64::MAX, u64::from);
    let flags = [is_sealed, is_header_damaged];
    let found = scan_segment(bytes, floor, expected.into(), flags).expect("the disk does not fail");
    let len = bytes.len() as u64;

    let mut places: Vec<(u64, u64)> = found.frames.iter().chain(&found.damage).copied().collect();
    places.sort_unstable();
    let mut next = HEADER_BYTES;
    for (offset, bytes) in places {
        assert_eq!(offset, next, "{found:?}");
        next += bytes;
    }
    assert_eq!(found.end, next, "{found:?}");
    assert!(!found.is_torn || found.end >= floor, "what was durable is cut: {found:?}");
    assert!(found.is_torn || found.end >= len.max(HEADER_BYTES), "bytes are left: {found:?}");
    let most = READ_MIN + READS_MAX * len;
    assert!(found.bytes_read <= most, "{} bytes are read of {len}", found.bytes_read);
});
