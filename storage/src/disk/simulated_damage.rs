//! Damage of the files of a simulated disk: what rot, a lost sector, or a hand with `dd` and `rm` does to them.
//! Not here: crashes and failed calls (`simulated`).

use super::{Disk, OpenMode, simulated::SimulatedDisk, simulated_names::Node};
use std::{io, path::Path};

impl SimulatedDisk {
    /// Flips a bit of a file, under those who have it open too.
    pub fn flip(&self, path: &Path, bit: u64) {
        let mut state = self.state();
        let Some(Node::File(file)) = state.live.get(path).copied() else { return };
        if let Ok(content) = state.content(file) {
            content.flip(bit);
        }
    }

    /// The content of a file.
    pub fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let mut bytes = vec![0; file.len()? as usize];
        file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Gives a file another content, durably; makes it where it is missing.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file =
            self.open(path, OpenMode::Write).or_else(|_| self.open(path, OpenMode::Create))?;
        file.truncate(0)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.sync_directory(path.parent().unwrap_or(Path::new("")))
    }

    /// Removes a file, durably.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.remove_file(path)?;
        self.sync_directory(path.parent().unwrap_or(Path::new("")))
    }
}
