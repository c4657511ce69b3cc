//! Reads a stream as its pieces come.
//! Invariant: it holds at most one chunk and the piece that was pushed last.
//! Not here: who waits for pieces.

use super::{
    BEGIN, BLOCK_BYTES_MAX, CHECKSUM_BYTES, COMPRESSED, HEAD_BYTES, IDENTIFIER, OLDER_IDENTIFIER,
    PLAIN, SKIPPABLE, block, checksum,
};
use bytes::{Buf, Bytes, BytesMut};

/// Longest chunk with data: a block that does not shrink grows by its lengths only.
const CHUNK_BYTES_MAX: usize = CHECKSUM_BYTES + BLOCK_BYTES_MAX + BLOCK_BYTES_MAX / 6 + 32;

/// See the top of the file.
#[derive(Debug, Default)]
pub(in crate::jetstream::backup) struct Reader {
    pending: BytesMut,
    /// Bytes still to be passed over.
    skipped: usize,
    has_begun: bool,
}

impl Reader {
    /// Takes the next piece of the stream.
    pub(in crate::jetstream::backup) fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }
    /// The next unpacked block; `None` until more is pushed.
    pub(in crate::jetstream::backup) fn next_block(
        &mut self,
    ) -> Result<Option<Bytes>, &'static str> {
        loop {
            let passed = self.skipped.min(self.pending.len());
            self.pending.advance(passed);
            self.skipped -= passed;
            let Some(&[kind, low, middle, high]) = self.pending.first_chunk::<HEAD_BYTES>() else {
                return Ok(None);
            };
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            if !self.has_begun && kind != BEGIN {
                return Err("s2: not a compressed stream");
            }
            match kind {
                BEGIN if length == IDENTIFIER.len() => {}
                COMPRESSED | PLAIN if (CHECKSUM_BYTES..=CHUNK_BYTES_MAX).contains(&length) => {}
                SKIPPABLE..BEGIN => {
                    self.pending.advance(HEAD_BYTES);
                    self.skipped = length;
                    continue;
                }
                _ => return Err("s2: corrupt input"),
            }
            if self.pending.len() < HEAD_BYTES + length {
                return Ok(None);
            }
            self.pending.advance(HEAD_BYTES);
            let chunk = self.pending.split_to(length).freeze();
            if kind == BEGIN {
                if chunk != IDENTIFIER && chunk != OLDER_IDENTIFIER {
                    return Err("s2: not a compressed stream");
                }
                self.has_begun = true;
                continue;
            }
            return data(kind, chunk).map(Some);
        }
    }
    /// The stream is over; an error where that comes in the middle of a chunk.
    pub(in crate::jetstream::backup) fn finish(&self) -> Result<(), &'static str> {
        match self.pending.is_empty() && self.skipped == 0 {
            true => Ok(()),
            false => Err("s2: unexpected end"),
        }
    }
}

fn data(kind: u8, mut chunk: Bytes) -> Result<Bytes, &'static str> {
    let expected = chunk.try_get_u32_le().map_err(|_| "s2: corrupt input")?;
    let bytes = match kind {
        PLAIN if chunk.len() > BLOCK_BYTES_MAX => return Err("s2: block is too large"),
        PLAIN => chunk,
        _ => Bytes::from(block::unpack(&chunk)?),
    };
    if checksum(&bytes) == expected { Ok(bytes) } else { Err("s2: wrong checksum") }
}
