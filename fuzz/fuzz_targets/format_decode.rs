//! Structures of the disk format: any bytes decode or are refused, in memory in proportion to them, and what decodes
//! encodes to bytes that decode to the same again.
//!
//! The first byte says which structure it is, and whether its checksums are made right first.
#![no_main]

use headwater_fuzz::within_memory;
use headwater_storage::testing::Structure;
use libfuzzer_sys::fuzz_target;

/// Bytes of memory for each byte of the input: an LZ4 block grows to 255 times its size at most.
const GROWTH_MAX: usize = 512;
/// Bytes of memory that any input may have.
const MEMORY_MIN: usize = 64 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let structure = Structure::ALL[usize::from(first & 0x7f) % Structure::ALL.len()];
    let mut bytes = bytes.to_vec();
    if first & 0x80 != 0 {
        structure.seal(&mut bytes);
    }
    let most = MEMORY_MIN + GROWTH_MAX * bytes.len();
    let Ok(again) = within_memory(most, || structure.again(&bytes)) else { return };
    if structure.is_exact() && first & 0x80 != 0 {
        let same = bytes.starts_with(&again);
        assert!(same, "{structure:?} is not what it was: {again:x?} of {bytes:x?}");
    }
    assert_eq!(structure.again(&again).as_ref(), Ok(&again), "{structure:?}");
});
