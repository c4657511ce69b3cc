//! The memory that all logs in memory of a volume may take together.
//!
//! Invariants: `used <= max`; what a log took it gives back, at the latest when it is dropped.
//! Not here: what a log counts (`memory_log`).

use crate::{Error, Result};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Bytes used, and how many may be.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    used: AtomicU64,
    max: u64,
}

impl MemoryBudget {
    /// A budget that nothing is taken from.
    pub(crate) fn new(max: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), max })
    }

    /// Bytes that are taken.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes bytes; `NoSpace` where they are not left.
    pub(super) fn take(&self, bytes: u64) -> Result<()> {
        let more = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_| Error::NoSpace)
    }

    /// Gives bytes back that were taken.
    pub(super) fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
