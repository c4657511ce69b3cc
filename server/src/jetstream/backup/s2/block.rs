//! One block: its unpacked length, then pieces that stand as they are and copies of what came before.
//! Not here: chunks and checksums (`reader`, `writer`).

use super::BLOCK_BYTES_MAX;

/// Where a hash of four bytes was seen last.
const TABLE_BITS: u32 = 14;
/// Copies reach back so far at most.
const DISTANCE_MAX: usize = 0xffff;
/// Longest copy of one element that is written.
const COPY_BYTES_MAX: usize = 64;

const BROKEN: &str = "s2: corrupt input";

/// What is left of a block to be read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    /// A number of so many bytes, the lowest first.
    fn number(&mut self, bytes: usize) -> Result<usize, &'static str> {
        let (number, rest) = self.0.split_at_checked(bytes).ok_or(BROKEN)?;
        self.0 = rest;
        Ok(number.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }
    /// A number of seven bits a byte.
    fn varint(&mut self) -> Result<usize, &'static str> {
        let mut number = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.number(1)?;
            number |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BROKEN)
    }
}

/// Unpacks a block.
pub(super) fn unpack(block: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut input = Input(block);
    let length = input.varint()?;
    if length > BLOCK_BYTES_MAX {
        return Err("s2: block is too large");
    }
    let mut out = Vec::with_capacity(length);
    let mut distance = 0;
    while !input.0.is_empty() {
        let tag = input.number(1)?;
        let high = tag >> 2;
        let count = match tag & 3 {
            0 => {
                let count = match high {
                    0..60 => high + 1,
                    _ => input.number(high - 59)?.checked_add(1).ok_or(BROKEN)?,
                };
                let (piece, rest) = input.0.split_at_checked(count).ok_or(BROKEN)?;
                if count > length - out.len() {
                    return Err(BROKEN);
                }
                out.extend_from_slice(piece);
                input.0 = rest;
                continue;
            }
            1 => {
                let near = (tag & 0xe0) << 3 | input.number(1)?;
                match (near, high & 7) {
                    (0, 5) => input.number(1)? + 8,
                    (0, 6) => input.number(2)? + (1 << 8) + 4,
                    (0, 7) => input.number(3)? + (1 << 16) + 4,
                    (0, short) => short + 4,
                    (_, short) => {
                        distance = near;
                        short + 4
                    }
                }
            }
            2 => {
                distance = input.number(2)?;
                high + 1
            }
            _ => {
                distance = input.number(4)?;
                high + 1
            }
        };
        copy(&mut out, distance, count, length)?;
    }
    if out.len() == length { Ok(out) } else { Err(BROKEN) }
}

/// Appends a copy of what lies so far back; the copy may reach into itself.
fn copy(
    out: &mut Vec<u8>,
    distance: usize,
    count: usize,
    length: usize,
) -> Result<(), &'static str> {
    if distance == 0 || distance > out.len() || count > length - out.len() {
        return Err(BROKEN);
    }
    let from = out.len() - distance;
    let mut left = count;
    while left > 0 {
        let piece = left.min(out.len() - from);
        out.extend_from_within(from..from + piece);
        left -= piece;
    }
    Ok(())
}

/// Packs at most `BLOCK_BYTES_MAX` bytes.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 2 + 16);
    put_varint(&mut out, bytes.len());
    // Positions are stored with one added, so that 0 is none.
    let mut table = vec![0_usize; 1 << TABLE_BITS];
    let (mut done, mut at, mut misses) = (0, 0, 0);
    while let Some(four) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let hash = u32::from_le_bytes(*four).wrapping_mul(0x1e35_a7bd) >> (32 - TABLE_BITS);
        let slot = usize::try_from(hash).ok().and_then(|slot| table.get_mut(slot));
        let earlier = slot.map_or(0, |slot| std::mem::replace(slot, at + 1));
        let candidate = earlier.checked_sub(1).filter(|from| at - from <= DISTANCE_MAX);
        let count = candidate.map_or(0, |from| common(bytes, from, at));
        if count < 4 {
            // What does not repeat is passed over faster and faster.
            misses += 1;
            at += 1 + misses / 32;
            continue;
        }
        put_literal(&mut out, bytes.get(done..at).unwrap_or_default());
        put_copy(&mut out, at - candidate.unwrap_or(0), count);
        at += count;
        (done, misses) = (at, 0);
    }
    put_literal(&mut out, bytes.get(done..).unwrap_or_default());
    out
}

/// How many bytes are the same from both places on.
fn common(bytes: &[u8], earlier: usize, later: usize) -> usize {
    let (Some(earlier), Some(later)) = (bytes.get(earlier..), bytes.get(later..)) else { return 0 };
    earlier.iter().zip(later).take_while(|(one, other)| one == other).count()
}

fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

fn put_literal(out: &mut Vec<u8>, bytes: &[u8]) {
    let Some(last) = bytes.len().checked_sub(1) else { return };
    let extra = match last {
        0..60 => 0,
        60..0x100 => 1,
        0x100..0x1_0000 => 2,
        _ => 3,
    };
    match extra {
        0 => out.push(low_byte(last << 2)),
        _ => out.push(low_byte((59 + extra) << 2)),
    }
    out.extend((0..extra).map(|at| low_byte(last >> (8 * at))));
    out.extend_from_slice(bytes);
}

fn put_copy(out: &mut Vec<u8>, distance: usize, mut count: usize) {
    while count > 0 {
        let piece = count.min(COPY_BYTES_MAX);
        out.push(low_byte((piece - 1) << 2 | 2));
        out.extend([low_byte(distance), low_byte(distance >> 8)]);
        count -= piece;
    }
}

fn low_byte(number: usize) -> u8 {
    number.to_le_bytes().first().copied().unwrap_or(0)
}
