//! Bytes on disk: fixed little-endian offsets, each computed from the one before it, and a checksum over everything.
//! `docs/DISK_FORMAT.md` shows every structure; a test compares the page with the constants and the encoders here.
//!
//! Not here: files and what is done with them (`segment`, `journal`).

pub(crate) mod checkpoint;
pub(crate) mod fields;
pub(crate) mod frame;
pub(crate) mod journal_file;
pub(crate) mod journal_round;
pub(crate) mod segment_header;
pub(crate) mod segment_index;

/// Version of all structures here. A reader refuses files of a higher one.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Bound of positions, sequences, rounds and use numbers, so that a forged one cannot overflow what counts on from it.
pub(crate) const NUMBER_MAX: u64 = 1 << 62;
/// Bound of offsets in a file.
pub(crate) const OFFSET_MAX: u64 = 1 << 48;

/// The checksum of all structures: CRC32C, continued from `seed`.
pub(crate) fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(seed, bytes)
}

#[cfg(test)]
pub(crate) mod golden_test;
