//! Publishes that are under way on one connection, and the tokens by which their acknowledgements are found.
//!
//! Invariants: at most as many are under way as the window has slots; a token is given out once.
//! Not here: bytes (`publisher`).

use std::time::Instant;

/// A publish under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnderWay {
    /// When it was put into the buffer.
    pub(super) since: Instant,
    /// Index of the stream it is for.
    pub(super) stream: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Token of the publish in it, or of the next one.
    token: u64,
    publish: Option<UnderWay>,
}

/// A bounded set of publishes under way.
#[derive(Debug)]
pub(super) struct Window {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

impl Window {
    /// One with so many slots.
    pub(super) fn new(size: usize) -> Self {
        let slots = (0..size).map(|slot| Slot { token: slot as u64, publish: None }).collect();
        Self { slots, free: (0..size).rev().collect() }
    }

    /// Enters a publish; none where the window is full.
    pub(super) fn enter(&mut self, publish: UnderWay) -> Option<u64> {
        let slot = self.slots.get_mut(self.free.pop()?)?;
        slot.publish = Some(publish);
        Some(slot.token)
    }

    /// Takes the publish with this token out; none where it is not under way.
    pub(super) fn settle(&mut self, token: u64) -> Option<UnderWay> {
        let size = self.slots.len();
        let index = usize::try_from(token.checked_rem(size as u64)?).ok()?;
        let slot = self.slots.get_mut(index).filter(|slot| slot.token == token)?;
        let publish = slot.publish.take()?;
        slot.token += size as u64;
        self.free.push(index);
        Some(publish)
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_settles_once() {
        let mut window = Window::new(3);
        let publish = |stream| UnderWay { since: Instant::now(), stream };
        let tokens: Vec<u64> = (0..3).filter_map(|stream| window.enter(publish(stream))).collect();
        assert_eq!(tokens, [0, 1, 2]);
        assert_eq!(window.enter(publish(9)), None, "it is full");
        assert_eq!(window.settle(1).map(|found| found.stream), Some(1));
        assert_eq!(window.settle(1), None, "settled before");
        assert_eq!(window.settle(7), None, "never given out");
        assert_eq!(window.enter(publish(5)), Some(4), "the same slot, another token");
        assert_eq!(window.settle(1), None);
        assert_eq!(window.settle(4).map(|found| found.stream), Some(5));
        assert_eq!(window.len(), 2);
    }
}
