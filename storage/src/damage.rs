//! A place where bytes on disk are not what was written, or are missing.
//! Not here: how it is found (`segment`, `journal`), and what it costs (`log`, `stream`).

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Bytes of one file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DamagedBytes {
    /// The file, below the volume's directory.
    pub path: PathBuf,
    /// Where they begin in the file.
    pub offset: u64,
    /// How many; 0 where that is not known, or where the file as a whole is meant.
    pub bytes: u64,
    /// What is wrong with them.
    pub what: String,
}

impl DamagedBytes {
    /// Bytes of a file.
    pub(crate) fn new(path: &Path, offset: u64, bytes: u64, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), offset, bytes, what: what.into() }
    }

    /// A file as a whole.
    pub(crate) fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::new(path, 0, 0, what)
    }
}

impl fmt::Display for DamagedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.offset > 0 || self.bytes > 0 {
            write!(f, " at {}", self.offset)?;
        }
        write!(f, ": {}", self.what)
    }
}
