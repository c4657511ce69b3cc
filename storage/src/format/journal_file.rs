//! The first block of a journal file: whose journal it is. Written once, when the file is made.
//! Not here: the rounds after it (`journal_round`).

use super::{FORMAT_VERSION, checksum, fields::Field};

const MAGIC_VALUE: [u8; 8] = *b"HWJOURNL";

pub(crate) const MAGIC: Field = Field::first(8);
pub(crate) const VERSION: Field = MAGIC.then(4);
pub(crate) const NUMBER: Field = VERSION.then(4);
pub(crate) const VOLUME: Field = NUMBER.then(16);
pub(crate) const FILE_BYTES: Field = VOLUME.then(8);
pub(crate) const RESERVED: Field = FILE_BYTES.then(4);
pub(crate) const HEADER_CRC: Field = RESERVED.then(4);
/// Bytes of the header.
pub(crate) const JOURNAL_FILE_HEADER_BYTES: usize = HEADER_CRC.end();
/// Bytes that the header takes in the file; the rounds begin after them.
pub(crate) const JOURNAL_FILE_BLOCK_BYTES: u64 = 4096;

const _: () = assert!(JOURNAL_FILE_HEADER_BYTES == 48);

/// The header of a journal file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JournalFileHeader {
    /// Number of the file, as in its name.
    pub(crate) number: u32,
    /// Identity of the volume: random, chosen when it is made.
    pub(crate) volume: u128,
    /// Size of the whole file, in bytes.
    pub(crate) file_bytes: u64,
}

impl JournalFileHeader {
    /// The header's bytes.
    pub(crate) fn encode(&self) -> [u8; JOURNAL_FILE_HEADER_BYTES] {
        let mut bytes = [0; JOURNAL_FILE_HEADER_BYTES];
        MAGIC.put(&mut bytes, &MAGIC_VALUE);
        VERSION.put(&mut bytes, &FORMAT_VERSION.to_le_bytes());
        NUMBER.put(&mut bytes, &self.number.to_le_bytes());
        VOLUME.put(&mut bytes, &self.volume.to_le_bytes());
        FILE_BYTES.put(&mut bytes, &self.file_bytes.to_le_bytes());
        let crc = checksum(0, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        HEADER_CRC.put(&mut bytes, &crc.to_le_bytes());
        bytes
    }

    /// Reads a header; what is wrong with it otherwise.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let Some(bytes) = bytes.get(..JOURNAL_FILE_HEADER_BYTES) else {
            return Err("journal file header is cut short");
        };
        if MAGIC.bytes(bytes) != MAGIC_VALUE {
            return Err("journal file header has another magic number");
        }
        let crc = checksum(0, bytes.get(..HEADER_CRC.offset).unwrap_or_default());
        if HEADER_CRC.u32(bytes) != crc {
            return Err("checksum of the journal file header does not match");
        }
        if VERSION.u32(bytes) != FORMAT_VERSION {
            return Err("journal file is of another format version");
        }
        Ok(Self {
            number: NUMBER.u32(bytes),
            volume: VOLUME.u128(bytes),
            file_bytes: FILE_BYTES.u64(bytes),
        })
    }
}
