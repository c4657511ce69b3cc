//! Bytes that streams set aside by `max_bytes`, against what the server may give.
//! Not here: bytes in use, which the engine bounds.

use super::JetStreamOptions;
use super::config::{Storage, StreamConfig};
use super::errors::{self, ApiError};

/// Most bytes that may be set aside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// In memory.
    pub(crate) memory: u64,
    /// On disk.
    pub(crate) file: u64,
}

impl Bounds {
    /// What the options say, else three quarters of what there is.
    pub(crate) fn new(options: &JetStreamOptions) -> Self {
        let most = |bytes: u64| bytes / 4 * 3;
        let memory =
            options.memory_bytes_max.unwrap_or_else(|| memory_bytes().map_or(u64::MAX, most));
        let free = || {
            let existing = options.directory.ancestors().find(|path| path.exists())?;
            let disk = rustix::fs::statvfs(existing).ok()?;
            disk.f_bavail.checked_mul(disk.f_frsize)
        };
        let file = options.file_bytes_max.unwrap_or_else(|| free().map_or(u64::MAX, most));
        Self { memory, file }
    }
    /// Whether a stream may set aside what it asks for, beside what the others have.
    pub(crate) fn check<'a>(
        &self,
        config: &StreamConfig,
        others: impl Iterator<Item = &'a StreamConfig>,
    ) -> Result<(), ApiError> {
        let wanted = config.reserved_bytes();
        if wanted == 0 {
            return Ok(());
        }
        let taken = reserved(others, config.storage);
        let (bound, error) = match config.storage {
            Storage::Memory => (self.memory, errors::MEMORY_RESOURCES_EXCEEDED),
            Storage::File => (self.file, errors::STORAGE_RESOURCES_EXCEEDED),
        };
        if taken.saturating_add(wanted) > bound { Err(error) } else { Ok(()) }
    }
}

/// Bytes set aside by these streams in one kind of storage.
pub(crate) fn reserved<'a>(
    streams: impl Iterator<Item = &'a StreamConfig>,
    storage: Storage,
) -> u64 {
    streams
        .filter(|config| config.storage == storage)
        .fold(0, |sum, config| sum.saturating_add(config.reserved_bytes()))
}

fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations() {
        let stream = |max_bytes, storage| StreamConfig { max_bytes, storage, ..Default::default() };
        let others = [stream(60, Storage::File), stream(-1, Storage::File)];
        let bounds = Bounds { memory: 10, file: 100 };
        for (max_bytes, storage, expected) in [
            (-1, Storage::File, Ok(())),
            (40, Storage::File, Ok(())),
            (41, Storage::File, Err(errors::STORAGE_RESOURCES_EXCEEDED)),
            (i64::MAX, Storage::File, Err(errors::STORAGE_RESOURCES_EXCEEDED)),
            (10, Storage::Memory, Ok(())),
            (11, Storage::Memory, Err(errors::MEMORY_RESOURCES_EXCEEDED)),
        ] {
            let found = bounds.check(&stream(max_bytes, storage), others.iter());
            assert_eq!(found, expected, "{max_bytes}");
        }
    }
}
