//! Writes a stream of which pieces are taken as they are ready.
//! Not here: how large pieces are, and who waits for them.

use super::{BEGIN, CHECKSUM_BYTES, COMPRESSED, IDENTIFIER, PLAIN, block, checksum};
use bytes::{Bytes, BytesMut};

/// Bytes that are packed together: so much of what came before can be repeated.
const BLOCK_BYTES: usize = 256 * 1024;

/// See the top of the file.
#[derive(Debug)]
pub(in crate::jetstream::backup) struct Writer {
    /// Not packed yet.
    plain: BytesMut,
    packed: BytesMut,
}

impl Default for Writer {
    fn default() -> Self {
        let mut writer = Self { plain: BytesMut::new(), packed: BytesMut::new() };
        writer.put_head(BEGIN, IDENTIFIER.len());
        writer.packed.extend_from_slice(IDENTIFIER);
        writer
    }
}

impl Writer {
    /// Takes more bytes.
    pub(in crate::jetstream::backup) fn write(&mut self, bytes: &[u8]) {
        self.plain.extend_from_slice(bytes);
        while self.plain.len() >= BLOCK_BYTES {
            let block = self.plain.split_to(BLOCK_BYTES);
            self.put_block(&block);
        }
    }
    /// No more bytes come.
    pub(in crate::jetstream::backup) fn finish(&mut self) {
        let block = self.plain.split();
        if !block.is_empty() {
            self.put_block(&block);
        }
    }
    /// Packed bytes that wait to be taken.
    pub(in crate::jetstream::backup) fn ready(&self) -> usize {
        self.packed.len()
    }
    /// The next piece, at most this long; `None` where nothing is ready.
    pub(in crate::jetstream::backup) fn take(&mut self, bytes_max: usize) -> Option<Bytes> {
        let bytes = self.packed.len().min(bytes_max);
        (bytes > 0).then(|| self.packed.split_to(bytes).freeze())
    }

    fn put_block(&mut self, plain: &[u8]) {
        let packed = block::pack(plain);
        let (kind, body) = match packed.len() < plain.len() {
            true => (COMPRESSED, &packed[..]),
            false => (PLAIN, plain),
        };
        self.put_head(kind, CHECKSUM_BYTES + body.len());
        self.packed.extend_from_slice(&checksum(plain).to_le_bytes());
        self.packed.extend_from_slice(body);
    }
    fn put_head(&mut self, kind: u8, length: usize) {
        let [low, middle, high, ..] = length.to_le_bytes();
        self.packed.extend_from_slice(&[kind, low, middle, high]);
    }
}
