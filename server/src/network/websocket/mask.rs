//! The mask over what clients send.
//! Not here: where frames begin and end (`frames`).

/// The mask of a frame, as far as it is used up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mask {
    key: [u8; 4],
}

impl Mask {
    pub(super) fn new(key: [u8; 4]) -> Self {
        Self { key }
    }
    /// Takes the mask off the next bytes of the frame.
    pub(super) fn remove(&mut self, bytes: &mut [u8]) {
        let wide: [u8; 32] = std::array::from_fn(|at| self.key_at(at));
        let mut chunks = bytes.chunks_exact_mut(wide.len());
        for chunk in &mut chunks {
            for (byte, key) in chunk.iter_mut().zip(&wide) {
                *byte ^= key;
            }
        }
        let rest = chunks.into_remainder();
        for (byte, key) in rest.iter_mut().zip(&wide) {
            *byte ^= key;
        }
        self.skip(rest.len());
    }

    /// Passes over the next bytes of the frame.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.key.rotate_left(bytes % 4);
    }

    fn key_at(self, at: usize) -> u8 {
        let [a, b, c, d] = self.key;
        match at % 4 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size() {
        let key = [1, 2, 4, 8];
        let plain: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let masked: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        for size in [1, 2, 3, 5, 31, 32, 33, 70, 1000] {
            let (mut mask, mut found) = (Mask::new(key), masked.clone());
            found.chunks_mut(size).for_each(|piece| mask.remove(piece));
            assert_eq!(found, plain, "pieces of {size}");
        }
    }
}
