//! What an account may still hold, while streams are restored that nobody sees yet: each one leaves room for the others.

use crate::jetstream::config::Storage;
use crate::jetstream::errors::{self, ApiError};
use crate::jetstream::tenant::Tenant;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of the streams of an account that are being restored.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    memory: AtomicU64,
    file: AtomicU64,
}

impl Staged {
    fn of(&self, storage: Storage) -> &AtomicU64 {
        match storage {
            Storage::Memory => &self.memory,
            Storage::File => &self.file,
        }
    }
}

/// Room for one stream, until it is dropped.
pub(super) struct Room {
    tenant: Arc<Tenant>,
    storage: Storage,
    bytes: u64,
}

impl Room {
    /// Room for a stream of no bytes.
    pub(super) fn new(tenant: &Arc<Tenant>, storage: Storage) -> Self {
        Self { tenant: tenant.clone(), storage, bytes: 0 }
    }
    /// Makes it room for so many bytes, which never become fewer; refused where the account has no more.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), ApiError> {
        let usage = self.tenant.usage();
        let bounds = &self.tenant.context.bounds;
        let (bound, used, error) = match self.storage {
            Storage::Memory => (bounds.memory, usage.memory, errors::MEMORY_RESOURCES_EXCEEDED),
            Storage::File => (bounds.file, usage.file, errors::STORAGE_RESOURCES_EXCEEDED),
        };
        let more = bytes.saturating_sub(self.bytes);
        let free = bound.saturating_sub(used);
        let taken = |staged: u64| staged.checked_add(more).filter(|all| *all <= free);
        let staged = self.tenant.staged.of(self.storage);
        match staged.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken) {
            Ok(_) => self.bytes += more,
            Err(_) => return Err(error),
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.tenant.staged.of(self.storage).fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
