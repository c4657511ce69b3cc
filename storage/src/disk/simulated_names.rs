//! Names of the simulated disk, and changes of them that are not synced yet.
//! Not here: content (`simulated_file`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Which file.
pub(super) type FileNumber = usize;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File(FileNumber),
}

/// A change of a directory that is not synced.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Set(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Change {
    /// The directory whose sync makes it durable.
    pub(super) fn directory(&self) -> &Path {
        let (Self::Set(path, _) | Self::Remove(path) | Self::Rename(path, _)) = self;
        path.parent().unwrap_or(Path::new(""))
    }
}

/// All names of a disk.
pub(super) type Names = BTreeMap<PathBuf, Node>;

/// Makes a change.
pub(super) fn apply(names: &mut Names, change: &Change) {
    match change {
        Change::Set(path, node) => {
            names.insert(path.clone(), *node);
        }
        Change::Remove(path) => {
            names.remove(path);
        }
        Change::Rename(from, to) => {
            let moved: Vec<_> = names
                .keys()
                .filter_map(|path| Some((path.clone(), path.strip_prefix(from).ok()?.to_owned())))
                .collect();
            for (path, rest) in moved {
                if let Some(node) = names.remove(&path) {
                    let target =
                        if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                    names.insert(target, node);
                }
            }
        }
    }
}
