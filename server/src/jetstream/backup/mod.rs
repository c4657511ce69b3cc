//! Backups: a stream with its consumers as one archive that this server and nats-server read and write alike.
//!
//! Out: `snapshot` writes entries (`archive`, `consumer`), packs them (`s2`) and sends pieces as they are acknowledged.
//! In: `restore` takes pieces, unpacks them, and hands the entries to `install`, which builds the stream where nobody sees
//! it and lets it be seen when the archive turned out whole.
//! `check` reads an archive for those who only keep it.
//! Invariant: a stream that is half restored is never served, and one that a crash left so is removed at the next start.
//! Not here: requests and replies (`api::stream_backup`).

mod archive;
mod check;
mod consumer;
mod install;
mod restore;
mod room;
mod s2;
mod snapshot;

pub(crate) use check::{ArchiveCheck, Kind};
pub(crate) use install::{is_staged, remove_staged};
pub(crate) use restore::Restore;
pub(crate) use room::Staged;
pub(crate) use snapshot::{Snapshot, SnapshotRequest};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of consumers that one archive may hold.
const CONSUMER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Snapshots and restores of an account at one time.
const UNDER_WAY_MAX: usize = 32;

/// How many snapshots and restores of an account are under way.
#[derive(Debug, Default)]
pub(crate) struct Slots(AtomicUsize);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Slots {
    /// A place for one more, if there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Slot> {
        let more = |count: usize| (count < UNDER_WAY_MAX).then_some(count + 1);
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then(|| Slot(self.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
