//! Places of a segment that the system does not give: whether they are lost, or only away for a while.
//!
//! A disk whose cable or path fails says the same as one with a bad sector, and comes back. So a place is tried again for
//! some time before it counts as lost; and not with every read, as a disk takes its time to say that it cannot.
//! Invariants: a place that could be read again is forgotten.
//! Not here: damage that a checksum finds (`format`).

use crate::{Error, Result};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// For so long it may be away.
const AWAY_MAX: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(30) };
/// A place that is away is tried again after this time.
const PAUSE_AWAY: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(1) };
/// Same, where it is lost.
const PAUSE_LOST: Duration = Duration::from_secs(10);

/// One place.
#[derive(Debug)]
struct Trouble {
    since: Instant,
    tried: Instant,
    is_lost: bool,
    what: String,
    error: Arc<io::Error>,
}

impl Trouble {
    /// What a read is told: an error while it may come back, and then what is wrong for good.
    fn told<T>(&self) -> Result<Result<T, String>> {
        match self.is_lost {
            true => Ok(Err(format!("cannot be read: {}", self.error))),
            false => Err(Error::Io { what: self.what.clone(), error: Arc::clone(&self.error) }),
        }
    }
}

/// See the top of the file.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Mutex<BTreeMap<u64, Trouble>>);

impl Unreadable {
    /// Reads a place, or says what is wrong with it. An error where it may be there again later.
    pub(super) fn read(
        &self,
        offset: u64,
        read: impl FnOnce() -> Result<Bytes>,
    ) -> Result<Result<Bytes, String>> {
        if let Some(trouble) = self.troubles().get(&offset) {
            let pause = if trouble.is_lost { PAUSE_LOST } else { PAUSE_AWAY };
            if trouble.tried.elapsed() < pause {
                return trouble.told();
            }
        }
        let (what, error) = match read() {
            Ok(bytes) => {
                self.troubles().remove(&offset);
                return Ok(Ok(bytes));
            }
            Err(Error::Io { what, error }) if is_unreadable(&error) => (what, error),
            Err(error) => return Err(error),
        };
        let now = Instant::now();
        let mut troubles = self.troubles();
        if let Some(trouble) = troubles.get_mut(&offset) {
            trouble.tried = now;
            trouble.is_lost |= now.duration_since(trouble.since) >= AWAY_MAX;
            return trouble.told();
        }
        tracing::error!(what, offset, %error, "the disk does not give what is there");
        let trouble = Trouble { since: now, tried: now, is_lost: false, what, error };
        troubles.entry(offset).or_insert(trouble).told()
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<u64, Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it says that the medium, or what the file system knows of it, does not give the bytes.
fn is_unreadable(error: &io::Error) -> bool {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::IO | Errno::BADMSG) => true,
        #[cfg(target_os = "linux")]
        Some(Errno::UCLEAN) => true,
        _ => false,
    }
}
