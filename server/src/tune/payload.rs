//! Payloads: slices of a pool that is longer than what the compression looks back over, so that messages with random
//! bytes do not compress by being repeated.
//! Not here: subjects and appending (`load`).

use super::point::Payload;
use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Messages are the same in each run.
const SEED: u64 = 1;
const POOL_BYTES: usize = 4 * 1024 * 1024;

/// Endless payloads of one size.
#[derive(Debug)]
pub(super) struct Payloads {
    pool: Bytes,
    offset: usize,
    bytes: usize,
}

impl Payloads {
    /// Payloads of so many bytes, at most the size of the pool.
    pub(super) fn new(kind: Payload, bytes: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(SEED);
        let pool = match kind {
            Payload::Random => {
                let mut pool = vec![0; POOL_BYTES];
                random.fill(pool.as_mut_slice());
                pool
            }
            Payload::Text => {
                let mut pool = String::with_capacity(POOL_BYTES + 128);
                while pool.len() < POOL_BYTES {
                    let (order, customer) = (random.random::<u32>(), random.random::<u16>());
                    let (pieces, cents) = (random.random_range(1..20), random.random_range(0..99));
                    pool.push_str(&format!(
                        "{{\"order\":{order},\"customer\":\"c{customer}\",\"state\":\"paid\",\"pieces\":{pieces},\"total\":17.{cents}}}\n"
                    ));
                }
                pool.into_bytes()
            }
        };
        Self { pool: pool.into(), offset: 0, bytes: bytes.min(POOL_BYTES) }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Bytes {
        if self.offset + self.bytes > self.pool.len() {
            self.offset = 0;
        }
        let payload = self.pool.slice(self.offset..self.offset + self.bytes);
        self.offset += self.bytes;
        payload
    }
}
