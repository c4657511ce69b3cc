//! The recommended configuration file.
//! Not here: what is recommended (`recommendation`), the keys there are (`config`).

use super::error::{Result, TuneError};
use super::point::{disk_name, sync_name};
use super::recommendation::Recommendation;
use std::path::Path;

const MEBIBYTE: u64 = 1 << 20;

/// A file that `headwater serve -c` takes as it is.
pub(super) fn text(directory: &Path, chosen: &Recommendation) -> Result<String> {
    let directory = directory.to_str().filter(|path| !path.contains(char::is_control));
    let directory = directory.ok_or_else(|| {
        TuneError::Report("the path of the directory cannot stand in a configuration file".into())
    })?;
    let directory = directory.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!(
        "# Recommended by headwater tune.\n\
         jetstream {{\n\
         \x20   store_dir: \"{directory}\"\n\
         \x20   sync_interval: \"{}\"\n\
         \x20   disk: {}\n\
         \x20   segment_size: {}MB\n\
         }}\n",
        sync_name(chosen.sync),
        disk_name(chosen.disk),
        chosen.segment_bytes / MEBIBYTE,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;
    use headwater_storage::stream::SyncPolicy;
    use headwater_storage::volume::DiskMethod;
    use std::time::Duration;

    #[test]
    fn the_server_takes_it_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tuned.conf");
        for directory in ["/data", "/a b/\"c\"\\d", "/dä/$HOME", "/#x // y"] {
            for sync in [SyncPolicy::Always, SyncPolicy::Interval(Duration::from_millis(1500))] {
                for disk in [DiskMethod::Auto, DiskMethod::Posix, DiskMethod::Uring] {
                    let chosen = Recommendation {
                        disk,
                        segment_bytes: 8 << 20,
                        sync,
                        base_spread: 0.0,
                        reasons: Vec::new(),
                    };
                    std::fs::write(&path, text(Path::new(directory), &chosen).unwrap()).unwrap();
                    let options = file::load(&path).unwrap();
                    let storage = options.storage;
                    assert!(options.jetstream.is_some() && options.warnings.is_empty());
                    assert_eq!(storage.store_dir.as_deref(), Some(Path::new(directory)));
                    assert_eq!((storage.sync, storage.disk), (sync, disk));
                    assert_eq!(storage.segment_bytes, Some(8 << 20));
                }
            }
        }
    }
}
