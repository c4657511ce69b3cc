//! What is stored with the copies: which creation of the origin was read, and how far.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 1 | flags: 1 incarnation known, 2 identity hash known |
//! | 2 | 16 | incarnation, little-endian; zero where unknown |
//! | 18 | 8 | identity hash; zero where unknown |
//! | 26 | 8 | sequence, little-endian |
//!
//! Invariant: what cannot be decoded is never overwritten; the replication halts and says so.
//! Not here: where it is kept (`storage::Stream::progress`), when it is written (`driver`).

use crate::{Error, Result, identity::OriginIdentity};
use headwater_storage::stream::Incarnation;
use sha2::{Digest, Sha256};

const VERSION: u8 = 1;
const INCARNATION_KNOWN: u8 = 1;
const HASH_KNOWN: u8 = 2;
const BYTES: usize = 34;
/// Index names longer than this are hashed in the key.
const KEY_NAME_BYTES_MAX: usize = 128;

const _: () = assert!(BYTES <= crate::limits::PROGRESS_BYTES_MAX);

/// Key of a mirror's progress: a stream mirrors at most one origin.
pub const MIRROR_KEY: &str = "mirror";

/// Key of the progress of the source with this index name.
pub fn source_key(index_name: &str) -> String {
    if index_name.len() <= KEY_NAME_BYTES_MAX {
        return format!("source {index_name}");
    }
    let hash = Sha256::digest(index_name.as_bytes());
    format!("source#{}", data_encoding::HEXLOWER.encode(&hash))
}

/// How far an origin was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Which creation of the origin.
    pub identity: OriginIdentity,
    /// Every sequence up to this one is copied or not wanted.
    pub sequence: u64,
}

impl Progress {
    /// Writes it over what `out` holds.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let hash: Option<[u8; 8]> = self.identity.hash.as_bytes().try_into().ok();
        let mut flags = 0;
        if self.identity.incarnation.is_some() {
            flags |= INCARNATION_KNOWN;
        }
        if hash.is_some() {
            flags |= HASH_KNOWN;
        }
        out.clear();
        out.extend_from_slice(&[VERSION, flags]);
        let incarnation = self.identity.incarnation.map_or(0, |incarnation| incarnation.0);
        out.extend_from_slice(&incarnation.to_le_bytes());
        out.extend_from_slice(&hash.unwrap_or_default());
        out.extend_from_slice(&self.sequence.to_le_bytes());
    }

    /// Reads what `encode` wrote; `key` is for the error.
    pub fn decode(key: &str, bytes: &[u8]) -> Result<Self> {
        let fail = |reason| Error::Progress { key: key.to_owned(), reason };
        let Some((&version, rest)) = bytes.split_first() else {
            return Err(fail("empty"));
        };
        if version != VERSION {
            return Err(fail("unknown version"));
        }
        let Some((&[flags], rest)) = rest.split_first_chunk::<1>() else {
            return Err(fail("too short"));
        };
        let Some((incarnation, rest)) = rest.split_first_chunk::<16>() else {
            return Err(fail("too short"));
        };
        let Some((hash, rest)) = rest.split_first_chunk::<8>() else {
            return Err(fail("too short"));
        };
        let Ok(sequence) = <[u8; 8]>::try_from(rest) else {
            return Err(fail("wrong length"));
        };
        if flags & !(INCARNATION_KNOWN | HASH_KNOWN) != 0 {
            return Err(fail("unknown flags"));
        }
        let hash = match flags & HASH_KNOWN {
            0 => String::new(),
            _ => {
                std::str::from_utf8(hash).map_err(|_| fail("identity hash is not text"))?.to_owned()
            }
        };
        let incarnation = (flags & INCARNATION_KNOWN != 0)
            .then_some(Incarnation(u128::from_le_bytes(*incarnation)));
        let identity = OriginIdentity { incarnation, hash };
        Ok(Self { identity, sequence: u64::from_le_bytes(sequence) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        for incarnation in [None, Some(Incarnation(0)), Some(Incarnation(u128::MAX))] {
            for hash in ["", "d71u5aS5"] {
                for sequence in [0, 1, u64::MAX] {
                    let identity = OriginIdentity { incarnation, hash: hash.into() };
                    let progress = Progress { identity, sequence };
                    let mut bytes = b"earlier".to_vec();
                    progress.encode(&mut bytes);
                    assert_eq!(bytes.len(), BYTES);
                    assert_eq!(Progress::decode("k", &bytes).expect("decodes"), progress);
                    for end in 0..BYTES {
                        assert!(Progress::decode("k", &bytes[..end]).is_err(), "cut at {end}");
                    }
                    bytes.push(0);
                    assert!(Progress::decode("k", &bytes).is_err(), "one byte more");
                }
            }
        }
    }

    #[test]
    fn strange_bytes_are_refused() {
        for (at, value) in [(0, 2), (1, 4), (18, 0xff)] {
            let identity = OriginIdentity { incarnation: None, hash: "d71u5aS5".into() };
            let mut bytes = Vec::new();
            Progress { identity, sequence: 5 }.encode(&mut bytes);
            bytes[at] = value;
            assert!(matches!(Progress::decode("k", &bytes), Err(Error::Progress { .. })), "{at}");
        }
    }

    #[test]
    fn keys_are_bounded_and_differ() {
        let long = "x".repeat(5000);
        assert_eq!(source_key("O > >"), "source O > >");
        assert!(source_key(&long).len() < 200);
        assert_ne!(source_key(&long), source_key(&"x".repeat(5001)));
    }
}
