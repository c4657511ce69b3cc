//! Damage of the files of a simulated disk: what rot, a lost sector, or a hand with `dd` and `rm` does to them.
//! Not here: crashes and failed calls (`simulated`).

use super::{
    Disk, OpenMode, simulated::SimulatedDisk, simulated_file::SimulatedContent,
    simulated_names::Node,
};
use std::{io, ops::Range, path::Path};

impl SimulatedDisk {
    /// Flips a bit of a file, under those who have it open too.
    pub fn flip(&self, path: &Path, bit: u64) {
        let mut state = self.state();
        let Some(Node::File(file)) = state.live.get(path).copied() else { return };
        if let Ok(content) = state.content(file) {
            content.flip(bit);
        }
    }

    /// From now on a read that touches this range of a file fails.
    pub fn rot(&self, path: &Path, range: Range<u64>) {
        let mut state = self.state();
        let Some(Node::File(file)) = state.live.get(path).copied() else { return };
        if let Ok(content) = state.content(file) {
            content.rot(range);
        }
    }

    /// Puts an empty directory in the place of a file, durably.
    pub fn replace_with_directory(&self, path: &Path) {
        let mut state = self.state();
        state.live.insert(path.to_owned(), Node::Directory);
        state.durable.insert(path.to_owned(), Node::Directory);
    }

    /// What a file holds.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let mut state = self.state();
        let Some(Node::File(file)) = state.live.get(path).copied() else { return None };
        let content = state.content(file).ok()?;
        let mut bytes = vec![0; usize::try_from(content.len()).ok()?];
        content.read(&mut bytes, 0);
        Some(bytes)
    }

    /// Makes a file what is given, durably, with the directories above it.
    pub fn put(&self, path: &Path, content: &[u8]) {
        let mut state = self.state();
        let number = state.files.len();
        let mut file = SimulatedContent::default();
        file.write_durable(content, 0);
        state.files.push(file);
        let parents = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
        let nodes = parents.map(|parent| (parent.to_owned(), Node::Directory));
        for (path, node) in nodes.chain([(path.to_owned(), Node::File(number))]) {
            state.live.insert(path.clone(), node);
            state.durable.insert(path, node);
        }
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
