//! The folder of a demo, which goes when the demo ends.
//! Not here: what the server keeps in it.

use crate::cli::error::{ClientError, Result};
use std::path::{Path, PathBuf};

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A fresh one among the temporary files.
    pub(super) fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("headwater-demo-{}", nuid::next()));
        std::fs::create_dir(&path).map_err(ClientError::file(&path))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays for the user to see.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
