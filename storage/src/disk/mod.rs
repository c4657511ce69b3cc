//! What the engine asks of a disk, and the disks there are.
//! Not here: what the bytes mean (`format`).

use crate::{Result, volume::DiskMethod};
use std::{path::Path, sync::Arc};

/// A directory on some disk.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {}

/// Opens (creating where missing) a directory of the real file system.
#[expect(clippy::todo, reason = "signatures first")]
pub(crate) fn open_directory(_path: &Path, _method: DiskMethod) -> Result<Arc<dyn Disk>> {
    todo!()
}
