//! Bounds of everything that is read from disk, queued or retried, with their relations checked at compile time.

/// Longest subject of a message, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 4096;
/// Largest header block of a message, in bytes (the record stores its length in 16 bits).
pub const HEADER_BYTES_MAX: usize = 65_535;
/// Largest message id of the dedup window, in bytes.
pub const MESSAGE_ID_BYTES_MAX: usize = 4096;
/// Largest message (subject, headers and payload), in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Records collected in one frame before it is closed, in bytes; one larger record makes a frame of its own.
pub const FRAME_BYTES_TARGET: usize = 64 * 1024;
/// Largest body of a frame, in bytes; a longer length on disk is damage.
pub const FRAME_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 4 * FRAME_BYTES_TARGET;
/// Bytes of one log that may wait for the commit thread; an append beyond them is refused with `Busy`, unless nothing
/// waits. What belongs to an accepted append and follows it is taken beyond the bound.
pub const OPEN_BYTES_MAX: usize = 64 * 1024 * 1024;

const _: () = assert!(FRAME_BYTES_TARGET < FRAME_BYTES_MAX);
const _: () =
    assert!(SUBJECT_BYTES_MAX + HEADER_BYTES_MAX + MESSAGE_ID_BYTES_MAX < MESSAGE_BYTES_MAX);
