//! What open batches may hold on the whole server, whatever stream and account they belong to.
//! Invariant: what a claim took goes back when it is dropped, so that no way of ending a batch can forget it.
//! Not here: the bounds of one stream and of one batch (`atomic::staging`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Most atomic batches that may be open at once.
const ATOMIC_BATCHES_MAX: usize = 1000;
/// Most fast batches that may be open at once.
const FAST_BATCHES_MAX: usize = 50_000;
/// Most bytes that the messages of open batches may take, of all kinds together.
const STAGED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The kinds of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Stored whole or not at all.
    Atomic,
    /// Stored as they come.
    Fast,
}

/// What open batches hold.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    atomic_batches: AtomicUsize,
    fast_batches: AtomicUsize,
    staged_bytes: AtomicU64,
}

impl Budget {
    /// Room for one more batch, if there is any.
    pub(super) fn open(self: &Arc<Self>, kind: Kind) -> Option<Claim> {
        let most = match kind {
            Kind::Atomic => ATOMIC_BATCHES_MAX,
            Kind::Fast => FAST_BATCHES_MAX,
        };
        let more = |open: usize| (open < most).then_some(open + 1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.batches(kind).fetch_update(set, fetch, more).ok()?;
        Some(Claim { budget: self.clone(), kind, bytes: 0 })
    }
    fn batches(&self, kind: Kind) -> &AtomicUsize {
        match kind {
            Kind::Atomic => &self.atomic_batches,
            Kind::Fast => &self.fast_batches,
        }
    }
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, u64) {
        let bytes = self.staged_bytes.load(Ordering::Relaxed);
        (self.atomic_batches.load(Ordering::Relaxed), bytes)
    }
}

/// What one open batch holds.
#[derive(Debug)]
pub(super) struct Claim {
    budget: Arc<Budget>,
    kind: Kind,
    bytes: u64,
}

impl Claim {
    /// Takes that many bytes more; nothing where they are not there.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let more = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= STAGED_BYTES_MAX);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let is_there = self.budget.staged_bytes.fetch_update(set, fetch, more).is_ok();
        if is_there {
            self.bytes += bytes;
        }
        is_there
    }
    /// Gives that many bytes back.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).min(self.bytes);
        self.bytes -= bytes;
        self.budget.staged_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
    /// Bytes it holds.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.budget.batches(self.kind).fetch_sub(1, Ordering::Relaxed);
        self.budget.staged_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_goes_back() {
        let budget = Arc::new(Budget::default());
        let mut claims: Vec<_> =
            (0..ATOMIC_BATCHES_MAX).filter_map(|_| budget.open(Kind::Atomic)).collect();
        assert_eq!(claims.len(), ATOMIC_BATCHES_MAX);
        assert!(budget.open(Kind::Atomic).is_none());
        let most = usize::try_from(STAGED_BYTES_MAX).unwrap();
        assert!(claims[0].grow(most - 1));
        assert!(!claims[1].grow(2) && !claims[1].grow(usize::MAX));
        assert!(claims[1].grow(1));
        assert_eq!(budget.held(), (ATOMIC_BATCHES_MAX, STAGED_BYTES_MAX));
        drop(claims);
        assert_eq!(budget.held(), (0, 0));
    }
}
